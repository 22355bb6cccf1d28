"""Photographs put together, so that it is known where in the picture each class is.

A question about one of four photographs should be answered in its quarter: the grid pointing game (`metrics.grid`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .crops import check_rgb, middle, resized


@dataclass(frozen=True, eq=False)
class Mosaic:
    """Photographs in a square grid, row by row from the upper left.

    picture: (side, side, 3) uint8. masks: (n, side, side) bool, the cell of each. boxes: (n, 4) float32, the same as
    x0 y0 x1 y1 in pixels, half open.
    """

    picture: Tensor
    masks: Tensor
    boxes: Tensor


def mosaic(pictures: Sequence[Tensor], side: int = 224) -> Mosaic:
    """Four photographs in one, two by two; nine make three by three.

    The square in the middle of each is made as large as its cell (bicubic, smoothed where it shrinks).

    Args:
        pictures: n * n of them, n at least 2, each (H, W, 3) uint8; they are not changed.
        side: of the mosaic in pixels, a multiple of n.

    Returns:
        The picture, and each photograph's cell as mask and box.

    Raises:
        ValueError: a number of pictures that fills no square, a side that does not divide into cells.
        TypeError: pictures that are no (H, W, 3) uint8.

    Example:
        >>> import torch, holicam as hc
        >>> greys = [torch.full((30, 40, 3), 60 * k, dtype=torch.uint8) for k in range(4)]
        >>> four = hc.photos.mosaic(greys, side=64)
        >>> four.picture.shape, four.picture[::32, ::32, 0].tolist(), four.boxes[1].tolist()
        (torch.Size([64, 64, 3]), [[0, 60], [120, 180]], [32.0, 0.0, 64.0, 32.0])
    """
    n = math.isqrt(len(pictures))
    if n < 2 or n * n != len(pictures):
        raise ValueError(f"a mosaic takes 4 pictures, or 9, 16, ...; got {len(pictures)}")
    if isinstance(side, bool) or not isinstance(side, int) or side < n or side % n:
        raise ValueError(f"side must be a multiple of {n}, a cell of whole pixels for each picture; got {side!r}")
    cell = side // n
    whole = torch.zeros(side, side, 3, dtype=torch.uint8)
    masks, boxes = torch.zeros(len(pictures), side, side, dtype=torch.bool), torch.zeros(len(pictures), 4)
    for k, picture in enumerate(pictures):
        top, left = (cell * place for place in divmod(k, n))
        check_rgb(picture, f"picture {k} of a mosaic")
        whole[top : top + cell, left : left + cell] = resized(middle(picture), (cell, cell), "bicubic")
        masks[k, top : top + cell, left : left + cell] = True
        boxes[k] = torch.tensor([left, top, left + cell, top + cell])
    return Mosaic(whole, masks, boxes)
