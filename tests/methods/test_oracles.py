"""The same maps as other people's libraries, where theirs are right.

Known traps, all avoided or stated: grad-cam and torchcam keep views of activations that an in-place
ReLU then overwrites (so the networks here are out-of-place), torchcam's Grad-CAM++ loses its
division, captum has no ReLU unless asked. eps is set as theirs.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from functools import cache
from unittest import mock

import numpy as np
import pytest
import torch
import torchvision  # noqa: F401  before the stand-ins below

import holicam as hc
from holicam.core.ops import normalise
from holicam.models.toy import ToyResNet50
from tests.helpers.closeness import within
from tests.helpers.nets import TinyNet, random_images

captum = pytest.importorskip("captum.attr")
torchcam = pytest.importorskip("torchcam.methods")

if importlib.util.find_spec("pytorch_grad_cam") is None:
    pytest.skip("grad-cam is not installed", allow_module_level=True)
# grad-cam imports these for methods and helpers that are not compared here; it is installed
# without its dependencies because they bring a second OpenCV. Stand-ins last for its import only.
_NEEDED = ("ttach", "sklearn", "sklearn.decomposition", "scipy", "scipy.ndimage", "scipy.sparse", "scipy.sparse.linalg")
_STANDINS = [n for n in _NEEDED if importlib.util.find_spec(n.split(".")[0]) is None]
sys.modules.update({name: mock.MagicMock() for name in _STANDINS})
try:
    import pytorch_grad_cam as gradcam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
finally:
    for name in _STANDINS:
        del sys.modules[name]


def tiny():
    return TinyNet().double(), random_images(3, 3, 14, 11).double(), [1, 4, 0]


def resnet():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ToyResNet50(width=4).eval().double()
    return model, random_images(2, 3, 64, 96).double(), [3, 7]


@cache
def lite0():
    """The ImageNet network on two photographs, asked for what they show."""
    model, found = hc.load_model("efficientnet-lite0"), hc.photos.samples("coffee", "cat").values()
    shown = [hc.photos.fit(hc.photos.middle(sample.picture), 128) for sample in found]
    images = torch.cat([hc.photos.to_images(rgb, model) for rgb in shown])
    return model.double(), images.double(), [sample.label for sample in found]


CASES = [(tiny, "relu0"), (tiny, "conv1"), (tiny, "relu2"), (resnet, "layer2"), (resnet, "layer4")]
CASES += [(lite0, "blocks.2.0.bn1"), (lite0, "bn2")]
case = pytest.mark.parametrize(("network", "layer"), CASES, ids=[f"{n.__name__}-{layer}" for n, layer in CASES])
OURS = {
    "GradCAM": hc.GradCAM(),
    "GradCAMPlusPlus": hc.GradCAMpp(eps=1e-6),
    "XGradCAM": hc.XGradCAM(eps=1e-7),
    "LayerCAM": hc.LayerCAM(),
    "HiResCAM": hc.HiResCAM(),
}


def largest_difference(ours, theirs):
    """Relative to the largest value of the map."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    assert ours.shape == theirs.shape and np.abs(theirs).max() > 0
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def bound(name, layer):
    """Our eps keeps the sign of a channel's sum, theirs is added to negative sums too."""
    return 1e-6 if name == "XGradCAM" and layer.startswith("conv") else 1e-12


@case
@pytest.mark.parametrize("name", OURS)
@pytest.mark.filterwarnings("ignore::holicam.methods.cams.weights.SignedActivationWarning")
def test_grad_cam_package(name, network, layer, record_property):
    model, images, target = network()
    module = model.get_submodule(layer)
    with getattr(gradcam, name)(model, [module]) as theirs:
        finished = theirs(images, [ClassifierOutputTarget(c) for c in target])
        stored = theirs.activations_and_grads
        raw = theirs.get_cam_image(
            images, module, target, stored.activations[0].numpy(), stored.gradients[0].numpy(), False
        )
    raw_maps = replace(OURS[name], relu=False)(model, images, layer, target, size="native")
    within(record_property, largest_difference(raw_maps, raw), bound(name, layer))
    # The finished picture too: ReLU, scale, resize (float32 inside OpenCV), scale again.
    maps = normalise(OURS[name](model, images, layer, target, size="native"))
    maps = normalise(hc.ops.upsample(maps, images.shape[-2:]))
    assert np.abs(maps.numpy() - finished).max() < 1e-5


@case
@pytest.mark.parametrize("name", ["GradCAM", "XGradCAM", "LayerCAM"])
def test_torchcam_package(name, network, layer, record_property):
    model, images, target = network()
    explainer = replace(OURS[name], eps=1e-8) if name == "XGradCAM" else OURS[name]
    with getattr(torchcam, name)(model, layer) as theirs:
        (maps,) = theirs(target, scores=model(images), normalized=False)
    ours = explainer(model, images, layer, target, size="native")
    within(record_property, largest_difference(ours, maps), bound(name, layer))


@case
@pytest.mark.parametrize("relu", [False, True])
def test_captum(relu, network, layer, record_property):
    model, images, target = network()
    module, target = model.get_submodule(layer), torch.tensor(target)
    theirs = captum.LayerGradCam(model, module).attribute(images, target, relu_attributions=relu)
    ours = hc.GradCAM(relu=relu)(model, images, layer, target, size="native")
    within(record_property, largest_difference(ours, theirs[:, 0].detach()))
    product = captum.LayerGradientXActivation(model, module).attribute(images, target)
    ours = hc.HiResCAM(relu=False)(model, images, layer, target, size="native")
    within(record_property, largest_difference(ours, product.sum(1).detach()))


def test_captum_agrees_on_a_network_with_in_place_relus():
    """captum clones too, so this pair can be compared where the others are wrong."""
    model, images, target = TinyNet(inplace=True).double(), tiny()[1], torch.tensor(tiny()[2])
    theirs = captum.LayerGradientXActivation(model, model.bn1).attribute(images, target)
    ours = hc.HiResCAM(relu=False)(model, images, "bn1", target, size="native")
    assert largest_difference(ours, theirs.sum(1).detach()) < 1e-12
