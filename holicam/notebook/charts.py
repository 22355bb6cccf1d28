"""Charts of numbers: a dot and an interval for each row, panels side by side, in the style of `plot`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from itertools import pairwise
from textwrap import fill
from typing import Any

from ..models.extras import extra
from .plot import GRID, INK, LINES, STYLE, _filled

with extra("A chart"):
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, MOST = 6.8, 4  # inches of the text column, panels a line
ROW, SERIES, HEAD, FOOT = 0.27, 0.13, 0.42, 0.42  # inches: of a row, for each further series in it, round the rows
LETTER = 0.105  # inches, the mean of this type
BETWEEN = 0.7  # rows left free before those that are set apart
DOTS = "os^D"
QUIET = LINES[5]  # of rows that are set apart
PAPER = LINES[1]  # of what is printed

Estimate = tuple[float, float, float]


def intervals(
    panels: Mapping[str, Mapping[str, Any]],
    *,
    apart: Collection[str] = (),
    line: float | None = 0.0,
    margin: float | None = None,
    xlabel: str = "",
    columns: int = 2,
    share: bool = True,
    printed: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """A dot and an interval in every row of every panel.

    Args:
        panels: {panel: {row: estimate}}. An estimate is (mean, low, high) or has these as attributes, as
            `hc.evidence.difference` gives it; {series: estimate} sets several beside each other in one row. A row may
            be missing from a panel or hold no series, and an interval that is NaN is not drawn.
        apart: rows that are set below the others, hollow and grey: controls.
        line: where a value means nothing, zero or chance; None draws none.
        margin: what is as good as nothing is shaded, from line - margin to line + margin.
        xlabel: what is measured.
        columns: panels a line, 1 to 4; two stay legible on a phone.
        share: whether all panels have one axis.
        printed: {panel: {row: value}}, what a paper prints: an open mark with a legend. Rows that the panel does not
            have, and values that are NaN, are passed over.

    Returns:
        A figure of the text column's width.

    Raises:
        TypeError: no mapping, or an empty one. ValueError: an estimate that is none, a margin without a line, columns.

    Example:
        >>> import holicam as hc
        >>> rows = {"Grad-CAM": (0.1, 0.0, 0.2), "random": (0.0, -0.1, 0.1)}
        >>> chart = hc.charts.intervals({"layer1": rows}, apart=["random"], xlabel="Over-all")
        >>> [text.get_text() for text in chart.axes[0].get_yticklabels()]
        ['Grad-CAM', 'random']
    """
    _filled(panels, "panels", "{row: (mean, low, high)}")
    if not 1 <= columns <= MOST:
        raise ValueError(f"a line holds 1 to {MOST} panels, not {columns}")
    if margin is not None and (line is None or not margin > 0):
        raise ValueError(f"a margin lies to both sides of a line and is above zero; got {margin!r} round {line!r}")
    told = {
        name: {row: made for row, said in rows.items() if (made := _series(said, f"{name}, {row}"))}
        for name, rows in panels.items()
    }
    told = {name: rows for name, rows in told.items() if rows}
    names = list(dict.fromkeys(row for rows in told.values() for row in rows))
    if not names:
        raise ValueError("a chart needs a row: every panel is empty")
    names = [row for row in names if row not in apart] + [row for row in names if row in apart]
    places = _places(names, apart)
    series = list(dict.fromkeys(one for rows in told.values() for said in rows.values() for one in said))
    wide = min(columns, len(told))
    lines = math.ceil(len(told) / wide)
    titles = {name: fill(name, _fits(names, wide)) for name in told}
    head = HEAD + 0.22 * max(title.count("\n") for title in titles.values())
    high = lines * (head + (ROW + SERIES * (len(series) - 1)) * (max(places.values()) + 1)) + FOOT
    with matplotlib.rc_context({**STYLE, "font.size": 13, "axes.titlesize": 13}):
        figure = Figure(figsize=(WIDTH, high + (0.3 if len(series) > 1 or printed else 0)), layout="constrained")
        grid = figure.subplots(lines, wide, sharex=share, sharey=True, squeeze=False)
        for axes, (name, rows) in zip(grid.flat, told.items(), strict=False):
            axes.set_title(titles[name], loc="left")
            _draw(axes, rows, places, series, apart)
            _ground(axes, places, apart, line, margin)
            axes.locator_params(axis="x", nbins=(6, 4, 2, 2)[wide - 1])  # numbers that do not run into each other
            for row, value in (printed or {}).get(name, {}).items():
                if row in rows:
                    axes.plot(value, places[row], "D", mfc="none", mec=PAPER, mew=1.8, ms=9, zorder=3, clip_on=False)
        for i, axes in enumerate(grid.flat[len(told) :], len(told)):
            axes.set_visible(False)
            if i >= wide:  # the panel above is now the lowest of its column
                grid.flat[i - wide].tick_params(labelbottom=True)
        figure.supxlabel(xlabel, fontsize=13)
        if len(series) > 1 or printed:
            _legend(figure, grid.flat[0], bool(printed))
    return figure


def _series(said: Any, where: str) -> dict[str, Estimate]:
    """{series: (mean, low, high)}; the one series of a plain estimate has no name. Raises ValueError."""
    return {str(k): _three(v, where) for k, v in (said if isinstance(said, Mapping) else {"": said}).items()}


def _three(said: Any, where: str) -> Estimate:
    if all(hasattr(said, word) for word in ("mean", "low", "high")) and not callable(said.mean):
        said = said.mean, said.low, said.high
    try:
        mean, low, high = (float(value) for value in said)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: an estimate is a mean and an interval, (mean, low, high); got {said!r}") from None
    if not math.isfinite(mean) or low > high:
        raise ValueError(f"{where}: {mean:g} in [{low:g}, {high:g}] is no mean with an interval")
    return mean, low, high


def _fits(names: list[str], wide: int) -> int:
    """Letters of a panel's title, where the names of the rows take their room first."""
    return max(8, int((WIDTH - LETTER * max(map(len, names))) / wide / LETTER))


def _places(names: list[str], apart: Collection[str]) -> dict[str, float]:
    """{row: how far down it stands}, with room before the first that is set apart."""
    found, y = {}, 0.0
    for before, name in pairwise([None, *names]):
        y += BETWEEN if name in apart and before is not None and before not in apart else 0
        found[name] = y
        y += 1
    return found  # type: ignore[return-value]  # None is only ever what stands before the first


def _draw(axes: Axes, rows: dict, places: dict[str, float], series: list[str], apart: Collection[str]) -> None:
    """All dots and intervals of one panel; a series has a name in the legend, whether the panel has a value or not."""
    for k, name in enumerate(series):
        step = (k - (len(series) - 1) / 2) * min(0.34, 0.72 / len(series))  # rows stay further apart than series
        axes.plot([], [], DOTS[k % len(DOTS)], color=LINES[k % len(LINES)], label=name)
        for row, said in rows.items():
            if name not in said:
                continue
            mean, low, high = said[name]
            quiet = row in apart
            colour = QUIET if quiet and len(series) == 1 else LINES[k % len(LINES)]
            y = places[row] + step
            if math.isfinite(low) and math.isfinite(high):
                axes.hlines(y, low, high, color=colour, lw=2.2)
            axes.plot(mean, y, DOTS[k % len(DOTS)], color=colour, mfc="white" if quiet else colour, ms=6.5)


def _legend(figure: Figure, axes: Axes, printed: bool) -> None:
    """Names of the series, above all panels; the only one is "here" where it stands beside what a paper prints."""
    handles, labels = axes.get_legend_handles_labels()
    if printed:
        one = [] if labels else axes.plot([], [], DOTS[0], color=LINES[0])
        paper = axes.plot([], [], "D", mfc="none", mec=PAPER, mew=1.8, ms=9)
        handles, labels = [*handles, *one, *paper], [*labels, *(["here"] if one else []), "paper"]
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))


def _ground(axes: Axes, places: dict[str, float], apart: Collection[str], line: float | None, margin: float | None):
    """Names of the rows, and what lies behind the dots: the line, the margin, the rule above what is set apart."""
    axes.set_yticks(list(places.values()), list(places))
    axes.set_ylim(max(places.values()) + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)  # numbers of two neighbours do not touch
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    if margin is not None and line is not None:
        axes.axvspan(line - margin, line + margin, color=GRID, alpha=0.6, lw=0, zorder=0)
    if line is not None:
        axes.axvline(line, color=INK, lw=1.2, ls=(0, (4, 2)), zorder=1)
    first = [y for row, y in places.items() if row in apart]
    if first and first[0] > 0:
        axes.axhline(first[0] - (1 + BETWEEN) / 2, color=GRID, lw=1, zorder=0)
