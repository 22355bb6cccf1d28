"""COCO's outlines as masks: polygons and run lengths, looked at before compiled code sees them.

Polygons are drawn by pycocotools, whose C code trusts what it is given: a corner a hundred million
pixels away ends the process. Run lengths are laid out here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .checks import check_size
from .files import needs

FEW = 4  # image sizes that a corner may lie from the picture's own
OUTLINE = 2**25  # steps that an outline may have; pycocotools takes five a pixel


def mask_of(segmentation: object, size: tuple[int, int], notes: list[str] | None = None) -> np.ndarray:
    """(H, W) bool of one instance: polygons, or run lengths for a crowd.

    Args:
        segmentation: a list of polygons [x, y, x, y, ...] of at least three corners; or {"size":
            [H, W], "counts": ...}, the lengths of runs down the columns, outside and inside in turn,
            as a list or in COCO's letters.
        size: (width, height) of the picture.
        notes: what is odd is added here: runs that stop within a column of the picture's end, where
            COCO's own reader takes what is left as outside.

    Raises ValueError: numbers that are not finite or lie far outside the picture, half a corner, runs
    that are negative or do not add up to the picture, a size that is not the picture's.
    """
    if isinstance(segmentation, dict):
        return _runs(segmentation, size, [] if notes is None else notes)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError(
            f"a segmentation must be a list of polygons or run lengths with their size; got {_short(segmentation)}"
        )
    for polygon in segmentation:
        _check_polygon(polygon, size)
    coder = needs("pycocotools.mask", "MS-COCO")
    width, height = size
    return np.array(coder.decode(coder.merge(coder.frPyObjects(segmentation, height, width))), dtype=bool)


def numbers_near(values: object, size: tuple[int, int], what: str) -> Sequence[float]:
    """The values, which must be numbers within a few image sizes. Raises ValueError."""
    limit = FEW * max(size)
    if not isinstance(values, list):
        raise ValueError(f"{what} must be a list of numbers; got {_short(values)}")
    for value in values:
        if type(value) not in (int, float) or not -limit <= value <= limit:
            raise ValueError(f"{what} must hold numbers within {FEW} image sizes, {limit} pixels; got {_short(value)}")
    return values


def _check_polygon(polygon: object, size: tuple[int, int]) -> None:
    """Raise ValueError where compiled code should not draw it."""
    values = numbers_near(polygon, size, "a polygon")
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"a polygon must have x and y of three corners or more; got {len(values)} numbers")
    x, y = np.array(values, dtype=float).reshape(-1, 2).T
    steps = np.maximum(abs(x - np.roll(x, 1)), abs(y - np.roll(y, 1))).sum()
    if 5 * steps + len(x) > OUTLINE:
        raise ValueError(f"a polygon of {len(x)} corners is {steps:.3g} pixels long: that is no outline")


def _runs(segmentation: dict, size: tuple[int, int], notes: list[str]) -> np.ndarray:
    """(H, W) bool of run lengths. Raises ValueError."""
    told, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(told, list) or [type(side) for side in told] != [int, int] or max(map(abs, told)) > 1e9:
        raise ValueError(f"run lengths must have the size [height, width]; got {_short(told)}")
    check_size((told[1], told[0]), size, "a segmentation in run lengths")
    width, height = size
    if isinstance(counts, str):
        counts = _letters(counts)
    if not isinstance(counts, list) or any(type(count) is not int for count in counts):
        raise ValueError(f"run lengths must be whole numbers or COCO's letters; got {_short(counts)}")
    missing = width * height - sum(counts)
    if min(counts, default=0) < 0 or not 0 <= missing <= height:
        raise ValueError(
            f"run lengths must be 0 or more and add up to {width * height} pixels; they go down to "
            f"{_short(min(counts, default=0))} and add up to {_short(sum(counts))}"
        )
    if missing:
        notes.append(f"run lengths stop {missing} pixels before the picture's end, which count as outside")
    inside = np.zeros(width * height, dtype=bool)
    laid = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    inside[: len(laid)] = laid
    return inside.reshape(width, height).T  # (H, W): runs go down the columns


def _letters(text: str) -> list[int]:
    """Run lengths from COCO's letters: five bits a letter, low bits first, the sixth says that more follow.

    From the fourth run on, a number is the difference from the run two before.
    """
    counts: list[int] = []
    value = bits = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or bits > 60:
            raise ValueError(f"run lengths hold {letter!r}, which COCO's letters do not")
        value |= (code & 31) << bits
        bits += 5
        if not code & 32:
            value -= (code >> 4 & 1) << bits  # the fifth bit of the last letter is the sign
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = bits = 0
    if bits:
        raise ValueError("run lengths break off in the middle of a number")
    return counts


def _short(value: object) -> str:
    """What a message shows of a value that may be of any length."""
    if isinstance(value, (list, dict)):
        return f"{type(value).__name__} of {len(value)}"
    said = repr(value) if not isinstance(value, int) or abs(value) < 10**20 else "a huge number"
    return said if len(said) <= 40 else said[:40] + "…"
