"""Stored rows of costly runs, as the book reads them: checked, paired by image, beside the paper's.

`data/results/NAME.toml` is a configuration, NAME.parquet the merged rows of its run and NAME.json
the run's manifest. A configuration that was changed since is refused, so a table in the book is
always the table of the file that lies beside it. Where other code than today's made the rows, `load` warns;
`make restamp` recomputes a slice of them and says that they still hold.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..metrics import registry
from ..models import data_folder
from ..models.called import called
from ..models.extras import extra
from .code import changed
from .config import from_toml
from .evidence import Grouping, interval, marks, mean
from .made_by import shortened
from .manifest import run_name, setting_changes
from .pivot import Results
from .published import beside, in_our_unit, published


class StaleRowsError(ValueError):
    """The stored rows are not those of the configuration; the message says what differs."""


class StaleCodeWarning(UserWarning):
    """The stored rows were made by other code than today's; the message says which files changed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Stored(Results):
    """The rows of a run: `values` {(network, layer, explainer, metric): (n,) float64, by image}.

    layer is "" for a map that is not of one layer. images: their ids, in the order of the values.
    """

    name: str

    def column(self, network: str, layer: str, metric: str) -> dict[str, np.ndarray]:
        """{explainer: (n,)}, in the configuration's order; a map of no layer goes with every layer."""
        here, anywhere = super().column(network, layer, metric), super().column(network, "", metric)
        both = anywhere | here
        return {label: both[label] for label in self.config["explainers"] if label in both}

    def average(self, network: str, layer: str, label: str, metric: str) -> float:
        """Over the images that have a value, of pairs over the classes' means; NaN where none has."""
        return mean(self.values[network, layer, label, metric], self.grouping())

    def printed(self, network: str, layer: str, label: str, metric: str, table: str = "") -> tuple[float, str]:
        """What the paper prints in this cell, in our unit, and what is odd about it.

        table: a preset's name, by default the configuration's own. (NaN, "") where the paper has no
        such cell.
        """
        said, note = beside(_known(table or self.config["table"]), network, layer, label, metric)
        return (float(in_our_unit(said)) if said else float("nan")), note

    def size(self) -> str:
        """How much is there: "24 images of 400 planned"."""
        there, planned = len(self.images), self.config["dataset"].get("n")
        return f"{there} image{'s' * (there != 1)}" + (f" of {planned} planned" if planned else "")

    def side_by_side(
        self, network: str, layer: str, metrics: Sequence[str], table: str = "", digits: int = 3
    ) -> dict[str, dict[str, str]]:
        """{explainer: {metric: "0.473* (0.549)"}}: our mean, and the paper's where it prints one.

        * stands where ours is surely better than every other on the same images, adjusted for all comparisons of
        these metrics (`evidence.marks`), a dagger where the paper's own copies or sums disagree. `aligned` makes text
        of it.
        """
        found: dict[str, dict[str, str]] = {}
        columns = {metric: self.column(network, layer, metric) for metric in metrics}
        best = marks(columns, {metric: registry[metric].higher_is_better for metric in metrics}, self.grouping())
        for metric, methods in columns.items():
            for label in methods:
                place = layer if (network, layer, label, metric) in self.values else ""
                said = f"{self.average(network, place, label, metric):.{digits}f}"
                said += "*" if best[metric].get(label) == "best" else ""
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

    folder: by default data/results. Warns of other code (StaleCodeWarning). Raises StaleRowsError, FileNotFoundError.
    """
    with extra("A table of rows"):
        import pyarrow.parquet as pq

    folder = folder or data_folder() / "results"
    manifest = read(name, folder)
    config = manifest["config"]
    if (path := folder / f"{name}.toml").exists():
        wanted = from_toml(path)
        if differ := setting_changes(config, wanted):
            raise StaleRowsError(
                f"the rows of {name} were made by another configuration ({'; '.join(differ)}): run "
                f"`{called('evaluate', path)}` again, or go back to its settings"
            )
        config = json.loads(json.dumps(wanted.plain()))  # its order is the file's
    if said := other_code(name, manifest):
        warnings.warn(said, StaleCodeWarning, stacklevel=2)
    columns = ["run", "network", "layer", "explainer", "metric", "image", "target", "value", "note"]
    rows = pq.read_table(folder / f"{name}.parquet", columns=columns).to_pylist()
    if {row["run"] for row in rows} != {run_name(manifest)}:
        raise StaleRowsError(f"{name}.parquet holds other rows than those of {name}.json: copy both from one run")
    images = tuple(sorted({row["image"] for row in rows}, key=lambda id: (len(id), id)))
    return Stored.of(rows, config, name=name, images=images)


def read(name: str, folder: Path) -> dict[str, object]:
    """The manifest of stored rows."""
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def other_code(name: str, manifest: Mapping[str, object]) -> str:
    """What a reader must know of the code that made stored rows, "" where it is today's."""
    code = manifest.get("code")
    if code is None:
        return f"it is not known which code made the rows of {name}"
    files = changed(code["files"])
    return f"the rows of {name} were made by other code than today's ({shortened(files)} changed)" if files else ""


def paired(one: np.ndarray, other: np.ndarray, grouping: Grouping | None = None) -> tuple[float, float, float]:
    """Mean of one - other over the images that have both, and its 95 % t interval, which is NaN for one image.

    grouping: what belongs together, as `Stored.grouping` says. Whether the difference is sure, and enough for a
    verdict, `hc.evidence` and `hc.verdicts` say. Raises ValueError where no image has both.
    """
    gap = np.asarray(one, float) - np.asarray(other, float)
    if not np.isfinite(gap).any():
        raise ValueError("no image has a value in both columns")
    return mean(gap, grouping), *interval(gap, grouping)


def agreement(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Spearman's rank correlation of the cells that both have; NaN below three, or where all tie."""
    import torch

    from ..metrics.correlation import spearman

    a, b = (torch.tensor([list(side)], dtype=torch.float64) for side in (ours, theirs))
    return float(spearman(a, b)) if int((~(a + b).isnan()).sum()) > 2 else float("nan")


@cache
def _known(table: str) -> Mapping:
    return published(table)
