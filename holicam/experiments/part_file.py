"""The bytes of result rows: a Parquet file with checksums, and reading one that is whole.

Every page carries a checksum, and the file a digest of all its rows, so that a byte that was flipped
on the way is noticed wherever it lies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.extras import extra as needed
from .manifest import run_name
from .naming import without

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {
    "run": "string",
    "dataset": "string",
    "split": "string",
    "image": "string",
    "network": "string",
    "weights": "string",
    "layer": "string",
    "explainer": "string",
    "settings": "string",
    "preset": "string",
    "target_policy": "string",
    "target": "int64",
    "probability": "float64",
    "metric": "string",
    "protocol": "string",
    "value": "float64",
    "degenerate": "string",
    "note": "string",
}
# Columns of runs that ask for them: of pairs of image and class, and of curves (float16 keeps an area to 0.0005).
EXTRA = {"subset": "string", "share": "float32", "curve": "float16"}
KEY = ("network", "image", "explainer", "layer", "metric")
DIGEST, ABOUT = b"holicam.digest", b"holicam.about"


class BrokenPartError(ValueError):
    """A file that is not whole, or holds something else than result rows; the message says why."""


def schema(extra: Iterable[str] = ()) -> pa.Schema:
    """The columns of a result row; extra: names in `EXTRA`."""
    with needed("A table of rows"):
        import pyarrow as pa

    more = [(name, pa.string() if name == "subset" else pa.list_(getattr(pa, EXTRA[name])())) for name in extra]
    return pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()] + more)


def table_of(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Rows as a table."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema([name for name in EXTRA if rows and name in rows[0]]))


def encode(table: pa.Table, about: Mapping[str, object] | None = None) -> bytes:
    """The file's bytes; the same rows give the same. about: what a reader of the whole file must know, see `about`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = {ABOUT: json.dumps(about).encode()} if about else {}
    marked, buffer = table.replace_schema_metadata({DIGEST: digest(table), **said}), pa.BufferOutputStream()
    pq.write_table(marked, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue().to_pybytes()


def digest(table: pa.Table) -> str:
    """Sixteen hex digits of all values, in order, with the columns' names and types."""
    import pyarrow as pa

    found = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = f"list of {column.type.value_type}" if pa.types.is_list(column.type) else column.type
        found.update(f"{name} {kind} {len(column)}\n".encode())
        chunks = column.chunks
        if pa.types.is_string(column.type):  # few of them differ
            coded = column.dictionary_encode().unify_dictionaries().chunks
            found.update(repr(coded[0].dictionary.to_pylist() if coded else []).encode())
            chunks = [chunk.indices for chunk in coded]
        elif pa.types.is_list(column.type):
            for chunk in chunks:
                found.update(chunk.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False).tobytes())
            chunks = [chunk.flatten() for chunk in chunks]
        for chunk in chunks:
            found.update(chunk.is_null().to_numpy(zero_copy_only=False).tobytes())
        for chunk in chunks:
            found.update(chunk.drop_null().to_numpy(zero_copy_only=False).tobytes())
    return found.hexdigest()[:16]


def read_rows(path: Path) -> pa.Table:
    """The rows of a part or of rows.parquet. Raises BrokenPartError; FileNotFoundError."""
    with needed("A table of rows"):
        import pyarrow.parquet as pq

    try:
        if not path.stat().st_size:
            raise BrokenPartError("it is empty")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        marked = (table.schema.metadata or {}).get(DIGEST)  # files of older versions have none
        if marked is not None and marked.decode() != digest(table):
            raise BrokenPartError("its rows are not those that were written")
    except (FileNotFoundError, BrokenPartError):
        raise
    except Exception as error:  # a damaged file breaks Arrow in many ways
        raise BrokenPartError(f"it cannot be read: {' '.join(str(error).split())[:120]}") from None
    if not table.schema.equals(schema([name for name in EXTRA if name in table.column_names])):
        missing = [name for name in COLUMNS if name not in table.column_names]
        without_one = f", without {missing[0]}" if missing else ""
        raise BrokenPartError(f"its columns are not those of result rows{without_one}")
    return table


def about(path: Path) -> dict[str, object]:
    """What was said of the rows in a file, see `encode`."""
    import pyarrow.parquet as pq

    return json.loads((pq.read_schema(path).metadata or {}).get(ABOUT, b"{}"))


def keys_of(table: pa.Table) -> list[tuple[str, ...]]:
    """The key of each row."""
    return list(zip(*(table[name].to_pylist() for name in KEY), strict=True))


def foreign(table: pa.Table, manifest: Mapping[str, object]) -> str:
    """Why rows are not of the manifest's run, "" if they are: their run, weights, settings and images."""

    def distinct(*names: str) -> list[tuple]:
        groups = table.select(names).group_by(list(names)).aggregate([])
        return sorted(zip(*(groups[name].to_pylist() for name in names), strict=True), key=repr)

    run, made = run_name(manifest), manifest["config"]["explainers"]
    for (said,) in distinct("run"):
        if said != run:
            return f"its rows are of run {said}, not of {run}"
    for (said,) in distinct("split"):
        if said != manifest["ids"]:
            return f"its rows are of images {said}, not of {manifest['ids']}"
    for network, said in distinct("network", "weights"):
        if said != manifest["weights"].get(network):
            return f"its rows have weights {said} for {network}, not {manifest['weights'].get(network)}"
    for label, said in distinct("explainer", "settings"):
        known = made.get(label, [""])[0]
        if said is None or without(said) != without(known):
            return f"its rows of {label} are those of {said}, not of {known or 'any explainer of this run'}"
    return ""
