"""Tables of a merged run: means with t intervals, marks of what is surely best, the published values beside ours.

Methods are compared on the same images. The best is marked only where it is surely better than every other, the second
where it is surely better than the rest, and what is sure is adjusted for all comparisons of a table (`evidence.marks`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..metrics import registry
from ..models.called import called
from .enlarged import of_run
from .entries import Entry
from .evidence import FEWEST, Grouping, interval, marks, mean
from .joining import counted, nothing_read, skipped_in
from .manifest import read_manifest
from .own import prepare
from .part_file import BrokenPartError, about, foreign, read_rows
from .pivot import Results
from .published import beside, in_our_unit, published
from .remarks import remarks
from .report_charts import charts, controls_of, svg
from .report_curves import curve_files, drawn, mean_curves
from .report_examples import examples
from .report_formats import to_csv, to_latex, to_markdown
from .report_page import Report, page
from .table import Cell, Table, notes
from .toml import as_toml
from .written_again import write_again

if TYPE_CHECKING:
    import pyarrow as pa


def _merged(out: Path) -> tuple[pa.Table, dict]:
    """The rows of a merged run and its manifest, checked against each other."""
    path, merge = out / "rows.parquet", f"`{called('merge', out)}`"
    if not path.exists() and read_manifest(out):
        raise FileNotFoundError(f"{path} is missing: join the parts with {merge}")
    manifest = read_manifest(out)
    prepare(manifest.get("given", {}).get("load", ()), manifest["config"]["metrics"])
    try:
        table = read_rows(path)
    except BrokenPartError as error:
        wrong = str(error)
    else:
        wrong = foreign(table, manifest)
    if wrong:
        raise ValueError(f"{path}: {wrong}: join the parts again with {merge}")
    nothing_read(out, table)
    return table, manifest


def tables(out: Path) -> tuple[list[Table], dict]:
    """The tables of a merged run, and its manifest.

    Raises FileNotFoundError, with what to do; ValueError where rows and manifest are not of one run, or damaged.
    """
    table, manifest = _merged(Path(out))
    return _tables(Results.of(table.to_pylist(), manifest["config"])), manifest


def _tables(results: Results) -> list[Table]:
    views, grouping = _views(results)
    known = published(results.config["table"])
    return [_table(results, place, views, grouping, known) for place in results.places()]


def _table(
    results: Results, place: tuple[str, str], views: Mapping[str, np.ndarray], grouping: Grouping | None, known: Mapping
) -> Table:
    """The table of one network and layer: a column for each metric and view, the images (n,) that it counts."""
    network, layer = place
    columns: dict[str, dict[str, np.ndarray]] = {}
    higher, counted_of, missing = {}, {}, np.full(len(results.images), np.nan)
    found = {metric: results.column(network, layer, metric) for metric in results.config["metrics"]}
    there = [label for label in results.config["explainers"] if any(label in column for column in found.values())]
    for metric, column in found.items():
        for view, chosen in views.items():
            head = f"{metric} {view}".strip()
            columns[head] = {label: np.where(chosen, column.get(label, missing), np.nan) for label in there}
            higher[head], counted_of[head] = registry[metric].higher_is_better, int((chosen & results.read()).sum())
    best, cells = marks(columns, higher, grouping), {}
    for head, methods in columns.items():
        for label, column in methods.items():
            said, note = beside(known, network, layer, label, head)
            cells.setdefault(label, {})[head] = Cell(
                mean(column, grouping),
                *interval(column, grouping),
                count=int(np.isfinite(column).sum()),
                mark=best[head].get(label, ""),
                published=in_our_unit(said),
                note=note,
                of=counted_of[head],
            )
    return Table(f"{network}, {layer or 'the whole network'}", tuple(columns), cells)


def _views(results: Results) -> tuple[dict[str, np.ndarray], Grouping | None]:
    """{view: the images that it counts, (n,) bool}, "" being the table's own; and what belongs together.

    Of pairs these are all that are not flagged, and the difficult ones.
    """
    if not results.config.get("pairs"):
        return {"": results.read()}, results.grouping()
    subset = np.array([said or "flagged" for said in results.of_images("subset")], object)
    return {"": subset != "flagged", "difficult": subset == "difficult"}, results.grouping()


def caption(manifest: Mapping, table: pa.Table | None = None) -> str:
    """What a reader must know of all tables; table: the rows, whose images are counted."""
    config = manifest["config"]
    # What a note says of a number of images is what was asked for; how many there are, the rows say.
    notes = "; ".join(re.sub(r"^Toyland: \d+ images", "Toyland: images", note) for note in config["notes"])
    pairs = (
        "One row for each image and class in it, without pairs whose every object is flagged difficult; means "
        "are over classes, of the means of each class; difficult: the class is small and not alone. "
    )
    return (
        f"Data set {config['dataset']['name']}{'' if table is None else ', ' + images(manifest, table)}, protocol "
        f"{config['protocol']}, target {config['target']}. {pairs if config.get('pairs') else ''}Mean [95 % "
        "t interval over images], n where fewer images have a value. Bold: surely better than all others on the same "
        "images; italics: surely better than the rest. Surely: the t interval of the paired differences is off zero, "
        "and p < .05 by a sign-flip test with Holm's adjustment within the table; nothing is marked below "
        f"{FEWEST} images. Published values in parentheses, as fractions like ours, † where the paper's own copies "
        f"or sums disagree.{' ' + notes + '.' if notes else ''} {of_run(manifest)}"
    )


def images(manifest: Mapping, table: pa.Table) -> str:
    """How many images the rows are of, and how many of them could not be read."""
    pairs = bool(manifest["config"].get("pairs"))
    return counted(table["image"].unique().to_pylist(), skipped_in(table), pairs)


def write(out: Path, say: Callable[[str], None] | None = None, maps: int = 0) -> list[Path]:
    """report.html, which stands alone, and the same numbers as report.md, report.tex and report.csv.

    Where rows have curves, their figures lie beside it for the last two. say: hears how many images there are, and of
    files that a user had changed, which are moved aside. maps: of how many images example maps are made again, which
    takes network and data set. Returns the files' paths.
    """
    out = Path(out)
    table, manifest = _merged(out)
    if say:
        say(f"{out}: {images(manifest, table)}")
    results, left = Results.of(table.to_pylist(), manifest["config"]), about(out / "rows.parquet")
    found = _tables(results)
    without = [f"{left['missing']} rows are left out: {'; '.join(left['why'])}."] if left else []
    views, grouping = _views(results)
    odd = [*without, *remarks(results, views[""], grouping)]
    told, (figures, drawn_curves) = caption(manifest, table), curve_files(results)
    said, of_paper = " ".join([told, *odd]), notes(found)
    files = {
        "report.html": page(_report(out, results, manifest, found, told, odd, maps)),
        "report.md": to_markdown(found, said, of_paper, figures),
        "report.tex": to_latex(found, said, of_paper, figures),
        "report.csv": to_csv(found),
    }
    return write_again(out, {name: text.encode() for name, text in files.items()} | drawn_curves, say or warnings.warn)


def _report(
    out: Path, results: Results, manifest: Mapping, found: list[Table], told: str, odd: list[str], maps: int
) -> Report:
    given = manifest.get("given", {})
    entries = [Entry.of(said) for said in given.get("explainers", ())]
    curves = {
        f"{network}, {layer or 'the whole network'}": drawn("", panels)
        for (network, layer), panels in mean_curves(results).items()
    }
    return Report(
        title=out.resolve().name,
        caption=told,
        settings=_settings(manifest),
        tables=found,
        notes=notes(found),
        charts=charts(found, controls_of({entry.label: entry.name for entry in entries})),
        curves={title: svg(figure) for title, figure in sorted(curves.items())},
        examples=examples(out, manifest, maps),
        skipped=results.skipped,
        left_out=odd,
        repeat=as_toml(given),
        commands=[
            f"{called(word, name)}"
            for word, name in (("evaluate", "run.toml"), ("merge", "results/run"), ("report", "results/run"))
        ],
    )


def _settings(manifest: Mapping) -> dict[str, str]:
    """What a reader asks for: {what: value}."""
    config = manifest["config"]
    data = ", ".join(f"{key} {value}" for key, value in config["dataset"].items() if key != "name")
    said = {
        "data set": f"{config['dataset']['name']}{', ' + data if data else ''}",
        "preprocessing": manifest.get("preset", ""),
        "protocol": config["protocol"],
        "target": config["target"],
    }
    said |= {f"weights of {name}": digits for name, digits in manifest["weights"].items()}
    said |= {f"layers of {name}": ", ".join(layers) for name, layers in manifest["layers"].items() if layers}
    said |= {label: settings for label, (settings, *_) in config["explainers"].items()}
    made_on = {"made on": ", ".join(manifest["devices"])} if manifest.get("devices") else {}
    return said | made_on | {"holicam": f"{manifest.get('holicam', '')} {manifest.get('commit') or ''}".strip()}
