"""holicam.methods.finercam: the slow twin, grad-cam's, bases that pack their inputs, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import holicam as hc
from holicam.core.capture import tokens_to_grid
from holicam.core.targets import PerImage, targets_of
from tests.helpers.nets import TinyNet, TokenNet, random_images
from tests.methods.test_oracles import case, gradcam, largest_difference, tiny, within
from tests.twins import slow_guests as slow


def images(batch=3):
    return random_images(batch, 3, 14, 11).double()


@pytest.mark.parametrize("join", ["mean", "softmax"])
@pytest.mark.parametrize("target", [None, [1, 4, 0]])
@pytest.mark.parametrize(("gamma", "classes"), [(1.0, 3), (0.6, 1), (2.0, 4)])
def test_the_slow_twin(gamma, classes, target, join, record_property):
    net, x = TinyNet().double(), images()
    ready = hc.FinerCAM(hc.GradCAM(relu=False), gamma=gamma, classes=classes, join=join)
    got = ready(net, x, "relu1", target, size="native")
    one = [
        slow.finer_grad_cam(net, x[b : b + 1], net.relu1, target and target[b], gamma, classes, join) for b in range(3)
    ]
    within(record_property, largest_difference(got, torch.stack(one)))


@case
def test_grad_cam_package(network, layer, record_property):
    model, x, _ = network()
    module = model.get_submodule(layer)
    base = lambda *given: gradcam.GradCAM(*given)  # noqa: E731
    with gradcam.FinerCAM(model, [module], base_method=base) as theirs:
        theirs(x)
        stored = theirs.base_cam.activations_and_grads
        raw = theirs.base_cam.get_cam_image(
            x, module, None, stored.activations[0].numpy(), stored.gradients[0].numpy(), False
        )
    ready = hc.FinerCAM(hc.GradCAM(relu=False), preset="reference")
    within(record_property, largest_difference(ready(model, x, layer, size="native"), raw))


def test_at_gamma_0_it_is_its_base():
    net, x = TinyNet().double(), images()
    for base, layer in ((hc.GradCAM(), ["relu1", "relu2"]), (hc.ZoomCAM(), ["relu1", "relu2"]), (hc.Gradient(), None)):
        got, own = (ready(net, x, layer) for ready in (hc.FinerCAM(base, gamma=0), base))
        assert type(got) is type(own)
        torch.testing.assert_close(got, own)


@pytest.mark.parametrize(
    ("base", "layer"),
    [
        (hc.SmoothGrad(samples=3, chunk=2), None),
        (hc.ScoreCAM(chunk=5), "relu2"),
        (hc.AblationCAM(chunk=5, score="logit"), "relu2"),
        (hc.UCAG(patches=2, chunk=3), "relu2"),
        (hc.ExtremalPerturbation(areas=(0.2,), steps=1, levels=2), None),
        (hc.CAMERAS(scales=(1, 1.5)), "relu2"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_row_of_a_packed_base_is_asked_for_its_own_classes(base, layer):
    net, x = TinyNet().double(), images()
    x[1] *= 3
    together = hc.FinerCAM(base)(net, x, layer)
    for b in range(3):
        alone = hc.FinerCAM(base)(net, x[b : b + 1], layer)
        torch.testing.assert_close(together[b : b + 1], alone, rtol=1e-8, atol=1e-10)


def test_a_target_per_image_goes_with_its_rows():
    scores, wanted = torch.arange(8.0).view(4, 2), torch.tensor([0, 1])
    target = PerImage(lambda y, owner: y.gather(1, wanted[owner][:, None])[:, 0], torch.arange(2))
    packed = targets_of(target, torch.tensor([1, 0, 0, 1]))
    assert packed(scores).tolist() == [1, 2, 4, 7]
    assert targets_of(packed, torch.tensor([3, 1]))(scores[:2]).tolist() == [1, 2]


def test_what_it_costs():
    net, seen = TinyNet(), []
    net.register_forward_hook(lambda _, x, __: seen.append(len(x[0])))
    hc.FinerCAM()(net, random_images(2, 3, 12, 12), ["relu1", "relu2"])
    assert seen == [2, 2]


def test_transformers():
    got = hc.FinerCAM()(TokenNet(), random_images(2, 3, 8, 12), "norm", 1, reshape=tokens_to_grid((2, 3)))
    assert got.shape == (2, 8, 12)


def test_presets_and_bad_calls():
    net, x, _ = tiny()
    assert hc.FinerCAM(preset="reference").join == "softmax" and hc.FinerCAM(hc.LayerCAM()).base == hc.LayerCAM()
    assert hc.FinerCAM(hc.Gradient()).takes == "input" and hc.explainers["finer-cam"]() == hc.FinerCAM()
    with pytest.raises(ValueError, match="must be a class, not a callable"):
        hc.FinerCAM()(net, x, "relu2", lambda y: y[:, 0])
    with pytest.raises(ValueError, match="one class alone"):
        hc.FinerCAM()(TinyNet(classes=1), x.float(), "relu2")
    with pytest.raises(ValueError, match="callable"):
        hc.FinerCAM(hc.CAM())(net, x, "relu2")
    for fields in ({"gamma": -1}, {"classes": 0}, {"join": "sum"}, {"base": "grad-cam"}, {"preset": "mine"}):
        with pytest.raises(ValueError, match=next(iter(fields))):
            replace(hc.FinerCAM(), **fields)
