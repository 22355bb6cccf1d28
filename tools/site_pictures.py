"""A Sphinx extension: pictures that follow the page's theme, and maps that do not.

A stored figure is paper, ink, and panels whose colours stand for values (holicam/notebook/stored.py says where). In
dark mode the panels are shown as they are, and only what is around them is turned: the picture is clipped to its
panels, and above it lies a second view of the same file, clipped to the rest, inverted (custom.css). No byte is
stored or loaded twice, and no script runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image

from holicam.notebook.stored import panels

IMAGE = re.compile(r'<img\b[^>]*\bsrc="((?:[^"]*/)?_images/([^"/]+\.jpe?g))"[^>]*>')


@cache
def boxes(path: Path) -> tuple[list[tuple[float, ...]], tuple[int, int]] | None:
    """Where a picture's panels are, as shares of it, and its size in pixels; None where the file does not say."""
    found = panels(path.read_bytes())
    if found is None:
        return None
    with Image.open(path) as picture:
        return found, picture.size


def corners(box: Sequence[float], size: tuple[int, int], more: float) -> str:
    """The outline of a box that is `more` pixels larger on every side."""
    left, top, width, height = box
    x, y = more / size[0], more / size[1]
    right, bottom = left + width + x, top + height + y
    left, top = left - x, top - y
    points = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return ", ".join(f"{100 * min(max(x, 0), 1):.3f}% {100 * min(max(y, 0), 1):.3f}%" for x, y in points)


def outline(outlines: Sequence[str], first: str = "0 0") -> str:
    """One polygon through all outlines, each reached from the corner and left again to it."""
    return f"polygon(evenodd, {', '.join([first, *(f'{points}, 0 0' for points in outlines)])})"


def turned(tag: str, source: str, found: Sequence[Sequence[float]], size: tuple[int, int]) -> str:
    """The picture's HTML with its second view; along the edges, where a browser mixes pixels, neither is shown."""
    inside = outline([corners(box, size, -2) for box in found])
    around = outline([corners(box, size, 2) for box in found], "0 0, 100% 0, 100% 100%, 0 100%, 0 0")
    return (
        f'<span class="picture" style="--panels: {inside}">{tag}'
        f'<span class="paper" aria-hidden="true" style="background-image: url(\'{source}\'); clip-path: {around}">'
        "</span></span>"
    )


def pictures(app, pagename, templatename, context, doctree) -> None:
    """Give each stored figure of a page its second view."""
    sources = {name: Path(app.srcdir) / path for path, name in app.builder.images.items()}

    def second(found: re.Match) -> str:
        path = sources.get(found[2])
        there = boxes(path) if path is not None and path.is_file() else None
        return found[0] if there is None else turned(found[0], found[1], *there)

    if body := context.get("body"):
        context["body"] = IMAGE.sub(second, body)


def setup(app) -> dict:
    app.connect("html-page-context", pictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
