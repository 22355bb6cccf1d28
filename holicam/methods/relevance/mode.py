"""Every operation of a running network, seen, and given its rule.

A torch function mode sees all of them: from a module, used once or many times, in place or not, or
written out in `forward` (a ResNet's `out += identity`, DenseNet's `F.relu`). Where an operation has
a rule it becomes a step whose *backward* is that rule. Operations that only move numbers keep their
gradients. Any other that depends on a tracked input raises ValueError: without a rule it would hand
back a gradient in place of relevance, and nobody would notice. `depends` tells constants from what
depends on the image.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from weakref import ref

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from ...core.ops import at_least_float32, summed
from .arithmetic import MADE, combined
from .depends import Dependence
from .names import AVERAGE, LINEAR, MOVES, NEGATE, NUMBERS, PAIRS, plain, writes
from .op import Linear, Op, Signs
from .rules import Rule, Rules, passes

HIDDEN = (
    "the network computes something where relevance cannot see it (a custom autograd function, a scripted "
    "function, or reentrant checkpointing): write it with ordinary PyTorch operations"
)


class _Step(torch.autograd.Function):
    """Runs op.f, and hands back what the rule says."""

    @staticmethod
    def forward(ctx, rule, op: Op, *xs: Tensor) -> Tensor:
        ctx.rule, ctx.op = rule, op
        return op.f(*xs)

    @staticmethod
    def backward(ctx, R: Tensor) -> tuple:
        with torch._C.DisableTorchFunction():  # a mode that waits for checkpointed blocks is not meant here
            return None, None, *ctx.rule(R, ctx.op.xs, ctx.op)


class _Overwrite(torch.autograd.Function):
    """Writes a step's result where it belongs. What was there gets nothing, and no zeros of another layout either."""

    @staticmethod
    def forward(ctx, memory: Tensor, out: Tensor) -> Tensor:
        ctx.mark_dirty(memory)
        return memory.copy_(out)

    @staticmethod
    def backward(ctx, R: Tensor) -> tuple[None, Tensor]:
        return None, R


class RelevanceMode(TorchFunctionMode):
    """While it lasts, tracked operations become steps.

    image: what the network is fed; to_image: whether it is tracked. `linear` lists the convolutions and
    linear layers in running order.
    """

    def __init__(self, rules: Rules, image: Tensor, to_image: bool) -> None:
        super().__init__()
        self.rules, self.to_image, self.count, self.signs = rules, to_image, 0, Signs()
        self.linear: list[Linear] = []
        self.kept: dict[int, list[Op]] = {}  # {memory: the Ops that keep an input there}
        self.seen = Dependence(image)

    def again(self) -> RelevanceMode:
        """For the way back: what a checkpointed block computes again gets the same steps, and nothing counts."""
        second = copy.copy(self)
        second.linear, second.kept = [], {}
        return second

    def __torch_function__(self, func, types, args=(), kwargs=None):
        called, kwargs = getattr(func, "__name__", ""), kwargs or {}
        name = plain(called)
        if name != "get":  # reading an attribute
            args, kwargs = tree_map(self._given, args), tree_map(self._given, kwargs)
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        in_place = (
            writes(called) or name in ("relu", "dropout") and any(x is True for x in (*args[1:], kwargs.get("inplace")))
        )
        if in_place and args and isinstance(args[0], Tensor):
            self._rescue(args[0])
        reads = self.seen.reads(name, args, kwargs)
        if not reads:  # nothing but constants
            return func(*args, **kwargs)
        if called in NUMBERS and any(x.is_floating_point() for x in reads):
            raise ValueError(f"the network turns feature maps into numbers ({name}), where relevance cannot follow")
        if any(x.requires_grad for x in reads) and (step := self._step_of(func, name, args, kwargs)):
            if kwargs.get("out") is not None:  # the step would leave it as it was, and what reads it would be wrong
                raise ValueError(
                    f"the network writes into {name}'s out=, where relevance cannot follow: take the result"
                )
            out = step(func, name, args, kwargs, reads)
            return self._overwrite(args[0], out) if in_place else out
        out = func(*args, **kwargs)
        if name not in MOVES and any(isinstance(x, Tensor) and x.requires_grad for x in tree_leaves(out)):
            raise ValueError(
                f"the network uses {name}, for which relevance has no rule: it is defined for networks "
                "of convolutions, linear layers, batch norms, ReLUs, poolings and sums"
            )
        self.seen.follow(func, name, args, kwargs, out, reads, in_place)
        return out

    def _given(self, x: object) -> object:
        """An argument as it is used: half precision becomes float32 before any arithmetic."""
        if not isinstance(x, Tensor):
            return x
        note = self.seen.note(x)
        if x.requires_grad and not (note and note.tracked):
            if not x.is_leaf and self.seen.behind(x):
                raise ValueError(HIDDEN)
            if note:  # a layer's output, where the walk will end
                note.tracked = True
            else:  # a constant that somebody may want to train
                x = x.detach()
        if not x.is_floating_point() or (lifted := at_least_float32(x)) is x:
            return x
        if note:
            self.seen.add(lifted, note.raw, self.seen.flags(x))
        return lifted

    def _step_of(self, func, name, args, kwargs) -> Callable[..., Tensor] | None:
        """What makes this operation a step, if it has a rule."""
        rule = self.rules.flatten
        if rule and name in ("flatten", "reshape", "view") and args[0].dim() == 4:
            return partial(self._moved, rule) if func(args[0].detach(), *args[1:], **kwargs).dim() == 2 else None
        if name in PAIRS or name in MADE:
            return lambda func, name, args, kwargs, reads: combined(self, name, args, kwargs)
        kinds = (
            (LINEAR, self._linear),
            (AVERAGE, partial(self._moved, self.rules.average)),
            (NEGATE, self._negate),
            ({"batch_norm"}, self._norm),
            ({"relu"}, self._relu),
        )
        return next((step for names, step in kinds if name in names), None)

    def _moved(self, rule: Rule, func, name, args, kwargs, reads):
        x, *rest = args
        return self.run(rule, lambda x: func(x, *rest, **kwargs), x, moves=True)

    def _relu(self, func, name, args, kwargs, reads):
        return self.run(self.rules.relu, torch.relu, args[0])

    def _negate(self, func, name, args, kwargs, reads):
        return self.affine(torch.neg, args[0])

    def _norm(self, func, name, args, kwargs, reads):
        x, *rest = args
        if any(y is not x for y in reads):
            raise ValueError("a batch norm's weights depend on the image, for which relevance has no rule")
        if kwargs.get("training", len(rest) > 4 and rest[4]):
            raise ValueError(
                "a batch norm has no running statistics and takes the batch's own, which depend on the "
                "images: relevance has no rule for it"
            )
        return self.affine(lambda x: func(x, *rest, **kwargs), x)

    def _linear(self, func, name, args, kwargs, reads):
        names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
        given = dict(zip(names, args, strict=False)) | kwargs
        x, W, bias = given.pop("input"), given.pop("weight"), given.pop("bias", None)
        if any(y is not x for y in reads):
            raise ValueError("a layer's weights depend on the image, for which relevance has no rule")
        op = Linear(
            lambda x: func(x, W, bias, **given),
            W=W,
            bias=bias,
            apply=lambda u, V: func(u, V, None, **given),
            settings=given,
            signs=self.signs,
        )
        first = self.to_image and (not self.linear or self.seen.raw(x))
        self.linear.append(op)
        self.signs.ops.append(ref(op))
        return self.run(self.rules.first if first else self.rules.linear, op, x)

    def affine(self, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """A step that only shifts and scales x by constants."""
        return self.run(self.rules.affine, f, x, raw=self.seen.raw(x))

    def run(
        self, rule: Rule, op: Op | Callable[..., Tensor], *xs: Tensor, raw: bool = False, moves: bool = False
    ) -> Tensor:
        """A step, noted. moves: a result is made of constants alone only where f says so."""
        op = op if isinstance(op, Op) else Op(op)
        op.index, self.count = self.count, self.count + 1
        flags = [self.seen.flags(x) for x in xs]
        if rule is not passes:
            op.free = flags
            op.xs = [x.detach() if f is None else x.detach().masked_fill(~f, 0) for x, f in zip(xs, flags, strict=True)]
            for x in op.xs:
                self.kept.setdefault(x.untyped_storage().data_ptr(), []).append(op)
        out = _Step.apply(rule, op, *xs)
        if out not in self.seen:  # a view is noted already
            free = None
            if any(f is not None for f in flags):
                amounts = [torch.ones_like(x) if f is None else f.to(x) for x, f in zip(xs, flags, strict=True)]
                reached = (
                    op.f(*amounts)
                    if moves
                    else op.apply(amounts[0], torch.ones_like(op.W))
                    if isinstance(op, Linear)
                    else summed(amounts)
                )
                free = (reached != 0).expand_as(out)
            self.seen.add(out, raw, free)
        return out

    def _overwrite(self, memory: Tensor, out: Tensor) -> Tensor:
        """A step in place: others may hold its memory."""
        self._rescue(memory)
        raw, flags = self.seen.raw(out), self.seen.flags(out)
        if memory._is_view():  # its base has a say in the gradient
            memory.copy_(out)
        else:
            _Overwrite.apply(memory, out)
        self.seen.change(memory, ..., True if flags is None else flags, raw)
        return memory

    def _rescue(self, memory: Tensor) -> None:
        """Before a tensor is overwritten, give the Ops that keep it a copy."""
        where = memory.untyped_storage().data_ptr()
        for op in self.kept.pop(where, ()):
            op.xs = [x.clone() if x.untyped_storage().data_ptr() == where else x for x in op.xs]
