"""The classes whose scores lie next to that of the class asked for."""

from __future__ import annotations

from torch import Tensor

from .capture import NOT_FINITE
from .checks import expect_finite
from .explainer import Call
from .network import forward
from .ops import at_least_float32, resolve_target
from .outputs import class_logits


def nearest_classes(call: Call, most: int, who: str) -> tuple[Tensor, Tensor]:
    """(each image's class (B, 1), at most so many others (B, D) with the nearest logits, nearest first).

    One forward. who: the method, for messages. Raises ValueError for a callable target and a network of one class.
    """
    if callable(call.target):
        raise ValueError(f"{who} sets a class against others, so target must be a class, not a callable")
    logits = class_logits(forward(call.model, call.images, compiled=True), len(call.images))
    expect_finite(logits, NOT_FINITE.format("logits"))
    if logits.shape[1] < 2:
        raise ValueError(f"{who} sets a class against others, but the network has one class alone")
    c = resolve_target(logits, call.target)[:, None]
    far = (at_least_float32(logits) - logits.gather(1, c)).abs().scatter(1, c, float("inf"))
    return c, far.topk(min(most, logits.shape[1] - 1), largest=False).indices
