"""Taking a network's knowledge away, unit by unit, and giving it back.

One model is changed in place; its trained tensors wait beside it on the same device. Numbers for a
unit follow from the seed and the unit's name alone, so a cascade and a single draw give a unit the same
new weights, on any device.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.guard import guarded, turn
from ...core.network import forward
from ...core.ops import one_of
from ...models.forms import see_inside
from ...models.layers import Layer, Layers, as_given, find_layers, layer_path

BatchNorm = nn.modules.batchnorm._BatchNorm
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
BN = ("reset", "keep", "recalibrate")
_ONE_DRAW = threading.Lock()  # modules draw their weights from the generator that all threads share


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
    see_inside(model, layers=True)
    holders = {name: module for name, module in model.named_modules() if _own(module)}
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


def _own(module: nn.Module) -> list[Tensor]:
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
    try:
        with torch.no_grad():
            forward(model, images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return order


@guarded
def reinitialise(model: nn.Module, unit: Unit, seed: int, bn: str = "reset") -> None:
    """New weights for a unit, in place, by each module's own `reset_parameters`.

    A module without one has its tensors' entries shuffled.

    Args:
        model: changed in place.
        unit: of `units(model, ...)`.
        seed: the weights follow from it and the modules' paths alone, on any device.
        bn: what happens to norms: "reset" to scale 1, shift 0, mean 0 and variance 1; "keep" leaves them trained;
            "recalibrate" as "reset", `recalibrate` then measures.

    Example:
        >>> import functools, torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> model, images = model.eval(), torch.rand(2, 3, 12, 12)
        >>> before = model[4].weight.clone()
        >>> with hc.sanity.kept(model):
        ...     hc.sanity.reinitialise(model, hc.sanity.units(model, images)[0], seed=0)
        ...     torch.equal(model[4].weight, before)
        False
        >>> torch.equal(model[4].weight, before)
        True
    """
    modules = dict(model.named_modules())
    for path in unit.modules:
        module = modules[path]
        if bn == "keep" and isinstance(module, NORMS):
            continue
        number = int.from_bytes(hashlib.sha256(f"{seed}/{path}".encode()).digest()[:8], "big") >> 1
        with _ONE_DRAW, torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(number)
            fresh = _fresh(module)
        with torch.no_grad():
            for old, new in zip(_tensors(module), _tensors(fresh), strict=True):
                old.copy_(new)


def _fresh(module: nn.Module) -> nn.Module:
    """A copy on the CPU with new weights: numbers drawn there are the same for every device."""
    fresh = copy.deepcopy(module).cpu()
    reset = getattr(fresh, "reset_parameters", None) or getattr(fresh, "_reset_parameters", None)
    with torch.no_grad():
        if reset is not None:
            reset()
        else:
            for tensor in _own(fresh):
                tensor.copy_(tensor.flatten()[torch.randperm(tensor.numel())].view_as(tensor))
    return fresh


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]


@guarded
def recalibrate(model: nn.Module, chosen: Iterable[Unit], images: Tensor) -> None:
    """Measure mean and variance of the units' batch norms anew, over these images, in one pass.

    Args:
        model: changed in place.
        chosen: units of `units(model, ...)`.
        images: (B, 3, H, W).

    Example:
        >>> import torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
        >>> images = torch.rand(4, 3, 8, 8)
        >>> hc.sanity.recalibrate(model, hc.sanity.units(model, images), images)
        >>> torch.allclose(model[1].running_mean, model[0](images).mean((0, 2, 3)), atol=1e-5)
        True
    """
    inside = {path for unit in chosen for path in unit.modules}
    norms = [
        m
        for path, m in model.named_modules()
        if path in inside and isinstance(m, BatchNorm) and m.running_mean is not None
    ]
    before = [(norm.momentum, norm.training) for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum, norm.training = None, True  # a plain average
        with torch.no_grad():
            forward(model, images)
    finally:
        for norm, (momentum, training) in zip(norms, before, strict=True):
            norm.momentum, norm.training = momentum, training


class Trained:
    """A model's tensors as they were; `restore` puts all of them, or a unit's, back in place."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.kept = {path: [t.detach().clone() for t in _tensors(m)] for path, m in model.named_modules()}

    def restore(self, unit: Unit | None = None) -> None:
        """Raises KeyError for a unit of another network."""
        modules = dict(self.model.named_modules())
        with torch.no_grad():
            for path in self.kept if unit is None else unit.modules:
                for now, then in zip(_tensors(modules[path]), self.kept[path], strict=True):
                    now.copy_(then)


@contextmanager
def kept(model: nn.Module) -> Iterator[Trained]:
    """Whatever is done to the model's tensors inside is undone at the end, after an exception too.

    Args:
        model: any network.

    Yields:
        What was kept, with `restore(unit)` to put back one unit's tensors earlier.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Linear(2, 2)
        >>> before = model.weight.clone()
        >>> with hc.sanity.kept(model):
        ...     _ = model.weight.data.zero_()
        >>> torch.equal(model.weight, before)
        True
    """
    with turn(model):
        trained = Trained(model)
        try:
            yield trained
        finally:
            trained.restore()
