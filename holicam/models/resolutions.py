"""Which of the tensors that everything passes through are the stages: one for each resolution of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from .drypass import Passed

Size = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """A layer to read: its name, its grid (h, w) for images of the size asked about, its channels."""

    name: str
    grid: Size
    channels: int
    signed: bool = False  # whether its values may be negative
    channels_last: bool = False  # whether the layer gives (B, h, w, C)


@dataclass(frozen=True, eq=False)
class _Place:
    """A tensor through which everything passes, read as a map of channels."""

    made: Passed
    grid: Size
    channels: int
    last: bool

    @property
    def cells(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def pooling(self) -> str:
        """The name of the max-pooling that gives this tensor, or none."""
        pairs = zip(self.made.names, self.made.modules, strict=True)
        return next((name for name, module in pairs if isinstance(module, nn.MaxPool2d)), "")

    def stage(self, name: str = "") -> Stage:
        """As it is read, by the outermost module that gives it: "layer1" rather than "layer1.2"."""
        return Stage(name or self.made.names[-1], self.grid, self.channels, self.made.signed, self.last)


def chosen(found: Sequence[Passed], size: Size, *, stem: bool = False) -> list[Stage]:
    """The stages among the tensors of a dry pass of an image of this size, shallow to deep; none where none is a map.

    stem: with the resolutions between the image's own and a quarter of it.
    """
    groups: list[list[_Place]] = []
    before = None
    for place in _places(found, size):
        # 55 -> 53 cells, where a convolution takes the border away, is no change of resolution
        if before is None or not 0.7 < (place.cells / before.cells) ** 0.5 < 1.4:
            groups.append([])
        groups[-1].append(place)
        before = place
    wanted = [group for group in groups if _at_most(group[-1].grid, size, 0.75 if stem else 0.25)] or groups[-1:]
    coarse = [group for group in wanted if _at_most(group[-1].grid, size, 0.25)]
    # A network that ends in a pooling, and has one before each resolution, is read at its poolings.
    if coarse and len(coarse[-1]) == 1 and all(group[0].pooling for group in coarse):
        return [group[0].stage(group[0].pooling) if group[0].pooling else _last(group) for group in wanted]
    return [_last(group) for group in wanted]


def _last(group: Sequence[_Place]) -> Stage:
    """The last that is never negative; where there is none, the last."""
    return next((place for place in reversed(group) if not place.made.signed), group[-1]).stage()


def tokens(found: Sequence[Passed], size: Size) -> Passed | None:
    """For a network that goes on in tokens (B, N, C) after its last map: one of the last, None for other networks."""
    places = _places(found, size)
    start = found.index(places[-1].made) + 1 if places else 0
    some = [made for made in found[start:] if len(made.shape) == 3]
    return some[max(0, len(some) - 3)] if len(some) > max(2, len(places)) else None


def _places(found: Sequence[Passed], size: Size) -> list[_Place]:
    """The tensors that are maps of the image, up to the first pooling to a fixed grid, where the head begins."""
    places: list[_Place] = []
    for made in found:
        if any(isinstance(m, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)) for m in made.modules):
            break
        if len(made.shape) != 4 or made.shape[0] != 1:
            continue
        _, a, b, c = made.shape
        first, last = _reduces((b, c), size), _reduces((a, b), size)
        if first and last:
            said = _lies_last(made.modules[0])
            first = not (said if said is not None else bool(places) and places[-1].last)
        if first:
            places.append(_Place(made, (b, c), a, False))
        elif last:
            places.append(_Place(made, (a, b), c, True))
    return places


def fits(grid: Size, image: Size) -> bool:
    """Whether one stride makes both sides of the grid from those of the image, give or take a row or column."""
    most = min(side / (cells - 1) if cells > 1 else float("inf") for cells, side in zip(grid, image, strict=True))
    least = max(side / (cells + 1) for cells, side in zip(grid, image, strict=True))
    return least <= most


def roughly_fits(grid: Size, image: Size) -> bool:
    """Whether patches make the grid that are at most twice as long as wide, or as wide as long, give or take a row."""
    most = [side / (cells - 1) if cells > 1 else float("inf") for cells, side in zip(grid, image, strict=True)]
    least = [side / (cells + 1) for cells, side in zip(grid, image, strict=True)]
    return least[0] <= 2 * most[1] and least[1] <= 2 * most[0]


def _reduces(grid: Size, size: Size) -> bool:
    """The same, and the grid is no single cell and no finer than the image."""
    finer = any(cells > side + 1 for cells, side in zip(grid, size, strict=True))
    return max(grid) > 1 and not finer and fits(grid, size)


def _lies_last(module: nn.Module) -> bool | None:
    """Whether a module gives its channels last, as far as its kind tells."""
    if type(module) in (nn.Linear, nn.LayerNorm):
        return True
    firsts = (nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm, nn.MaxPool2d, nn.AvgPool2d)
    return False if isinstance(module, firsts) else None


def _at_most(grid: Size, size: Size, part: float) -> bool:
    """Whether a grid has at most so large a part of the image's rows and columns, give or take one."""
    return all(cells <= -(-side * part // 1) + 1 for cells, side in zip(grid, size, strict=True))
