"""Where the rows of a study lie: a part a picture in the run's folder, all of them in data/results, and back again."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from holicam.experiments.joining import IncompleteError
from holicam.experiments.made_by import note
from holicam.experiments.manifest import changes, read_manifest
from holicam.experiments.part_file import read_rows
from holicam.experiments.results import other_code, read
from holicam.experiments.storage import as_json, merge, part_path, write_part
from holicam.experiments.whole_files import write_whole
from tools.kept_rows import agreed

MADE = "made.json"  # beside parts that were taken out of data/results: what is known of the code that made them


def place(out: Path, name: str) -> Path:
    """Where the rows of a picture lie."""
    return part_path(out, name.replace("/", "-"))


def store(out: Path, stored: Path, done: Sequence[str], formulas: Mapping[str, str]) -> None:
    """Join the parts of these pictures, which must all have the same cells, and copy them to data/results.

    formulas: what the manifest says of the study's own code. Raises IncompleteError.
    """
    tables = {name: read_rows(place(out, name)).select(["network", "explainer", "layer", "metric"]) for name in done}
    cells = {name: {tuple(row.values()) for row in table.to_pylist()} for name, table in tables.items()}
    wanted = cells[done[0]]
    if odd := [name for name in done if cells[name] != wanted]:
        raise IncompleteError(f"{place(out, odd[0])} has other rows than {place(out, done[0])}: delete it")
    merge(out, ((network, name, *rest) for name in done for network, *rest in wanted))
    whole = read_manifest(out)
    if "code" in whole:
        made = json.loads((out / MADE).read_text(encoding="utf-8")) if (out / MADE).exists() else {}
        whole["code"] = {**whole["code"], **made, "formulas": dict(formulas)}
    write_whole(stored.with_suffix(".parquet"), (out / "rows.parquet").read_bytes())
    write_whole(stored.with_suffix(".json"), as_json(whole))


def restore(out: Path, stored: Path, about: Mapping[str, object]) -> int:
    """Make parts of the stored rows of pictures that the run's folder lacks. Returns how many.

    Raises ValueError where the stored rows are of other settings, and where other code than today's made them: a part
    must say which code it is of, and today's is all there is to say.
    """
    if not stored.with_suffix(".parquet").exists():
        return 0
    old = read(stored.name, stored.parent)
    if differ := changes(old, about, {}):
        raise ValueError(
            f"{stored.name} in {stored.parent} has other settings ({'; '.join(differ)}): move it away to begin anew"
        )
    parts: dict[str, list[dict[str, object]]] = {}
    for row in read_rows(stored.with_suffix(".parquet")).to_pylist():
        if not place(out, row["image"]).exists():
            parts.setdefault(row["image"], []).append(row)
    if not parts:
        return 0
    if said := other_code(stored.name, old):
        raise ValueError(f"{said}: `python -m tools.restamp {stored.name}` says whether they hold, then go on")
    for file in old["code"]["files"]:  # a part's code is what the process has imported
        importlib.import_module(f"holicam.{file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}")
    for name, some in parts.items():
        write_part(place(out, name), some, note(out))
    if made := agreed(old):
        write_whole(out / MADE, as_json(made))
    return len(parts)
