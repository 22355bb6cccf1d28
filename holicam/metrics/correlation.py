"""Correlation, of numbers and of ranks: one row an image, in float64.

A number that is missing (NaN) is left out of its row by `spearman`, and of both sides. NaN is what comes out
where fewer than two are left, or where one side is the same everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.floats import is_constant
from ..core.hardware import wide


@wide
def average_ranks(values: Tensor) -> Tensor:
    """Ranks from 0; equal values share the average of theirs. Built in chapter 18.

    Args:
        values: (B, N); NaN is larger than all else.

    Returns:
        (B, N) float64.

    Example:
        >>> import torch, holicam as hc
        >>> hc.sanity.average_ranks(torch.tensor([[5.0, 1.0, 5.0, 7.0]])).tolist()
        [[1.5, 0.0, 1.5, 3.0]]
    """
    ordered, order = values.sort(-1)
    place = torch.arange(values.shape[-1], device=values.device).expand_as(order)
    other = ordered[..., 1:] != ordered[..., :-1]  # begins a group of equals, and ends the one before
    edge = other.new_ones(*other.shape[:-1], 1)
    first = torch.where(torch.cat([edge, other], -1), place, 0).cummax(-1)[0]
    last = torch.where(torch.cat([other, edge], -1), place, place.shape[-1]).flip(-1).cummin(-1)[0].flip(-1)
    return torch.empty_like(ordered, dtype=torch.float64).scatter_(-1, order, (first + last).double() / 2)


@wide
def pearson(a: Tensor, b: Tensor, valid: Tensor | None = None) -> Tensor:
    """Pearson's correlation of each row.

    Args:
        a: (B, N).
        b: (B, N).
        valid: (B, N) bool, the numbers that count; None counts all.

    Returns:
        (B,) float64, -1..1; NaN where one of the two is constant.

    Example:
        >>> import torch, holicam as hc
        >>> hc.sanity.pearson(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[-1.0, -2.0, -4.0]])).item()
        -1.0
    """
    if valid is None:
        a, b = (x.double() - x.double().mean(-1, keepdim=True) for x in (a, b))
    else:
        count = valid.sum(-1, keepdim=True)
        a, b = (torch.where(valid, x.double(), 0) for x in (a, b))
        a, b = ((x - x.sum(-1, keepdim=True) / count) * valid for x in (a, b))
    return (a * b).sum(-1) / (a.square().sum(-1) * b.square().sum(-1)).sqrt()


@wide
def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Rank correlation of each row, what is NaN in either left out.

    Args:
        a: (B, N).
        b: (B, N).

    Returns:
        (B,) float64, -1..1; NaN where fewer than two are left or one side is constant up to rounding.

    Example:
        >>> import torch
        >>> from holicam.metrics.correlation import spearman
        >>> nan = float("nan")
        >>> spearman(torch.tensor([[1.0, 9.0, 2.0, nan]]), torch.tensor([[3.0, 5.0, 4.0, 0.0]])).item()
        1.0
    """
    if not a.shape[1]:
        return a.new_full((len(a),), torch.nan, dtype=torch.float64)
    valid = ~(a.isnan() | b.isnan())
    return pearson(average_ranks(_level(a, valid)), average_ranks(_level(b, valid)), valid)


def _level(x: Tensor, valid: Tensor) -> Tensor:
    """x (B, N), NaN where it is not valid, and one value in rows whose valid values are constant up to rounding."""
    filled = torch.where(valid, x, torch.where(valid, x, -torch.inf).amax(1, True))
    flat = is_constant(filled, 1, True)
    return torch.where(valid, torch.where(flat, filled[:, :1], x), torch.nan)
