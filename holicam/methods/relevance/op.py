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

    f: its function of the inputs. Linear ones have the rest: apply(u, V), the same layer without bias on other inputs
    and weights; `conv`; `kernel`, True where the kernel covers more than one place; last, of all linear ones. xs: its
    inputs as they were, where its rule needs them, 0 where they are constants; free: where they are not, if that is not
    everywhere. index: running number.
    """

    f: Callable[..., Tensor]
    W: Tensor | None = None
    bias: Tensor | None = None
    apply: Callable[[Tensor, Tensor], Tensor] | None = None
    settings: dict = field(default_factory=dict)
    xs: list[Tensor] = field(default_factory=list)
    free: list[Flags] = field(default_factory=list)
    index: int = -1
    last: bool = False
    signs: Signs | None = None

    @property
    def conv(self) -> bool:
        return self.W.dim() > 2

    @property
    def kernel(self) -> bool:
        return any(n > 1 for n in self.W.shape[2:])

    @property
    def reads_negative(self) -> bool:
        """Of a linear one: whether any input is negative."""
        return self.signs.negative(self)


class Signs:
    """Which linear layers read negative numbers: asked of all at once, for reading an answer waits for the device."""

    def __init__(self) -> None:
        self.ops: list[ref[Op]] = []  # the graph holds them
        self.known: dict[int, bool] = {}

    def negative(self, op: Op) -> bool:
        if op.index not in self.known:
            ops = [o for o in (found() for found in self.ops) if o is not None and o.xs]
            answers = torch.stack([(o.xs[0] < 0).any().to(op.W.device) for o in ops]).tolist()
            self.known = {o.index: answer for o, answer in zip(ops, answers, strict=True)}
        return self.known[op.index]
