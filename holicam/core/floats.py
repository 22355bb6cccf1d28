"""Floats: which precision we work in, and when a difference is no more than rounding.

A map that is the same everywhere says nothing about places, but it seldom holds one number alone:
enlarging 0.5514423 leaves 0.5514422 in some pixels, in others on the next processor. Stretched to
[0, 1] or ranked, that would be a picture of rounding errors. So there is one rule, and whatever
stretches, ranks, thresholds or compares maps asks it here:

    x is constant where max x - min x <= 64 eps max |x|,

eps being the distance from 1 to the next number of its precision, so 64 eps is 7.6e-6 in float32
and 1.4e-14 in float64. Bilinear enlarging leaves up to 4 eps, bicubic 23, a sum over 2048 channels
about 15. The rule is relative: a map of 1e-30 may be as uneven as any.
"""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 64  # of eps: what is no further apart is one number, computed twice


def at_least_float32(x: Tensor) -> Tensor:
    """float64 stays float64, everything else becomes float32 (a float16 squared gradient is 0)."""
    return x if x.dtype == torch.float64 else x.float()


def tolerance(x: Tensor, fine: float = 1e-3, coarse: float = 5e-2) -> Tensor:
    """How far what is computed again may lie from a network's numbers x, as a share.

    That is `coarse` where each of them is one of bfloat16 or float16, as from a network of half precision or under
    autocast, else `fine`.
    """
    low = torch.stack([(x.to(kind).to(x.dtype) == x).all() for kind in (torch.bfloat16, torch.float16)]).any()
    return torch.where(low, coarse, fine)


def rounding(dtype: torch.dtype) -> float:
    """The share of a number that is rounding, 64 eps: of float64, or of float32 for all else."""
    return STEPS * torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps


def score_rounding(scores: Tensor, kind: str) -> Tensor:
    """(B,): how far apart scores (B, n) of one image may lie and still be one number, computed twice.

    `rounding` of the largest for logits. An eighth of it for what lies in 0..1 (kind "prob" or
    "sigmoid"), where a forward's own errors are squeezed: near 1 the next float32 is 6e-8 away, and
    1e-6 is much. NaN counts as nothing.
    """
    largest = scores.nan_to_num().abs().amax(1)
    return rounding(scores.dtype) * (largest if kind == "logit" else largest.clamp(min=1) / 8)


def changes(scores: Tensor, origin: Tensor, kind: str) -> Tensor:
    """scores (B, n) less origin (B, 1), exactly 0 for an image of which no score differs by more than rounding.

    A map that is made of such differences would show rounding errors, for instance of a network that
    is sure whatever is hidden. kind: "logit", "prob" or "sigmoid", as in `ops.select_score`.
    """
    change = scores - origin
    still = change.abs().amax(1) <= score_rounding(torch.cat([scores, origin], 1), kind)
    return change.masked_fill(still[:, None], 0)


def extent(x: Tensor, dim: int | tuple[int, ...] = (-2, -1), keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The least value, and how far the largest lies above it: exactly 0 where x is constant up to rounding.

    Args: x of any shape, with one value or more along `dim`. Returns two tensors without those
    dimensions (each of size 1 under `keepdim`), float32 or float64; both NaN where x holds NaN, and
    an infinite or NaN distance where x holds an infinite value: that is not constant.
    """
    low, high = at_least_float32(x.amin(dim, keepdim)), at_least_float32(x.amax(dim, keepdim))
    span, top = high - low, torch.maximum(low.abs(), high.abs())
    same = span.isfinite() & (span <= rounding(x.dtype) * top)
    return low, span.masked_fill(same, 0)


def is_constant(x: Tensor, dim: int | tuple[int, ...] = (-2, -1), keepdim: bool = False) -> Tensor:
    """Whether x is the same along `dim`, up to rounding; False where it holds NaN or infinite values."""
    return extent(x, dim, keepdim)[1] == 0


def levelled(x: Tensor, dim: int | tuple[int, ...] = (-2, -1)) -> Tensor:
    """x with one exact value wherever it is constant up to rounding along `dim`, its largest; else as it is."""
    return torch.where(is_constant(x, dim, True), x.amax(dim, True), x)


def positive_part(x: Tensor, dim: int | tuple[int, ...] = (-2, -1)) -> Tensor:
    """max(x, 0), and 0 everywhere where no value along `dim` is positive by more than rounding."""
    low, high = x.amin(dim, True), x.amax(dim, True)
    return x.relu().masked_fill(high <= -rounding(x.dtype) * low, 0)
