"""Result rows on disk: one Parquet file a unit, complete or absent, and their union.

A part is made in memory, written to a file of another name, synced and renamed. Whatever happens in
between, a part that exists is whole. The manifest says what the rows depend on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .plan import ConfigError, differences, same

COLUMNS = {"run": "string", "dataset": "string", "split": "string", "image": "string", "network": "string",
           "weights": "string", "layer": "string", "explainer": "string", "settings": "string", "preset": "string",
           "target_policy": "string", "target": "int64", "probability": "float64", "metric": "string",
           "protocol": "string", "value": "float64", "degenerate": "string", "note": "string"}
# Columns of runs that ask for them: of pairs of image and class, and of curves (float16 keeps an area to 0.0005).
EXTRA = {"subset": "string", "share": "float32", "curve": "float16"}
KEY = ("network", "image", "explainer", "layer", "metric")


class IncompleteError(ValueError):
    """The rows of a run are not all there, or some are there twice; the message counts them."""


def schema(extra: Iterable[str] = ()):
    """The columns of a result row; extra: names in `EXTRA`."""
    import pyarrow as pa

    more = [(name, pa.string() if name == "subset" else pa.list_(getattr(pa, EXTRA[name])())) for name in extra]
    return pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()] + more)


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all. Raises OSError, and then leaves nothing behind."""
    other = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(other, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(other, path)
    except BaseException:
        with contextlib.suppress(OSError):
            other.unlink()
        raise


def write_part(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """The rows of one unit. The same rows give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    extra = [name for name in EXTRA if rows and name in rows[0]]
    table, buffer = pa.Table.from_pylist(list(rows), schema(extra)), pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    write_whole(path, buffer.getvalue().to_pybytes())


def open_run(out: Path, manifest: Mapping[str, object]) -> str:
    """Make the folders, or check that the run that is there is this one. Returns the run's name.

    Raises ConfigError with every difference where the folder holds another run, OSError.
    """
    path = out / "manifest.json"
    name = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:12]
    if path.exists():
        old = json.loads(path.read_text(encoding="utf-8"))
        if changed := differences(old, json.loads(json.dumps(manifest))):
            raise ConfigError(f"{out} holds the rows of another run ({'; '.join(changed)}): choose another folder, or "
                              "go back to its settings")
        return name
    (out / "parts").mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())
    return name


def part_path(out: Path, unit_name: str) -> Path:
    """Where the rows of a unit lie."""
    return out / "parts" / f"{unit_name}.parquet"


def same_rows(one, other) -> bool:
    """Whether two tables hold the same rows in the same order: schema and values, NaN being equal to NaN.

    `Table.equals` calls two rows different where both say that a value is unknown.
    """
    return one.schema.equals(other.schema) and same(one.to_pylist(), other.to_pylist())


def merge(out: Path, expected: Iterable[tuple[str, ...]]):
    """The union of all parts as one sorted table, checked: every expected key (`KEY`) exactly once.

    Also written to rows.parquet. Raises IncompleteError, FileNotFoundError.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = sorted((out / "parts").glob("*.parquet"))
    if not paths:
        raise FileNotFoundError(f"{out / 'parts'} holds no parts: run `python -m holicam evaluate` first")
    try:
        table = pa.concat_tables([pq.read_table(path) for path in paths])
    except pa.ArrowInvalid as error:
        raise IncompleteError(f"a part in {out / 'parts'} cannot be read ({error}): delete it and run "
                              "`python -m holicam evaluate` again") from None
    found: dict[tuple, int] = {}
    for key in zip(*(table[name].to_pylist() for name in KEY), strict=True):
        found[key] = found.get(key, 0) + 1
    wanted = set(expected)
    missing, twice = wanted - found.keys(), [key for key, count in found.items() if count > 1]
    foreign = found.keys() - wanted
    if missing or twice or foreign:
        first = sorted(missing or twice or foreign)[0]
        raise IncompleteError(f"{len(missing)} of {len(wanted)} rows are missing, {len(twice)} are there twice, "
                              f"{len(foreign)} belong to no unit; the first: {', '.join(first)}: run "
                              "`python -m holicam evaluate` again with the same settings")
    table = table.sort_by([(name, "ascending") for name in KEY])
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    write_whole(out / "rows.parquet", buffer.getvalue().to_pybytes())
    return table
