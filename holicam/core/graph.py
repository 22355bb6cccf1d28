"""Where the graph of a pass begins, and the gradients that come back through it.

A score that does not depend on what is explained has no gradient there, and a map made of zeros would
look like an answer. So `pull_back` raises where autograd finds no way, and warns where it finds one and
every gradient that comes along is exactly 0.

Activation checkpointing runs parts of the network again during the backward pass. What stood around the
forward, hooks and modes, must then stand there too: see `recorded(again=True)`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ..models.hooks import held
from ..models.layers import Layer, called
from .checks import refuse_where, warn_where
from .in_place import Overwritten, put, shares_memory

Place = TypeVar("Place", bound=Layer | None)  # a layer, or None for the image
REENTRANT = (
    "the network uses torch.utils.checkpoint with use_reentrant=True, which hides its layers from "
    "gradients: give it use_reentrant=False, or turn checkpointing off"
)


class ZeroGradientWarning(RuntimeWarning):
    """Every gradient is exactly 0, though the score does depend on what is explained: dead or saturated units."""


@contextmanager
def recorded(
    wanted: Mapping[Layer, nn.Module], gradients: bool, repeated: str, *, again: bool = False
) -> Iterator[dict[Layer, Tensor]]:
    """Forward hooks that fill {name: output} while the context lasts.

    again: for the backward pass. What a checkpointed block computes a second time gets the same graph as
    the first time, and is not recorded.
    """
    A: dict[Layer, Tensor] = {}
    thread = threading.get_ident()
    overwritten = Overwritten()

    def hook(name: Layer, module: nn.Module, inputs: tuple, named: dict, output: object) -> Tensor | None:
        if (again and not torch.is_grad_enabled()) or (not again and thread != threading.get_ident()):
            return None  # a forward of somebody else's
        memory = overwritten.by(module, output)
        if name in A and repeated == "raise":
            raise ValueError(
                f"layer {called(name)} runs more than once in one forward pass, so it is "
                "unclear which output is meant: name the block around it"
            )
        if not isinstance(output, Tensor):
            raise TypeError(
                f"layer {called(name)} must give one tensor; it gives "
                f"{type(output).__name__}: name a layer inside or after it"
            )
        if gradients and not torch.is_grad_enabled():
            raise ValueError(
                REENTRANT
                if _checkpointed()
                else f"layer {called(name)} runs under torch.no_grad() inside the network, so no gradient reaches it"
            )
        # An in-place or identity layer hands on its input's memory, which others may still change.
        shared = any(shares_memory(x, output) for x in tree_leaves((inputs, named)))
        own = output.clone() if shared else output
        own = own if own.requires_grad else own.detach().requires_grad_(gradients)
        if not again:
            A[name] = own
        if memory is not None and gradients:
            put(memory, own)
        return own.clone()

    handles = [overwritten.watch(module) for module in wanted.values()] + [
        module.register_forward_hook(lambda *args, name=name: hook(name, *args), with_kwargs=True)
        for name, module in wanted.items()
    ]
    with held(handles):
        yield A


def _checkpointed() -> bool:
    """Whether a checkpoint of the kind that runs without a graph is under way."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "torch.utils.checkpoint":
            return True
        frame = frame.f_back
    return False


def pull_back(
    out: Tensor,
    places: Mapping[Place, Tensor],
    start: Tensor | None = None,
    *,
    keep: bool = False,
    mode: TorchFunctionMode | None = None,
) -> dict[Place, Tensor]:
    """d out / d place of every place, {layer name, or None for the image: tensor}, from one backward pass.

    out: one number, or with `start`, the gradient that it begins with. keep: the graph, for another walk.
    mode: what the forward pass ran under, for checkpointed blocks.

    Raises ValueError where `out` does not depend on a place.
    """
    found: tuple[Tensor | None, ...] = (None,) * len(places)
    if out.requires_grad:
        start = torch.ones_like(out) if start is None else start
        try:
            if mode is None:
                found = torch.autograd.grad(out, list(places.values()), start, retain_graph=keep, allow_unused=True)
            else:  # a mode is off while it handles a call on tensors, so it is given edges of the graph
                ends = [get_gradient_edge(place) for place in places.values()]
                edge = get_gradient_edge(out)
                with mode:
                    found = torch.autograd.grad([edge], ends, [start], retain_graph=keep, allow_unused=True)
        except RuntimeError as error:
            if "use_reentrant=True" in str(error):
                raise ValueError(REENTRANT) from error
            raise
    given: dict[Place, Tensor] = {}
    for name, gradient in zip(places, found, strict=True):
        if gradient is None:
            raise ValueError(
                f"the score does not depend on {_called(name)}, so there is no gradient to explain it by: "
                "the network cuts the graph (torch.no_grad(), detach(), quantised layers) or does not "
                "use it"
            )
        given[name] = gradient
    return given


def expect_some_of(G: Mapping[Layer, Tensor], maps: dict[Layer, Tensor]) -> dict[Layer, Tensor]:
    """`maps`, which a `reshape` made of the gradients G.

    Raises ValueError where it left all but zeros out; a ZeroGradientWarning where an image has nothing else.
    """
    for name, made in maps.items():
        warn_zero(all_zero(G[name]) | zero_images(made), name)
        if made.shape != G[name].shape:
            refuse_where(
                all_zero(made) & ~all_zero(G[name]),
                f"the score depends on layer {called(name)} only through values that reshape leaves out, "
                "such as the class token, so its map would be 0: name a layer before the last attention, "
                "such as the norm that it begins with",
            )
    return maps


def warn_zero(zero: Tensor, name: Layer | None = None) -> None:
    """Where `zero`, a bool for each image or one for all: a warning that the map of a layer, or of the image, is empty.

    In every call, for it is about these images.
    """

    def text() -> str:
        return (
            f"every gradient of the score at {_called(name)} is exactly 0, for {_images(zero)}, so the map says "
            "nothing: dead or saturated units lie between"
        )

    warn_where(zero, text, ZeroGradientWarning, each_call=True)


def _images(chosen: Tensor) -> str:
    """Which images of a batch, by their numbers."""
    said = chosen.flatten().tolist()
    if all(said):
        return "all images"
    numbers = [str(n) for n, wrong in enumerate(said) if wrong]
    more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
    return f"image{'s'[: len(numbers) > 1]} {', '.join(numbers[:8])}{more} of {len(said)}, counted from 0"


def _called(name: Layer | None) -> str:
    return "the image" if name is None else f"layer {called(name)}"


def all_zero(values: Tensor) -> Tensor:
    """Whether nothing else is in there, a bool on its device; NaN is something else. One read, no copy."""
    low, high = torch.aminmax(values.detach())
    return (low == 0) & (high == 0)


def zero_images(values: Tensor) -> Tensor:
    """The same for each image: (B, ...) -> (B,)."""
    v, rest = values.detach(), tuple(range(1, values.dim()))
    return (v.amin(rest) == 0) & (v.amax(rest) == 0)
