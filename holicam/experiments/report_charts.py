"""A dot and an interval for each row of a report's tables, as SVG that stands in the page itself."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection, Mapping, Sequence

from ..models.extras import extra
from .table import Table, arrow

CONTROLS = ("random", "sobel", "center", "ground-truth", "constant")  # what no explainer knows


def charts(tables: Sequence[Table], controls: Collection[str]) -> dict[str, str]:
    """{metric: the SVG of its chart}: a panel for each network and layer, controls set apart below the methods.

    tables: as in the report. controls: labels. A metric of which no table has a value has no chart.
    """
    with extra("A chart in a report"):
        from ..notebook.charts import intervals
    found = {}
    for metric in dict.fromkeys(metric for table in tables for metric in table.metrics):
        panels = {
            table.title: {
                literal(label): (cell.mean, cell.low, cell.high)
                for label, cells in table.rows.items()
                if math.isfinite((cell := cells[metric]).mean)
            }
            for table in tables
            if metric in table.metrics
        }
        panels = {title: rows for title, rows in panels.items() if rows}
        if panels:
            hollow = map(literal, controls)
            apart = [label for label in hollow if any(label in rows for rows in panels.values())]
            found[metric] = svg(intervals(panels, apart=apart, line=None, xlabel=arrow(metric)))
    return found


def literal(label: str) -> str:
    """A label as matplotlib shows it letter by letter: two dollars in it would enclose a formula."""
    return label.replace("$", r"\$")


def svg(figure) -> str:
    """A figure as an SVG element that follows the page's colours; the same figure gives the same text."""
    import matplotlib

    data = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "holicam", "svg.fonttype": "none"}):
        figure.savefig(data, format="svg", metadata={"Date": None}, transparent=True)
    return re.sub(r"^.*?(?=<svg)", "", data.getvalue(), flags=re.DOTALL)


def controls_of(explainers: Mapping[str, str]) -> list[str]:
    """The labels among {label: name} whose maps do not come from the network."""
    return [label for label, name in explainers.items() if name in CONTROLS]
