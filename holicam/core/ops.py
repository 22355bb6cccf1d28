"""Small tensor operations that every explainer shares. Nothing here knows a network or a hook.

Shapes: images (B, 3, H, W), logits (B, K), activations (B, C, h, w), maps (B, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import overload

import torch
import torch.nn.functional as F
from torch import Tensor

from .floats import at_least_float32, extent
from .outputs import Whole
from .targets import Resolved, classes_of, resolved

# The last is given the logits, or the whole output of a network that does not say which they are.
Classes = None | int | Tensor | Sequence[int]
Target = Classes | Callable[[Tensor], Tensor]
# What a class is scored by: the logit, its softmax over classes, its own sigmoid.
SCORES = ("logit", "prob", "sigmoid")


def one_of(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise ValueError unless `value` is one of `choices`; `name` is the argument to blame."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def normalise(maps: Tensor) -> Tensor:
    """Stretch each map to [0, 1] over its last two axes; a constant map becomes zeros.

    Args: maps (..., H, W), any sign. Returns the same shape, float32 or float64. NaN stays NaN.
    Constant is meant up to rounding, see `floats`. Built in chapter 01.
    """
    maps = at_least_float32(maps)
    low, span = extent(maps, keepdim=True)
    return torch.where(span == 0, torch.zeros_like(maps), (maps - low) / span)


def upsample(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize with half-pixel centres (align_corners=False) and no antialiasing.

    Args: maps (B, h, w) or (B, C, h, w); size (H, W). Equals OpenCV's INTER_LINEAR when enlarging.
    Returns (B, H, W) or (B, C, H, W); the input itself when it has that size already.
    Built in chapter 01.
    """
    if maps.dim() not in (3, 4):
        raise ValueError(f"maps must be (B, h, w) or (B, C, h, w); got shape {tuple(maps.shape)}")
    size = tuple(size)
    if tuple(maps.shape[-2:]) == size:
        return maps
    if maps.dim() == 3:
        return upsample(maps[:, None], size)[:, 0]
    if maps.shape[-2:] == (1, 1):
        return maps.repeat(1, 1, *size)  # the interpolation would round
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def size_of(x: Tensor) -> tuple[int, int]:
    """(H, W): the last two sides of images, activations or maps."""
    return x.shape[-2], x.shape[-1]


def summed(tensors: Iterable[Tensor]) -> Tensor:
    """The sum of one tensor or more."""
    first, *others = tensors
    return sum(others, 0 + first)  # a tensor of its own, also of one


@overload
def resolve_target(logits: Tensor | Whole, target: Classes, batch: int | None = None) -> Tensor: ...


@overload
def resolve_target(logits: Tensor | Whole, target: Target, batch: int | None = None) -> Resolved: ...


def resolve_target(logits: Tensor | Whole, target: Target, batch: int | None = None) -> Resolved:
    """Turn any accepted target into a (B,) long tensor on the logits' device.

    Args: logits (B, K); target: None (top-1), one class for all images, one class per image, or a
    callable, which comes back as given; batch: B, where the logits are those of some images only.
    Raises ValueError for a class out of range or a wrong length, TypeError for anything else.
    """
    if callable(target):
        return target
    if isinstance(logits, Whole):
        logits.refuse()
    if logits.dim() != 2:
        raise ValueError(
            f"logits must be (B, K) to choose a class; got {tuple(logits.shape)}: "
            "give target as a callable that returns one score per image"
        )
    batch, classes = len(logits) if batch is None else batch, logits.shape[1]
    if target is None:
        return resolved(logits.detach().argmax(1), classes)
    if isinstance(target, Tensor) and target.shape == (batch,) and classes_of(target) == classes:
        return resolved(target.to(logits.device).clone(), classes)  # looking again would wait for the device
    try:
        number = int(target) if isinstance(target, Integral) and not isinstance(target, bool) else target
        chosen = torch.as_tensor(number, device=None if isinstance(number, Tensor) else "cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError):
        chosen = torch.empty(0, dtype=torch.float32)
    plain = chosen.layout is torch.strided and chosen.is_meta <= logits.is_meta
    if chosen.is_floating_point() or chosen.is_complex() or chosen.dtype == torch.bool or not plain:
        raise TypeError(
            f"target must be None, a class index, one index per image or a callable (B, K) -> (B,); got {target!r}"
        )
    if chosen.dim() > 1 or (chosen.dim() == 1 and len(chosen) != batch):
        raise ValueError(f"target must hold one class per image: expected shape ({batch},), got {tuple(chosen.shape)}")
    chosen = chosen if chosen.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32) else chosen.long()
    low, high = torch.stack(chosen.aminmax()).tolist() if chosen.numel() else (0, 0)
    if not 0 <= low <= high < classes:
        raise ValueError(f"target must lie in 0..{classes - 1} for this network; got {chosen.tolist()}")
    chosen = chosen.to(logits.device, torch.long).expand(batch).clone()  # ours, whatever the caller does
    return resolved(chosen, classes)


def select_score(logits: Tensor | Whole, target: Resolved, kind: str = "logit") -> Tensor:
    """The number that is differentiated, one per image.

    Args:
        logits: (B, K); or (B, K, ...) or `outputs.Whole`, for a callable target alone.
        target: as `resolve_target` returns it. A callable receives what `kind` names, all classes of
            it: logits, or their softmax or sigmoids. So one that applies a softmax of its own, or
            wants the difference of two logits, needs "logit". What is no plain logits it receives as
            the network returned it, whatever the kind.
        kind: "logit"; "prob", the softmax over K (the sigmoid where K = 1); "sigmoid", of each logit
            alone, for networks whose classes do not exclude each other.

    Returns (B,), float32 or float64, still attached to the graph. Built in chapter 01.
    """
    one_of("score", kind, SCORES)
    if isinstance(logits, Whole):
        if not callable(target):
            logits.refuse()
        return _one_each(target(logits.output), logits.batch)
    values = at_least_float32(logits)
    if kind == "sigmoid":
        values = values.sigmoid()
    elif kind == "prob":
        values = probabilities(values)
    if not callable(target):
        return values.gather(1, target[:, None])[:, 0]  # (B,)
    return _one_each(target(values.clone()), len(values))  # it may work in place


def probabilities(logits: Tensor) -> Tensor:
    """(B, K) logits -> (B, K): the softmax over K, and the sigmoid where K = 1."""
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)


def _one_each(score: object, batch: int) -> Tensor:
    """What a callable target returned, (B,); (B, 1) is what a head of one class gives."""
    shape = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
    if not isinstance(score, Tensor) or shape not in ((batch,), (batch, 1)):
        raise ValueError(
            f"a callable target must return one score per image, a tensor of shape ({batch},); got {shape}"
        )
    return at_least_float32(score).view(batch)
