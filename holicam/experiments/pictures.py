"""Whether the pictures of a part are those that its rows were made of: a hash of each file, kept with the rows.

A reader tells an image's file by `place`, or by `places` where it has several, such as a mosaic's photographs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..datasets import Dataset
from ..datasets.items import Reader
from .part_file import about


def hashes(dataset: Dataset, ids: Iterable[str]) -> dict[str, str]:
    """{id: sixteen hex digits of its picture's file, of several files joined by "+"}.

    "" where one of them cannot be read; ids without a file are left out.
    """
    found = {name: [_hash(file) for file in files] for name in ids if (files := files_of(dataset.read, name))}
    return {name: "+".join(each) if all(each) else "" for name, each in found.items()}


def files_of(read: Reader, name: str) -> list[Path]:
    """The files that an image is made of, none where its reader does not tell them."""
    try:
        found = read.places(name) if hasattr(read, "places") else [read.place(name)]  # type: ignore[attr-defined]
    except Exception:  # a reader need not have either, or not know this one
        return []
    return found if all(isinstance(file, Path) for file in found) else []


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
    return [name for name, said in then.items() if not _alike(said, now.get(name))]


def _alike(then: str, now: str | None) -> bool:
    """Whether a hash is that of today's files; older versions hashed only one of several."""
    return not now or then in (now, *now.split("+"))
