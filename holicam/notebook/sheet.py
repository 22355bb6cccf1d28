"""A contact sheet: a line for each photograph or layer, a column for each method, everything named on the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..models.extras import extra
from .overlay import LETTERS, Key, draw
from .panels import wrapped
from .plot import INK, OPACITY, STYLE, _map, _rgb, _scaled

with extra("A picture"):
    import matplotlib
    from matplotlib.figure import Figure

PANEL, TALLEST, FLATTEST = 2.0, 3.0, 0.5  # inches: how wide a panel is, and how high at most and at least
WORDS, GAP, LINE, FOOT = 1.5, 0.1, 0.18, 0.4  # inches: the words before a line, between panels, of a line of text


@dataclass(frozen=True)
class Line:
    """One line. words: what it is of. image: uint8 RGB (H, W, 3). maps: {method: map (h, w), or why there is none}."""

    words: Sequence[str]
    image: Any
    maps: Mapping[str, Any]

    @property
    def height(self) -> float:
        """Inches."""
        high, wide = self.image.shape[:2]
        lines = sum(wrapped(word, LETTERS, WORDS - GAP).count("\n") + 1 for word in self.words)
        return max(min(PANEL * high / wide, TALLEST), FLATTEST, LINE * lines)


def sheet(lines: Sequence[Line], title: Sequence[str]) -> Figure:
    """All lines under one title. Every line has the same methods; each map is scaled by its own limits.

    Where a line holds words instead of a map, they stand in its place.
    """
    columns = list(lines[0].maps)
    there = [(i, name) for i, line in enumerate(lines) for name in columns if not isinstance(line.maps[name], str)]
    found = [_map(lines[i].maps[name], name) for i, name in there]
    signed = any(m.min() < -1e-6 * abs(m).max() for m in found)
    scaled, bar = _scaled([found], "each", signed, "") if found else ([[]], None)
    drawn = dict(zip(there, scaled[0], strict=True))
    key = Key(*bar, OPACITY) if bar else None
    width = max(WORDS + (1 + len(columns)) * (PANEL + GAP), 5.0)
    heads = [wrapped(name, LETTERS, PANEL) for name in ["photograph", *columns]]
    said = [line for part in title for line in wrapped(part, LETTERS, width - 2 * GAP).split("\n")]
    top = GAP + LINE * (len(said) + 1) + LINE * max(head.count("\n") + 1 for head in heads)
    height = top + sum(line.height + GAP for line in lines) + FOOT
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        texts: dict[str, Any] = {"fontsize": LETTERS, "color": INK, "va": "top", "parse_math": False}
        figure.text(GAP / width, 1 - GAP / height, "\n".join(said), **texts)
        at = top - LINE * max(head.count("\n") + 1 for head in heads)
        for c, head in enumerate(heads):
            figure.text(_left(c) / width, 1 - at / height, head, **texts)
        down = top
        for i, line in enumerate(lines):
            beside = "\n".join(wrapped(word, LETTERS, WORDS - GAP) for word in line.words)
            figure.text(GAP / width, 1 - down / height, beside, **texts)
            rgb = _rgb(line.image)
            for c, name in enumerate(["", *columns]):
                box = (_left(c) / width, 1 - (down + line.height) / height, PANEL / width, line.height / height)
                axes = figure.add_axes(box, xticks=[], yticks=[], anchor="NW")
                axes.spines[:].set_visible(False)
                if name and (i, name) not in drawn:
                    why = wrapped(line.maps[name], LETTERS, PANEL)
                    axes.text(0, 1, why, transform=axes.transAxes, **texts)
                else:
                    draw(axes, rgb, drawn.get((i, name)), key)
            down += line.height + GAP
        if key:
            key.add(figure, GAP)
    return figure


def _left(column: int) -> float:
    """Inches from the left edge to a panel."""
    return WORDS + column * (PANEL + GAP)
