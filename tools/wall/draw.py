"""Maps over their picture, as the page's script draws them too (book/_static/wall.mjs).

A map is scaled to its own extremes, one with two signs to its largest magnitude. As in `hc.plot`, the more evidence the
more opaque the map and the greyer the picture below it; where there is none the picture is seen as it is.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from holicam.notebook.explorer.figure import drawn

from . import pictures, store

OPACITY = 0.8  # of the strongest evidence

STILL = ("grad-cam", "grad-cam++", "layer-cam", "hires-cam", "cameras", "holistic-cam")
STILL_SIDE, GAP, HEAD, LABELS = 208, 8, 30, 132


def over(picture: np.ndarray, tile: store.Tile, signed: bool = False, opacity: float = OPACITY) -> np.ndarray:
    """A map over a picture (S, S, 3) uint8: uint8 of the same size."""
    return drawn(picture, tile.values, signed=signed, opacity=opacity, side=picture.shape[1])


def under(name: str, side: int) -> np.ndarray:
    """The picture, or plain grey where its package is missing."""
    try:
        return pictures.pixels(name, side)
    except pictures.NOT_THERE:
        return np.full((side, side, 3), 200, np.uint8)


def still(titles: dict[str, str], name: str = "cat") -> Image.Image:
    """What a reader without scripts sees: six methods at four stages on one picture. titles: {method: its name}."""
    rows = [method for method in STILL if store.read(method)[1]]
    step = STILL_SIDE + GAP
    sheet = Image.new("RGB", (LABELS + 4 * step, HEAD + len(rows) * step), "white")
    pen, picture = ImageDraw.Draw(sheet), under(name, STILL_SIDE)
    for stage in range(1, 5):
        cells = store.tile(name, "grad-cam", stage).grid if "grad-cam" in rows else ("", "")
        pen.text((LABELS + (stage - 1) * step, 6), f"stage {stage} ({cells[0]} × {cells[1]})", "black", font(15))
    for row, method in enumerate(rows):
        top = HEAD + row * step
        pen.text((4, top + STILL_SIDE // 2 - 10), titles.get(method, method), "black", font(15))
        for stage in range(1, 5):
            shown = over(picture, store.tile(name, method, stage), store.signed(method))
            sheet.paste(Image.fromarray(shown), (LABELS + (stage - 1) * step, top))
    return sheet


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans, which comes with matplotlib."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
