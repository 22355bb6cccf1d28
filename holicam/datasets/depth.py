"""Pictures whose values are not 8 bits: 16-bit and 32-bit integers, and floats, brought to 8 bits.

A file seldom says what its largest value means. Where the values leave no doubt they are read; where they do,
the picture is refused with a sentence, for a picture read on a wrong scale is black or white without a word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FULL = 2**16 - 1
DIM = 2**14 - 1  # a 16-bit picture that reaches no further has at most a quarter of full brightness
FAINT = 16  # the same for floats: brightest value of a picture of 0..255 that would show nothing
ROWS = 256  # converted at a time
SAVE = "save it with 8 bits a channel"


class DepthError(ValueError):
    """Values whose range cannot be told; the message goes on from a file's name."""


@dataclass(frozen=True)
class Stored:
    """How a file keeps its values, read before Pillow decodes them: 16 bits a colour, with a sign, white as 0."""

    deep: bool
    signed: bool
    inverted: bool
    bits: int  # that a TIFF speaks of, 0 where nothing is said

    @classmethod
    def of(cls, picture) -> Stored:
        tags = getattr(picture, "tag_v2", {})
        bits = max(tags.get(258, (0,)), default=0)
        deep = any(";16" in str(tile[3]) for tile in picture.tile)
        return cls(deep, 2 in tags.get(339, ()), tags.get(262) == 0, bits)


def eight_bit(picture, stored: Stored):
    """A picture of one 16-bit, 32-bit or float channel as 8-bit grey; others as they are, if they can be trusted.

    Integers up to 255 are 8 bits and others 16; floats are 0..1, 0..255 or 0..65535 by their largest value.

    Raises:
        DepthError: NaN, negative values, a 16-bit picture that reaches at most a quarter of its range (12 bits in
            16), floats a little above 1, values above 65535.
    """
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        _check_colours(picture, stored)
        return picture
    values = np.asarray(picture)
    top = _top(values, stored)
    grey = np.empty(values.shape, np.uint8)
    for row in range(0, len(values), ROWS):
        some = values[row : row + ROWS].astype(np.float64)
        grey[row : row + ROWS] = np.clip(np.rint(some * (255 / top)), 0, 255)
    return Image.fromarray(255 - grey if stored.inverted else grey)


def _check_colours(picture, stored: Stored) -> None:
    """Pillow reads 16-bit colours by their upper byte and a sign as part of the number."""
    if stored.signed:
        raise DepthError(f"keeps its values with a sign, which no photograph does: {SAVE}.")
    if stored.deep:
        bands = picture.getextrema()
        colours = [high for name, (_, high) in zip(picture.getbands(), bands, strict=True) if name != "A"]
        if max(colours) <= DIM >> 8:
            raise DepthError(_dim(max(colours) * 256 + 255))


def _dim(most: float) -> str:
    return (
        f"has values up to about {most:g} of the 65535 that 16 bits hold, so it is very dark or keeps fewer bits "
        f"in 16: {SAVE}, or stretch its values over the whole range."
    )


def _top(values: np.ndarray, stored: Stored) -> float:
    """The value that is white."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise DepthError(f"holds NaN or infinite values: {SAVE}.")
    floats = values.dtype.kind == "f"
    if low < (-0.001 * high if floats else 0) or high < 0:
        raise DepthError(f"has values from {low:g} to {high:g}, and those of a photograph are not negative: {SAVE}.")
    if floats and 1.001 < high < FAINT:
        raise DepthError(f"has values up to {high:g}, which is neither of 0..1 nor of 0..255: {SAVE}.")
    if high > FULL:
        raise DepthError(f"has values up to {high:g}; more than 65535 have no meaning for a photograph: {SAVE}.")
    if floats and high <= 1.001:
        return 1.0
    if 8 < stored.bits < 16 and high < 2**stored.bits:
        return 2.0**stored.bits - 1
    if high <= 255.5:
        return 255.0
    top = FULL // 2 if stored.signed and stored.bits == 16 else FULL
    if high <= DIM * top / FULL:
        raise DepthError(_dim(high))
    return float(top)
