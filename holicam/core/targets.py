"""A target that has been looked at once is not looked at again: that would wait for the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

# What a target is once logits were seen: a class for each image (B,) long, or the callable as given.
Resolved = Tensor | Callable[[Tensor], Tensor]
NOTE = "_holicam_classes"  # (K, how often the tensor had been written to)


@dataclass(frozen=True, eq=False)
class PerImage:
    """A callable target that asks each image something of its own, also where rows are packed.

    choose: takes scores (n, K) and the image (n,) of each row, and returns (n,). owner: the image of each row that
    this target is for, `torch.arange(B)` for the images themselves.
    """

    choose: Callable[[Tensor, Tensor], Tensor]
    owner: Tensor

    def __call__(self, scores: Tensor) -> Tensor:
        return self.choose(scores, self.owner)


def targets_of(target: Resolved, owner: Tensor) -> Resolved:
    """The targets of packed rows: a resolved target, and the image (n,) of each row."""
    if isinstance(target, PerImage):
        return PerImage(target.choose, target.owner[owner])
    if callable(target):
        return target
    classes, chosen = classes_of(target), target[owner]
    return chosen if classes is None else resolved(chosen, classes)


def resolved(chosen: Tensor, classes: int) -> Tensor:
    """A note on the tensor that its values lie in 0..classes - 1, as long as nobody writes into it."""
    if not chosen.is_inference():  # those count no writes
        setattr(chosen, NOTE, (classes, chosen._version))
    return chosen


def classes_of(target: Tensor) -> int | None:
    """The K of that note, where it still holds."""
    classes, version = getattr(target, NOTE, (None, None))
    return classes if classes is not None and version == target._version else None
