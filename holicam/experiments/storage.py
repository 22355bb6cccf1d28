"""Result rows on disk: one Parquet file a unit, complete or absent, and their union.

A part is made in memory, written to a file of another name, synced and renamed. Whatever happens in
between, a part that exists is whole. The manifest says what the rows depend on; of two runs that start
at once in one folder, one writes it and the other has to agree with it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..models.called import called
from ..models.extras import extra
from .config import ConfigError, same
from .joining import IncompleteError, joined  # noqa: F401
from .manifest import FILE, changes, complete, keys_of_run, read_manifest
from .part_file import encode, table_of

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:24] or "host"
HOUR = 3600  # no process takes that long over one file
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all. Raises OSError with the path, and then leaves nothing behind."""
    with _named(path), _draft(path, data) as draft:
        os.replace(draft, path)


def write_new(path: Path, data: bytes) -> None:
    """The same, but never in place of a file that is there. Raises FileExistsError, OSError."""
    with _named(path), _draft(path, data) as draft:
        try:
            os.link(draft, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            with open(path, "xb") as file:  # a file system without links
                file.write(data)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """A full disk names no file of itself."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextlib.contextmanager
def _draft(path: Path, data: bytes) -> Iterator[Path]:
    """A synced file beside `path`, of a name that no process has, on this machine or another; gone afterwards.

    Its lock is held until then, so that `sweep` knows it from one whose process is dead.
    """
    there = False
    while not there:
        other = path.with_name(f".{path.name[:80]}.{HOST}.{os.getpid()}.{secrets.token_hex(8)}.tmp")
        with open(other, "wb") as file:
            try:
                _lock(file, wait=True)
                with contextlib.suppress(FileNotFoundError):  # swept away before it was locked
                    there = os.stat(other).st_ino == os.fstat(file.fileno()).st_ino
                if there:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    if fcntl is None:
                        file.close()  # Windows renames no open file
                    yield other
            finally:
                with contextlib.suppress(OSError):
                    other.unlink()


def _lock(file, wait: bool = False) -> bool | None:
    """Take the lock of an open file; False where another process has it, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sweep(out: Path) -> None:
    """Remove what killed processes left half written; a file that a process is writing stays."""
    for folder in (out, out / "parts", out / "failures"):
        for path in [*folder.glob(".*.tmp"), *folder.glob(".*.parquet.*")]:
            with contextlib.suppress(OSError), open(path, "r+b") as file:
                old = time.time() - path.stat().st_mtime > HOUR
                ours = f".{HOST}." in path.name and path.suffix == ".tmp"  # locks may not reach other machines
                if old or (ours and _lock(file)):
                    path.unlink()


def write_part(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """The rows of one unit. The same rows give the same bytes. Raises OSError."""
    write_whole(path, encode(table_of(rows)))


def open_run(out: Path, manifest: Mapping[str, object]) -> dict[str, object]:
    """Make the folders, or check that the run that is there is this one. Returns the manifest that is there.

    Raises ConfigError with every difference where the folder holds another run, and where it holds parts of
    which no manifest says what they are; OSError.
    """
    with extra("Result rows"):
        import pyarrow  # noqa: F401  now, not after the first unit's work
    path = out / FILE
    (out / "parts").mkdir(parents=True, exist_ok=True)
    sweep(out)
    with contextlib.suppress(FileNotFoundError):
        return _same(out, manifest)
    whole = complete(manifest)
    try:
        write_new(path, (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode())
        return whole
    except FileExistsError:  # another process was faster
        return _same(out, manifest)


def _same(out: Path, manifest: Mapping[str, object]) -> dict[str, object]:
    old = read_manifest(out)
    if changed := changes(old, manifest):
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


def merge(out: Path, expected: Iterable[tuple[str, ...]] | None = None, *, partial: bool = False, repair: bool = False):
    """The union of all parts as one sorted table, checked: every expected key (`KEY`) exactly once, all of this run.

    Also written to rows.parquet.

    Args:
        expected: keys; default: those of the manifest.
        partial: leave out the rows that a recorded failure explains.
        repair: move files that cannot be read, are of another run or repeat rows into the folder `aside` first.

    Raises IncompleteError, which says what ends the trouble; ManifestError, FileNotFoundError, OSError.
    """
    out = Path(out)
    if not any((out / "parts").glob("*.parquet")):
        todo = f"`{called('evaluate', out)}` makes them" if (out / FILE).exists() else "evaluate a configuration first"
        raise FileNotFoundError(f"{out / 'parts'} holds no parts: {todo}")
    manifest = read_manifest(out)
    wanted = set(keys_of_run(manifest, out) if expected is None else expected)
    result = joined(out, manifest, wanted, partial=partial, move=(lambda path: aside(out, path)) if repair else None)
    write_whole(out / "rows.parquet", encode(result.table, result.about))
    return result.table
