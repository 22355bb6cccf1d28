"""Which layer is being read, for a warning that it holds negative numbers, and which stage to read in its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor, nn

from ...models.layers import Layer, called
from ...models.stages import stages

_reading: ContextVar[tuple[nn.Module, Tensor, Layer, float] | None] = ContextVar("reading", default=None)


@contextmanager
def reading(model: nn.Module, images: Tensor, layer: Layer, scale: float = 1) -> Iterator[None]:
    """While it lasts, weights are of this layer of this network, asked about these images at a scale."""
    token = _reading.set((model, images, layer, scale))
    try:
        yield
    finally:
        _reading.reset(token)


def negative_sums(A: Tensor) -> Callable[[], str]:
    """A sentence about A (B, C, h, w), some of whose channels have a negative sum.

    It is made when it is needed, since naming a better layer may cost a dry pass.
    """
    about, cells = _reading.get(), A.shape[-2] * A.shape[-1]
    says = "some channels sum to less than zero, so alpha may be negative or very large there; "
    way_out = "activation_sum='relu' takes such sums as zero"

    def said() -> str:
        if about is None:
            return says + way_out
        model, images, layer, scale = about
        return f"layer {called(layer)}: {says}{_instead(model, images, layer, cells / scale**2)}{way_out}"

    return said


def _instead(model: nn.Module, images: Tensor, layer: Layer, cells: float) -> str:
    """The stage that is never negative and has a grid of about so many cells, as half a sentence."""
    try:
        rows = [stage for stage in stages(model, images).rows if not stage.signed]
    except Exception:  # a network may raise anything when one image of a batch is shown alone; the warning stands
        return ""
    if not rows:
        return f"no stage of this {type(model).__name__} is free of negative values, and "
    near = min(rows, key=lambda stage: abs(math.log(math.prod(stage.grid) / cells)))
    return "" if near.name == layer else f"read {near.name!r}, which is never negative (hc.stages), or "
