"""Tables of a merged run: means, paired bootstrap intervals, the published values beside ours.

Methods are compared on the same images: intervals of differences come from resampling images, the
same draw for all methods. The best is marked only where it is surely better than every other, the
second where it is surely better than the rest.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .intervals import Grouping, interval, marks, mean
from .metrics import registry
from .models import data_folder
from .remarks import remarks

FILES = {"holistic-cam-table1": "holistic_main_table1", "holistic-cam-table2": "holistic_main_table2",
         "holistic-cam-table6": "holistic_appendix_table6",
         **{f"holistic-cam-appendix{i}": f"holistic_appendix_table{i}" for i in range(1, 6)},
         **{f"poly-cam-table{i}": f"polycam_table{i}" for i in range(1, 6)},
         **{f"ucag-table{i}": f"ucag_table{i}" for i in range(1, 6)},
         **{f"ucag-table{i}-coco": f"ucag_table{i}" for i in (2, 3)}}  # fmt: skip
METRICS = {"over_all": "over-all", "ins_minus_del": "over-all", "energy_pointing_game": "epg",
           "pointing_game": "pointing-game", "sensitivity_max": "sensitivity-max", "density_pos": "map-density+",
           "density_neg": "map-density-", "pixel_accuracy": "segmentation-accuracy"}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One number of a table: its mean, the half-open interval, how many images, and the paper's."""

    mean: float
    low: float
    high: float
    count: int
    mark: str = ""  # "best", "second" or ""
    published: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        if not self.count:
            return "–"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Table:
    """One network and layer: rows are explainers, columns metrics."""

    title: str
    metrics: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Cell]]


def published(table: str) -> dict[tuple[str, str, str, str], tuple[str, str]]:
    """{(model, layer, method and variant, metric): (value as printed, with its unit; note)}.

    Of tables on two data sets, COCO's where the table's name ends so, else VOC's. The metric of a
    difficult subset is "pointing-game difficult".
    """
    other = "VOC07" if table.endswith("-coco") else "COCO14"
    path = data_folder() / "published" / f"{FILES.get(table, '')}.csv"
    if table not in FILES or not path.exists():
        return {}
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            method = " ".join(filter(None, (row["method"], row["variant"])))
            note = "" if row["flag"] == "ok" else f"{row['flag']}: {row['note']}"
            said = f"{row['value']} {'%' if row['unit'] == 'percent' else ''}".strip()
            metric = METRICS.get(row["metric"], row["metric"])
            metric += " difficult" if row["subset"] == "difficult" else ""
            if not row["dataset"].startswith(other):
                model = row["model"].split(" ")[0].replace("-", "").lower()
                found[model, row["layer"], method, metric] = said, note
    return found


def beside(known: Mapping, network: str, layer: str, label: str, metric: str) -> tuple[str, str]:
    """The published value of a cell, where the paper has one for this network or its big twin."""
    model = network.removeprefix("toy-").removesuffix("_bn").replace("-", "").replace("_", "").lower()
    method, _, where = label.rpartition(" ")
    for key in ((model, layer, label, metric), (model, "", label, metric), (model, where, method, metric)):
        if key in known:
            return known[key]
    return "", ""


def tables(out: Path) -> tuple[list[Table], dict]:
    """The tables of a merged run, and its manifest. Raises FileNotFoundError, with what to do."""
    import pyarrow.parquet as pq

    path = out / "rows.parquet"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: join the parts with `python -m holicam merge`")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    config, rows = manifest["config"], pq.read_table(path).to_pylist()
    images = {image: i for i, image in enumerate(sorted({row["image"] for row in rows}))}
    values: dict[tuple, np.ndarray] = {}
    for row in rows:
        key = row["network"], row["layer"], row["metric"], row["explainer"]
        values.setdefault(key, np.full(len(images), np.nan))[images[row["image"]]] = row["value"]
    views, grouping = _views(rows, images) if config.get("pairs") else ({"": None}, None)
    known, found = published(config["table"]), []
    for network in config["networks"]:
        for layer in sorted({key[1] for key in values if key[0] == network}):
            labels = [name for name in config["explainers"]
                      if any(key[:2] == (network, layer) and key[3] == name for key in values)]
            cells = {label: {} for label in labels}
            for metric in config["metrics"]:
                for view, chosen in views.items():
                    columns = {label: values[network, layer, metric, label] for label in labels}
                    if chosen is not None:
                        columns = {label: np.where(chosen, column, np.nan) for label, column in columns.items()}
                    best, name = marks(columns, registry[metric].higher_is_better, grouping), f"{metric} {view}".strip()
                    for label, column in columns.items():
                        count = int(np.isfinite(column).sum())
                        low, high = interval(column, grouping) if count else (np.nan, np.nan)
                        cells[label][name] = Cell(mean(column, grouping), low, high, count, best.get(label, ""),
                                                  *beside(known, network, layer, label, name))
            heads = tuple(f"{metric} {view}".strip() for metric in config["metrics"] for view in views)
            found.append(Table(f"{network}, {layer or 'the whole network'}", heads, cells))
    return found, manifest


def _views(rows: list[dict], images: Mapping[str, int]) -> tuple[dict[str, np.ndarray], Grouping]:
    """All pairs that are not flagged and the difficult ones, (n,) bool each; images and classes of the pairs."""
    subset, target = np.full(len(images), "flagged", object), np.zeros(len(images), int)
    for row in rows:
        if row["target"] is not None:
            subset[images[row["image"]]], target[images[row["image"]]] = row["subset"], row["target"]
    owners = np.unique([image.rpartition("#")[0] or image for image in images], return_inverse=True)[1]
    return {"": subset != "flagged", "difficult": subset == "difficult"}, Grouping(owners, target)


def caption(manifest: Mapping) -> str:
    """What a reader must know of all tables."""
    config = manifest["config"]
    notes = "; ".join(config["notes"])
    pairs = ("One row for each image and class in it, without pairs whose every object is flagged difficult; means "
             "are over classes, of the means of each class; difficult: the class is small and not alone. ")
    return (f"Data set {config['dataset']['name']}, protocol {config['protocol']}, target {config['target']}. "
            f"{pairs if config.get('pairs') else ''}Mean [95 % bootstrap interval over images]. Bold: surely better "
            f"than all others on the same images; italics: surely better than the rest. Published values in "
            f"parentheses, † where the paper's own copies or sums disagree.{' ' + notes + '.' if notes else ''}")


def arrow(metric: str) -> str:
    """A column's head, and which direction is better."""
    return f"{metric} {'↑' if registry[metric.split()[0]].higher_is_better else '↓'}"


def lines(table: Table, style: Mapping[str, str]) -> Iterator[list[str]]:
    """The cells of a table as text; style: {"best": "**{}**", "second": "*{}*", "": "{}"}."""
    for label, cells in table.rows.items():
        row = [label]
        for metric in table.metrics:
            cell = cells[metric]
            said = style[cell.mark].format(cell.text)
            dagger = "†" if cell.note else ""
            row.append(said + (f" ({cell.published}{dagger})" if cell.published else ""))
        yield row


def notes(found: list[Table]) -> list[str]:
    """What is odd about the published values that stand in the tables, each once."""
    return sorted({cell.note for table in found for row in table.rows.values() for cell in row.values() if cell.note})


def write(out: Path) -> list[Path]:
    """report.md, report.html and report.tex in the run's folder, and figures of curves where rows have them.

    Returns their paths.
    """
    import pyarrow.parquet as pq

    from .report_curves import write_curves
    from .report_formats import to_html, to_latex, to_markdown

    out = Path(out)
    found, manifest = tables(out)
    said = " ".join([caption(manifest), *remarks(pq.read_table(out / "rows.parquet").to_pylist())])
    figures, written = write_curves(out), []
    for name, render in (("report.md", to_markdown), ("report.html", to_html), ("report.tex", to_latex)):
        path = out / name
        path.write_text(render(found, said, notes(found), figures), encoding="utf-8")
        written.append(path)
    return written + [out / f"{name}.{kind}" for name in figures.values() for kind in ("svg", "pdf")]
