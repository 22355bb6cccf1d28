"""Every operation of a running network, seen, and given its rule.

A torch function mode sees all of them: from a module, used once or many times, in place or not, or
written out in `forward` (a ResNet's `out += identity`, DenseNet's `F.relu`). Where an operation has
a rule it becomes a step whose *backward* is that rule. Operations that only move numbers keep their
gradients. Any other that depends on a tracked input raises ValueError: without a rule it would hand
back a gradient in place of relevance, and nobody would notice.
"""


from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from ..ops import at_least_float32
from .rules import Rules, passes

LINEAR = {"conv1d", "conv2d", "conv3d", "linear"}
AVERAGE = {"avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
           "adaptive_avg_pool3d", "mean", "sum"}
ADD = {"add", "iadd", "radd"}
SCALE = {"mul", "imul", "rmul", "div", "truediv", "itruediv"}
MOVES = {
    "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", "amax", "cat", "chunk", "clone", "concat",
    "concatenate", "contiguous", "copy", "double", "dropout", "dropout1d", "dropout2d", "dropout3d", "expand",
    "expand_as", "feature_dropout", "flatten", "flip", "float", "get", "getitem", "max_pool1d", "max_pool2d",
    "max_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices", "movedim",
    "narrow", "pad", "permute", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "repeat", "requires_grad",
    "reshape", "reshape_as", "roll", "select", "split", "split_with_sizes", "squeeze", "stack", "swapaxes", "to",
    "transpose", "type_as", "unbind", "unflatten", "unsqueeze", "view", "view_as",
}


@dataclass(eq=False)
class Op:
    """An operation as a rule sees it. f: its function of the inputs. Linear ones have the rest:
    apply(u, V), the same layer without bias on other inputs and weights; `conv`; `kernel`, True
    where the kernel covers more than one place; last, of all linear ones. xs: its inputs as they
    were, where its rule needs them. index: running number."""

    f: Callable[..., Tensor]
    W: Tensor | None = None
    bias: Tensor | None = None
    apply: Callable[[Tensor, Tensor], Tensor] | None = None
    settings: dict = field(default_factory=dict)
    xs: list[Tensor] = field(default_factory=list)
    index: int = -1
    last: bool = False

    @property
    def conv(self) -> bool:
        return self.W.dim() > 2

    @property
    def kernel(self) -> bool:
        return any(n > 1 for n in self.W.shape[2:])


class _Step(torch.autograd.Function):
    """Runs op.f, and hands back what the rule says."""

    @staticmethod
    def forward(ctx, rule, op: Op, *xs: Tensor) -> Tensor:
        ctx.rule, ctx.op = rule, op
        return op.f(*xs)

    @staticmethod
    def backward(ctx, R: Tensor) -> tuple:
        return None, None, *ctx.rule(R, ctx.op.xs, ctx.op)


def _lift(value: object) -> object:
    """Half precision becomes float32 before any arithmetic."""
    return at_least_float32(value) if isinstance(value, Tensor) and value.is_floating_point() else value


def _tracked(value: object) -> bool:
    return any(isinstance(x, Tensor) and x.requires_grad for x in tree_leaves(value))


class RelevanceMode(TorchFunctionMode):
    """While it lasts, tracked operations become steps. image: what the first layer will read, if it is
    tracked. `linear` lists the convolutions and linear layers in running order."""

    def __init__(self, rules: Rules, image: Tensor | None) -> None:
        super().__init__()
        self.rules, self.linear, self.count = rules, [], 0
        self.kept: dict[int, list[Op]] = {}  # {memory: the Ops that keep an input there}
        self.image = None if image is None else image.data_ptr()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        called, kwargs = getattr(func, "__name__", ""), kwargs or {}
        name = called.strip("_")
        if name != "get":  # reading an attribute
            args, kwargs = tree_map(_lift, args), tree_map(_lift, kwargs)
        own = called.startswith("__i") or called.endswith("_") and not called.startswith("__")
        in_place = own or called == "__setitem__" or name in ("relu", "dropout") and any(
            x is True for x in (*args[1:], kwargs.get("inplace")))
        if in_place and args and isinstance(args[0], Tensor):
            self._rescue(args[0])
        if not _tracked((args, kwargs)):
            return func(*args, **kwargs)
        if name in LINEAR:
            return self._linear(func, *args, **kwargs)
        if name == "batch_norm":
            return self._step(self.rules.affine, args, kwargs, func)
        if name in AVERAGE:
            return self._step(self.rules.average, args, kwargs, func)
        if name == "relu":
            x = args[0] if args else kwargs["input"]
            return self._step(self.rules.relu, (x,), {}, torch.relu, in_place)
        if name in ADD | SCALE:
            return self._pair(name, args, kwargs, in_place)
        if self.rules.flatten and name in ("flatten", "reshape", "view") and args and args[0].dim() == 4:
            return self._step(self.rules.flatten, args, kwargs, func)
        out = func(*args, **kwargs)
        if name not in MOVES and _tracked(out):
            raise ValueError(f"the network uses {name}, for which relevance has no rule: it is defined for networks "
                             "of convolutions, linear layers, batch norms, ReLUs, poolings and sums")
        return out

    def _step(self, rule, args, kwargs, func, in_place=False, count=1):
        """A step in the first `count` arguments; the others are constants. `input=` is the first."""
        if not args:
            kwargs = dict(kwargs)
            args = (kwargs.pop("input"),)
        xs, rest = args[:count], args[count:]
        memory = xs[0]
        if in_place:  # the rule must see what was there before
            xs = (memory.clone(), *xs[1:])
        out = self._run(rule, Op(lambda *xs: func(*xs, *rest, **kwargs)), *xs)
        return memory.copy_(out) if in_place else out  # in place: others may hold it

    def _pair(self, name, args, kwargs, in_place):
        """a + b of two feature maps; or one of them with a constant, which counts as affine."""
        args = (*args, *(kwargs.pop(key) for key in ("input", "other") if key in kwargs))
        constant = [not isinstance(x, Tensor) or isinstance(x, nn.Parameter) or x.dim() == 0 for x in args[:2]]
        func = torch.add if name in ADD else torch.div if "div" in name else torch.mul
        if not any(constant) and name in ADD:
            return self._step(self.rules.add, args, kwargs, func, in_place, count=2)
        if not any(constant) or "div" in name and constant[0]:
            raise ValueError("the network multiplies feature maps with one another, for which relevance has no rule")
        if constant[0]:
            args = (args[1], args[0], *args[2:])
        return self._step(self.rules.affine, args, kwargs, func, in_place)

    def _linear(self, func, *args, **kwargs):
        names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
        given = dict(zip(names, args, strict=False)) | kwargs
        x, W, bias = given.pop("input"), given.pop("weight"), given.pop("bias", None)
        if W.requires_grad:
            raise ValueError("a layer's weights depend on the image, for which relevance has no rule")
        op = Op(lambda x: func(x, W, bias, **given), W, bias, lambda u, V: func(u, V, None, **given), given)
        first = self.image is not None and (not self.linear or x.data_ptr() == self.image)
        self.linear.append(op)
        return self._run(self.rules.first if first else self.rules.linear, op, x)

    def _run(self, rule, op, *xs):
        op.index, self.count = self.count, self.count + 1
        if rule is not passes:
            op.xs = [x.detach() for x in xs]
            for x in op.xs:
                self.kept.setdefault(x.untyped_storage().data_ptr(), []).append(op)
        return _Step.apply(rule, op, *xs)

    def _rescue(self, memory):
        """Before a tensor is overwritten, give the Ops that keep it a copy."""
        where = memory.untyped_storage().data_ptr()
        for op in self.kept.pop(where, ()):
            op.xs = [x.clone() if x.untyped_storage().data_ptr() == where else x for x in op.xs]
