"""Images cut into overlapping patches, and maps of patches put back where they belong.

Patches have numbers 0..n*n-1, row by row. Nothing is cut before it is asked for: `Grid.cut` takes
any mixture of images and patches, so that the patches of a batch stream through a network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor

from ..core.hardware import moved
from ..core.ops import one_of


@dataclass(frozen=True)
class Grid:
    """Where n x n patches lie: their first rows and columns, and their size (H', W')."""

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    size: tuple[int, int]

    @property
    def canvas(self) -> tuple[int, int]:
        """(H, W) of what the patches cover: the image, but for the "floor" stride."""
        return self.rows[-1] + self.size[0], self.cols[-1] + self.size[1]

    def coverage(self) -> Tensor:
        """Gamma (H, W), long: how many patches cover each pixel of the canvas; at least 1."""
        rows, cols = (
            torch.stack([(at >= s) & (at < s + length) for s in starts]).sum(0)
            for at, starts, length in zip(
                map(torch.arange, self.canvas), (self.rows, self.cols), self.size, strict=True
            )
        )
        return rows[:, None] * cols

    def cut(self, images: Tensor, owner: Tensor, patch: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The patches with these numbers (m,) of these images (m,), those of one size together.

        Returns pairs (which of the m, patches (m', C, h, w)). (h, w) is (H', W'), or less where a patch of the
        "floor" stride leaves the image; all of one size are one pair.
        """
        numbers = patch // len(self.cols), patch % len(self.cols)
        inside = [
            [min(length, whole - start) for start in at]
            for at, length, whole in zip((self.rows, self.cols), self.size, images.shape[2:], strict=True)
        ]
        starts, lengths = (
            [moved(torch.tensor(values), images.device)[number] for values, number in zip(axes, numbers, strict=True)]
            for axes in ((self.rows, self.cols), inside)
        )
        sizes, pairs = list(product(*(sorted(set(values)) for values in inside))), []
        for h, w in sizes:
            which = torch.arange(len(patch), device=images.device)
            if len(sizes) > 1:
                which = which[(lengths[0] == h) & (lengths[1] == w)]
                if not len(which):
                    continue
            y, x = (
                start[which, None] + torch.arange(n, device=images.device)  # (m', h) and (m', w)
                for start, n in zip(starts, (h, w), strict=True)
            )
            pixels = images.movedim(1, 3)[owner[which, None, None], y[:, :, None], x[:, None, :]]
            pairs.append((which, pixels.movedim(3, 1)))
        return pairs

    def fold(self, maps: Tensor) -> Tensor:
        """Maps of patches (B, n n, H', W') summed where they belong: (B, H, W), the canvas."""
        canvas = maps.new_zeros(len(maps), *self.canvas)
        for patch, (y, x) in enumerate(product(self.rows, self.cols)):
            canvas[:, y : y + self.size[0], x : x + self.size[1]] += maps[:, patch]
        return canvas


def unfold_grid(size: Sequence[int], patches: int = 6, rho: float = 0.555, stride: str = "even") -> Grid:
    """patches x patches pieces of an image (H, W), each round(rho H) x round(rho W).

    Args:
        stride: "even" spreads them from edge to edge, round(i (H - H') / (patches - 1)); "floor" is
            the code of UCAG's authors: int(rho H) rows, every (H - H' + 2) // (patches - 1). These
            may end before the image, or up to two pixels beyond it. A patch that leaves the image is
            the piece of it that lies inside, enlarged to the size of the others; its map is put back
            at the size of the others too, on a canvas larger than the image.

    Raises ValueError where a pixel would lie in no patch, or a patch beyond the image. UCAG eq. 1.
    Built in chapter 10.
    """
    one_of("stride", stride, STRIDES)
    (rows, height), (cols, width) = (_axis(n, patches, rho, stride) for n in size)
    return Grid(rows, cols, (height, width))


def _axis(length: int, n: int, rho: float, stride: str) -> tuple[tuple[int, ...], int]:
    """The first places of n pieces of one axis, and their length."""
    rounded, spread = STRIDES[stride]
    piece = max(1, rounded(rho * length))
    starts = spread(length - piece, n) if n > 1 else [0]
    if any(b - a > piece for a, b in pairwise(starts)) or (n == 1 and piece < length):
        raise ValueError(
            f"{n} patches of {piece} pixels leave gaps on {length} pixels: take more patches or a larger rho"
        )
    if starts[-1] >= length:
        raise ValueError(
            f"the last of {n} patches of {piece} pixels begins beyond an image of {length} pixels: take "
            'stride="even" or a larger rho'
        )
    return tuple(starts), piece


def _even(slack: int, n: int) -> list[int]:
    """From edge to edge; ties are broken so that the second half mirrors the first."""
    first = [round(i * slack / (n - 1)) for i in range(n)]
    return [first[i] if 2 * i < n else slack - first[n - 1 - i] for i in range(n)]


def _floor(slack: int, n: int) -> list[int]:
    return [i * ((slack + 2) // (n - 1)) for i in range(n)]


# How the length of a piece is rounded, and where the pieces begin.
STRIDES: dict[str, tuple[Callable[[float], int], Callable[[int, int], list[int]]]] = {
    "even": (round, _even),
    "floor": (lambda length: int(length + 1e-9), _floor),
}
