"""torchvision's families with random weights: every explainer runs and the invariances hold.

The smallest member of each family on 64-pixel images; the VGGs get a small classifier.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torchvision import models

import holicam as hc
from holicam.core.capture import capture, tokens_to_grid
from holicam.models import find_layers
from tests.helpers.nets import random_images, randomise

# family: (layers shallow to deep, channels of the last, does CAM apply to the last)
FAMILIES = {
    "resnet18": (["layer1", "layer2", "layer3", "layer4"], 512, True),
    "vgg11": (["features.5", "features.10", "features.20"], 512, False),
    "vgg11_bn": (["features.7", "features.14", "features.28"], 512, False),
    "mobilenet_v2": (["features.3", "features.6", "features"], 1280, True),
    "mobilenet_v3_small": (["features.3", "features"], 576, False),
    "densenet121": (["features.denseblock1", "features.transition1", "features"], 1024, True),
    "efficientnet_b0": (["features.2", "features.4", "features"], 1280, True),
    "googlenet": (["inception3a", "inception5b"], 1024, True),
    "vit": (["encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1.ln_1"], 32, False),
}
family = pytest.mark.parametrize("name", FAMILIES)


@functools.cache
def network(name: str) -> nn.Module:
    """Built without memory first, so that no time goes into initial weights nobody uses."""
    with torch.device("meta"):
        if name == "vit":
            model = models.VisionTransformer(
                image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=10
            )
        else:
            extra = {"init_weights": False} if name == "googlenet" else {}
            model = models.get_model(name, num_classes=10, **extra)
        if name.startswith("vgg"):
            model.avgpool = nn.AdaptiveAvgPool2d(2)
            model.classifier = nn.Sequential(nn.Linear(2048, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 10))
    model = model.to_empty(device="cpu")
    randomise(model, seed=0)
    return model.eval()


def setting(name: str, batch: int = 2):
    """(model, images, layers, reshape); not square where the family takes any size."""
    layers, _, _ = FAMILIES[name]
    images = random_images(batch, 3, 64, 64 if name == "vit" else 96)
    return network(name), images, layers, tokens_to_grid() if name == "vit" else None


@family
@pytest.mark.filterwarnings("ignore::holicam.methods.cams.weights.SignedActivationWarning")
def test_the_cam_family_on_every_layer(name):
    """The others, and what they need of a network: test_every_explainer.py and their own files."""
    model, images, layers, reshape = setting(name)
    chosen = [
        n for n, kind in hc.explainers.items() if hc.info(n).family == "CAM" and kind.takes == "layer" and n != "cam"
    ]
    for explainer, maps in hc.explain_many(chosen, model, images, layers, reshape=reshape).items():
        assert list(maps) == layers
        for layer, values in maps.items():
            assert values.shape == (2, *images.shape[-2:]) and values.dtype == torch.float32
            assert values.isfinite().all(), (explainer, layer)
            assert explainer == "iia" or (values >= 0).all(), (explainer, layer)
    last = capture(model, images, layers[-1], reshape=reshape)
    assert last.A[layers[-1]].shape[1] == FAMILIES[name][1]
    assert last.G[layers[-1]].abs().sum() > 0


@family
def test_cam_applies_where_the_head_is_pooled_and_linear(name):
    model, images, layers, reshape = setting(name)
    call = functools.partial(hc.CAM(relu=False), model, images, layers[-1], 3, reshape=reshape, size="native")
    if not FAMILIES[name][2]:
        with pytest.raises(ValueError, match="CAM needs logits"):
            call()
        return
    head = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    logit = model(images)[:, 3].detach()
    torch.testing.assert_close(call().mean((1, 2)) + head.bias[3].detach(), logit, rtol=1e-3, atol=1e-3)


@contextmanager
def in_dtype(model: nn.Module, dtype: torch.dtype):
    try:
        yield model.to(dtype)
    finally:
        model.float()
        randomise(model, seed=0)


@family
def test_a_batch_equals_its_singles(name):
    """In float64: in float32 a deep random network lets rounding cross a ReLU's kink."""
    model, images, layers, reshape = setting(name, batch=2)
    images = images.double()
    with in_dtype(model, torch.float64):
        both = capture(model, images, layers, [1, 4], reshape=reshape)
        for b, c in enumerate([1, 4]):
            one = capture(model, images[b : b + 1], layers, c, reshape=reshape)
            for layer in layers:
                for together, alone in ((both.A, one.A), (both.G, one.G)):
                    scale = alone[layer].abs().max()
                    assert (together[layer][b] - alone[layer][0]).abs().max() <= 1e-9 * scale


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenet_v2", "densenet121"])
def test_in_place_activations_change_nothing(name):
    """Outputs of convolutions and norms are followed by in-place ReLUs in all of these."""
    model, images, layers, _ = setting(name, batch=1)
    inner = [path for path, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    layers = [*layers, inner[0], inner[len(inner) // 2]]
    changed = [m for m in model.modules() if getattr(m, "inplace", False)]
    assert changed
    usual = capture(model, images, layers, 0)
    try:
        for module in changed:
            module.inplace = False
        plain = capture(model, images, layers, 0)
    finally:
        for module in changed:
            module.inplace = True
    for layer in layers:
        assert torch.equal(usual.A[layer], plain.A[layer])
        assert torch.equal(usual.G[layer], plain.G[layer])


def test_densenets_last_layer_keeps_its_sign():
    """torchvision overwrites it by a functional in-place ReLU that no module flag turns off."""
    model, images, _, _ = setting("densenet121", batch=1)
    assert (capture(model, images, "features").A["features"] < 0).any()


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "vit"])
def test_bfloat16(name):
    model, images, layers, reshape = setting(name, batch=1)
    exact = capture(model, images, layers, 2, reshape=reshape)
    with in_dtype(model, torch.bfloat16):
        low = capture(model, images.bfloat16(), layers, 2, reshape=reshape)
        maps = hc.GradCAM()(model, images.bfloat16(), layers, 2, reshape=reshape)
    for layer in layers:
        assert low.A[layer].dtype == low.G[layer].dtype == maps[layer].dtype == torch.float32
        assert (low.A[layer] - exact.A[layer]).abs().max() < 0.1 * exact.A[layer].abs().max()


def test_auxiliary_heads_stay_silent():
    model = network("googlenet")
    with pytest.raises(ValueError, match="'aux1' did not run"):
        capture(model, random_images(1, 3, 64, 64), "aux1")


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (
            "resnet50",
            {
                "Layer1": (256, 56, 56),
                "Layer2": (512, 28, 28),
                "Layer3": (1024, 14, 14),
                "Layer4": (2048, 7, 7),
                "conv1_1": (64, 112, 112),
                "conv2_3": (256, 56, 56),
                "conv3_4": (512, 28, 28),
                "conv4_6": (1024, 14, 14),
                "conv5_3": (2048, 7, 7),
            },
        ),
        (
            "vgg16_bn",
            {"Layer13": (128, 56, 56), "Layer23": (256, 28, 28), "Layer33": (512, 14, 14), "Layer43": (512, 7, 7)},
        ),
        (
            "vgg16",
            {
                "block1_conv2": (64, 224, 224),
                "block2_conv2": (128, 112, 112),
                "block3_conv3": (256, 56, 56),
                "block4_conv3": (512, 28, 28),
                "block5_conv3": (512, 14, 14),
                "features.23": (512, 14, 14),
            },
        ),
    ],
)
def test_the_papers_layers_have_the_papers_shapes(name, shapes):
    """methods.md section 2, on tensors without memory."""
    seen = {}
    with torch.device("meta"):
        model = models.get_model(name).eval()
        for layer, module in find_layers(model, list(shapes)).items():
            module.register_forward_hook(lambda _, __, out, layer=layer: seen.update({layer: tuple(out.shape[1:])}))
        model(torch.empty(1, 3, 224, 224))
    assert seen == shapes


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "vit"])
def test_cpu_and_gpu_agree(name):
    model, images, layers, reshape = setting(name)
    cpu = capture(model, images, layers, 1, reshape=reshape)
    try:
        gpu = capture(model.cuda(), images.cuda(), layers, 1, reshape=reshape)
    finally:
        model.cpu()
    for layer in layers:
        for there, here in ((gpu.A, cpu.A), (gpu.G, cpu.G)):
            scale = here[layer].abs().max()
            assert there[layer].is_cuda
            assert (there[layer].cpu() - here[layer]).abs().max() <= 1e-2 * scale
