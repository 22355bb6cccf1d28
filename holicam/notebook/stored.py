"""A figure as the bytes that a notebook, a knob or a page stores: a JPEG at twice the screen's resolution.

The file says in a comment where its maps and photographs are. Around them is paper and ink, which the book's site
turns with its dark theme; the colours of a map are the same in both.
"""

from __future__ import annotations

import io
import re
from typing import Any

DPI, SCALE = 100, 2  # pixels an inch as a page shows it, and stored pixels for each
QUALITY = 56  # at this resolution its losses are smaller than a pixel of the screen
MARK = "holicam panels"  # then left, top, width, height in thousandths of the picture, one panel after the other


def width(figure: Any) -> int:
    """Pixels that a page gives the figure."""
    return round(figure.get_figwidth() * DPI)


def jpeg(figure: Any) -> bytes:
    """The figure as it is stored: twice `width` pixels wide."""
    buffer = io.BytesIO()
    pil = {"quality": QUALITY, "optimize": True, "progressive": True}
    figure.savefig(buffer, format="jpeg", dpi=SCALE * DPI, bbox_inches=None, pil_kwargs=pil)
    raw = buffer.getvalue()
    said = f"{MARK}{''.join(f' {1e3 * v:.2f}' for box in boxes(figure) for v in box)}".encode()
    after = 4 + int.from_bytes(raw[4:6], "big")  # the comment follows the first segment, which says that it is a JPEG
    return raw[:after] + b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said + raw[after:]


def boxes(figure: Any) -> list[tuple[float, float, float, float]]:
    """Left, top, width, height, as shares of a drawn figure, of all axes whose colours stand for values."""
    found = []
    for axes in figure.axes:
        coloured = [a for a in (*axes.images, *axes.collections) if a.get_array() is not None]
        if coloured and axes.get_visible():
            box = axes.get_position()
            found.append((box.x0, 1 - box.y1, box.width, box.height))
    return found


def panels(raw: bytes) -> list[tuple[float, ...]] | None:
    """`boxes` of a stored picture; None where it is not one of ours."""
    found = re.search(MARK.encode() + rb"((?: -?[\d.]+)*)", raw[:40_000])
    if found is None:
        return None
    numbers = [float(n) / 1e3 for n in found[1].decode().split()]
    return [tuple(numbers[i : i + 4]) for i in range(0, len(numbers), 4)]
