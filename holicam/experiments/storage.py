"""Result rows on disk: one Parquet file a unit, complete or absent, and their union.

A part is made in memory, written to a file of another name, synced and renamed. Whatever happens in
between, a part that exists is whole. The manifest says what the rows depend on; of two runs that start
at once in one folder, one writes it and the other has to agree with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ..models.called import called
from ..models.extras import extra
from . import made_by
from .config import ConfigError, same
from .joining import joined
from .manifest import FILE, changes, complete, keys_of_run, read_manifest
from .part_file import encode, table_of
from .whole_files import sweep, write_new, write_whole


def write_part(
    path: Path, rows: Sequence[Mapping[str, object]], code: str = "", pictures: Mapping[str, str] | None = None
) -> None:
    """The rows of one unit. The same rows of the same code and pictures (their hashes) give the same bytes.

    Raises OSError.
    """
    said = ({"code": code} if code else {}) | ({"pictures": dict(pictures)} if pictures else {})
    write_whole(path, encode(table_of(rows), said or None))


def open_run(out: Path, manifest: Mapping[str, object], made: Mapping[str, object]) -> dict[str, object]:
    """Make the folders, or check that the run that is there is this one. Returns the manifest that is there.

    made: {label: explainer}, for `manifest.changes`.

    Raises ConfigError with every difference where the folder holds another run, and where it holds parts of
    which no manifest says what they are; OSError.
    """
    with extra("A table of rows"):
        import pyarrow  # noqa: F401  now, not after the first unit's work
    (out / "parts").mkdir(parents=True, exist_ok=True)
    found = _opened(out, manifest, made)
    sweep(out)  # now that the folder is known to be this run's, and no other folder of the user
    return found


def _opened(out: Path, manifest: Mapping[str, object], made: Mapping[str, object]) -> dict[str, object]:
    """The manifest that is there, of this run, or this run's, written now."""
    path = out / FILE
    with contextlib.suppress(FileNotFoundError):
        return _same(out, manifest, made)
    whole = complete(manifest)
    try:
        write_new(path, as_json(whole))
        return whole
    except FileExistsError:  # another process was faster
        return _same(out, manifest, made)


def _same(out: Path, manifest: Mapping[str, object], made: Mapping[str, object]) -> dict[str, object]:
    old = read_manifest(out)
    if changed := changes(old, manifest, made):
        raise ConfigError(
            f"{out} holds the rows of another run ({'; '.join(changed)}): choose another folder, or "
            "go back to its settings"
        )
    return old


def part_path(out: Path, unit_name: str) -> Path:
    """Where the rows of a unit lie."""
    return out / "parts" / f"{unit_name}.parquet"


def aside(out: Path, path: Path) -> Path:
    """Move a file out of the way, into the folder `aside`, where nothing reads it. Returns its new place."""
    (out / "aside").mkdir(exist_ok=True)
    place, count = out / "aside" / path.name, 0
    while place.exists():
        count += 1
        place = out / "aside" / f"{path.stem}.{count}{path.suffix}"
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        os.replace(path, place)
    return place


def same_rows(one, other) -> bool:
    """Whether two tables hold the same rows in the same order: schema and values, NaN being equal to NaN.

    `Table.equals` calls two rows different where both say that a value is unknown.
    """
    return one.schema.equals(other.schema) and same(one.to_pylist(), other.to_pylist())


def merge(
    out: Path,
    expected: Iterable[tuple[str, ...]] | None = None,
    *,
    partial: bool = False,
    repair: bool = False,
    say: Callable[[str], None] = warnings.warn,
):
    """The union of all parts as one sorted table, checked: every expected key (`KEY`) exactly once, all of this run.

    Also written to rows.parquet; which code made the parts is written to the manifest.

    Args:
        expected: keys; default: those of the manifest.
        partial: leave out the rows that a recorded failure explains.
        repair: move files that cannot be read, are of another run or repeat rows into the folder `aside` first.
        say: hears where parts were made by different code.

    Raises IncompleteError, which says what ends the trouble; ManifestError, FileNotFoundError, OSError.
    """
    out = Path(out)
    if not any((out / "parts").glob("*.parquet")):
        todo = f"`{called('evaluate', out)}` makes them" if (out / FILE).exists() else "evaluate a configuration first"
        raise FileNotFoundError(f"{out / 'parts'} holds no parts: {todo}")
    manifest = read_manifest(out)
    wanted = set(keys_of_run(manifest, out) if expected is None else expected)
    result = joined(out, manifest, wanted, partial=partial, move=(lambda path: aside(out, path)) if repair else None)
    code, said = made_by.of_parts(out, result.parts)
    if said:
        say(f"{out}: {said}")
    write_whole(out / "rows.parquet", encode(result.table, result.about))
    if code != manifest.get("code"):
        known = {key: value for key, value in manifest.items() if key != "code"}
        write_whole(out / FILE, as_json(known | ({"code": code} if code else {})))
    return result.table


def as_json(manifest: Mapping[str, object]) -> bytes:
    """A manifest's file."""
    return (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
