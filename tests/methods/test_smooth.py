"""holicam.methods.cams.smooth: the slow twin, torchcam's weights, the passes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.core.capture import capture
from holicam.core.options import noise
from holicam.methods.cams.smooth import smooth_weights
from tests.helpers.nets import TinyNet, random_images
from tests.twins import slow_family as slow

NET, IMAGES, TARGET = TinyNet(True).double(), random_images(2, 3, 10, 7).double(), [2, 3]


def noisy(n, std, seed=0):
    return [IMAGES + std * noise(IMAGES.shape[1:], n * seed + m, IMAGES) for m in range(n)]


@pytest.mark.parametrize(
    "options", [{}, {"numerator": "d1"}, {"last_sample": True}, {"samples": 2, "std": 0.7, "seed": 3, "eps": 0.0}]
)
@pytest.mark.parametrize("layer", ["relu0", "relu1", "bn1"])
def test_the_slow_twin(layer, options, record_property):
    passes = slow.passes_of(TinyNet().double(), TARGET)
    copies = noisy(options.get("samples", 4), options.get("std", 0.3), options.get("seed", 0))
    expected = slow.smooth_grad_cam_pp(
        passes(IMAGES, layer)[0],
        [passes(x, layer)[1] for x in copies],
        options.get("eps", 1e-8),
        options.get("numerator", "d2"),
        options.get("last_sample", False),
    )
    got = hc.SmoothGradCAMpp(relu=False, **options)(NET, IMAGES, layer, TARGET, size="native")
    difference = float(np.abs(got.numpy() - expected).max() / np.abs(expected).max())
    record_property("difference", difference)
    assert difference < 1e-9


@pytest.mark.parametrize("layer", ["relu0", "relu1"])
def test_torchcam_with_the_same_noise(layer, record_property, monkeypatch):
    """Its weights. Its map then multiplies them with the last noisy copy's activations."""
    torchcam = pytest.importorskip("torchcam.methods")
    net, one = TinyNet().double(), IMAGES[:1]
    with torchcam.SmoothGradCAMpp(net, layer, input_shape=(3, 10, 7)) as theirs:
        draws = iter([x[:1] - one for x in noisy(4, 0.3)])
        theirs._distrib = SimpleNamespace(sample=lambda size: next(draws))
        net(one)
        (weights,) = theirs._get_weights([TARGET[0]])
    A = capture(net, one, layer, gradients=False).A[layer]
    expected = torch.einsum("k,khw->hw", weights.flatten().detach(), A[0])
    got = hc.SmoothGradCAMpp(last_sample=True, relu=False)(net, one, layer, TARGET[0], size="native")[0]
    difference = float((got - expected).abs().max() / expected.abs().max())
    record_property("difference", difference)
    assert difference < 1e-10


def test_one_copy_with_hardly_any_noise_is_grad_cam_pp_with_the_other_denominator():
    got = hc.SmoothGradCAMpp(samples=1, std=1e-9, eps=0.0)(NET, IMAGES, "relu2", TARGET)
    expected = hc.GradCAMpp(eps=0, denominator="sum_Ag3")(NET, IMAGES, "relu2", TARGET)
    # D3 keeps negative gradients, so they agree where a channel's gradients have one sign
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-8)


def test_no_evidence_no_weight():
    A, zero = torch.rand(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)
    assert (smooth_weights(A, zero, zero, zero, zero, eps=0.0) == 0).all()
    assert smooth_weights(A, A, zero, zero, A, "d1", eps=0.0).isfinite().all()


def test_seeds():
    maps = [hc.SmoothGradCAMpp(seed=s)(NET, IMAGES, "relu1", TARGET) for s in (0, 0, 1)]
    assert torch.equal(maps[0], maps[1]) and not torch.allclose(maps[0], maps[2], rtol=1e-3)
