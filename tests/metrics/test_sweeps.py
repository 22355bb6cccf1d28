"""Gradient variance, confidence against scale, the resolution sweep."""

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.core.capture import capture
from holicam.core.ops import normalise, upsample
from holicam.methods.cams.gradcam import GradCAM
from holicam.metrics import confidence_by_scale, gradient_variance, insertion_deletion, resolution_sweep
from tests.helpers.nets import TinyNet, random_images


def setting(size=2, height=16, width=20):
    return TinyNet().double(), random_images(size, 3, height, width, dtype=torch.float64), [1, 3]


def test_gradient_variance():
    model, images, target = setting()
    names = ["conv1", "relu2"]
    found = gradient_variance(model, images, names, target)
    G = capture(model, images, names, target).G
    for name in names:
        g = G[name].numpy()
        raw = g.var((2, 3))
        assert np.allclose(found[name].raw, raw, atol=1e-15)
        assert np.allclose(found[name].relative, raw / ((g**2).mean((2, 3)) + 1e-20))
        kept = (g.mean((2, 3)) ** 2).sum(1)
        assert np.allclose(found[name].lost, 1 - kept / (g**2).mean((2, 3)).sum(1))
    # Before the average and the linear layer the gradient is one number a channel.
    for field in ("raw", "relative", "lost"):
        assert (getattr(found["relu2"], field) == 0).all()
        assert (getattr(found["conv1"], field) > 0).all()
    alone = gradient_variance(model, images, "conv1", target, score="prob")
    assert alone.relative.shape == (2, 6) and 0 < alone.lost.min() <= alone.lost.max() <= 1


def test_confidence_by_scale():
    model, images, target = setting()
    score, agree = confidence_by_scale(model, images, target, factors=(1, 2, 1.5), chunk=1)
    assert score.shape == agree.shape == (2, 3)
    clean = model(images).softmax(1)[range(2), target].detach()
    assert (score[:, 0] - clean).abs().max() < 1e-12
    large = torch.nn.functional.interpolate(images, (32, 40), mode="bilinear", align_corners=False)
    assert (score[:, 1] - model(large).softmax(1)[range(2), target]).abs().max() < 1e-12
    free, same = confidence_by_scale(model, images, factors=(1, 2))
    assert same[:, 0].all() and (free[:, 0] - model(images).softmax(1).amax(1)).abs().max() < 1e-12
    cubic, _ = confidence_by_scale(model, images, target, factors=(1, 2), mode="bicubic")
    assert (cubic[:, 0] - score[:, 0]).abs().max() < 1e-12 < (cubic[:, 1] - score[:, 1]).abs().max()


def test_resolution_sweep():
    model, images, target = setting()

    def explain(x, t):
        return GradCAM()(model, x, "conv2", t, size="native")

    found = resolution_sweep(explain, model, images, target, factors=(1, 2), chunk=11)
    for s, factor in enumerate((1, 2)):
        x = torch.nn.functional.interpolate(images, scale_factor=factor, mode="bilinear")
        maps = normalise(upsample(explain(x, target).relu(), (16, 20)))
        run = insertion_deletion(model, images, maps, target, protocol="ucag")
        assert (found[0][:, s] - run.insertion).abs().max() < 1e-9
        assert (found[1][:, s] - run.deletion).abs().max() < 1e-9
    top, free = model(images).argmax(1), resolution_sweep(explain, model, images, factors=(1,))
    assert torch.equal(free[0], resolution_sweep(explain, model, images, top, factors=(1,))[0])


def test_errors():
    model, images, target = setting()
    with pytest.raises(ValueError, match="mode must be one of"):
        confidence_by_scale(model, images, target, mode="area")
    with pytest.raises(ValueError, match="factors must be"):
        confidence_by_scale(model, images, target, factors=(0,))
    with pytest.raises(ValueError, match="target must be None"):
        confidence_by_scale(model, images, lambda x: x[:, 0])


@pytest.mark.parametrize("factors", [2, (), "12", (1, 0)])
def test_factors_are_one_or_more_positive_numbers(factors):
    net, images = TinyNet(), random_images(1, 3, 16, 16)
    with pytest.raises(ValueError, match="factors"):
        hc.metrics.confidence_by_scale(net, images, factors=factors)
    with pytest.raises(ValueError, match="factors"):
        hc.metrics.resolution_sweep(lambda x, target: x[:, 0], net, images, factors=factors)


def test_a_sweep_says_what_it_needs_of_maps():
    net, images = TinyNet(), random_images(1, 3, 16, 16)
    with pytest.raises(ValueError, match="explain must return maps"):
        hc.metrics.resolution_sweep(lambda x, target: {"conv2": x[:, 0]}, net, images, factors=(1,))
