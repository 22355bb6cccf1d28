"""Taking a network's knowledge away, unit by unit, and giving it back.

One model is changed in place; its trained tensors wait beside it on the same device. Numbers for a
unit follow from the seed and the unit's name alone, so a cascade and a single draw give a unit the same
new weights, on any device.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils.spectral_norm import SpectralNorm

from ...core.guard import guarded, turn
from ...core.network import check_call, forward
from .network_units import NORMS, Unit, own_weights

BatchNorm = nn.modules.batchnorm._BatchNorm
BN = ("reset", "keep", "recalibrate")
POWER_STEPS = 15  # from which torch's newer spectral norm begins, too
_ONE_DRAW = threading.Lock()  # modules draw their weights from the generator that all threads share


@guarded
def reinitialise(model: nn.Module, unit: Unit, seed: int, bn: str = "reset") -> None:
    """New weights for a unit, in place, by each module's own `reset_parameters`.

    A parameter that this leaves as it was, such as those below a weight norm, and every one of a module
    without `reset_parameters`, has its entries shuffled.

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
    made = {id(t): t.detach().clone() for t in vars(module).values() if isinstance(t, Tensor)}  # perhaps with a graph
    fresh = copy.deepcopy(module, made).cpu()
    reset = getattr(fresh, "reset_parameters", None) or getattr(fresh, "_reset_parameters", None)
    with torch.no_grad():
        learned = [(tensor, tensor.clone()) for tensor in own_weights(fresh)]
        if reset is not None:
            learned = [(tensor, old) for tensor, old in learned if tensor.is_floating_point()]
            for tensor, _ in learned:
                tensor.fill_(torch.nan)  # what is NaN afterwards was not reset
            reset()
        # `reset_parameters` writes into a weight that weight_norm or spectral_norm makes anew from what was
        # learned. It also leaves alone what its author forgot.
        for tensor, old in learned:
            left = torch.ones_like(tensor, dtype=torch.bool) if reset is None else tensor.isnan()
            entries = old[left]
            tensor[left] = entries[torch.randperm(entries.numel())] if len(entries) else entries
        for hook in fresh._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):  # its estimate was that of the trained weight
                for _ in range(POWER_STEPS):
                    hook.compute_weight(fresh, do_power_iteration=True)
    return fresh


def _made(module: nn.Module) -> dict[str, Tensor]:
    """{name: a tensor that is neither weight nor buffer}: weight_norm makes a new one in every forward."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}


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
    check_call(model, images)
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
        self.made = {path: _made(m) for path, m in model.named_modules()}

    def restore(self, unit: Unit | None = None) -> None:
        """Raises KeyError for a unit of another network."""
        modules = dict(self.model.named_modules())
        with torch.no_grad():
            for path in self.kept if unit is None else unit.modules:
                for now, then in zip(_tensors(modules[path]), self.kept[path], strict=True):
                    now.copy_(then)
                modules[path].__dict__.update(self.made[path])


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
