"""A tall picture for a wide slide: its blocks of panels beside each other.

A page is read from above, so `hc.plot` sets what does not fit a line below it. The stored file says where its panels
are (holicam/notebook/stored.py); where a line of panels has titles of its own, a block begins.
"""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
from PIL import Image

from holicam.notebook.stored import DPI, SCALE, panels

WIDE, HIGH = 1184, 440  # pixels of a slide for a picture
TITLED = 0.16  # inches between two lines of panels from which on there are words between them
GAP, ROOM = 40, 8  # pixels between blocks, and left blank at their sides
GAIN = 1.12  # how much larger blocks beside each other have to be


def starts(boxes: list[tuple[float, ...]], height: int) -> list[int]:
    """The rows of pixels at which blocks begin, the first at 0; the key belongs to the last block."""
    tall = [box for box in boxes if box[3] * height > 0.2 * SCALE * DPI]  # no key
    lines: dict[int, int] = {}  # top: bottom
    for _, top, _, high in tall:
        rows = round(top * height), round((top + high) * height)
        same = next((t for t in lines if abs(t - rows[0]) < 4), rows[0])
        lines[same] = max(lines.get(same, 0), rows[1])
    found, bottom = [0], 0
    for top, below in sorted(lines.items()):
        if bottom and top - bottom > TITLED * SCALE * DPI:
            found.append(bottom + 2)
        bottom = max(bottom, below)
    return found


def scale(sizes: list[tuple[int, int]]) -> float:
    """How large pictures beside each other are on a slide."""
    wide = sum(w for w, _ in sizes) + GAP * (len(sizes) - 1)
    return min(WIDE / wide, HIGH / max(h for _, h in sizes))


def drawn(picture: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not blank at three sides of a picture, with a little room."""
    ink = picture.convert("L").point(lambda grey: 255 * (grey < 235))
    left, top, right, _ = ink.getbbox() or (0, 0, picture.width, 0)
    return max(0, left - ROOM), max(0, top - ROOM), min(picture.width, right + ROOM), picture.height


def spread(raw: bytes) -> bytes:
    """The picture, or where that shows it larger, its blocks side by side."""
    boxes = panels(raw)
    picture = Image.open(io.BytesIO(raw))
    cuts = starts(boxes, picture.height) if boxes else [0]
    best, pieces = scale([picture.size]), []
    ends = [*cuts, picture.height]
    for columns in range(2, len(cuts) + 1):
        places = [ends[round(k * len(cuts) / columns)] for k in range(columns + 1)]
        rows = [picture.crop((0, top, picture.width, bottom)) for top, bottom in pairwise(places)]
        tried = [row.crop(drawn(row)) for row in rows]
        if (now := scale([part.size for part in tried])) > GAIN * best:
            best, pieces = now, tried
    if not pieces:
        return raw
    wide = sum(part.width for part in pieces) + GAP * (len(pieces) - 1)
    sheet, left = Image.new("RGB", (wide, max(part.height for part in pieces)), "white"), 0
    for part in pieces:
        sheet.paste(part, (left, 0))
        left += part.width + GAP
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    return file.getvalue()


def row_of(raw: bytes, number: int) -> bytes:
    """One row of panels of a chart that has two, the first or the second, with the axis that they share.

    Rows end at a horizontal axis, a dark line over more than half of the width, or else at the blank nearest the
    middle. ValueError: there is no such row.
    """
    picture = Image.open(io.BytesIO(raw)).convert("RGB")
    grey = np.asarray(picture.convert("L"))
    lines = np.flatnonzero((grey < 170).mean(1) > 0.6).tolist()
    ends = [line for line, after in pairwise([*lines, len(grey) + 9]) if after - line > 3]
    if len(ends) < 2:
        blank = np.flatnonzero((grey > 235).all(1))
        ends = [int(min(blank, key=lambda line: abs(line - len(grey) / 2))), len(grey) - 1]
    if number not in (1, 2) or len(ends) != 2:
        raise ValueError(f"the picture has {len(ends)} rows, and row {number} was asked for")
    upper, lower = ends
    if number == 2:
        top = upper + int((grey[upper:] > 235).all(1).argmax())  # below the ticks of the first row
        sheet = picture.crop((0, top, picture.width, picture.height))
    else:
        axis = picture.crop((0, lower + 1, picture.width, picture.height))
        sheet = Image.new("RGB", (picture.width, upper + 1 + axis.height), "white")
        sheet.paste(picture.crop((0, 0, picture.width, upper + 1)), (0, 0))
        sheet.paste(axis, (0, upper + 1))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    return file.getvalue()
