"""A table of results: its cells, and the text of each in whatever format."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..metrics import registry


@dataclass(frozen=True)
class Cell:
    """One number of a table: its mean, the interval, how many of how many images, and the paper's."""

    mean: float
    low: float  # NaN, as high, where one image has no interval
    high: float
    count: int
    mark: str = ""  # "best", "second" or ""
    published: str = ""  # in our unit
    note: str = ""
    of: int = 0

    @property
    def text(self) -> str:
        if not self.count:
            return "–"
        fewer = f" n={self.count}" if self.count < self.of else ""
        interval = "" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.mean:.3f}{interval}{fewer}"


@dataclass(frozen=True)
class Table:
    """One network and layer: rows are explainers, columns metrics."""

    title: str
    metrics: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Cell]]


def arrow(metric: str) -> str:
    """A column's head, and which direction is better."""
    return f"{metric} {'↑' if registry[metric.split()[0]].higher_is_better else '↓'}"


def lines(
    table: Table, style: Mapping[str, str], safe: Callable[[str], str], number: Callable[[str], str] = str
) -> Iterator[list[str]]:
    """The cells of a table as text.

    style: {"best": "**{}**", "second": "*{}*", "": "{}"}. safe, number: escape labels, and our own numbers.
    """
    for label, cells in table.rows.items():
        row = [safe(label)]
        for metric in table.metrics:
            cell = cells[metric]
            said = [style[cell.mark].format(number(cell.text))]
            said += [number(f"({cell.published}{'†' if cell.note else ''})")] if cell.published else []
            row.append(" ".join(said))
        yield row


def notes(found: list[Table]) -> list[str]:
    """What is odd about the published values that stand in the tables, each once."""
    return sorted({cell.note for table in found for row in table.rows.values() for cell in row.values() if cell.note})
