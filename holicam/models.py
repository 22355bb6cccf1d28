"""Networks by name, and their layers by name.

A network is any `torch.nn.Module` in eval mode. This file finds weights (shipped, cached or downloaded) and turns
the papers' layer names into module paths; it knows nothing of maps.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from .toynets import BUILDERS
from .weights import AGAIN, WeightsNotFoundError, cached, fetch, fill, read_card, sha256

# Poly-CAM's ResNet-50 names; Holistic-CAM's "Layer1" and "Layer43" follow a rule instead (see _alias).
RESNET_ALIASES = {"conv1_1": "relu", "conv2_3": "layer1", "conv3_4": "layer2", "conv4_6": "layer3", "conv5_3": "layer4"}


class LayerNotFoundError(KeyError):
    """No module of that name; the message lists the close ones."""

    def __str__(self) -> str:
        return str(self.args[0])


def data_folder() -> Path:
    """Where the shipped files lie: inside an installed wheel, or beside the package in a checkout."""
    inside = Path(__file__).parent / "data"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "data"


def load_model(name: str, device: str | torch.device = "cpu") -> nn.Module:
    """A network with trained weights, in eval mode.

    Args:
        name: "toy-resnet50", "toy-vgg16_bn", "toy-resnet50-shortcut", "toy-vgg16_bn-no-jitter",
            "toy-resnet50-cast", "toy-resnet50-random-labels", or a torchvision classification name; a bare name
            means IMAGENET1K_V1 where it exists, "resnet50:IMAGENET1K_V2" another set of weights.
        device: where to put it.

    Returns:
        The module; it expects (B, 3, H, W) images with the ImageNet mean and deviation taken out.

    Raises:
        ValueError: the name is unknown (close names are listed), or the weights are not those they should be:
            shipped ones are held against the sha256 in their card, cached ones against the first digits of the
            sha256 in their file's name, both against the network's own tensors.
        WeightsNotFoundError: the weights are neither shipped, nor in TORCH_HOME, nor downloadable.
    """
    model = _load_toy(name) if name in BUILDERS else _load_torchvision(name)
    return model.eval().to(device)


def class_names(name: str) -> list[str]:
    """The class names of a network that `load_model` knows, in the order of its logits. Raises ValueError."""
    if name in BUILDERS:
        return _card(name)["classes"]
    return list(torchvision_weights(name).meta["categories"])


def _load_toy(name: str) -> nn.Module:
    from safetensors.torch import load_file

    card, path = _card(name), data_folder() / f"{name}.safetensors"
    found = sha256(path)
    if found != card["sha256"]:
        raise ValueError(f"{path} does not match its card: sha256 is {found[:12]}…, not {card['sha256'][:12]}….")
    return fill(BUILDERS[name](), load_file(path), path, _remedy(name))


def _card(name: str) -> dict:
    """What `data/` says of a shipped network: classes, sha256, recipe, measurements."""
    path = data_folder() / f"{name}.json"
    for needed in (path, path.with_suffix(".safetensors")):
        if not needed.exists():
            raise WeightsNotFoundError(f"{needed} is missing: {_remedy(name)}.")
    return read_card(path, _remedy(name))


def _remedy(name: str) -> str:
    return f"restore it, or train it with `python -m holicam train {name}`"


def torchvision_weights(name: str):
    """The weights entry that "base" or "base:WEIGHTS" names."""
    from torchvision import models

    base, _, wanted = name.partition(":")
    known = models.list_models(module=models)
    if base not in known:
        close = difflib.get_close_matches(base, [*BUILDERS, *known], n=4, cutoff=0.4)
        raise ValueError(f"There is no network {name!r}; close names are {', '.join(close) or 'none'}.")
    options = models.get_model_weights(base)
    choice = wanted or ("IMAGENET1K_V1" if "IMAGENET1K_V1" in options.__members__ else "DEFAULT")
    if choice not in options.__members__:
        raise ValueError(f"{base} has no weights {choice!r}; it has {', '.join(options.__members__)}.")
    return options[choice]


def _load_torchvision(name: str) -> nn.Module:
    from torchvision import models

    weights, base = torchvision_weights(name), name.partition(":")[0]
    # Inception-like builders start with a slow random fill and switch their input transform on with the weights.
    extra = {"init_weights": False, "transform_input": True} if base in ("googlenet", "inception_v3") else {}
    model = models.get_model(base, weights=None, num_classes=len(weights.meta["categories"]), **extra)
    state = fetch(name, weights.url)
    if isinstance(state, dict):  # DenseNet's carry the layer names of an old torchvision ("norm.1" for "norm1")
        old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")
        state = {old.sub(r"\1\2.", str(key)): value for key, value in state.items()}
    return fill(model, state, cached(weights.url), AGAIN)


def find_layers(model: nn.Module, layers: str | Sequence[str]) -> dict[str, nn.Module]:
    """Module paths or the papers' layer names -> modules, under the names as given.

    Raises:
        LayerNotFoundError: with the close names of this network.
        ValueError: no layer given, or one twice.
    """
    names = [layers] if isinstance(layers, str) else list(layers)
    modules = dict(model.named_modules())
    if not names or len(set(names)) != len(names):
        raise ValueError(f"`layers` must name at least one layer and each once; got {names}.")
    found = {}
    for name in names:
        path = name if name in modules else _alias(model, name)
        if path not in modules or not path:
            close = _close_names(name, modules)
            raise LayerNotFoundError(f"{type(model).__name__} has no layer {name!r}; close names are {close}.")
        found[name] = modules[path]
    return found


def _alias(model: nn.Module, name: str) -> str:
    """The module path a paper's layer name stands for, or "" when the rule does not apply."""
    if match := re.fullmatch(r"Layer(\d+)", name):
        return f"layer{match[1]}" if hasattr(model, "layer1") else f"features.{match[1]}"
    if hasattr(model, "layer1"):
        return RESNET_ALIASES.get(name, "")
    if match := re.fullmatch(r"block(\d+)_conv(\d+)", name):
        return _vgg_relu(model, int(match[1]), int(match[2]))
    return ""


def _vgg_relu(model: nn.Module, block: int, conv: int) -> str:
    """The ReLU behind convolution `conv` of block `block` in a VGG's `features`, as Poly-CAM reads it."""
    at_block, at_conv = 1, 0
    for index, module in enumerate(getattr(model, "features", ())):
        at_conv += isinstance(module, nn.Conv2d)
        if isinstance(module, nn.ReLU) and (at_block, at_conv) == (block, conv):
            return f"features.{index}"
        if isinstance(module, nn.MaxPool2d):
            at_block, at_conv = at_block + 1, 0
    return ""


def _close_names(name: str, modules: dict[str, nn.Module]) -> str:
    """Close module paths, shallow ones first; without any, the network's top level."""
    paths = [path for path in modules if path]
    close = difflib.get_close_matches(name.lower(), paths, n=5, cutoff=0.5)
    return ", ".join(close or [path for path in paths if "." not in path])


def default_layers(model: nn.Module) -> tuple[str, ...]:
    """The layers the papers read, shallow to deep: four stages of a ResNet, the last four poolings of a VGG.

    Other networks with `features` give its end. Raises ValueError where no convention is known.
    """
    if all(hasattr(model, f"layer{i}") for i in range(1, 5)):
        return ("layer1", "layer2", "layer3", "layer4")
    features = getattr(model, "features", None)
    if isinstance(features, nn.Sequential):
        pools = [f"features.{i}" for i, module in enumerate(features) if isinstance(module, nn.MaxPool2d)]
        return tuple(pools[-4:]) if len(pools) == 5 else ("features",)
    raise ValueError(f"{type(model).__name__} has no known default layers: name them with `layers=`.")
