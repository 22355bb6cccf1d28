"""Many sizes of one image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Real

import torch.nn.functional as F
from torch import Tensor

from .ops import one_of


def scale_sizes(size: Sequence[int], scales: Sequence[float]) -> list[tuple[int, int]]:
    """(round(H r), round(W r)) for each ratio r, at least 1 x 1. Raises ValueError."""
    given = scales if isinstance(scales, Iterable) and not isinstance(scales, str) else ()
    if not (given := list(given)) or not all(isinstance(r, Real) and 0 < r < float("inf") for r in given):
        raise ValueError(
            f"scales must be one or more positive ratios to the images' size, such as (1, 1.5, 2); got {scales!r}"
        )
    return [(max(1, round(size[0] * r)), max(1, round(size[1] * r))) for r in given]


def pyramid(images: Tensor, scales: Sequence[float], mode: str = "bicubic") -> Iterator[Tensor]:
    """The images at each scale, one size at a time; ratio 1 gives the images themselves.

    Args: images (B, 3, H, W); mode "bicubic" (may overshoot, not clamped) or "bilinear";
    half-pixel centres, no antialiasing. Holistic-CAM eq. 9. Built in chapter 05.
    """
    for ratio in scales:
        yield rescale(images, ratio, mode)


def rescale(images: Tensor, ratio: float, mode: str = "bicubic") -> Tensor:
    """The images (B, 3, H, W) at one scale, as `pyramid` makes them."""
    one_of("interpolation", mode, ("bicubic", "bilinear"))
    size = scale_sizes(images.shape[-2:], [ratio])[0]
    if size == tuple(images.shape[-2:]):
        return images
    return F.interpolate(images, size, mode=mode, align_corners=False)
