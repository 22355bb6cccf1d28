r"""Two gradients of the image with another rule at every ReLU.

A ReLU y = max(x, 0) hands a gradient R back where x > 0. DeconvNet hands back ReLU(R), whatever x
was; guided backpropagation asks for both, R > 0 and x > 0. All other layers keep their gradients;
a max-pooling returns each value to the place that it came from.

The rule replaces the function, not the module: while the network runs, a torch function mode sees
every ReLU, from a module, used once or many times, in place or not, from `torch.nn.functional` or
written as `clamp(min=0)` (`activations`). Nothing in the network is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...core.explainer import Call, InputExplainer
from ...core.input_gradients import REDUCTIONS, Reduction, input_gradients
from ...core.options import Score
from ...models.forms import see_inside
from ..relevance.names import writes
from .activations import follow, relu_of


class _PositiveReLU(torch.autograd.Function):
    """max(x, 0) that hands back ReLU(R), with `gate` only where x > 0."""

    @staticmethod
    def forward(ctx, x: Tensor, gate: bool) -> Tensor:
        if gate:
            ctx.save_for_backward(x > 0)
        return x.relu()

    @staticmethod
    def backward(ctx, R: Tensor) -> tuple[Tensor, None]:
        R = R.clamp(min=0)  # not `relu`: the rule may be watching
        was_open = ctx.saved_tensors  # read once: checkpointing gives it out once
        return (R * was_open[0] if was_open else R), None


class ReLURule(TorchFunctionMode):
    """While it lasts, every ReLU of this thread hands back positive gradients only.

    gate: also only where the ReLU was open. `seen` counts the calls. Raises ValueError at any
    other activation function, also one written out: the rule speaks of ReLUs.
    """

    def __init__(self, gate: bool) -> None:
        super().__init__()
        self.gate, self.seen = gate, 0

    def __torch_function__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        kwargs = kwargs or {}
        x = relu_of(func, args, kwargs)
        if x is None:
            out = func(*args, **kwargs)
            follow(func, args, out)
            return out
        self.seen += 1
        y = _PositiveReLU.apply(x, self.gate)
        written = args[0] if args else x
        in_place = writes(getattr(func, "__name__", "")) or any(a is True for a in (*args[1:], *kwargs.values()))
        return written.copy_(y) if in_place else y  # in place: others may hold x


@dataclass(frozen=True, kw_only=True)
class _WithRule(InputExplainer):
    """A gradient in which ReLUs hand back something of their own."""

    gate: ClassVar[bool]
    reduction: Reduction = "max-abs"
    score: Score = "logit"

    def maps(self, call: Call) -> Tensor:
        see_inside(call.model)
        rule = ReLURule(self.gate)
        D = input_gradients(call.model, call.images, call.target, score=self.score, mode=rule).total
        if not rule.seen:
            raise ValueError(
                f"{type(self).__name__} changes what ReLUs hand back, and "
                f"{type(call.model).__name__} calls none: take Gradient or SmoothGrad"
            )
        return REDUCTIONS[self.reduction](D)  # (B, H, W)


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop(_WithRule):
    r"""max_ch |R|, where a ReLU hands back R_in = R_out [x > 0] [R_out > 0].

    Needs a network whose activation functions are ReLUs. One forward, one backward. Springenberg et al.,
    "Striving for Simplicity", ICLR workshops 2015. Built in chapter 13.

    Args:
        reduction: from three channels to one number, "max-abs", "sum" or "sum-abs".
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.GuidedBackprop()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    gate: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class DeconvNet(_WithRule):
    r"""max_ch |R|, where a ReLU hands back R_in = ReLU(R_out), open or not.

    Max-poolings use their forward switches. Needs a network whose activation functions are ReLUs. One forward,
    one backward. Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014. Built in
    chapter 13.

    Args:
        reduction: from three channels to one number, "max-abs", "sum" or "sum-abs".
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.DeconvNet()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    gate: ClassVar[bool] = False
