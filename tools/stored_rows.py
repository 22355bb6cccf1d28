"""Rows in a CSV file beside a manifest, so that a stopped run goes on and other settings are refused."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def resume(path: Path, fields: Sequence[str], manifest: Mapping) -> list[dict[str, str]]:
    """The rows that are there; a new file gets its head. Raises ValueError where another manifest lies beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    note = path.with_suffix(".json")
    if note.exists() and json.loads(note.read_text()) != manifest:
        raise ValueError(f"{note} describes other weights or settings: delete it and {path.name} to begin anew.")
    note.write_text(json.dumps(manifest, indent=1) + "\n")
    if not path.exists():
        path.write_text(",".join(fields) + "\n")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, fields: Sequence[str], rows: Iterable[Mapping]) -> None:
    """Add rows; each call ends with all of them on disk."""
    with path.open("a", newline="") as file:
        csv.DictWriter(file, fields, lineterminator="\n").writerows(rows)
