"""Which images cannot be read, found out before a run and not in the middle of its night."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ..datasets import Dataset, Item

SECONDS = 20.0
SHOWN = 3


def look(dataset: Dataset, ids: Sequence[str], seconds: float = SECONDS) -> tuple[int, dict[str, str]]:
    """(how many of these images were read, {id: reason} of those that cannot be); it stops after so many seconds."""
    began, count, bad = time.perf_counter(), 0, {}
    for item in dataset.select(ids):
        count += 1
        if not isinstance(item, Item):
            bad[item.id] = item.reason
        if time.perf_counter() - began > seconds:
            break
    return count, bad


def told(looked: int, total: int, bad: Mapping[str, str], what: str = "images") -> str:
    """What was found, "" where all can be read."""
    if not bad:
        return ""
    reasons = "; ".join(f"{name} ({reason})" for name, reason in list(bad.items())[:SHOWN])
    some = f"{looked} {what}" if looked == total else f"the first {looked} {what}, of {total},"
    return (
        f"{len(bad)} of {some} cannot be read and {'is' if len(bad) == 1 else 'are'} passed over, the first: {reasons}"
    )


def nothing_can_be_read(dataset: Dataset, bad: Mapping[str, str]) -> str:
    """Why a run has nothing to do: no image of the data set can be read. "" if one can."""
    rest = [name for name in dataset.ids if name not in bad]
    if any(isinstance(item, Item) for item in dataset.select(rest)):
        return ""
    name, reason = next(iter(bad.items()))
    return f"none of the {len(dataset)} images of {dataset.name} can be read, the first: {name} ({reason})"
