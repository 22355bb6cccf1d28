"""Curves of a merged run as figures: insertion, deletion and ROAD, the mean over images of each method.

Rows hold curves where the configuration says `curves = true`. Each network and layer gets one
figure, as SVG for pages and as PDF for LaTeX; the same rows give the same files.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..models.extras import extra
from .pivot import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = ("insertion", "deletion", "road")
DASHES = ("-", "--", ":", "-.")
Curve = tuple[np.ndarray, np.ndarray]  # shares, scores


def mean_curves(results: Results) -> dict[tuple[str, str], dict[str, dict[str, Curve]]]:
    """{(network, layer): {metric: {explainer: (shares, mean scores)}}} of a merged run; empty without curves."""
    if not any("curve" in row for row in results.rows[:1]):
        return {}
    found: dict[tuple[str, str], dict[str, dict[str, Curve]]] = {}
    shares = results.pivoted("share")
    for (network, layer, explainer, metric), curves in results.pivoted("curve").items():
        if (mean := _mean(shares[network, layer, explainer, metric], curves, _parts(metric))) is not None:
            found.setdefault((network, layer), {}).setdefault(metric, {})[explainer] = mean
    return found


def _parts(metric: str) -> int:
    """How many curves lie one behind the other: ROAD's are MoRF, then LeRF."""
    return 2 if metric == "road" else 1


def _mean(shares: np.ndarray, curves: np.ndarray, parts: int) -> Curve | None:
    """The mean of n curves, each a list or None, but for those without a value somewhere; None where none is left.

    Pictures of another size have other steps: their curves are read at the steps of the longest.
    """
    pairs = zip(shares, curves, strict=True)
    there = [(np.array(x, float), np.array(y, float)) for x, y in pairs if y is not None and np.isfinite(y).all()]
    if not there:
        return None
    steps = max((x for x, _ in there), key=len)
    return steps, np.mean([_read_at(steps, x, y, parts) for x, y in there], 0)


def _read_at(steps: np.ndarray, shares: np.ndarray, scores: np.ndarray, parts: int) -> np.ndarray:
    """A curve at other shares, straight between its points."""
    each = zip(*(np.split(values, parts) for values in (steps, shares, scores)), strict=True)
    return np.concatenate([np.interp(*part) for part in each])


def curve_files(results: Results) -> tuple[dict[str, str], dict[str, bytes]]:
    """({title: name of the figure's files without their ending}, {file: what it holds}); empty without curves."""
    if not (found := mean_curves(results)):
        return {}, {}
    with extra("A figure of curves"):
        import matplotlib

    named, files = {}, {}
    for i, ((network, layer), panels) in enumerate(sorted(found.items())):
        title, name = f"{network}, {layer or 'the whole network'}", f"curves-{i}"
        figure = drawn(title, panels)
        for kind, stamp in (("svg", "Date"), ("pdf", "CreationDate")):
            data = io.BytesIO()
            with matplotlib.rc_context({"svg.hashsalt": "holicam"}):
                figure.savefig(data, format=kind, metadata={stamp: None})
            files[f"{name}.{kind}"] = data.getvalue()
        named[title] = name
    return named, files


def drawn(title: str, panels: Mapping[str, Mapping[str, Curve]]) -> Figure:
    """The figure of one network and layer."""
    import matplotlib
    from matplotlib.figure import Figure

    shown = [name for name in PANELS if name in panels]
    names = list(dict.fromkeys(explainer for name in shown for explainer in panels[name]))
    colours = matplotlib.colormaps["tab10"].colors
    style = {name: {"color": colours[i % 10], "linestyle": DASHES[i // 10 % 4]} for i, name in enumerate(names)}
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        rows = -(-len(names) // 4)
        figure = Figure(figsize=(3.3 * len(shown), 3.1 + 0.2 * rows), layout="constrained")
        lines = {}
        for axes, metric in zip(np.atleast_1d(figure.subplots(1, len(shown), sharey=True)), shown, strict=True):
            for name, (shares, scores) in panels[metric].items():
                parts = [np.split(values, _parts(metric)) for values in (shares, scores)]
                for x, y, width in zip(*parts, (1.6, 0.8), strict=False):
                    (line,) = axes.plot(100 * x, y, lw=width, **style[name])
                    lines.setdefault(name, line)
            axes.set(xlabel=LABELS[metric], title=metric, xlim=(0, 100))
            axes.grid(alpha=0.3)
        figure.axes[0].set_ylabel("mean score of the class")
        legend = figure.legend(
            [lines[name] for name in names],
            names,
            loc="outside lower center",
            ncols=min(4, len(names)),
            frameon=False,
            fontsize=8,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)  # a label may hold any letters
        figure.suptitle(title, fontsize=10, parse_math=False)
    return figure


LABELS = {
    "insertion": "% of pixels shown",
    "deletion": "% of pixels removed",
    "road": "% of pixels removed\n(thick: most relevant first, thin: least)",
}
