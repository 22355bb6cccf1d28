"""Where panels, titles, row names and the key of a picture stand, to the inch.

Sizes are inches at 100 pixels, as a page shows them: a panel is never narrower than 2.04, so that it keeps 200 pixels
in a text column of 672. Widths of words are measured, not guessed, so that neighbours never touch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..models.extras import extra

with extra("A picture"):
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

WIDTH = 6.8  # inches: the text column
COLUMNS = 3  # of 200 pixels or more in that column
NARROWEST, WIDEST, TALLEST = 2.04, 2.7, 3.4  # inches, of a panel
GAP = 0.08
TITLE, SMALLEST = 12.0, 7.0  # points
LINE = 1.25 / 72  # inches of a line of text, a point of its size


@dataclass(frozen=True)
class Panel:
    """One picture: uint8 (H, W, 3), and a map (h, w) for it, or None."""

    title: str
    image: np.ndarray
    map: np.ndarray | None = None


@dataclass(frozen=True)
class Line:
    """Panels side by side, None where a place stays empty, and the name of the row."""

    panels: Sequence[Panel | None]
    name: str = ""


def balanced(count: int, most: int = COLUMNS) -> int:
    """Panels in a line: five panels at most four a line are three and two, not four and one."""
    return math.ceil(count / math.ceil(count / most))


def flow(panels: Sequence[Panel], columns: int) -> list[Line]:
    """Panels in reading order, as many a line as fit. Raises ValueError for columns that are no number of panels."""
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise ValueError(f"columns must be a whole number of at least 1; got {columns!r}.")
    n = balanced(len(panels), min(columns, COLUMNS))
    return [Line(panels[i : i + n]) for i in range(0, len(panels), n)]


def blocks(rows: dict[str, list[Panel]], image: Panel | None) -> list[Line]:
    """A table of panels as blocks of lines: every block has all rows, and as many columns as fit.

    image: shown once, as the first panel of the first column, or in a line of its own where that takes fewer lines.
    """
    count, lines = len(next(iter(rows.values()))), []
    leading = image is not None and math.ceil((1 + count) / COLUMNS) * len(rows) <= 1 + math.ceil(
        count / COLUMNS
    ) * len(rows)
    if image is not None and not leading:
        lines.append(Line([image]))
    columns = ([None] if leading else []) + list(range(count))
    n = balanced(len(columns))
    for i in range(0, len(columns), n):
        for r, (name, row) in enumerate(rows.items()):
            first = image if r == 0 else None
            kept = [first if k is None else row[k] for k in columns[i : i + n]]
            kept = [p if r == 0 or p is None else Panel("", p.image, p.map) for p in kept]
            lines.append(Line(kept, name))
    return lines


@lru_cache(maxsize=4096)
def _points(text: str) -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=10), ismath=False)
    return width / 10


def measured(text: str, points: float) -> float:
    """Inches that a line of text is wide, with a little for the rounding of letters to pixels."""
    return 1.01 * _points(text) * points / 72


def wrapped(text: str, points: float, width: float) -> str:
    """The text in lines no wider than that; a word that is too long is broken."""
    lines = []
    for part in text.split("\n"):
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}" if line else word
            if measured(longer, points) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while len(word) > 1 and measured(word, points) > width:
                fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or measured(word[:n], points) <= width)
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        lines.append(line)
    return "\n".join(lines)


def fitted(texts: Sequence[str], width: float, points: float = TITLE) -> tuple[float, list[str]]:
    """One size for all of them, and each in lines that fit: first fewer lines, then larger letters."""
    for lines, smallest in ((1, 10.5), (2, 9.0), (3, SMALLEST)):
        for size in np.arange(points, smallest - 0.1, -0.5):
            done = [wrapped(text, float(size), width) for text in texts]
            whole = all(measured(w, float(size)) <= width for text in texts for w in text.split())
            if (whole or lines == 3) and all(text.count("\n") < lines for text in done):
                return float(size), done
    return SMALLEST, [wrapped(text, SMALLEST, width) for text in texts]


@dataclass(frozen=True)
class Placed:
    """A figure with empty axes where its panels go, and the inches left of the first column."""

    figure: Figure
    axes: list[tuple[Panel, Any]]
    left: float


def place(lines: Sequence[Line], key: Callable[[float], float] | None = None) -> Placed:
    """A figure with axes, titles and names of rows. key: inches that a key of a given width needs below."""
    columns = max(len(line.panels) for line in lines)
    shown = [p for line in lines for p in line.panels if p is not None]
    tall = max(p.image.shape[0] / p.image.shape[1] for p in shown)
    margin, names = _names(lines, NARROWEST * tall)
    room = (WIDTH - margin - GAP * (columns - 1)) / columns
    side = min(room, max(NARROWEST, min(WIDEST, TALLEST / tall)))
    size, titles = fitted([p.title for p in shown], side - 0.04)
    above = [(1 + t.count("\n")) * size * LINE + 0.05 if t else 0.0 for t in titles]
    width = max(margin + columns * side + GAP * (columns - 1), 3.4)
    tops, heights, y, n = [], [], 0.0, 0
    for line in lines:
        there = [p for p in line.panels if p is not None]
        y += max(above[n : n + len(there)], default=0.0)
        n += len(there)
        tops.append(y)
        heights.append(side * max((p.image.shape[0] / p.image.shape[1] for p in there), default=tall))
        y += heights[-1] + GAP
    total = y - GAP + 0.02 + (key(width - margin) if key else 0.0)
    figure = Figure(figsize=(width, total))
    axes, n = [], 0
    for line, top, height, name in zip(lines, tops, heights, names, strict=True):
        for k, panel in enumerate(line.panels):
            if panel is None:
                continue
            left, high = margin + k * (side + GAP), side * panel.image.shape[0] / panel.image.shape[1]
            box = (left / width, 1 - (top + high) / total, side / width, high / total)
            ax = figure.add_axes(box, xticks=[], yticks=[], frame_on=False)
            ax.set_title(titles[n], fontsize=size, pad=3.5)
            axes.append((panel, ax))
            n += 1
        if name:
            at = (margin - 0.07) / width, 1 - (top + height / 2) / total
            figure.text(*at, name[1], rotation=90, ha="right", va="center", fontsize=name[0], linespacing=1.05)
    return Placed(figure, axes, margin)


def _names(lines: Sequence[Line], height: float) -> tuple[float, list[tuple[float, str] | None]]:
    """Inches left of the panels for the names of rows, and size and text of each."""
    if not any(line.name for line in lines):
        return 0.0, [None] * len(lines)
    points, texts = fitted([line.name for line in lines], height)
    most = max(1 + text.count("\n") for text in texts)
    return 0.12 + most * points * LINE, [(points, text) if text else None for text in texts]
