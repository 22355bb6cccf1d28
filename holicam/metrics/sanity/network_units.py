"""The units in which a network's knowledge is taken away: from the output to the input, as one pass runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.guard import guarded
from ...core.network import check_call, forward
from ...core.ops import one_of
from ...models.forms import see_inside
from ...models.hooks import held
from ...models.layers import Layer, Layers, as_given, find_layers, layer_path

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Unit:
    """What is randomised at one step: `modules` are the paths of those that hold tensors themselves."""

    name: str
    modules: tuple[str, ...]


@guarded
def units(
    model: nn.Module, images: Tensor, *, granularity: str = "block", layers: Layers | None = None
) -> tuple[Unit, ...]:
    """The units of a network, from the output to the input.

    Every module that holds weights and runs belongs to one; a norm goes with the weights that run
    before it. The order is that of one forward pass, not of registration.

    Args:
        model: in eval mode.
        images: (B, 3, H, W); one of them is run.
        granularity: "block" keeps together what stands under one number of the network's outermost
            list ("layer4.2" of a ResNet, as Adebayo et al. do); "layer" takes every convolution and
            linear layer alone. Both are the same in a VGG.
        layers: instead, these module paths or modules, each with all that lies in it, in the order given.

    Returns:
        Units, each with the paths of its modules.

    Raises:
        ValueError: a granularity that does not exist, or nothing that holds weights.
        LayerNotFoundError: no layer of that name.

    Example:
        >>> import functools, torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> model, images = model.eval(), torch.rand(2, 3, 12, 12)
        >>> [unit.name for unit in hc.sanity.units(model, images)]
        ['4', '0']
    """
    one_of("granularity", granularity, ("block", "layer"))
    check_call(model, images)
    see_inside(model, layers=True)
    holders = {name: module for name, module in model.named_modules() if own_weights(module)}
    if layers is not None:
        found = [_unit(model, holders, layer) for layer in as_given(layers)]
        if missing := [unit.name for unit in found if not unit.modules]:
            raise ValueError(f"{type(model).__name__} holds no weights in {', '.join(map(repr, missing))}")
        return tuple(found)
    order = _run_order(model, holders, images)
    groups: dict[str, list[str]] = {}
    ends: dict[str, int] = {}  # when the last weights of a group run
    early: list[str] = []  # norms in front of all weights
    last: str | None = None
    for name in sorted(order, key=order.__getitem__):
        own = _block(name) if granularity == "block" else name
        if not isinstance(holders[name], NORMS):
            last = own
            ends[own] = order[name]
            groups.setdefault(own, []).append(name)
        elif last is None:
            early.append(name)
        else:
            groups[own if own in groups else last].append(name)
    if not groups:
        raise ValueError(f"{type(model).__name__} has no weights to randomise")
    groups[next(iter(groups))] += early
    for inside in groups.values():  # parts that are used without being called, as in attention
        inside += [n for n in holders if n not in order and any(m and n.startswith(f"{m}.") for m in inside)]
    backwards = sorted(groups, key=ends.__getitem__, reverse=True)
    return tuple(Unit(name or type(model).__name__, tuple(groups[name])) for name in backwards)


def _unit(model: nn.Module, holders: dict[str, nn.Module], layer: Layer) -> Unit:
    """A layer, under the name given or its first one, with all that lies in it."""
    inside = {id(m) for m in find_layers(model, layer)[layer].modules()}
    return Unit(layer_path(model, layer), tuple(name for name, m in holders.items() if id(m) in inside))


def own_weights(module: nn.Module) -> list[Tensor]:
    """The parameters that a module holds itself, without those of the modules inside it."""
    return [*module.parameters(recurse=False)]


def _block(name: str) -> str:
    """ "layer4.2.conv1" -> "layer4.2"; a path without a number is its own block."""
    parts = name.split(".")
    number = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts))
    return ".".join(parts[: number + 1])


def _run_order(model: nn.Module, holders: dict[str, nn.Module], images: Tensor) -> dict[str, int]:
    """{path: when it last began} of one forward pass; a holder of others begins before them."""
    order: dict[str, int] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda *_: order.__setitem__(name, max(order.values(), default=-1) + 1)

    hooks = [module.register_forward_pre_hook(note(name)) for name, module in holders.items()]
    with held(hooks), torch.no_grad():
        forward(model, images[:1])
    return order
