"""holicam.methods.perturbation.rise: what changes when pixels are hidden at random or one window at a time."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from unittest import mock

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import holicam as hc
from holicam.methods.perturbation.random_masks import RandomMasks, enlarge_rows
from tests.helpers.closeness import close
from tests.helpers.nets import TinyNet, TokenNet, random_images
from tests.twins import slow_perturb as slow

EVERY = {
    "rise": hc.RISE(masks=40, cells=3, keep=0.4),
    "rise-torchray": hc.RISE(preset="torchray", masks=30, cells=4),
    "occlusion": hc.Occlusion(window=4, stride=2),
}
every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)


def setting(size=2, shape=(12, 9), dtype=torch.float64):
    return TinyNet().to(dtype), 2 * random_images(size, 3, *shape, dtype=dtype)


# Random masks -------------------------------------------------------------------------------------


def random_masks(size, cells=3, count=6, keep=0.5, border="reflect", margin="grid", seed=0):
    return RandomMasks(count, cells, keep, size, seed, border, margin, torch.zeros(0).double())


@pytest.mark.parametrize("margin", ["grid", "cell"])
@pytest.mark.parametrize("border", ["reflect", "clamp"])
@pytest.mark.parametrize(("size", "cells"), [((12, 9), 3), ((7, 17), 4), ((5, 5), 1), ((3, 4), 6)])
def test_masks_are_the_slow_twin(size, cells, border, margin):
    masks = random_masks(size, cells, border=border, margin=margin)
    shift = torch.stack([s[:, 0] for s in masks.shift], 1).tolist()
    wanted = [slow.rise_mask(b, s, size, border, margin) for b, s in zip(masks.bits.numpy(), shift, strict=True)]
    np.testing.assert_allclose(masks[torch.arange(6)], wanted, rtol=1e-12, atol=1e-14)
    assert (masks[torch.tensor([4, 1])] == masks[torch.arange(6)][[4, 1]]).all()


@pytest.mark.parametrize(("cells", "length"), [(8, 252), (7, 256), (3, 17)])
def test_enlarging_is_scikit_images_and_torchs(cells, length, record_property):
    resize = pytest.importorskip("skimage.transform").resize
    bits = np.random.default_rng(0).random((cells, cells))
    rows = enlarge_rows(cells, length).numpy()
    wanted = resize(bits, (length, length), order=1, mode="reflect", anti_aliasing=False)
    close(rows @ bits @ rows.T, wanted, record_property)
    clamp = enlarge_rows(cells, length, "clamp")
    enlarged = hc.ops.upsample(torch.tensor(bits)[None], (length, length))[0]
    torch.testing.assert_close(clamp @ torch.tensor(bits) @ clamp.T, enlarged, rtol=1e-12, atol=1e-13)


def test_a_quarter_of_the_cells_shows_a_quarter_of_the_image():
    masks = random_masks((40, 56), cells=5, count=2000, keep=0.25)[torch.arange(2000)]
    assert masks.min() >= 0 and masks.max() <= 1 + 1e-12
    assert abs(float(masks.mean()) - 0.25) < 0.01
    assert (masks.mean(0) - 0.25).abs().max() < 0.06


# RISE ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"score": "logit"},
        {"subtract_mean": True},
        {"baseline": -1.5},
        {"border": "clamp"},
        {"preset": "torchray", "masks": 30, "cells": 3, "keep": 0.6},
    ],
    ids=lambda o: "-".join(o) or "plain",
)
def test_rise_is_the_slow_twin(options, record_property):
    net, images = setting()
    explainer = hc.RISE(**{"masks": 30, "cells": 3, "keep": 0.3} | options)
    masks = explainer.masks_for(images)[torch.arange(30)].numpy()
    got = explainer(net, images, target=[4, 1])
    wanted = [
        slow.rise(
            net,
            images[b].numpy(),
            c,
            masks,
            explainer.keep,
            explainer.score,
            explainer.divide_by_keep,
            explainer.subtract_mean,
            explainer.baseline,
        )
        for b, c in enumerate((4, 1))
    ]
    close(got, wanted, record_property)


class Linear(nn.Module):
    """Logits that are linear in the pixels."""

    def __init__(self, shape, bias=0.0):
        super().__init__()
        self.w = nn.Parameter(random_images(2, 3, *shape, seed=3, dtype=torch.float64))
        self.bias = bias
        self.eval()

    def forward(self, images):
        return torch.einsum("bchw,kchw->bk", images, self.w) + self.bias


def test_rise_finds_the_one_pixel_that_matters():
    net, images = Linear((12, 12)), torch.ones(1, 3, 12, 12).double()
    with torch.no_grad():
        net.w.zero_()
        net.w[0, :, 3, 8] = 1.0
    maps = hc.RISE(masks=3000, cells=6, keep=0.3, score="logit", subtract_mean=True)(net, images, target=0)
    y, x = divmod(int(maps[0].argmax()), 12)
    assert abs(y - 3) <= 1 and abs(x - 8) <= 1


def test_subtracting_the_mean_only_takes_noise_away():
    """A network that says the same of every input has no map; RISE's is its masks' mean."""
    net, images = Linear((12, 12), bias=1.0), torch.zeros(1, 3, 12, 12).double()
    options = {"masks": 50, "cells": 3, "keep": 0.4, "score": "logit"}
    maps = hc.RISE(**options)(net, images, target=0)
    masks = hc.RISE(**options).masks_for(images)[torch.arange(50)]
    torch.testing.assert_close(maps[0], masks.mean(0) / 0.4, rtol=1e-11, atol=1e-12)
    assert hc.RISE(**options, subtract_mean=True)(net, images, target=0).abs().max() < 1e-12


def test_masks_have_a_seed_and_leave_the_global_one_alone():
    net, images = setting(1)
    state = torch.get_rng_state()
    first, second = (hc.RISE(masks=20, cells=3, seed=s)(net, images) for s in (0, 1))
    assert torch.equal(torch.get_rng_state(), state) and not torch.allclose(first, second)
    assert torch.equal(first, hc.RISE(masks=20, cells=3)(net, images))


# Occlusion ----------------------------------------------------------------------------------------

CASES = [((4, 4), (2, 2)), ((5, 3), (3, 2)), ((12, 9), (1, 1)), ((1, 1), (1, 1)), ((7, 4), (7, 3))]


@pytest.mark.parametrize(("window", "stride"), CASES)
def test_occlusion_is_the_slow_twin_and_captum(window, stride, record_property):
    net, images = setting()
    for options in ({}, {"baseline": 0.7, "score": "prob"}):
        got = hc.Occlusion(window=window, stride=stride, **options)(net, images, target=[4, 1])
        wanted = [
            slow.occlusion(
                net, images[b].numpy(), c, window, stride, options.get("baseline", 0.0), options.get("score", "logit")
            )
            for b, c in enumerate((4, 1))
        ]
        close(got, wanted, record_property)
    captum = pytest.importorskip("captum.attr")
    theirs = captum.Occlusion(net).attribute(
        images, (3, *window), (3, *stride), target=torch.tensor([4, 1]), baselines=0.7
    )
    assert torch.equal(theirs[:, 0], theirs[:, 2])
    close(
        hc.Occlusion(window=window, stride=stride, baseline=0.7)(net, images, target=[4, 1]),
        theirs[:, 0].detach(),
        record_property,
        1e-6,
    )  # captum divides in float32


def test_occlusion_of_a_linear_network_is_a_box_filter():
    """Hiding a window takes away the sum of w x in it, and windows that hold a pixel are averaged."""
    net, images = Linear((10, 14)), random_images(2, 3, 10, 14, dtype=torch.float64)
    product = (net.w[1] * images).sum(1)
    got = hc.Occlusion(window=3, stride=1)(net, images, target=1)
    sums = product.unfold(1, 3, 1).unfold(2, 3, 1).sum((-1, -2))
    for b, i, j in np.ndindex(2, 10, 14):
        near = sums[b, max(i - 2, 0) : i + 1, max(j - 2, 0) : j + 1]
        torch.testing.assert_close(got[b, i, j], near.mean().detach())


def test_windows_at_224_pixels():
    down, right = hc.Occlusion().spans(torch.zeros(1, 3, 224, 230))
    assert down.shape == (21, 224) and right.shape == (22, 230)
    assert down.any(0).all() and right.any(0).all() and right[-1].sum() == 62


# Both ---------------------------------------------------------------------------------------------


@every
def test_batch_singles_and_chunks(explainer):
    net, images = setting(3, (24, 40))
    target = torch.tensor([0, 3, 1])
    together = explainer(net, images, None, target)
    assert together.shape == (3, 24, 40) and together.dtype == torch.float64
    for chunk in (1, 7, 1000):
        again = replace(explainer, chunk=chunk)(net, images, None, target)
        torch.testing.assert_close(again, together, rtol=1e-10, atol=1e-12)
    for b in range(3):
        alone = explainer(net, images[b : b + 1], target=int(target[b]))
        torch.testing.assert_close(alone[0], together[b], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(together[0], together[1])
    top = explainer(net, images)
    with torch.no_grad():
        torch.testing.assert_close(top, explainer(net, images, target=net(images).argmax(1)))


@every
def test_in_place_sizes_and_bfloat16(explainer):
    make, images = TinyNet, random_images(2, 3, 16, 9)
    maps = [explainer(make(inplace), images, target=1) for inplace in (True, False)]
    torch.testing.assert_close(*maps)
    assert maps[0].dtype == torch.float32
    assert torch.equal(explainer(make(True), images, target=1, size="native"), maps[0])
    small = explainer(make(True), images, target=1, size=(5, 20))
    torch.testing.assert_close(small, hc.ops.upsample(maps[0], (5, 20)))
    low = explainer(make().bfloat16(), images.bfloat16(), target=1)
    assert low.dtype == torch.float32 and low.isfinite().all()
    assert (low - maps[0]).abs().max() < 0.1 * maps[0].abs().max()


@every
def test_a_constant_image_and_a_deaf_network(explainer):
    class Deaf(TinyNet):
        def forward(self, images):
            return super().forward(images) * 0

    assert explainer(TinyNet(), torch.zeros(1, 3, 8, 8)).isfinite().all()
    maps = explainer(Deaf(), random_images(1, 3, 8, 8))
    assert maps.isfinite().all()
    if isinstance(explainer, hc.Occlusion):
        assert (maps == 0).all()


@every
@pytest.mark.parametrize("make", [torchvision.models.resnet18, torchvision.models.densenet121, None])
def test_real_architectures(explainer, make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make(num_classes=5).eval() if make else hc.toynets.BUILDERS["toy-vgg16_bn"]().eval()
    explainer = replace(explainer, masks=4) if isinstance(explainer, hc.RISE) else hc.Occlusion(window=32, stride=32)
    maps = explainer(net, random_images(1, 3, 64, 64), target=1)
    assert maps.shape == (1, 64, 64) and maps.isfinite().all() and maps.std() > 0


@every
def test_transformers_need_nothing(explainer):
    assert explainer(TokenNet(), random_images(2, 3, 8, 12)).shape == (2, 8, 12)


@pytest.mark.parametrize(
    ("explainer", "forwards"),
    [(hc.RISE(masks=17, cells=2), 18), (hc.Occlusion(window=4, stride=4), 10), (hc.Occlusion(window=4, stride=2), 21)],
)
def test_forwards(explainer, forwards):
    net, images = setting(2)
    count = []
    net.register_forward_hook(lambda module, inputs, out: count.append(len(out)))
    with mock.patch("torch.autograd.grad", side_effect=AssertionError("no backward")):
        explainer(net, images)
    assert sum(count) == 2 * forwards


def test_papers_numbers_and_repr():
    assert repr(hc.RISE(preset="torchray")) == (
        "RISE(preset='torchray', masks=8000, cells=7, keep=0.5, score='sigmoid', divide_by_keep=False, "
        "margin='cell', border='reflect', subtract_mean=False, baseline=0.0, seed=0, chunk=64)"
    )
    rise = hc.RISE()
    assert (rise.masks, rise.cells, rise.keep, rise.score, rise.divide_by_keep) == (6000, 8, 0.1, "prob", True)
    assert repr(hc.Occlusion()) == ("Occlusion(window=(64, 64), stride=(8, 8), baseline=0.0, score='logit', chunk=64)")
    with pytest.raises(FrozenInstanceError):
        rise.masks = 3


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: hc.RISE(preset="eclique"), ValueError, "preset must be one of"),
        (lambda: hc.RISE(masks=0), ValueError, "masks must be a whole number"),
        (lambda: hc.RISE(keep=0), ValueError, "keep must be a number greater than 0"),
        (lambda: hc.RISE(keep=1.5), ValueError, "at most 1"),
        (lambda: hc.RISE(score="loss"), ValueError, "score must be one of"),
        (lambda: hc.RISE(border="wrap"), ValueError, "border must be one of"),
        (lambda: hc.RISE(chunk=0), ValueError, "chunk must be a positive"),
        (lambda: hc.RISE(masks=3)(TinyNet(), random_images(1, 3, 8, 8), "relu1"), ValueError, "leave out"),
        (lambda: hc.Occlusion(window=0), ValueError, "window must be a whole number"),
        (lambda: hc.Occlusion(window=(4, 4, 4)), ValueError, "window must be a number of pixels or"),
        (lambda: hc.Occlusion(window=4, stride=5), ValueError, "stride must be at most window"),
        (lambda: hc.Occlusion(score="softmax"), ValueError, "score must be one of"),
        (lambda: hc.Occlusion()(TinyNet(), random_images(1, 3, 40, 80)), ValueError, "window must fit the image"),
        (
            lambda: hc.Occlusion(window=4, stride=2)(TinyNet().train(), random_images(1, 3, 8, 8)),
            ValueError,
            "training mode",
        ),
        (
            lambda: hc.Occlusion(window=4, stride=2)(TinyNet(), random_images(1, 3, 8, 8), size="big"),
            ValueError,
            "size must be",
        ),
    ],
)
def test_errors(make, error, says):
    with pytest.raises(error, match=says):
        make()


@every
def test_state_is_restored(explainer):
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    with torch.inference_mode():
        quiet = explainer(net, images)
    assert torch.equal(explainer(net, images), quiet)
    with mock.patch.object(net.fc, "forward", side_effect=RuntimeError), pytest.raises(RuntimeError):
        explainer(net, images)
    assert torch.is_grad_enabled() and not net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


@pytest.mark.gpu
@every
def test_cpu_and_gpu_agree(explainer):
    net, images = setting()
    cpu = explainer(net, images, target=1)
    gpu = explainer(net.cuda(), images.cuda(), target=1)
    assert gpu.is_cuda
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-9, atol=1e-12)
