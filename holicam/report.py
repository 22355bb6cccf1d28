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

from .metrics import registry
from .models import data_folder

DRAWS, SEED = 2000, 0
FILES = {"holistic-cam-table1": "holistic_main_table1", "holistic-cam-table2": "holistic_main_table2",
         "holistic-cam-table6": "holistic_appendix_table6",
         **{f"holistic-cam-appendix{i}": f"holistic_appendix_table{i}" for i in range(1, 6)},
         **{f"poly-cam-table{i}": f"polycam_table{i}" for i in range(1, 6)},
         **{f"ucag-table{i}": f"ucag_table{i}" for i in range(1, 6)}}  # fmt: skip
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


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of (n,), from a fixed seed."""
    draws = np.random.default_rng(SEED).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(1), (0.025, 0.975))
    return float(low), float(high)


def surely_better(one: np.ndarray, other: np.ndarray, higher: bool) -> bool:
    """Whether the paired interval of the difference leaves out zero, on the images that both have."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 2:
        return False
    low, _ = interval((one - other)[both] * (1 if higher else -1))
    return low > 0


def marks(columns: Mapping[str, np.ndarray], higher: bool) -> dict[str, str]:
    """{explainer: "best" or "second"}, where the images allow it."""
    usable = {name: v for name, v in columns.items() if np.isfinite(v).any()}
    order = sorted(usable, key=lambda name: np.nanmean(usable[name]), reverse=higher)
    found = {}
    for place, name in zip(("best", "second"), order[:2], strict=False):
        rest = order[order.index(name) + 1:]
        if not rest or not all(surely_better(usable[name], usable[other], higher) for other in rest):
            break
        found[name] = place
    return found


def published(table: str) -> dict[tuple[str, str, str, str], tuple[str, str]]:
    """{(model, layer, method and variant, metric): (value as printed, with its unit; note)}."""
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
            if row["subset"] in ("", "all"):
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
    known, found = published(config["table"]), []
    for network in config["networks"]:
        for layer in sorted({key[1] for key in values if key[0] == network}):
            labels = [name for name in config["explainers"]
                      if any(key[:2] == (network, layer) and key[3] == name for key in values)]
            cells = {label: {} for label in labels}
            for metric in config["metrics"]:
                columns = {label: values[network, layer, metric, label] for label in labels}
                best = marks(columns, registry[metric].higher_is_better)
                for label, column in columns.items():
                    real = column[np.isfinite(column)]
                    low, high = interval(real) if len(real) else (np.nan, np.nan)
                    mean = float(real.mean()) if len(real) else np.nan
                    cells[label][metric] = Cell(mean, low, high, len(real), best.get(label, ""),
                                                *beside(known, network, layer, label, metric))
            found.append(Table(f"{network}, {layer or 'the whole network'}", tuple(config["metrics"]), cells))
    return found, manifest


def caption(manifest: Mapping) -> str:
    """What a reader must know of all tables."""
    config = manifest["config"]
    notes = "; ".join(config["notes"])
    return (f"Data set {config['dataset']['name']}, protocol {config['protocol']}, target {config['target']}. Mean "
            f"[95 % bootstrap interval over images]. Bold: surely better than all others on the same images; "
            f"italics: surely better than the rest. Published values in parentheses, † where the paper's own copies or "
            f"sums disagree.{' ' + notes + '.' if notes else ''}")


def arrow(metric: str) -> str:
    return f"{metric} {'↑' if registry[metric].higher_is_better else '↓'}"


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
    """report.md, report.html and report.tex in the run's folder. Returns their paths."""
    from .report_formats import to_html, to_latex, to_markdown

    found, manifest = tables(Path(out))
    written = []
    for name, render in (("report.md", to_markdown), ("report.html", to_html), ("report.tex", to_latex)):
        path = Path(out) / name
        path.write_text(render(found, caption(manifest), notes(found)), encoding="utf-8")
        written.append(path)
    return written

