"""A unit that is tried again keeps what an earlier try finished: the new rows are added to those that are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .failures import Failure
from .joining import skipped_in
from .manifest import Key
from .part_file import KEY, about, read_rows

Row = Mapping[str, object]


@dataclass(frozen=True)
class Tried:
    """What a try gave: rows, failures, hashes of its images' files, which code made it, images that it skipped."""

    rows: Sequence[Row]
    failed: Sequence[Failure]
    pictures: Mapping[str, str]
    code: str
    skipped: Collection[str] = ()


def together(part: Path, now: Tried, changed: Sequence[str], wanted: Iterable[Key]) -> Tried | None:
    """What is to stand in a part that is sound and lacks rows; None: what does.

    changed: images that are others now. wanted: the keys of the unit. A part names one code: where another one made
    what is there, the larger of the two stays.
    """
    if not now.failed and not now.skipped:
        return now  # whole, and as one try gives it
    said, table = about(part), read_rows(part)
    void = {*changed, *skipped_in(table)}
    there = [row for row in table.to_pylist() if row["image"] not in void]
    if said.get("code", "") != now.code:
        return now if sum(row["image"] not in now.skipped for row in now.rows) >= len(there) else None
    kept = {_key(row) for row in there}
    rows = [*there, *(row for row in now.rows if _key(row) not in kept)]
    whose = {row["image"] for row in there}
    pictures = {**now.pictures, **{name: one for name, one in said.get("pictures", {}).items() if name in whose}}
    have = set(map(_key, rows))
    lost = {key[:3] for key in wanted if key not in have}
    failed = [one for one in now.failed if (one.network, one.image, one.explainer) in lost]
    return Tried(rows, failed, pictures, now.code)


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in KEY)
