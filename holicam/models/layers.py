"""Layers of a network, however they are named: by path, by the papers' names, or by the module itself.

A path is any that `get_submodule` resolves, so a module that is registered twice has two names.
`torch.compile`, `DataParallel` and their like wrap a network in a module whose only part it is, as
`_orig_mod` or `module`. That is looked through: "layer4" stands for "module.layer4" as well.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard, cast

import torch
from torch import Tensor, nn

from .alike import UnknownNameError
from .forms import see_inside

Layer = str | nn.Module
Layers = Layer | Sequence[Layer]

# Poly-CAM's ResNet-50 names; Holistic-CAM's "Layer1" and "Layer43" follow a rule instead (see _alias).
RESNET_ALIASES = {"conv1_1": "relu", "conv2_3": "layer1", "conv3_4": "layer2", "conv4_6": "layer3", "conv5_3": "layer4"}


class LayerNotFoundError(UnknownNameError):
    """No such layer in the network; the message lists the close names."""


def is_single(layers: object) -> TypeGuard[Layer]:
    """Whether one layer is meant, which gives a tensor, and not a list of layers, which gives a dict."""
    return isinstance(layers, (str, nn.Module)) and not isinstance(layers, nn.ModuleList)


def as_given(layers: object) -> tuple[Layer, ...]:
    """The layers one by one, names and modules as given.

    Raises TypeError for anything else, and ValueError for none and for one twice.
    """
    several = not isinstance(layers, (Tensor, Mapping, bytes)) and isinstance(layers, (Iterable, nn.ModuleList))
    given: tuple[Any, ...] = (layers,)
    if several and not is_single(layers):
        given = tuple(cast(Iterable[Any], layers))
    for layer in given:
        if not isinstance(layer, (str, nn.Module)):
            raise TypeError(
                "layers must be the name of a layer, a module of the network, or several of these; got "
                f"{_short(layer)}: name the layer as a string or give the module"
            )
    if not given or len(set(given)) != len(given):
        raise ValueError(f"`layers` must name at least one layer and each once; got {[called(g) for g in given]}.")
    return given


def called(layer: Layer) -> str:
    """A layer in a message: its name in quotes, or what kind of module was given."""
    return repr(layer) if isinstance(layer, str) else f"(the {type(layer).__name__} given)"


def find_layers(model: nn.Module, layers: Layers) -> dict[Layer, nn.Module]:
    """Layers -> modules, under the names, or the modules, as given.

    layers: a module path, a paper's name for a layer, a module of the network, or several of these.
    Raises LayerNotFoundError, with the close names of this network, TypeError for what is no layer, and
    ValueError: no layer given, one twice, or the network itself.
    """
    return {layer: _found(model, layer) for layer in as_given(layers)}


def layer_path(model: nn.Module, layer: Layer) -> str:
    """A layer's name: as given, or the first path of a module. Raises LayerNotFoundError."""
    if isinstance(layer, str):
        return layer
    for path, module in model.named_modules():
        if module is layer:
            return path
    raise LayerNotFoundError(
        f"the {type(layer).__name__} given as a layer is no part of this {type(model).__name__}: "
        "name the layer as a string or give a module of the network"
    )


def wrapped(model: nn.Module) -> Iterator[nn.Module]:
    """The network, what it wraps, what that wraps."""
    yield model
    parts = dict(model.named_children())
    if len(parts) == 1 and next(iter(parts)) in ("_orig_mod", "module"):
        yield from wrapped(next(iter(parts.values())))


def innermost(model: nn.Module) -> nn.Module:
    """The network inside its wrappers, itself where it has none."""
    return list(wrapped(model))[-1]


def _found(model: nn.Module, layer: Layer) -> nn.Module:
    networks = list(wrapped(model))
    module: nn.Module | None
    if isinstance(model, torch.jit.ScriptModule):
        see_inside(model, layers=True)
    if isinstance(layer, nn.Module):
        module, _ = layer, layer_path(model, layer)
    else:
        module = next((m for m in (_resolved(net, layer) for net in networks) if m is not None), None)
        if module is None and (path := _alias(networks[-1], layer)):
            module = _resolved(networks[-1], path)
        if module is None:
            close = _close_names(layer, networks[-1])
            raise LayerNotFoundError(f"{type(networks[-1]).__name__} has no layer {layer!r}; close names are {close}.")
    if module is model:
        raise ValueError(f"{called(layer)} is the network itself, whose output is no map: name a layer inside it")
    if isinstance(module, torch.jit.ScriptModule):
        see_inside(module, layers=True)
    return module


def _resolved(model: nn.Module, path: str) -> nn.Module | None:
    """The module under a path, or None: none there, or something that is no module."""
    try:
        return model.get_submodule(path) if path else None
    except AttributeError:
        return None


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


def _close_names(name: str, model: nn.Module) -> str:
    """Close module paths, shallow ones first; without any, the network's top level."""
    paths = [path for path, _ in model.named_modules(remove_duplicate=False) if path]
    close = difflib.get_close_matches(name.lower(), paths, n=5, cutoff=0.5)
    return ", ".join(close or [path for path in paths if "." not in path])


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
