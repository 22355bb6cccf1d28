"""RISE's random masks: coarse bits, smoothly enlarged and shifted, rendered only when they are needed.

6,000 masks of 224 x 224 fill 1.2 GB; their bits and shifts 1.5 MB. Enlarging is linear and treats
rows and columns apart, so a mask is a product of three small matrices, and a shift selects rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.hardware import moved

BORDERS = ("reflect", "clamp")
MARGINS = ("grid", "cell")


def enlarge_rows(cells: int, length: int, border: str = "reflect") -> Tensor:
    """(length, cells): the matrix that enlarges `cells` values to `length` bilinearly, float64.

    Output i reads the cells around (i + 1/2) cells / length - 1/2. Beyond the outermost cells
    "clamp" holds their value, as F.interpolate does; "reflect" mirrors at them, as scikit-image.
    """
    at = (torch.arange(length, dtype=torch.float64) + 0.5) * cells / length - 0.5
    low = at.floor()
    matrix = torch.zeros(length, cells, dtype=torch.float64)
    for corner, weight in ((low, 1 - (at - low)), (low + 1, at - low)):
        if border == "reflect" and cells > 1:
            corner = (cells - 1) - (corner.abs() - (cells - 1)).abs()
        index = corner.long().clamp(0, cells - 1)[:, None]
        matrix.scatter_add_(1, index, weight[:, None])
    return matrix


class RandomMasks:
    """Masks by number: `masks[numbers]`, of numbers (n,), gives (n, H, W).

    Args:
        count: how many there are.
        cells: s; each mask begins as s x s bits, each shown with probability `keep`.
        size: (H, W) of the images.
        seed: bits and shifts depend on it, on the size and on nothing else.
        border: see `enlarge_rows`.
        margin: enlarged to (s + 1) ceil(H / s) pixels ("grid") or to H + ceil(H / s) ("cell"), and
            the same along W, then cropped at a random place less than a cell from the corner.
        like: a tensor of the dtype and device wanted.

    Petsiuk et al., "RISE", BMVC 2018. Built in chapter 12.
    """

    def __init__(
        self,
        count: int,
        cells: int,
        keep: float,
        size: tuple[int, int],
        seed: int,
        border: str,
        margin: str,
        like: Tensor,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        # Whatever the caller's defaults are, the same masks.
        bits = torch.rand(count, cells, cells, generator=generator, dtype=torch.float32, device="cpu") < keep
        self.bits = moved(bits, like.device, like.dtype)
        self.rows, self.shift = [], []
        for length in size:
            cell = -(-length // cells)
            whole = (cells + 1) * cell if margin == "grid" else length + cell
            self.rows.append(moved(enlarge_rows(cells, whole, border), like.device, like.dtype))  # (whole, cells)
            start = moved(torch.randint(cell, (count,), generator=generator, device="cpu"), like.device)
            self.shift.append(start[:, None] + torch.arange(length, device=like.device))

    def __getitem__(self, numbers: Tensor) -> Tensor:
        down, right = (rows[shift[numbers]] for rows, shift in zip(self.rows, self.shift, strict=True))
        return down @ self.bits[numbers] @ right.mT  # (n, H, s) (n, s, s) (n, s, W)
