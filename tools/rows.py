"""The costly rows of the book, made a unit at a time: python -m tools.rows [SET ...] [--limit SECONDS]

    make rows                               the next units in line, on two processes
    make rows SETS=holistic-table2          those of a set; data/results/SET.toml is its configuration
    make rows DEVICE=cuda LIMIT=480         on a GPU, for eight minutes
    make rows PHOTOS=folder                 also the sets on photographs, whose folder is linked as _build/photos:
        python -m tools.small_photos clone folder         makes it of a clone of the public repository

A set's parts lie in results/SET. Where they are not there, they are made again of data/results/SET.parquet, so a fresh
clone goes on where the last one stopped. When time is up, or a set is done, its images that have all of their rows go
to data/results, with the device that made them: a set may hold fewer images than planned, and the ledger gives no
verdict before it holds them all.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.fx.proxy import TraceError

from holicam.experiments.config import from_toml
from holicam.experiments.plan import Plan
from holicam.experiments.run import evaluate

from .fused import quick
from .kept_rows import FOLDER, finished, publish, restore
from .study.sets import SETS

RUNS, PHOTOS = Path("results"), Path("_build/photos")
# In line: the primary claims of the photographs, those of the papers' tables, and the rest.
LINE = (
    "photographs-over-all",
    "structure-photographs",
    "photographs-pointing",
    "sanity-photographs",
    "structure-toyland",
    "sanity-toyland",
    "structure-samples",
    "sanity-samples",
    "sanity-pcam",
    "holistic-table2",
    "holistic-kernels-epg",
    "holistic-kernels",
    "ucag-table1",
    "ucag-table3",
    "ucag-table5",
    "truth",
    "poly-table2",
    "poly-table3",
    "poly-table4",
    "poly-table5",
    "holistic-table6",
    "ucag-table2",
    "ucag-table4",
    "photographs-default",
    "photographs-road",
    "photographs-over-all-more",
    "photographs-pointing-default",
    "photographs-perturbation",
    "ucag-options",
    "holistic-road",
    "poly-table5-pcam",
)
PICTURES = {"structure": 100, "sanity": 20, "pcam": 12}  # of a study, as data/claims.toml plans them


class TimeIsUp(Exception):
    """Raised between two units."""


def work(name: str, part: tuple[int, int], device: str, until: float, images: int | None = None) -> None:
    """One process: its units of a set, or of its first images, until time is up."""
    torch.set_num_threads(1)

    def look(*_: object) -> None:
        if time.time() > until:
            raise TimeIsUp

    plan = Plan.of(from_toml(FOLDER / f"{name}.toml"))
    if device == "cpu":
        for network in plan.config.networks:
            with contextlib.suppress(TraceError):  # such a network stays as slow as it is
                quick(plan.load(network))
    if images is not None:
        plan = replace(plan, units=tuple(unit for unit in plan.units if unit.start < images))
    try:
        look()
        evaluate(plan, RUNS / name, part=part, on=device, progress=look)
    except TimeIsUp:
        print(f"{name}, process {part[0]}: time is up", flush=True)


def make(name: str, jobs: int, device: str, until: float, images: int | None = None) -> bool:
    """A set, or as much of it as time allows, and what is done to data/results. Returns whether no process failed."""
    out = RUNS / name
    there = restore(name, Plan.of(from_toml(FOLDER / f"{name}.toml")), out)
    began = time.time()
    command = [sys.executable, "-m", "tools.rows", name, "--device", device, "--until", str(until)]
    command += [] if images is None else ["--images", str(images)]
    each = [subprocess.Popen([*command, "--part", f"{i}/{jobs}"]) for i in range(jobs)]
    codes = [process.wait() for process in each]
    said = publish(name, out, described(device))
    print(f"{said}; {there} units restored, {time.time() - began:.0f} s x {jobs}", flush=True)
    return not any(codes)


def study(name: str, until: float, images: int | None) -> bool:
    """A set that tools.study makes, picture by picture, on one process. Returns whether it did not fail."""
    kind, world = SETS[name]
    count = images or (8 if world == "samples" else PICTURES[kind])
    command = [sys.executable, "-m", "tools.study", kind, "--world", world, "--n", str(count)]
    command += ["--limit", str(until - time.time()), *(["--photos", str(PHOTOS)] if world == "photographs" else [])]
    return not subprocess.run(command).returncode


def described(device: str) -> str:
    """The device as a manifest names it."""
    return torch.cuda.get_device_name() if device.startswith("cuda") else f"cpu, {platform.machine()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="SET", help=f"of {', '.join(LINE)}")
    parser.add_argument("--limit", type=float, default=3300, help="begin no unit after so many seconds")
    parser.add_argument("--images", type=int, help="only the first so many images of a set")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2, help="processes; 1 on a GPU")
    parser.add_argument("--photos", type=Path, help="a folder of photographs, linked as _build/photos")
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.part:
        rank, _, world = words.part.partition("/")
        work(words.names[0], (int(rank), int(world)), words.device, words.until, words.images)
        return 0
    if unknown := [name for name in words.names if name not in SETS and not (FOLDER / f"{name}.toml").exists()]:
        parser.error(f"there is no set {unknown[0]}: the sets are {', '.join(LINE)}, and data/results has their files")
    if words.photos:
        if not words.photos.is_dir():
            parser.error(f"{words.photos} is no folder: name one that holds the photographs")
        if PHOTOS.is_dir() and not PHOTOS.is_symlink():
            parser.error(f"{PHOTOS} is a folder, where a link to {words.photos} would stand: move it away")
        wanted = words.photos.resolve()
        PHOTOS.parent.mkdir(exist_ok=True)
        PHOTOS.unlink(missing_ok=True)
        PHOTOS.symlink_to(wanted)
    until = time.time() + words.limit
    jobs, failed = 1 if words.device != "cpu" else words.jobs, []
    for name in words.names or LINE:
        if time.time() > until:
            break
        if finished(name):
            if words.names:
                print(f"{name}: all of its images are there", flush=True)
            continue
        if "photographs" in name and not PHOTOS.exists():
            print(f"{name}: needs photographs, name their folder with PHOTOS=", flush=True)
            continue
        if not (
            study(name, until, words.images) if name in SETS else make(name, jobs, words.device, until, words.images)
        ):
            failed.append(name)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
