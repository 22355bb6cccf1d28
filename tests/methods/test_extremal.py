"""Smooth masks, and the best place to look, found by gradient ascent."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from unittest import mock

import pytest
import torch
import torchvision
from torch import nn

import holicam as hc
from holicam.methods.perturbation import extremal
from holicam.methods.perturbation.smooth_masks import SmoothMasks, SoftMaximum, blend, blur, blur_levels
from tests.helpers.closeness import close
from tests.helpers.nets import TinyNet, random_images
from tests.twins import slow_extremal as slow

SMALL = hc.ExtremalPerturbation(areas=(0.1, 0.3), steps=4, step=3, reach=6, blur=3.0)


def setting(size=2, shape=(12, 9), dtype=torch.float64):
    return TinyNet().to(dtype), 2 * random_images(size, 3, *shape, dtype=dtype)


# Blurs and masks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.0, 0.4, 1.0, 3.5, 20.0])
def test_blur_is_the_slow_twin_and_scipys(sigma, record_property):
    x = random_images(2, 9, 14, dtype=torch.float64)
    close(blur(x, sigma), slow.blurred(x.numpy(), sigma), record_property)
    torch.testing.assert_close(blur(torch.ones_like(x), sigma), torch.ones_like(x))
    scipy = pytest.importorskip("scipy.ndimage")
    if sigma:
        wanted = scipy.gaussian_filter(
            x.numpy(), (0, sigma, sigma), mode="nearest", radius=(0, *[-int(-4 * sigma // 1)] * 2)
        )
        close(blur(x, sigma), wanted, record_property)


def test_levels_and_blend_are_the_slow_twins(record_property):
    images = random_images(2, 3, 7, 10, dtype=torch.float64)
    pyramid = blur_levels(images, 5, 2.0)
    close(pyramid[1], slow.levels(images[1].numpy(), 5, 2.0), record_property)
    assert torch.equal(pyramid[:, -1], images)
    masks = random_images(2, 7, 10, seed=1, dtype=torch.float64).sigmoid()
    masks[0, 0, 0], masks[0, 0, 1], masks[0, 0, 2] = 0.0, 1.0, 0.5
    got = blend(pyramid, masks)
    for b in range(2):
        close(got[b], slow.blended(pyramid[b], masks[b]), record_property)
    torch.testing.assert_close(blend(pyramid, torch.ones_like(masks)), images)
    torch.testing.assert_close(blend(pyramid, torch.zeros_like(masks)), pyramid[:, 0])


def test_blend_has_the_slope_of_its_interval():
    pyramid = blur_levels(random_images(1, 3, 4, 4, dtype=torch.float64), 3, 1.0)
    masks = torch.full((1, 4, 4), 0.3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(blend(pyramid, masks).sum(), masks)
    torch.testing.assert_close(gradient[0], 2 * (pyramid[0, 1] - pyramid[0, 0]).sum(0))


@pytest.mark.parametrize(("size", "step", "reach"), [((12, 9), 3, 6), ((7, 16), 4, 6), ((5, 5), 2, 2), ((9, 6), 7, 7)])
def test_masks_are_the_slow_twin(size, step, reach, record_property):
    masks = SmoothMasks(size, step, reach, 20.0, torch.zeros(0).double())
    geometry = slow.Geometry(size, step, reach, 20.0)
    assert list(masks.grid) == geometry.grid
    p = random_images(3, *masks.grid, dtype=torch.float64).sigmoid()
    canvas = masks(p)
    assert canvas.shape == (3, *geometry.canvas) and masks.crop(canvas).shape == (3, *size)
    for one, drawn in zip(p, canvas, strict=True):
        close(drawn, geometry.mask(one), record_property)
        close(masks.crop(drawn[None])[0], geometry.crop(geometry.mask(one)), record_property)


@pytest.mark.parametrize("coldness", [0.0, 20.0, 400.0])
def test_the_masks_gradient_is_that_of_the_formula(coldness):
    """Written out with one tensor for all neighbours, as autograd derives it; and by differences."""
    generator = torch.Generator().manual_seed(3)
    weight = torch.rand(9, 4, generator=generator, dtype=torch.float64)
    near = torch.rand(2, 9, 6, generator=generator, dtype=torch.float64).requires_grad_()
    v = weight[None, :, :, None] * near[:, :, None]
    whole = (v * (coldness * v).softmax(1)).sum(1)
    found = SoftMaximum.apply(near, weight, coldness)
    upstream = torch.randn(whole.shape, generator=generator, dtype=torch.float64)
    (slow,), (fast,) = (torch.autograd.grad(one, near, upstream) for one in (whole, found))
    assert (found - whole).abs().max() < 1e-14 and (slow - fast).abs().max() < 1e-11 * slow.abs().max()
    assert torch.autograd.gradcheck(lambda x: SoftMaximum.apply(x, weight, coldness), near, atol=1e-4)


def test_the_canvas_at_224_pixels():
    masks = SmoothMasks((224, 224), 7, 21, 20.0, torch.zeros(0))
    assert masks.grid == (32, 32) and masks.weight.shape == (81, 49)
    canvas = masks(torch.ones(1, 32, 32))
    assert canvas.shape == (1, 260, 260) and canvas[0, 0, 0] < 0.5
    # A whole mask is nearly one: each pixel's largest neighbour is at most half a cell away.
    assert masks.crop(canvas).min() > 0.9 and canvas.max() <= 1


# The explainer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"flip": False}, {"score": "prob", "levels": 3}, {"momentum": 0.0}, {"steps": 8, "rate": 0.1}],
    ids=lambda o: "-".join(o) or "plain",
)
def test_slow_twin(options, record_property):
    net, images = setting()
    explainer = replace(SMALL, **options)
    got = explainer(net, images, target=[4, 1], intermediate=True)
    for b, c in enumerate((4, 1)):
        wanted = [
            slow.extremal(
                net,
                images[b].numpy(),
                c,
                area,
                steps=explainer.steps,
                step=3,
                reach=6,
                levels_=explainer.levels,
                sigma=3.0,
                rate=explainer.rate,
                momentum=explainer.momentum,
                flip=explainer.flip,
                kind=explainer.score,
            )
            for area in explainer.areas
        ]
        close(got["masks"][b], wanted, record_property, 1e-9)
        close(got["map"][b], slow.blurred(sum(wanted), 0.09 * 9), record_property, 1e-9)


class Corner(nn.Module):
    """The logit is how much detail there is in the lower right quarter."""

    def __init__(self):
        super().__init__()
        self.eval()

    def forward(self, images):
        part = images[..., images.shape[-2] // 2 :, images.shape[-1] // 2 :]
        return torch.stack([part.square().mean((1, 2, 3)) * 100, images.mean((1, 2, 3))], 1)


def test_it_finds_what_the_score_depends_on_and_keeps_to_the_area():
    images = random_images(1, 3, 24, 24)
    explainer = hc.ExtremalPerturbation(
        areas=(0.05, 0.1), steps=150, step=3, reach=6, blur=4.0, flip=False, weight=3000.0
    )
    found = explainer(Corner(), images, target=0, intermediate=True)
    maps = found["map"][0]
    assert maps[12:, 12:].mean() > 5 * maps[:12, :12].mean()
    assert set(found) == {"masks", "scores"} and found["scores"].shape == (1, 2, 150)
    share = found["masks"].mean((2, 3))[0]
    assert share[0] < share[1] < 0.4  # of the image, which is a part of the canvas


def test_batch_singles_and_chunks():
    net, images = setting(3, (12, 20))
    target = torch.tensor([0, 3, 1])
    together = SMALL(net, images, None, target)
    assert together.shape == (3, 12, 20) and together.dtype == torch.float64
    for chunk in (1, 4, 100):
        again = replace(SMALL, chunk=chunk)(net, images, None, target)
        torch.testing.assert_close(again, together, rtol=1e-9, atol=1e-11)
    for b in range(3):
        alone = SMALL(net, images[b : b + 1], target=int(target[b]))
        torch.testing.assert_close(alone[0], together[b], rtol=1e-9, atol=1e-11)
    assert not torch.allclose(together[0], together[1])
    with torch.no_grad():
        top = SMALL(net, images, target=net(images).argmax(1))
    assert torch.equal(SMALL(net, images), top)


def test_in_place_sizes_and_bfloat16():
    images = random_images(2, 3, 16, 9)
    maps = [SMALL(TinyNet(inplace), images, target=1) for inplace in (True, False)]
    torch.testing.assert_close(*maps)
    small = SMALL(TinyNet(), images, target=1, size=(5, 20))
    torch.testing.assert_close(small, hc.ops.upsample(maps[1], (5, 20)))
    low = SMALL(TinyNet().bfloat16(), images.bfloat16(), target=1)
    assert low.dtype == maps[0].dtype == torch.float32 and low.isfinite().all()


def test_nothing_to_see():
    class Deaf(TinyNet):
        def forward(self, images):
            return super().forward(images).detach() * 0

    with pytest.raises(ValueError, match="does not depend on the image"):
        SMALL(Deaf(), random_images(1, 3, 8, 8))
    assert SMALL(TinyNet(), torch.zeros(1, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize("make", [torchvision.models.resnet18, torchvision.models.densenet121, None])
def test_real_architectures(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make(num_classes=5).eval() if make else hc.toynets.BUILDERS["toy-vgg16_bn"]().eval()
    maps = hc.ExtremalPerturbation(areas=(0.1,), steps=2)(net, random_images(1, 3, 64, 64), target=1)
    assert maps.shape == (1, 64, 64) and maps.isfinite().all() and maps.std() > 0


def test_passes():
    net, images = setting(2)
    count, backward, original = [], [], torch.autograd.grad

    def grad(outputs, inputs, *args, **options):
        backward.append(len(inputs[0]))
        return original(outputs, inputs, *args, **options)

    net.register_forward_hook(lambda module, inputs, out: count.append(len(out)))
    with mock.patch("torch.autograd.grad", grad):
        SMALL(net, images)
    steps = 2 * SMALL.steps * 2  # images, steps, areas
    assert sum(count) == 2 + steps and sum(backward) == steps


def test_fields():
    assert hc.ExtremalPerturbation().areas == (0.025, 0.05, 0.1, 0.2)
    assert hc.ExtremalPerturbation(preset="coco").areas == (0.018, 0.025, 0.05, 0.1)
    assert hc.ExtremalPerturbation(areas=0.1).areas == (0.1,)
    assert "steps=800, rate=0.01, momentum=0.9, weight=300.0, growth=1.0035, step=7, reach=21" in repr(
        hc.ExtremalPerturbation()
    )
    with pytest.raises(FrozenInstanceError):
        SMALL.steps = 3


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: hc.ExtremalPerturbation(preset="imagenet"), ValueError, "preset must be one of"),
        (lambda: hc.ExtremalPerturbation(areas=()), ValueError, "areas must hold at least one"),
        (lambda: hc.ExtremalPerturbation(areas=(0.1, 2)), ValueError, "areas must be a number greater than 0"),
        (lambda: hc.ExtremalPerturbation(steps=0), ValueError, "steps must be a whole number"),
        (lambda: hc.ExtremalPerturbation(levels=1), ValueError, "levels must be a whole number of at least 2"),
        (lambda: hc.ExtremalPerturbation(momentum=2), ValueError, "momentum must be a number"),
        (lambda: hc.ExtremalPerturbation(step=9, reach=8), ValueError, "reach must be at least step"),
        (lambda: hc.ExtremalPerturbation(flip=1), TypeError, "flip must be True or False"),
        (lambda: hc.ExtremalPerturbation(score="loss"), ValueError, "score must be one of"),
        (lambda: SMALL(TinyNet(), random_images(1, 3, 8, 8), "relu1"), ValueError, "leave out"),
        (lambda: SMALL(TinyNet().train(), random_images(1, 3, 8, 8)), ValueError, "training mode"),
        (lambda: SMALL(TinyNet(), random_images(1, 3, 8, 8), target=9), ValueError, "target must lie in"),
    ],
)
def test_errors(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_the_network_is_frozen_once_for_all_steps(monkeypatch):
    asked = []
    own = extremal.frozen
    monkeypatch.setattr(extremal, "frozen", lambda model: asked.append(model) or own(model))
    hc.ExtremalPerturbation(areas=0.2, steps=3)(TinyNet(), random_images(1, 3, 16, 16), target=1)
    assert len(asked) == 1


def test_state_is_restored():
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    net.conv1.weight.requires_grad_(False)
    with torch.inference_mode():
        quiet = SMALL(net, images)
    assert torch.equal(SMALL(net, images), quiet)
    calls = iter([net.fc(torch.zeros(1, 8))])
    with mock.patch.object(net.fc, "forward", side_effect=lambda x: next(calls)), pytest.raises(StopIteration):
        SMALL(net, images)
    assert torch.is_grad_enabled() and not net.training and images.grad is None
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ["conv1.weight"]
    assert all(p.grad is None for p in net.parameters())


def test_areas_that_are_none_are_named():
    with pytest.raises((ValueError, TypeError), match="areas"):
        hc.ExtremalPerturbation(areas=None)
