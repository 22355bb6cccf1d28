"""An operation of a running network, as the rule that shares its relevance sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import ref

import torch
from torch import Tensor

from .depends import Flags


@dataclass(eq=False)
class Op:
    """An operation as a rule sees it.

    f: its function of the inputs. xs: its inputs as they were, where its rule needs them, 0 where they are constants;
    free: where they are not, if that is not everywhere. index: running number.
    """

    f: Callable[..., Tensor]
    xs: list[Tensor] = field(default_factory=list)
    free: list[Flags] = field(default_factory=list)
    index: int = -1


@dataclass(eq=False, kw_only=True)
class Linear(Op):
    """A convolution or a linear layer.

    apply(u, V): the same layer without bias on other inputs and weights. settings: stride, padding and the like. last:
    of all linear ones.
    """

    W: Tensor
    bias: Tensor | None
    apply: Callable[[Tensor, Tensor], Tensor]
    settings: dict
    signs: Signs
    last: bool = False

    @property
    def conv(self) -> bool:
        return self.W.dim() > 2

    @property
    def kernel(self) -> bool:
        """Whether it covers more than one place."""
        return any(n > 1 for n in self.W.shape[2:])

    @property
    def reads_negative(self) -> bool:
        """Whether any input is negative."""
        return self.signs.negative(self)


class Signs:
    """Which linear layers read negative numbers: asked of all at once, for reading an answer waits for the device."""

    def __init__(self) -> None:
        self.ops: list[ref[Linear]] = []  # the graph holds them
        self.known: dict[int, bool] = {}

    def negative(self, op: Linear) -> bool:
        if op.index not in self.known:
            ops = [o for o in (found() for found in self.ops) if o is not None and o.xs]
            answers = torch.stack([(o.xs[0].amin() < 0).to(op.W.device) for o in ops]).tolist()
            self.known = {o.index: answer for o, answer in zip(ops, answers, strict=True)}
        return self.known[op.index]
