"""holicam.methods.cams.multilayer: maps of several layers in one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models import resnet18, vgg16

import holicam as hc
from holicam.core.ops import normalise, upsample
from holicam.models.toy import ToyResNet50, ToyVGG16BN
from tests.helpers.nets import Muted, TinyNet, random_images
from tests.twins import slow_family as slow

LAYERS = ["relu0", "relu1", "relu2"]
NET, IMAGES, TARGET = TinyNet(True).double(), random_images(2, 3, 12, 9).double(), [2, 3]


def plain():
    passes = slow.passes_of(TinyNet().double(), TARGET)
    return [passes(IMAGES, layer) for layer in LAYERS]


@pytest.mark.parametrize("size", [(12, 9), (20, 31)])
@pytest.mark.parametrize(
    ("options", "scaled"), [({}, 3), ({"preset": "paper"}, 2), ({"scaled": 0}, 0), ({"scaled": 1, "gamma": 0.7}, 1)]
)
def test_fused_layer_cam_is_its_slow_twin(options, scaled, size, record_property):
    got = hc.LayerCAMFused(**options)(NET, IMAGES, LAYERS, TARGET, size=size).numpy()
    expected = slow.layer_cam_fused(plain(), size, options.get("gamma", 2.0), scaled)
    record_property("difference", float(np.abs(got - expected).max()))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [(12, 9), (20, 31)])
def test_zoom_cam_is_its_slow_twin(size, record_property):
    got = hc.ZoomCAM()(NET, IMAGES, LAYERS, TARGET, size=size).numpy()
    expected = slow.zoom_cam(plain(), size)
    record_property("difference", float(np.abs(got - expected).max()))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_one_layer_is_the_single_method_scaled():
    layer = hc.LayerCAM()(NET, IMAGES, "relu1", TARGET, size="native")
    fused = hc.LayerCAMFused(scaled=0)(NET, IMAGES, "relu1", TARGET, size="native")
    torch.testing.assert_close(fused, normalise(layer))
    tanh = hc.LayerCAMFused(scaled=1, gamma=3)(NET, IMAGES, ["relu1"], TARGET, size="native")
    torch.testing.assert_close(tanh, (3 * layer / layer.amax((1, 2), keepdim=True)).tanh())
    hires = hc.HiResCAM()(NET, IMAGES, "relu1", TARGET, size="native")
    torch.testing.assert_close(
        hc.ZoomCAM()(NET, IMAGES, "relu1", TARGET, size="native"),
        (hires - hires.amin((1, 2), keepdim=True)) / hires.amax((1, 2), keepdim=True),
    )


def test_intermediate_gives_the_map_of_each_layer():
    for joint, single in ((hc.LayerCAMFused(), hc.LayerCAM()), (hc.ZoomCAM(), hc.HiResCAM())):
        stages = joint(NET, IMAGES, LAYERS, TARGET, intermediate=True)
        alone = single(NET, IMAGES, LAYERS, TARGET)
        assert list(stages) == LAYERS
        for layer in LAYERS:
            torch.testing.assert_close(stages[layer], alone[layer])


def test_captum_per_layer(record_property):
    captum = pytest.importorskip("captum.attr")
    target = torch.tensor(TARGET)
    stages = hc.ZoomCAM()(NET, IMAGES, LAYERS, TARGET, size="native", intermediate=True)
    for layer in LAYERS:
        theirs = (
            captum.LayerGradientXActivation(NET, NET.get_submodule(layer))
            .attribute(IMAGES, target)
            .sum(1)
            .relu()
            .detach()
        )
        difference = float((stages[layer] - theirs).abs().max() / theirs.max())
        record_property(f"difference_{layer}", difference)
        assert difference < 1e-12


@pytest.mark.parametrize("explainer", [hc.LayerCAMFused(scaled=1), hc.ZoomCAM()])
def test_order_of_the_layers_does_not_matter(explainer):
    expected = explainer(NET, IMAGES, ["relu0", "relu2"], TARGET)
    assert torch.equal(explainer(NET, IMAGES, ["relu2", "relu0"], TARGET), expected)
    assert expected.shape == (2, 12, 9) and expected.amax() <= 1 and expected.amin() >= 0


@pytest.mark.parametrize("explainer", [hc.LayerCAMFused(scaled=0), hc.ZoomCAM()])
def test_a_layer_that_says_nothing_changes_nothing(explainer):
    net = Muted().double()
    torch.testing.assert_close(
        explainer(net, IMAGES, ["relu0", "relu1"], TARGET), explainer(net, IMAGES, ["relu1"], TARGET)
    )
    assert (explainer(net, IMAGES, ["relu0"], TARGET) == 0).all()


def test_zoom_cam_climbs_from_grid_to_grid():
    maps = [torch.rand(1, n, n, dtype=torch.float64) for n in (12, 6, 3)]
    top = [m / m.max() - m.min() / m.max() for m in maps]
    climbed = torch.maximum(top[0], upsample(torch.maximum(top[1], upsample(top[2], (6, 6))), (12, 12)))
    torch.testing.assert_close(hc.ZoomCAM().join(maps, (12, 12)), climbed)


def test_default_layers():
    with torch.device("meta"):
        plain, deep = vgg16(), resnet18()
        toy, vgg = ToyResNet50(), ToyVGG16BN()
    stages = ("relu", "layer1", "layer2", "layer3", "layer4")
    for joint in (hc.LayerCAMFused(), hc.ZoomCAM()):
        assert joint.layers_of(deep) == joint.layers_of(toy) == stages
        assert joint.takes == "joint"
        assert joint.layers_of(NET) == hc.stages(NET, all=True)
    pools = [f"features.{i}" for i in (4, 9, 16, 23, 30)]
    assert hc.LayerCAMFused().layers_of(plain) == tuple(pools)
    relus = [f"features.{i}" for i in (1, 3, 6, 8, 11, 13, 15, 18, 20, 22, 25, 27, 29)]
    assert hc.ZoomCAM().layers_of(plain) == tuple(relus)
    assert hc.LayerCAMFused().layers_of(vgg) == tuple(f"features.{i}" for i in (6, 13, 23, 33, 43))
    assert len(hc.ZoomCAM().layers_of(vgg)) == 13


def test_all_default_layers_from_one_pass():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ToyVGG16BN(2).double().eval()
    calls = []
    net.register_forward_hook(lambda *_: calls.append(1))
    images = random_images(1, 3, 64, 32).double()
    for joint in (hc.LayerCAMFused(), hc.ZoomCAM()):
        calls.clear()
        maps = joint(net, images, target=1)
        assert len(calls) == 1 and maps.shape == (1, 64, 32) and maps.max() > 0.5
        assert torch.equal(joint(net, images, list(joint.layers_of(net)), 1), maps)
