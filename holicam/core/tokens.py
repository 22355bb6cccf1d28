"""Transformers: from a sequence of tokens, or a grid whose channels come last, to a grid of channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Integral

import torch
from torch import Tensor

Reshape = Callable[[Tensor], Tensor]


def channels_last() -> Reshape:
    """A `reshape` for layers that keep channels last: (B, h, w, C) -> (B, C, h, w).

    Seldom needed: where it can be told, it is done without being asked. Raises ValueError for
    anything but four axes.
    """

    def reshape(A: Tensor) -> Tensor:
        if A.dim() != 4:
            raise ValueError(f"channels_last() takes layers of shape (B, h, w, C); got {tuple(A.shape)}")
        return A.permute(0, 3, 1, 2)

    return reshape


def tokens_to_grid(grid: tuple[int, int] | None = None, skip: int = 1) -> Reshape:
    """A `reshape` for transformers: tokens (B, N, C) -> (B, C, h, w), row by row.

    Args: grid (h, w); None for one in the proportion of the images, a square where they are square or
    not known. skip: tokens before the grid (1 for a class token, 2 with a distillation token, more
    with registers).
    Raises ValueError for another grid or skip, and when the tokens do not fill the grid.
    """
    pair = tuple(grid) if isinstance(grid, Iterable) and not isinstance(grid, str) else ()
    if grid is not None and not (len(pair) == 2 and all(_whole(n, 1) for n in pair)):
        raise ValueError(f"grid must be None or (h, w), two whole numbers of at least 1; got {grid!r}")
    if not _whole(skip, 0):
        raise ValueError(f"skip must be a whole number of at least 0; got {skip!r}")
    return _Grid(grid, skip)


def _whole(value: object, low: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= low


def any_grid(count: int, size: tuple[int, int]) -> Reshape:
    """`tokens_to_grid` for so many tokens of images of size (H, W): as few as possible are skipped, at most eight."""
    for skip in range(min(count, 9)):
        h, w = _Grid(None, skip, size)._grid_of(count - skip)
        if h * w == count - skip:
            return tokens_to_grid(skip=skip)
    return tokens_to_grid()  # which says what does not fit


def for_images(reshape: Reshape, size: tuple[int, int]) -> Reshape:
    """The reshape for images of size (H, W): what `reshape.for_images(size)` gives, where there is that.

    Raises TypeError for what is no reshape, and where it gives no tensor.
    """
    for maker in (tokens_to_grid, channels_last):
        if reshape is maker:  # type: ignore[comparison-overlap]
            raise TypeError(f"reshape={maker.__name__} only makes a reshape: call it, reshape={maker.__name__}()")
    if not callable(reshape):
        raise TypeError(
            "reshape must be a function that takes a layer's output to (B, C, h, w), such as tokens_to_grid(); "
            f"got {reshape!r}"
        )
    ready = reshape.for_images(size) if hasattr(reshape, "for_images") else reshape

    def checked(A: Tensor) -> Tensor:
        made = ready(A)
        if not isinstance(made, Tensor):
            raise TypeError(
                f"reshape must return a tensor (B, C, h, w); for one of shape {tuple(A.shape)} it returned "
                f"{type(made).__name__}"
            )
        return made

    return checked


def axes_of(reshape: Reshape, shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int] | None:
    """The axes of a layer's output that `reshape` makes the first two of (B, C, h, w), for images of size (H, W).

    None where one of them is made of several, or of a part. Asked by what becomes of the numbers of places.
    """
    reshape, found = for_images(reshape, size), []
    for wanted in (0, 1):
        for axis in sorted(range(len(shape)), key=lambda axis: axis == 0, reverse=wanted == 0):
            along = torch.arange(shape[axis])
            made = reshape(along.view([-1 if a == axis else 1 for a in range(len(shape))]).expand(shape).clone())
            asked = along.view([-1 if a == wanted else 1 for a in range(4)])
            if made.shape[wanted] == len(along) and bool((made == asked).all()) and axis not in found:
                found.append(axis)
                break
    return (found[0], found[1]) if len(found) == 2 else None


@dataclass(frozen=True)
class _Grid:
    grid: tuple[int, int] | None
    skip: int
    size: tuple[int, int] | None = None

    def for_images(self, size: tuple[int, int]) -> _Grid:
        return replace(self, size=(size[0], size[1]))

    def __call__(self, tokens: Tensor) -> Tensor:
        count = tokens.shape[1] - self.skip if tokens.dim() == 3 else 0
        h, w = self.grid or self._grid_of(max(count, 0))
        if h * w != count or count < 1:
            grid = f"{h} x {w}" if h or not self.size else "square patches of images {} x {}".format(*self.size)
            raise ValueError(
                f"tokens of shape {tuple(tokens.shape)} do not fill a grid of {grid} after {self.skip} to "
                "skip: they must be (B, N, C); give grid=, skip="
            )
        return tokens[:, self.skip :].transpose(1, 2).unflatten(2, (h, w))

    def _grid_of(self, count: int) -> tuple[int, int]:
        """The grid of so many square patches, or (0, 0). One that the border cuts is left out, or filled up."""
        if self.size is None or self.size[0] == self.size[1]:
            return (round(count**0.5),) * 2
        H, W = self.size
        grids = {grid for p in range(1, min(H, W) + 1) for grid in ((H // p, W // p), (-(-H // p), -(-W // p)))}
        found = [grid for grid in grids if grid[0] * grid[1] == count]
        return found[0] if len(found) == 1 else (0, 0)
