"""holicam.methods.cams.normgrad and W-Grad-CAM: their formulas and how they relate to others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.core.capture import capture
from holicam.models.toy import ToyResNet50
from tests.helpers.nets import ColourNet, TinyNet, colour_image, random_images
from tests.twins import slow_family as slow

NET, IMAGES, TARGET = TinyNet(True).double(), random_images(2, 3, 10, 7).double(), [2, 3]


def plain(layer):
    return slow.passes_of(TinyNet().double(), TARGET)(IMAGES, layer)


@pytest.mark.parametrize("layer", ["relu0", "bn1", "relu2"])
@pytest.mark.parametrize("identity", ["conv1x1", "scaling", "bias"])
def test_normgrad_is_its_slow_twin(identity, layer, record_property):
    got = hc.NormGrad(identity)(NET, IMAGES, layer, TARGET, size="native").numpy()
    expected = slow.normgrad(*plain(layer), identity)
    record_property("difference", float(np.abs(got - expected).max() / expected.max()))
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("layer", ["relu0", "bn1", "relu2"])
def test_w_grad_cam_is_its_slow_twin(layer, record_property):
    got = hc.WGradCAM(relu=False)(NET, IMAGES, layer, TARGET, size="native").numpy()
    expected = slow.w_grad_cam(*plain(layer))
    record_property("difference", float(np.abs(got - expected).max() / np.abs(expected).max()))
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-14)


def test_w_grad_cam_weighs_as_xgrad_cam_times_the_channels_mean():
    seen = capture(NET, IMAGES, "relu1", TARGET)
    A, G = seen.A["relu1"], seen.G["relu1"]
    share = A.sum((2, 3), keepdim=True) / A[0, 0].numel()
    torch.testing.assert_close(hc.cam.w_grad_cam(A, G), hc.cam.xgrad_cam(A, G, 0.0) * share)


def test_normgrad_is_the_gradient_of_a_virtual_convolution():
    """Each place's part of dS/dK, for an identity 1x1 kernel K put behind the layer."""
    net, image = ColourNet().double(), colour_image()
    kernel = torch.eye(3).double()[..., None, None].requires_grad_()
    handle = net.box.register_forward_hook(lambda module, inputs, out: torch.nn.functional.conv2d(out, kernel))
    net(image)[0, 1].backward()
    handle.remove()
    seen = capture(net, image, "box", 1)
    whole = torch.einsum("bkij,bcij->kc", seen.G["box"], seen.A["box"])
    torch.testing.assert_close(kernel.grad[..., 0, 0], whole)
    one = torch.einsum("kij,cij->kcij", seen.G["box"][0], seen.A["box"][0])
    torch.testing.assert_close(hc.NormGrad()(net, image, "box", 1, size="native")[0], one.flatten(0, 1).norm(dim=0))


def test_cross_entropy_is_the_probability_over_itself():
    def cross_entropy(logits):
        return -logits.log_softmax(1)[range(2), TARGET]

    for identity in ("conv1x1", "scaling", "bias"):
        direct = hc.NormGrad(identity)(NET, IMAGES, ["relu0", "relu2"], cross_entropy)
        ours = hc.NormGrad(identity, score="ce")(NET, IMAGES, ["relu0", "relu2"], TARGET)
        scaled = hc.NormGrad(identity, score="prob")(NET, IMAGES, ["relu0", "relu2"], TARGET)
        p = NET(IMAGES).softmax(1)[range(2), TARGET].detach()
        for layer in direct:
            torch.testing.assert_close(ours[layer], direct[layer])
            torch.testing.assert_close(ours[layer], scaled[layer] / p[:, None, None])


def test_where_the_family_collapses():
    """At the end of a network with a pooled head, G is constant over places (spec, identity 1)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ToyResNet50(width=4).double().eval()
    images = random_images(2, 3, 64, 96).double()
    maps = hc.explain_many(
        ["grad-cam", "xgrad-cam", "hires-cam", "w-grad-cam"], net, images, ["layer3", "layer4"], [3, 7], size="native"
    )
    for name in ("xgrad-cam", "hires-cam"):
        torch.testing.assert_close(maps[name]["layer4"], maps["grad-cam"]["layer4"], rtol=1e-5, atol=1e-9)
        assert not torch.allclose(maps[name]["layer3"], maps["grad-cam"]["layer3"], rtol=0.1)
    assert not torch.allclose(maps["w-grad-cam"]["layer4"], maps["grad-cam"]["layer4"], rtol=0.1)
    seen = capture(net, images, "layer4", [3, 7])
    A, G = seen.A["layer4"], seen.G["layer4"]
    torch.testing.assert_close(hc.cam.alpha(A, G), hc.cam.alpha(A, G, denominator="sum_Ag3"))
