"""A unit that is tried again keeps what an earlier try finished: the new rows are added to those that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .failures import Failure
from .joining import SKIPPED
from .manifest import Key
from .part_file import KEY, about, read_rows

Row = Mapping[str, object]


@dataclass(frozen=True)
class Tried:
    """What a try gave: rows, failures, the hashes of its images' files, and which code made it."""

    rows: Sequence[Row]
    failed: Sequence[Failure]
    pictures: Mapping[str, str]
    code: str


def together(part: Path, now: Tried, changed: Sequence[str], wanted: Iterable[Key]) -> Tried | None:
    """What is to stand in a part that is sound and lacks rows; None: what does.

    changed: images that are others now. wanted: the keys of the unit. A part names one code: where another one made
    what is there, the larger of the two stays.
    """
    if not now.failed and not any(map(_skipped, now.rows)):
        return now  # whole, and as one try gives it
    said = about(part)
    there = [row for row in read_rows(part).to_pylist() if row["image"] not in changed and not _skipped(row)]
    if said.get("code", "") != now.code:
        return now if sum(not _skipped(row) for row in now.rows) >= len(there) else None
    kept = {_key(row) for row in there}
    rows = [*there, *(row for row in now.rows if _key(row) not in kept)]
    whose = {row["image"] for row in there}
    pictures = {**now.pictures, **{name: one for name, one in said.get("pictures", {}).items() if name in whose}}
    have = set(map(_key, rows))
    lost = {key[:3] for key in wanted if key not in have}
    failed = [one for one in now.failed if (one.network, one.image, one.explainer) in lost]
    return Tried(rows, failed, pictures, now.code)


def _skipped(row: Row) -> bool:
    return (row.get("note") or "").startswith(SKIPPED)


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in KEY)
