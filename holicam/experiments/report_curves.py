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
        steps, total, count = None, 0.0, 0
        for share, curve in zip(shares[network, layer, explainer, metric], curves, strict=True):
            if curve is None or not np.isfinite(curve).all():
                continue
            steps = np.array(share) if steps is None else steps
            if len(share) == len(steps):  # pictures of another size may have other steps
                total, count = total + np.array(curve, float), count + 1
        if count:
            found.setdefault((network, layer), {}).setdefault(metric, {})[explainer] = steps, total / count
    return found


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
                parts = 2 if metric == "road" else 1  # MoRF, then LeRF
                for x, y, width in zip(np.split(shares, parts), np.split(scores, parts), (1.6, 0.8), strict=False):
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
