"""Filters along rows and columns as two matrix products: a blur, a box, a median's counts.

A filter of k weights on n places is an (n, n) matrix that has them in a band, its border rule included. So a wide
kernel costs what a narrow one costs, and the kernel may be wider than the image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .hardware import moved


def gaussian(reach: int, sigma: float) -> Tensor:
    """(2 reach + 1,) float64 with sum 1."""
    weights = (-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma) ** 2).exp()
    return weights / weights.sum()


def band(n: int, weights: Tensor, border: str) -> Tensor:
    """How much place j weighs in the filtered place i, (n, n) with the dtype and device of the weights.

    Args:
        n: how many places there are.
        weights: (k,), the middle one is that of the place itself.
        border: what lies beyond the ends: "zeros", "replicate" (the end repeated) or "reflect" (reflect-101,
            dcb|abcd|cba).
    """
    i, steps = (torch.arange(length, device=weights.device) for length in (n, len(weights)))
    at = i[:, None] + steps - len(weights) // 2  # (n, k)
    share = weights.expand(at.shape)
    if border == "reflect":  # a triangle wave
        at = at % max(2 * n - 2, 1)
        at = torch.minimum(at, (2 * n - 2 - at).abs())
    else:
        share = share * ((at >= 0) & (at < n)) if border == "zeros" else share
        at = at.clamp(0, n - 1)
    return weights.new_zeros(n, n).scatter_add_(1, at, share)


def filtered(x: Tensor, weights: Tensor, border: str) -> Tensor:
    """x (..., H, W) under the weights (k,) along both axes, in the dtype of x; `band` says what border means."""
    rows, cols = (moved(band(n, weights, border), x.device, x.dtype) for n in x.shape[-2:])
    return rows @ x @ cols.T
