"""holicam.methods.gradients.fullgrad: a map made of everything that adds up to the score."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import holicam as hc
from holicam.methods.gradients.fullgrad import IncompleteWarning, bias_of, psi
from tests.helpers.nets import BranchNet, ColourNet, TinyNet, TokenNet, colour_image, random_images
from tests.twins import slow_gradient as slow

FULLGRAD = hc.FullGrad()


def tiny(batch=2, inplace=False):
    return TinyNet(inplace).double(), random_images(batch, 3, 9, 12, dtype=torch.float64)


def networks():
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield "resnet", hc.toynets.ToyResNet50(width=4)
        yield "vgg", hc.toynets.ToyVGG16BN(width=1)
        yield "dense", models.DenseNet(4, (2, 2), 8, num_classes=6)


def test_slow_twin(record_property):
    net, images = tiny()
    target = [1, 4]
    found = FULLGRAD(net, images, target=torch.tensor(target), intermediate=True)
    for b, (x, c) in enumerate(zip(images.numpy(), target, strict=True)):
        M, score, shares = slow.fullgrad(net, x, c)
        difference = abs(found["map"][b].numpy() - M).max() / abs(M).max()
        record_property("difference", float(difference))
        assert difference < 1e-12
        assert abs(float(found["score"][b]) - score) < 1e-12
        assert found["shares"].keys() == shares.keys()
        for name, share in shares.items():
            assert abs(float(found["shares"][name][b]) - share) < 1e-12


@pytest.mark.parametrize("name", ["resnet", "vgg", "dense", "tiny"])
def test_the_shares_add_up_to_the_score(name, record_property):
    net = (dict(networks()) | {"tiny": TinyNet()})[name].eval().double()
    generator = torch.Generator().manual_seed(1)
    for module in net.modules():  # statistics that are not 0 and 1, so that batch norm has a constant
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator).mul_(0.1)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    images = random_images(2, 3, 40, 48, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for target in (None, 1, lambda logits: logits[:, 0] - 2 * logits[:, 1]):
            found = FULLGRAD(net, images, target=target, intermediate=True)
            total = sum(found["shares"].values())
            scale = sum(share.abs() for share in found["shares"].values())
            gap = ((total - found["score"]).abs() / scale).max()
            record_property("difference", float(gap))
            assert gap < 1e-12
            torch.testing.assert_close(sum(found["maps"].values()), found["map"])


def test_float32_is_complete_to_1e_4():
    net = hc.toynets.ToyResNet50(width=4).eval()
    found = FULLGRAD(net, random_images(2, 3, 48, 48), intermediate=True)
    total = sum(found["shares"].values())
    assert bool(((total - found["score"]).abs() < 1e-4 * found["score"].abs().clamp(min=0.1)).all())
    assert found["map"].dtype == torch.float32


def smooth_net() -> nn.Module:
    """Not piecewise linear, with weights that are the same in every run."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


@pytest.mark.parametrize("make", [TokenNet, smooth_net])
def test_other_networks_warn(make):
    net = make()
    with pytest.warns(IncompleteWarning, match="do not add up"):
        FULLGRAD(net, random_images(1, 3, 8, 8))
    with pytest.warns(IncompleteWarning):  # it adds the constant 1, which is no bias
        FULLGRAD(BranchNet(), random_images(1, 3, 8, 8))
    with pytest.warns(IncompleteWarning):
        FULLGRAD(TinyNet(), random_images(1, 3, 8, 8), target=lambda logits: logits.softmax(1)[:, 0])


def test_without_biases_only_the_image_speaks():
    found = FULLGRAD(ColourNet().double(), colour_image(), target=1, intermediate=True)
    assert list(found["maps"]) == ["image"]
    torch.testing.assert_close(found["shares"]["image"], found["score"])


def test_psi_is_per_sample_over_everything():
    z = random_images(2, 4, 3, 5)
    z[1] *= 100
    flat = psi(z).flatten(1)
    assert bool((flat.amin(1) == 0).all()) and bool((flat.amax(1) > 0.999).all())
    assert torch.equal(psi(z)[:1], psi(z[:1])) and torch.equal(psi(torch.zeros(1, 2, 2)), torch.zeros(1, 2, 2))


def test_the_constants_of_layers():
    x = torch.zeros(1, 3, 4, 4)
    for norm in (nn.BatchNorm2d(3), nn.BatchNorm2d(3, affine=False)):
        norm.eval().running_mean.copy_(torch.tensor([1.0, -2, 3]))
        norm.running_var.fill_(4.0)
        torch.testing.assert_close(bias_of(norm), norm(x)[0, :, 0, 0].detach())
    assert bias_of(nn.Conv2d(3, 3, 1, bias=False)) is None and bias_of(nn.ReLU()) is None
    assert bias_of(nn.Linear(2, 5)).shape == (5,)


def test_align_corners_is_the_authors_enlargement():
    net, images = tiny(1)
    found = FULLGRAD(net, images, intermediate=True)
    other = hc.FullGrad(align_corners=True)(net, images, intermediate=True)
    assert torch.equal(found["maps"]["bn0"], other["maps"]["bn0"])  # has the image's size
    small, large = found["maps"]["bn1"], other["maps"]["bn1"]
    assert small.shape == large.shape == (1, 9, 12) and not torch.allclose(small, large)
    torch.testing.assert_close(large.mean(), small.mean(), rtol=0.2, atol=0)


@pytest.mark.filterwarnings("ignore::holicam.methods.gradients.fullgrad.IncompleteWarning")
def test_batch_in_place_precision_and_zeros():
    net, images = tiny(3)
    whole = FULLGRAD(net, images)
    assert whole.dtype == torch.float64
    for b in range(3):
        torch.testing.assert_close(FULLGRAD(net, images[b : b + 1])[0], whole[b])
    torch.testing.assert_close(FULLGRAD(tiny(inplace=True)[0], images), whole)
    torch.testing.assert_close(FULLGRAD(BranchNet(True), images.float()), FULLGRAD(BranchNet(False), images.float()))
    low = FULLGRAD(TinyNet().bfloat16(), images.bfloat16())
    assert low.dtype == torch.float32 and bool(low.isfinite().all())
    zero = FULLGRAD(net, images, target=lambda logits: logits[:, 0] * 0)
    assert torch.equal(zero, torch.zeros_like(zero))
    with torch.inference_mode():
        assert torch.equal(FULLGRAD(net, images), whole)
    assert FULLGRAD(net, images, size=(5, 6)).shape == (3, 5, 6)
    assert FULLGRAD(net, random_images(1, 3, 24, 40).double()).shape == (1, 24, 40)


def test_a_batch_that_goes_through_the_network_in_parts(monkeypatch):
    net, images = tiny(5)
    whole = FULLGRAD(net, images, intermediate=True)
    monkeypatch.setattr("holicam.core.batched._CPU_PIXELS", 2 * 9 * 12)  # parts of two, two and one
    parts = FULLGRAD(net, images, intermediate=True)
    torch.testing.assert_close(parts["map"], whole["map"])
    for key in ("maps", "shares"):
        torch.testing.assert_close(parts[key], whole[key])


def test_a_network_that_normalises_its_images_itself():
    """What is added to a pixel before a layer reads it counts as the pixel's; where that is not so, a warning."""

    class Normalised(nn.Module):
        def __init__(self, way):
            super().__init__()
            self.net, self.way = TinyNet().double(), way
            self.eval()

        def forward(self, x):
            return self.net(self.way(x))

    images = tiny()[1]
    whole = FULLGRAD(TinyNet().double(), (images - 0.3) / 0.7, intermediate=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inside = FULLGRAD(Normalised(lambda x: (x - 0.3) / 0.7), images, intermediate=True)
    torch.testing.assert_close(inside["map"], whole["map"])
    torch.testing.assert_close(inside["shares"]["image"], whole["shares"]["image"])
    for way in (lambda x: (x - 0.3)[..., 1:], lambda x: 1 / (x.abs() + 1)):
        with pytest.warns(IncompleteWarning):
            FULLGRAD(Normalised(way), images)


def test_a_mask_turned_over_is_of_the_image_too():
    """x * ~(x <= 0) is a ReLU that reads the image: what is added behind it is no longer the pixel's."""

    class Gated(nn.Module):
        def __init__(self, way):
            super().__init__()
            self.net, self.way = TinyNet().double(), way
            self.eval()

        def forward(self, x):
            return self.net(self.way(x) + 0.3)

    images = tiny()[1]
    shares = []
    for way in (torch.relu, lambda x: x * (x > 0), lambda x: x * ~(x <= 0)):
        with pytest.warns(IncompleteWarning):  # 0.3 is nobody's
            shares.append(FULLGRAD(Gated(way), images, intermediate=True)["shares"]["image"])
    for others in shares[1:]:
        torch.testing.assert_close(others, shares[0])


def test_a_layer_that_runs_twice_gives_both_its_biases():
    conv = nn.Conv2d(3, 3, 1)
    net = nn.Sequential(conv, nn.ReLU(), conv, nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval()
    found = FULLGRAD(net, random_images(1, 3, 4, 4).double(), intermediate=True)
    torch.testing.assert_close(sum(found["shares"].values()), found["score"])


def test_one_forward_one_backward_and_nothing_left():
    net, images = tiny()
    runs = []
    handle = net.register_forward_hook(lambda *_: runs.append("forward"))
    net.bn0.register_full_backward_hook(lambda *_: runs.append("backward"))
    FULLGRAD(net, images)
    assert runs == ["forward", "backward"]
    handle.remove()
    net.bn0._backward_hooks.clear()

    def fail(logits):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        FULLGRAD(net, images, target=fail)
    assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


def test_bad_calls_and_repr():
    assert repr(FULLGRAD) == "FullGrad(align_corners=False)"
    with pytest.raises(TypeError, match="align_corners must be"):
        hc.FullGrad(align_corners="yes")
    with pytest.raises(ValueError, match="reads no layer"):
        FULLGRAD(*tiny(), ["relu1"])
    with pytest.raises(ValueError, match="training mode"):
        FULLGRAD(TinyNet().train(), random_images(1, 3, 8, 8))
