"""Asking any explainer for maps, one of this package or one that the reader wrote.

An explainer is anything that can be called as explainer(model, images, target=...) and returns maps
(m, h, w), or a dict of them. `layers`, `size` and `reshape` are given to those that take them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.explainer import Call, Explainer
from ..core.ops import Target, at_least_float32
from ..core.outputs import Whole, logits_of
from ..models.hooks import held
from ..models.layers import Layer, Layers

OPTIONS = ("layers", "target", "size", "reshape")
Parts = dict[Layer | None, Tensor]


def options(explainer: object) -> set[str]:
    """Which of `OPTIONS` an explainer takes. Raises ValueError where it cannot be asked at all."""
    known: list[inspect.Parameter] = []
    if callable(explainer) and not isinstance(explainer, type):
        known += inspect.signature(explainer).parameters.values()
    anything = any(p.kind is p.VAR_KEYWORD for p in known)
    named = {p.name for p in known if p.kind is not p.POSITIONAL_ONLY}
    if "target" not in named and not anything:
        raise ValueError(
            "base must be an explainer, such as GradCAM(), or a function of (model, "
            f"images, target=...) that returns maps (m, h, w); got {explainer!r}"
        )
    return {name for name in OPTIONS if anything or name in named}


def has_field(explainer: object, name: str) -> bool:
    """Whether it is a dataclass with this field, which `dataclasses.replace` can change."""
    return is_dataclass(explainer) and name in {f.name for f in fields(explainer)}


def unscaled(explainer: Any) -> Any:
    """The same explainer without its own `relu` and `normalise`, if it has such fields."""
    off = {name: False for name in ("relu", "normalise") if has_field(explainer, name)}
    return replace(explainer, **off) if off else explainer


class Wrapper(Explainer):
    """One around a `base`, any explainer: it takes the layers that base takes."""

    base: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = "layer" if "layers" in options(self.base) else "input"
        object.__setattr__(self, "takes", getattr(self.base, "takes", kind))

    def named(self, model: nn.Module, layers: Layers | None) -> tuple[tuple[Layer, ...], bool]:
        if layers is None:  # base knows what it takes, and whether it returns one map
            return (), False
        return super().named(model, layers)

    def for_base(self, call: Call) -> dict[str, object]:
        """What `ask` hands on of a call: layers, the maps' own grid, reshape."""
        layers = None if not call.layers else call.layers[0] if call.single else list(call.layers)
        return {"layers": layers, "size": "native", "reshape": call.reshape}


def ask(explainer: Any, model: nn.Module, images: Tensor, target: Target, **given: object) -> Parts:
    """{layer, or None for an explainer that returns one tensor: maps (m, h, w)}, detached.

    given: any of `OPTIONS`; what is None, or not taken by the explainer, is left out.
    Gradients are on while it runs; it gets a copy of the images. Raises ValueError where it returns anything but maps.
    """
    known = options(explainer)
    with torch.enable_grad():
        found = explainer(
            model,
            images.clone(),
            target=target,
            **{key: value for key, value in given.items() if key in known and value is not None},
        )
    found = found if isinstance(found, Mapping) else {None: found}
    for maps in found.values():
        if not isinstance(maps, Tensor) or maps.dim() != 3 or len(maps) != len(images):
            got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(
                f"base must return maps (m, h, w), one for each of the {len(images)} images it is given; got {got}"
            )
    return {name: at_least_float32(maps.detach()) for name, maps in found.items()}


@contextmanager
def overheard(model: nn.Module, x: Tensor, target: Target = None) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """A list that gets the logits (m, K) of the first forward inside, and whether it was one of x (m, 3, H, W).

    x is told by its values, so copies count; the batch may go on after it. The answer is one bool where
    x is: asking for it waits for the device. The list stays empty where the shapes say already that it
    was not, no forward runs, or the target chooses from an output that does not say which are its logits.
    """
    heard: list[tuple[Tensor, Tensor]] = []
    same: list[Tensor | None] = []

    def before(_: nn.Module, inputs: tuple) -> None:  # the network may then write into them
        first = inputs[0][: len(x)] if not same and inputs and isinstance(inputs[0], Tensor) else None
        if first is None or (first.shape, first.dtype, first.device) != (x.shape, x.dtype, x.device):
            same.append(None)
        else:
            same.append((first == x).all())

    def after(_: nn.Module, inputs: tuple, output: object) -> None:
        if len(same) == 1 and same[0] is not None:
            logits = logits_of(output, len(inputs[0]), target)
            heard.extend([] if isinstance(logits, Whole) else [(logits[: len(x)].detach(), same[0])])

    if isinstance(model, torch.jit.ScriptModule):  # takes no hooks
        yield heard
        return
    handles = model.register_forward_pre_hook(before), model.register_forward_hook(after)
    with held(handles):
        yield heard
