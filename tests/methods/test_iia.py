"""holicam.methods.cams.iia: both presets against the slow twin, and what they reduce to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import holicam as hc
from tests.helpers.nets import ColourNet, TinyNet, colour_image, random_images
from tests.twins import slow_family as slow

NET, IMAGES, TARGET = TinyNet(True).double(), random_images(2, 3, 10, 7).double(), [2, 3]


@pytest.mark.parametrize("layer", ["relu0", "bn1", "relu2"])
@pytest.mark.parametrize("inner", [None, 3])
def test_the_slow_twin(inner, layer, record_property):
    expected = slow.iia(slow.passes_of(TinyNet().double(), TARGET), IMAGES, layer, 4, inner)
    preset = "reference" if inner is None else "nested"
    explainer = hc.IIA(preset=preset, steps=4, inner=inner or 10)
    got = explainer(NET, IMAGES, [layer, "conv2"], TARGET, size="native")[layer]
    difference = float(np.abs(got.numpy() - expected).max() / np.abs(expected).max())
    record_property("difference", difference)
    assert difference < 1e-10


def test_a_linear_score_needs_no_path():
    """Behind `box` the score is linear: all gradients are one, and the path's factors add up."""
    net, image = ColourNet().double(), colour_image()
    hires = hc.HiResCAM(relu=False)(net, image, "box", 2, size="native")
    got = hc.IIA()(net, image, "box", 2, size="native")
    torch.testing.assert_close(got, hires * sum(a / 10 for a in range(11)))
    nested = hc.IIA(preset="nested", steps=5, inner=4)(net, image, "box", 2, size="native")
    torch.testing.assert_close(nested, hires * sum(a / 5 * b / 4 for a in range(6) for b in range(5)) / 20)


def test_the_last_step_alone_is_hires_cam():
    whole, black = (hc.IIA(steps=1)(NET, x, "relu1", TARGET, size="native") for x in (IMAGES, 0 * IMAGES))
    hires = hc.HiResCAM(relu=False)(NET, IMAGES, "relu1", TARGET, size="native")
    torch.testing.assert_close(whole - black / 2, hires)  # black: the same zero image twice


def test_sizes_are_bicubic_and_relu_cuts():
    native = hc.IIA(steps=2)(NET, IMAGES, "relu1", TARGET, size="native")
    full = hc.IIA(steps=2)(NET, IMAGES, "relu1", TARGET)
    torch.testing.assert_close(full, F.interpolate(native[:, None], (10, 7), mode="bicubic")[:, 0])
    assert (full < 0).any()
    assert torch.equal(hc.IIA(steps=2, relu=True)(NET, IMAGES, "relu1", TARGET), full.relu())


@pytest.mark.parametrize(
    ("explainer", "layers", "passes"),
    [(hc.IIA(), ["relu0", "relu1", "relu2"], 11), (hc.IIA(preset="nested", steps=2, inner=3), ["relu0", "relu2"], 15)],
)
def test_passes(explainer, layers, passes):
    calls = []
    handle = NET.register_forward_hook(lambda *_: calls.append(1))
    explainer(NET, IMAGES, layers, TARGET)
    handle.remove()
    assert len(calls) == passes
