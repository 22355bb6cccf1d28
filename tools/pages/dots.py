"""A chart of dots on a logarithmic scale as SVG: rows in groups, a name at the left, its value at the right.

As narrow as a phone's page, so that its words stay legible there. Dark pages turn it (custom.css).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tools.pages import GREY, PAPER, svg
from tools.pages import INK as INK

BLUE = "#0072b2"
WIDTH, ROW, HEAD, TOP, FOOT = 460, 22, 34, 30, 40
LEFT, RIGHT = 182, 390  # of the axis; values stand right of it


@dataclass(frozen=True)
class Dot:
    """A row. hollow: the value is a floor and no measurement."""

    name: str
    value: float
    said: str
    hollow: bool = False


def draw(groups: Mapping[str, Sequence[Dot]], ticks: Sequence[float], *, title: str, told: str, unit: str) -> str:
    """The chart as SVG text; ticks are the lines of the axis, the first and the last its ends."""
    low, high = math.log(ticks[0]), math.log(ticks[-1])

    def x(value: float) -> float:
        share = (math.log(min(max(value, ticks[0]), ticks[-1])) - low) / (high - low)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    rows, at = [], TOP
    for group, dots in groups.items():
        at += HEAD
        rows.append(f'<text x="12" y="{at - 10}" font-size="14" font-weight="bold">{escape(group)}</text>')
        for dot in dots:
            y = at + ROW // 2
            fill = PAPER if dot.hollow else BLUE
            rows += [
                f'<path d="M{LEFT} {y}H{RIGHT}" stroke="{GREY}" stroke-opacity="0.25"/>',
                f'<text x="12" y="{y + 5}">{escape(dot.name)}</text>',
                f'<circle cx="{x(dot.value)}" cy="{y}" r="5" fill="{fill}" stroke="{BLUE}" stroke-width="2"/>',
                f'<text x="{WIDTH - 10}" y="{y + 5}" font-size="13" text-anchor="end">{escape(dot.said)}</text>',
            ]
            at += ROW
    end, height = at + 6, at + FOOT
    axis = [
        f'<path d="M{x(tick)} {TOP}V{end}" stroke="{GREY}" stroke-opacity="0.45" stroke-dasharray="2 3"/>'
        + f'<text x="{x(tick)}" y="{y}" font-size="12" fill="{GREY}" text-anchor="middle">{tick:,}</text>'
        * (i % 2 == 0)
        for i, tick in enumerate(ticks)  # every second one is named: long numbers would touch
        for y in (TOP - 10, end + 16)
    ]
    said = f'<text x="{WIDTH - 10}" y="{TOP - 10}" font-size="12" fill="{GREY}" text-anchor="end">'
    return svg(WIDTH, height, 14, title, told, [*axis, *rows, said, f"{escape(unit)}</text>"])
