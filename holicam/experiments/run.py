"""Data set x networks x layers x explainers x metrics, unit by unit, surviving a kill at any moment.

    plan = Plan.of(from_toml("table6.toml"))
    evaluate(plan, out)            # skips what is there; any number of processes may do so at once
    rows = merge(out)

Processes need not know of each other: each takes every n-th unit, by the rank that torchrun or
Slurm gave it, and writes one part a unit (parts.py). A part that is there is read before it counts. What
fails is recorded (failures.py) and passed over, and tried again by the next run.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .failures import FailedError, Failure, record, record_path
from .joining import skipped_in
from .made_by import note
from .manifest import images_per_unit, run_name
from .part_file import BrokenPartError, foreign, keys_of, read_rows, table_of
from .pictures import hashes, other
from .plan import Plan
from .retried import Tried, together
from .storage import aside, open_run, part_path, write_part
from .trying import attempt
from .units import Unit, mine
from .whole_files import write_whole
from .workers import checked, device, shard

SOME = "some of its rows are missing"
Progress = Callable[[Unit, float, float], None]  # a finished unit, its cost in F, its seconds


class Watch:
    """What a caller hears of a run. Every method may be replaced."""

    def begin(self, there: Sequence[Unit], todo: Sequence[Unit]) -> None:
        """Which of this process's units are there, and which are to be run."""

    def unit(self, unit: Unit, cost: float, seconds: float) -> None:
        """A unit was run, failures or not: its cost in F, its seconds."""

    def say(self, sentence: str) -> None:
        """Something that a user should know, such as a part that was moved aside."""
        warnings.warn(sentence, stacklevel=3)

    def end(self, images: Sequence[str], skipped: dict[str, str]) -> None:
        """The images of this process's units, and those that could not be read with the reason."""


def evaluate(
    plan: Plan,
    out: Path,
    *,
    part: tuple[int, int] | None = None,
    on: str | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> int:
    """Run every unit of this process that is not there yet. Returns how many were run.

    part: (rank, processes), default `shard()`, see `units.mine`. on: device. watch: hears of the run; progress: of
    finished units only. A folder that holds the beginning of this run keeps the size of its units.

    Raises ConfigError where `out` holds another run, OSError where nothing can be written: parts that were finished
    before stay whole. Raises FailedError at the end where images or explainers failed: all the rest is there.
    """
    rank, world = checked(*part) if part else shard()
    where, watch = str(on or device()), watch or Watch()
    out = Path(out)
    manifest = open_run(out, plan.manifest(), plan.config.made)
    asked = plan.config.images_per_unit
    begun = images_per_unit(manifest, asked)
    if begun != asked:
        watch.say(
            f"{out} was begun in units of {begun} images and goes on so; images_per_unit = {asked} holds for a "
            "new folder"
        )
        plan = plan.in_units_of(begun)
    own, skipped = mine(plan.units, rank, world), {}
    todo = [unit for unit in own if not _there(plan, unit, out, manifest, watch, skipped)]
    waiting = {unit.name for unit in todo}
    watch.begin([unit for unit in own if unit.name not in waiting], todo)
    done, failed = 0, []
    for unit in todo:
        if part_path(out, unit.name).exists() and _there(plan, unit, out, manifest, watch, skipped):
            continue  # another process was faster
        began = time.perf_counter()
        failed += _run(plan, unit, out, manifest, where, watch, skipped)
        done += 1
        cost, seconds = plan.cost(unit), time.perf_counter() - began
        watch.unit(unit, cost, seconds)
        if progress:
            progress(unit, cost, seconds)
    watch.end(list(dict.fromkeys(image for unit in own for image in unit.ids)), skipped)
    if failed:
        raise FailedError(failed)
    return done


def _run(
    plan: Plan, unit: Unit, out: Path, manifest: Mapping[str, object], where: str, watch: Watch, skipped: dict[str, str]
) -> list[Failure]:
    """Write the part of a unit, or as much of it as can be had and a record of what failed."""
    settings = {label: said for label, (said, *_) in manifest["config"]["explainers"].items()}
    pictures = hashes(plan.dataset, unit.ids)
    rows, failed = attempt(plan.work(unit, run_name(manifest), where, settings), watch.say)
    bad = skipped_in(table_of(rows))
    now: Tried | None = Tried(rows, failed, pictures, note(out), bad)  # which code that was is known afterwards
    path, told = part_path(out, unit.name), record_path(out, unit.name)
    skipped |= bad
    if path.exists():  # of an earlier try, or of another process
        lacks = _lacks(plan, unit, path, manifest)
        if failed and not lacks:
            return []
        if lacks == SOME:
            now = together(path, now, other(plan.dataset, path), plan.unit_keys(unit))
    if now is None:
        return failed
    if now.rows:
        write_part(path, now.rows, now.code, now.pictures)
    if now.failed:
        told.parent.mkdir(exist_ok=True)
        write_whole(told, record(manifest, now.failed))
    else:
        told.unlink(missing_ok=True)
    return list(now.failed)


def _there(
    plan: Plan, unit: Unit, out: Path, manifest: Mapping[str, object], watch: Watch, skipped: dict[str, str]
) -> bool:
    """Whether a unit's part is there and whole. What is there and is not so is moved aside, after saying so."""
    path = part_path(out, unit.name)
    if not path.exists():
        return False
    lacks = _lacks(plan, unit, path, manifest)
    if not lacks:
        skipped |= skipped_in(read_rows(path))
    elif lacks != SOME or not record_path(out, unit.name).exists():  # else what failed is tried again
        watch.say(f"{path}: {lacks}; it was moved to {aside(out, path)} and is computed again")
    return not lacks


def _lacks(plan: Plan, unit: Unit, path: Path, manifest: Mapping[str, object]) -> str:
    """What is wrong with a unit's part, "" for nothing."""
    try:
        table = read_rows(path)
    except BrokenPartError as error:
        return str(error)
    except FileNotFoundError:
        return "it went away"
    if wrong := foreign(table, manifest):
        return wrong
    keys, wanted = Counter(keys_of(table)), Counter(plan.unit_keys(unit))
    if keys == wanted:
        changed = other(plan.dataset, path)
        return f"{changed[0]} is another picture than when its rows were made" if changed else ""
    return SOME if keys <= wanted else "its rows are not those of its unit"
