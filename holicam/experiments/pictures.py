"""Whether the pictures of a part are those that its rows were made of: a hash of each file, kept with the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..datasets import Dataset
from .part_file import about


def hashes(dataset: Dataset, ids: Iterable[str]) -> dict[str, str]:
    """{id: sixteen hex digits of its picture's file}, "" where it cannot be read; ids without a file are left out."""
    return {name: _hash(file) for name in ids if (file := _file(dataset, name)) is not None}


def _file(dataset: Dataset, name: str) -> Path | None:
    try:
        place = dataset.read.place(name)  # type: ignore[attr-defined]  # a reader need not have it
    except Exception:  # or not know this one
        return None
    return place if isinstance(place, Path) else None


def _hash(file: Path) -> str:
    try:
        now = file.stat()
        return _read(file, now.st_mtime_ns, now.st_size)
    except OSError:
        return ""


@cache
def _read(file: Path, *_: int) -> str:
    """Once for each state of a file: a picture belongs to as many units as there are networks and groups."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:16]


def other(dataset: Dataset, part: Path) -> list[str]:
    """The ids of a part whose picture is another one now. One that has gone since is none: its rows are kept."""
    then = about(part).get("pictures", {})  # parts of older versions do not say
    now = hashes(dataset, then)
    return [name for name, said in then.items() if now.get(name) not in ("", None, said)]
