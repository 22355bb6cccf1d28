"""Stored rows of costly runs, as the book reads them: checked, paired by image, beside the paper's.

`data/results/NAME.toml` is a configuration, NAME.parquet the merged rows of its run and NAME.json
the run's manifest. A configuration that was changed since is refused, so a table in the book is
always the table of the file that lies beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from ..metrics import registry
from ..models import data_folder
from ..models.called import called
from ..models.extras import extra
from .bootstrap import interval, marks
from .config import differences, from_toml
from .manifest import run_name, settings_that_count
from .published import beside, in_our_unit, published


class StaleRowsError(ValueError):
    """The stored rows are not those of the configuration; the message says what differs."""


@dataclass(frozen=True, eq=False)
class Stored:
    """The rows of a run: `values` {(network, layer, explainer, metric): (n,) float64, by image}.

    layer is "" for a map that is not of one layer. images: their ids, in the order of the values.
    """

    name: str
    config: Mapping[str, object]
    images: tuple[str, ...]
    values: Mapping[tuple[str, str, str, str], np.ndarray] = field(repr=False)

    def column(self, network: str, layer: str, metric: str) -> dict[str, np.ndarray]:
        """{explainer: (n,)}, in the configuration's order; a map of no layer goes with every layer."""
        found = {}
        for label in self.config["explainers"]:
            for place in (layer, ""):
                if (network, place, label, metric) in self.values:
                    found[label] = self.values[network, place, label, metric]
                    break
        return found

    def average(self, network: str, layer: str, label: str, metric: str) -> float:
        """Over the images that have a value; NaN where none has."""
        column = self.values[network, layer, label, metric]
        return float(column[np.isfinite(column)].mean()) if np.isfinite(column).any() else float("nan")

    def printed(self, network: str, layer: str, label: str, metric: str, table: str = "") -> tuple[float, str]:
        """What the paper prints in this cell, in our unit, and what is odd about it.

        table: a preset's name, by default the configuration's own. (NaN, "") where the paper has no
        such cell.
        """
        said, note = beside(_known(table or self.config["table"]), network, layer, label, metric)
        return (float(in_our_unit(said)) if said else float("nan")), note

    def side_by_side(
        self, network: str, layer: str, metrics: Sequence[str], table: str = "", digits: int = 3
    ) -> dict[str, dict[str, str]]:
        """{explainer: {metric: "0.473* (0.549)"}}: our mean, and the paper's where it prints one.

        * stands where ours is surely better than every other on the same images (`intervals.marks`),
        a dagger where the paper's own copies or sums disagree. `aligned` makes text of it.
        """
        found: dict[str, dict[str, str]] = {}
        for metric in metrics:
            columns = self.column(network, layer, metric)
            best = marks(columns, registry[metric].higher_is_better)
            for label in columns:
                place = layer if (network, layer, label, metric) in self.values else ""
                said = f"{self.average(network, place, label, metric):.{digits}f}"
                said += "*" if best.get(label) == "best" else ""
                paper, note = self.printed(network, layer, label, metric, table)
                said += f" ({paper:.{digits}f}{'†' if note else ''})" if np.isfinite(paper) else ""
                found.setdefault(label, {})[metric] = said
        return found


def aligned(rows: Mapping[str, Mapping[str, str]]) -> str:
    """A table as text: a line a row, columns as wide as they need; a cell that is missing is a dash."""
    heads = list(dict.fromkeys(head for row in rows.values() for head in row))
    lines = [["", *heads], *([name, *(row.get(head, "–") for head in heads)] for name, row in rows.items())]
    wide = [max(len(line[i]) for line in lines) for i in range(len(heads) + 1)]
    return "\n".join(
        "  ".join([line[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(line[1:], wide[1:], strict=True))])
        for line in lines
    )


def load(name: str, folder: Path | None = None) -> Stored:
    """The stored rows of that name, after a check against its configuration.

    folder: by default data/results. Raises StaleRowsError, FileNotFoundError.
    """
    with extra("Stored rows"):
        import pyarrow.parquet as pq

    folder = folder or data_folder() / "results"
    manifest = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    config = json.loads(json.dumps(from_toml(folder / f"{name}.toml").plain()))  # its order is the file's
    if changed := differences(settings_that_count(manifest["config"]), settings_that_count(config)):
        raise StaleRowsError(
            f"the rows of {name} were made by another configuration ({'; '.join(changed)}): run "
            f"`{called('evaluate', folder / f'{name}.toml')}` again, or go back to its settings"
        )
    rows = pq.read_table(
        folder / f"{name}.parquet", columns=["run", "network", "layer", "explainer", "metric", "image", "value"]
    ).to_pylist()
    if {row["run"] for row in rows} != {run_name(manifest)}:
        raise StaleRowsError(f"{name}.parquet holds other rows than those of {name}.json: copy both from one run")
    images = sorted({row["image"] for row in rows}, key=lambda id: (len(id), id))
    place = {image: i for i, image in enumerate(images)}
    values: dict[tuple[str, str, str, str], np.ndarray] = {}
    for row in rows:
        key = row["network"], row["layer"], row["explainer"], row["metric"]
        values.setdefault(key, np.full(len(images), np.nan))[place[row["image"]]] = row["value"]
    return Stored(name, config, tuple(images), values)


def paired(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Mean of one - other over the images that have both, and its 95 % bootstrap interval.

    Raises ValueError where no image has both.
    """
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any():
        raise ValueError("no image has a value in both columns")
    gap = (one - other)[both]
    return float(gap.mean()), *interval(gap)


def agreement(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Spearman's rank correlation of the cells that both have; NaN below three, or where all tie."""
    import torch

    from ..metrics.correlation import spearman

    a, b = (torch.tensor([list(side)], dtype=torch.float64) for side in (ours, theirs))
    return float(spearman(a, b)) if int((~(a + b).isnan()).sum()) > 2 else float("nan")


@cache
def _known(table: str) -> Mapping:
    return published(table)
