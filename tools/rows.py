"""The costly rows of the book, made a unit at a time: python -m tools.rows [SET ...] [--limit SECONDS]

    make rows                               the next units in line, on two processes
    make rows SETS=holistic-table2          those of a set; data/results/SET.toml is its configuration
    make rows DEVICE=cuda LIMIT=480         on a GPU, for eight minutes
    make rows PHOTOS=folder                 also the sets on photographs, whose folder is linked as _build/photos:
        git clone --depth 1 https://github.com/EliSchwartz/imagenet-sample-images folder

A set's parts lie in results/SET. Where they are not there, they are made again of data/results/SET.parquet, so a fresh
clone goes on where the last one stopped. When time is up, or a set is done, its images that have all of their rows go
to data/results, with the device that made them: a set may hold fewer images than planned, and the ledger gives no
verdict before it holds them all.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from holicam.experiments.code import PACKAGE, definitions
from holicam.experiments.config import from_toml
from holicam.experiments.made_by import of_parts, stamp
from holicam.experiments.manifest import keys_of_run, read_manifest, run_name
from holicam.experiments.part_file import KEY, encode, keys_of, read_rows
from holicam.experiments.plan import Plan
from holicam.experiments.results import other_code, read
from holicam.experiments.run import evaluate
from holicam.experiments.storage import as_json, open_run, part_path
from holicam.experiments.whole_files import write_whole
from holicam.models import data_folder

FOLDER, RUNS, PHOTOS = data_folder() / "results", Path("results"), Path("_build/photos")
# In line: the primary claims of the photographs, those of the papers' tables, and the rest.
LINE = (
    "photographs-over-all",
    "photographs-pointing",
    "holistic-table2",
    "holistic-kernels-epg",
    "holistic-kernels",
    "ucag-table1",
    "ucag-table3",
    "ucag-table5",
    "truth",
    "photographs-default",
    "photographs-road",
    "photographs-over-all-more",
    "photographs-pointing-default",
    "poly-table2",
    "poly-table3",
    "holistic-table6",
    "photographs-perturbation",
    "ucag-table2",
    "ucag-table4",
    "ucag-options",
    "holistic-road",
    "poly-table4",
    "poly-table5",
)
RESTORED = "restored"


class TimeIsUp(Exception):
    """Raised between two units."""


def restore(name: str, plan: Plan, out: Path) -> int:
    """Parts of the rows that lie in data/results, where their run is this one. Returns how many."""
    import pyarrow.compute as pc

    if not (FOLDER / f"{name}.parquet").exists():
        return 0
    manifest, known = open_run(out, plan.manifest(), plan.config.made), read(name, FOLDER)
    if run_name(manifest) != run_name(known) or other_code(name, known):
        return 0
    table, count = read_rows(FOLDER / f"{name}.parquet"), 0
    for unit in plan.in_units_of(manifest["config"]["images_per_unit"]).units:
        if part_path(out, unit.name).exists():
            continue
        chosen = (
            pc.is_in(table["image"], _array(unit.ids)),
            pc.is_in(table["explainer"], _array(unit.labels)),
            pc.equal(table["network"], unit.network),
        )
        rows = table.filter(pc.and_(pc.and_(chosen[0], chosen[1]), chosen[2]))
        if set(keys_of(rows)) == set(plan.unit_keys(unit)):
            write_whole(part_path(out, unit.name), encode(rows.combine_chunks(), {"code": RESTORED}))
            count += 1
    return count


def _array(words):
    import pyarrow as pa

    return pa.array(list(words), pa.string())


def publish(name: str, out: Path, device: str) -> str:
    """Copy the rows of all images that are done to data/results. Returns a sentence."""
    import pyarrow as pa

    manifest = read_manifest(out)
    parts = sorted((out / "parts").glob("*.parquet"))
    wanted: dict[str, set] = {}
    for key in keys_of_run(manifest, out):
        wanted.setdefault(key[1], set()).add(key)
    if not parts:
        return f"{name}: nothing yet"
    table = pa.concat_tables([read_rows(path) for path in parts])
    found: dict[str, set] = {}
    for key in keys_of(table):
        found.setdefault(key[1], set()).add(key)
    done = [image for image in manifest["images"] if found.get(image) == wanted[image]]
    if not done:
        return f"{name}: no image of {len(wanted)} is done"
    import pyarrow.compute as pc

    rows = table.filter(pc.is_in(table["image"], _array(done))).sort_by([(column, "ascending") for column in KEY])
    old = read(name, FOLDER) if (FOLDER / f"{name}.json").exists() else {}
    old = old if old and run_name(old) == run_name(manifest) else {}
    fresh = [path for path in parts if not _restored(path)]
    code, _ = of_parts(out, fresh) if fresh else (old.get("code"), "")
    files = {**((old.get("code") or {}).get("files") or {}), **((code or {}).get("files") or {})}
    devices = sorted({*old.get("devices", ()), *([device] if fresh else ())})
    whole = {**manifest, "code": stamp({file: definitions(PACKAGE / file) for file in files}), "devices": devices}
    write_whole(FOLDER / f"{name}.parquet", encode(rows.combine_chunks(), {"planned": len(wanted), "there": len(done)}))
    write_whole(FOLDER / f"{name}.json", as_json(whole))
    return f"{name}: {len(done)} of {len(wanted)} images, {len(rows)} rows"


def _restored(path: Path) -> bool:
    from holicam.experiments.part_file import about

    return about(path).get("code") == RESTORED


def work(name: str, part: tuple[int, int], device: str, until: float, images: int | None = None) -> None:
    """One process: its units of a set, or of its first images, until time is up."""
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    def look(*_: object) -> None:
        if time.time() > until:
            raise TimeIsUp

    plan = Plan.of(from_toml(FOLDER / f"{name}.toml"))
    if images is not None:
        plan = replace(plan, units=tuple(unit for unit in plan.units if unit.start < images))
    try:
        look()
        evaluate(plan, RUNS / name, part=part, on=device, progress=look)
    except TimeIsUp:
        print(f"{name}, process {part[0]}: time is up", flush=True)


def make(name: str, jobs: int, device: str, until: float, images: int | None = None) -> None:
    """A set, or as much of it as time allows, and what is done to data/results."""
    plan, out = Plan.of(from_toml(FOLDER / f"{name}.toml")), RUNS / name
    there = restore(name, plan, out)
    began = time.time()
    command = [sys.executable, "-m", "tools.rows", name, "--device", device, "--until", str(until)]
    command += [] if images is None else ["--images", str(images)]
    each = [subprocess.Popen([*command, "--part", f"{i}/{jobs}"]) for i in range(jobs)]
    codes = [process.wait() for process in each]
    said = publish(name, out, described(device))
    print(f"{said}; {there} units restored, {time.time() - began:.0f} s x {jobs}, exit {codes}", flush=True)


def described(device: str) -> str:
    """The device as a manifest names it."""
    return torch.cuda.get_device_name() if device.startswith("cuda") else f"cpu, {platform.machine()}"


def finished(name: str) -> bool:
    """Whether data/results has all images of a set."""
    from holicam.experiments.part_file import about

    if not (FOLDER / f"{name}.parquet").exists():
        return False
    said = about(FOLDER / f"{name}.parquet")
    return bool(said) and said["there"] == said["planned"]


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
    if unknown := [name for name in words.names if not (FOLDER / f"{name}.toml").exists()]:
        parser.error(f"there is no data/results/{unknown[0]}.toml; the sets are {', '.join(LINE)}")
    if words.photos:
        if not words.photos.is_dir():
            parser.error(f"{words.photos} is no folder: name one that holds the photographs")
        PHOTOS.parent.mkdir(exist_ok=True)
        PHOTOS.unlink(missing_ok=True)
        PHOTOS.symlink_to(words.photos.resolve())
    until = time.time() + words.limit
    jobs = 1 if words.device != "cpu" else words.jobs
    for name in words.names or LINE:
        if time.time() > until:
            break
        if finished(name):
            continue
        if name.startswith("photographs") and not PHOTOS.exists():
            print(f"{name}: needs photographs, name their folder with PHOTOS=", flush=True)
            continue
        make(name, jobs, words.device, until, words.images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
