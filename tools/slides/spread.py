"""A tall picture for a wide slide: its blocks of panels beside each other.

A page is read from above, so `hc.plot` sets what does not fit a line below it. The stored file says where its panels
are (holicam/notebook/stored.py); where a line of panels has titles of its own, a block begins.
"""

from __future__ import annotations

import io
from itertools import pairwise

from PIL import Image

from holicam.notebook.stored import DPI, SCALE, panels

WIDE, HIGH = 1150, 470  # pixels of a slide for a picture
TITLED = 0.16  # inches between two lines of panels from which on there are words between them
GAP = 40


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


def spread(raw: bytes) -> bytes:
    """The picture, or where that shows it larger, its blocks side by side."""
    boxes = panels(raw)
    picture = Image.open(io.BytesIO(raw))
    cuts = starts(boxes, picture.height) if boxes else [0]
    best, pieces = scale([picture.size]), [(0, picture.height)]
    ends = [*cuts, picture.height]
    for columns in range(2, len(cuts) + 1):
        a = len(cuts)
        places = [ends[round(k * a / columns)] for k in range(columns + 1)]
        tried = list(pairwise(places))
        if (now := scale([(picture.width, bottom - top) for top, bottom in tried])) > 1.15 * best:
            best, pieces = now, tried
    if len(pieces) == 1:
        return raw
    wide = len(pieces) * (picture.width + GAP) - GAP
    sheet = Image.new("RGB", (wide, max(bottom - top for top, bottom in pieces)), "white")
    for k, (top, bottom) in enumerate(pieces):
        sheet.paste(picture.crop((0, top, picture.width, bottom)), (k * (picture.width + GAP), 0))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    return file.getvalue()
