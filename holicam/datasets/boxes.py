"""Boxes x0 y0 x1 y1 in pixels, half open: which of them have an area, and which are no such boxes at all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def with_area(boxes: Tensor) -> Tensor:
    """(..., 4) -> (...) bool: x1 exceeds x0, and y1 exceeds y0."""
    return (boxes[..., 2:] > boxes[..., :2]).all(-1)


def enclosed(boxes: Tensor, height: int, width: int) -> Tensor:
    """(n, 4) -> (height, width) bool, the union of boxes, from floor(x0) up to and without ceil(x1)."""
    inside = torch.zeros(height, width, dtype=torch.bool)
    for x0, y0, x1, y1 in torch.cat([boxes[:, :2].floor(), boxes[:, 2:].ceil()], 1).long().tolist():
        inside[y0:y1, x0:x1] = True
    return inside


def are_shares(boxes: Tensor) -> bool:
    """Whether all of (n, 4) that have an area stay within 1 of the corner, as shares of a picture do."""
    real = boxes[with_area(boxes)]
    return len(real) > 0 and bool((real.abs() <= 1).all())


def check_boxes(boxes: Sequence[Tensor], height: int, width: int) -> None:
    """Raise ValueError where boxes, one (m, 4) an image, are not finite, inverted, or run from 0 to 1.

    Such boxes would count no pixel or one without a word. A box without area counts none, and one
    that reaches over the border is cut; so those are allowed.
    """
    every = torch.cat([b.detach().float().cpu() for b in boxes]) if len(boxes) else torch.zeros(0, 4)
    if not bool(every.isfinite().all()):
        raise ValueError("boxes must be finite numbers; some are NaN or infinite")
    if len(wrong := every[(every[:, 2:] < every[:, :2]).any(1)]):
        raise ValueError(
            f"boxes must be x0 y0 x1 y1 with x0 <= x1 and y0 <= y1; {wrong[0].tolist()} is inverted (are "
            "these x, y, width, height?)"
        )
    if max(height, width) > 1 and are_shares(every):
        raise ValueError(
            f"boxes must be in pixels, here of {width} x {height}; they run from 0 to 1, so multiply them "
            "by the image's width and height"
        )
