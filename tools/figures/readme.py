"""Draw the pictures that the README shows: python -m tools.figures.readme

The first is that of the site's first page: one photograph, three methods, two stages. The second is Toyland's classes.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from holicam.notebook.explorer.packed import jpeg
from tools import drawn
from tools.ipynb import BOOK
from tools.wall import draw, hero, page

FOLDER = BOOK / "figures"
PICTURE = "coffee"
SIDE, GAP, HEAD = 272, 8, 30
QUALITY, LARGEST = 80, 150_000  # bytes
WORDS = {1: "first stage", 4: "last stage"}


def small(picture: np.ndarray, side: int) -> Image.Image:
    return Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)


def opening() -> np.ndarray:
    """The photograph, and beside it a row of maps for each stage."""
    names, said = page.reference(), hero.answers()[PICTURE]
    left = SIDE * 3 // 2
    width = left + 3 * (SIDE + GAP)
    sheet = Image.new("RGB", (width, 2 * (HEAD + SIDE + GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    sheet.paste(small(draw.under(PICTURE, hero.SIDE), left - GAP), (0, HEAD))
    text = f"“{said['answer']}”, {100 * float(said['p']):.0f} %"
    pen.text((4, HEAD + left), text, "black", draw.font(24))
    pen.text((4, HEAD + left + 36), "Which pixels made it say so?", "black", draw.font(20))
    for row, panels in enumerate(reversed(hero.panels("asked"))):
        for column, panel in enumerate(panels):
            x, y = left + column * (SIDE + GAP) + GAP, row * (HEAD + SIDE + GAP)
            title = f"{names[panel.method].title}, {WORDS[panel.stage]}"
            pen.text((x, y + 6), title, "black", draw.font(16))
            sheet.paste(small(hero.drawn(PICTURE, panel), SIDE), (x, y + HEAD))
    return np.asarray(sheet)


def toyland(side: int = 176) -> np.ndarray:
    """The ten classes in two rows."""
    panels = drawn.panels("toyland-classes")
    sheet = Image.new("RGB", (5 * (side + GAP) - GAP, 2 * (side + GAP) - GAP), "white")
    for i, panel in enumerate(panels):
        sheet.paste(small(panel.pixels, side), (i % 5 * (side + GAP), i // 5 * (side + GAP)))
    return np.asarray(sheet)


PICTURES = {"readme.jpg": opening, "readme-toyland.jpg": toyland}


if __name__ == "__main__":
    for name, made in PICTURES.items():
        (FOLDER / name).write_bytes(jpeg(made(), QUALITY))
