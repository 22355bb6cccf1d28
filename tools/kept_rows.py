"""The rows of a run that is not finished: parts taken out of data/results, and all images that are done put there."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from holicam.experiments.made_by import note, of_parts
from holicam.experiments.manifest import Key, keys_of_run, read_manifest, run_name
from holicam.experiments.part_file import KEY, about, encode, keys_of, read_rows
from holicam.experiments.plan import Plan
from holicam.experiments.results import other_code, read
from holicam.experiments.storage import as_json, open_run, part_path
from holicam.experiments.whole_files import write_whole
from holicam.models import data_folder

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = data_folder() / "results"


def restore(name: str, plan: Plan, out: Path, folder: Path = FOLDER) -> int:
    """Make the parts that a run's folder lacks of the rows in data/results. Returns how many.

    Rows of other settings are left alone: the run begins anew and replaces them when it publishes. Raises ValueError
    where other code than today's made the rows: a part says which code it is of, and today's is all there is to say.
    """
    import pyarrow.compute as pc

    manifest, stored = open_run(out, plan.manifest(), plan.config.made), folder / f"{name}.parquet"
    if not stored.exists() or run_name(manifest) != run_name(known := read(name, folder)):
        return 0
    table, count = read_rows(stored), 0
    missing = [
        unit
        for unit in plan.in_units_of(manifest["config"]["images_per_unit"]).units
        if not part_path(out, unit.name).exists()
    ]
    for unit in missing:
        here = pc.equal(table["network"], unit.network)
        for column, words in (("image", unit.ids), ("explainer", unit.labels)):
            here = pc.and_(here, pc.is_in(table[column], _array(words)))
        rows = table.filter(here)
        if set(keys_of(rows)) != set(plan.unit_keys(unit)):
            continue
        if not count:
            if said := other_code(name, known):
                raise ValueError(f"{said}: `python -m tools.restamp {name}` says whether they hold, then go on")
            for file in known["code"]["files"]:  # a part's code is what the process has imported
                module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                importlib.import_module(f"holicam.{module}")
        write_whole(part_path(out, unit.name), encode(rows.combine_chunks(), {"code": note(out)}))
        count += 1
    return count


def publish(name: str, out: Path, device: str, folder: Path = FOLDER) -> str:
    """Copy the rows of all images that have all of their rows to data/results. Returns a sentence.

    device: as the manifest names what made the rows, beside those of earlier ones.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    manifest, parts = read_manifest(out), sorted((out / "parts").glob("*.parquet"))
    wanted = _by_image(keys_of_run(manifest, out))
    tables = [read_rows(path) for path in parts]
    found = _by_image(key for table in tables for key in keys_of(table))
    done = [image for image in manifest["images"] if found.get(image) == wanted[image]]
    if not done:
        return f"{name}: no image of {len(wanted)} is done"
    table = pa.concat_tables(tables)
    rows = table.filter(pc.is_in(table["image"], _array(done))).sort_by([(column, "ascending") for column in KEY])
    earlier = read(name, folder) if (folder / f"{name}.json").exists() else {}
    same = bool(earlier) and run_name(earlier) == run_name(manifest)
    devices = set(earlier.get("devices", ())) if same else set()
    code = of_parts(out, parts)[0] | (agreed(earlier) if same else {})
    whole = {**manifest, "code": code, "devices": sorted({*devices, device})}
    write_whole(folder / f"{name}.parquet", encode(rows.combine_chunks(), {"planned": len(wanted), "there": len(done)}))
    write_whole(folder / f"{name}.json", as_json(whole))
    return f"{name}: {len(done)} of {len(wanted)} images, {len(rows)} rows"


def agreed(manifest: Mapping[str, object]) -> dict[str, object]:
    """What `tools.restamp` has noted of a set: which code made its rows at first, and how close today's comes."""
    code = manifest.get("code") or {}
    return {key: code[key] for key in ("made", "close", "asked") if key in code}


def finished(name: str, folder: Path = FOLDER) -> bool:
    """Whether data/results has all images of a set."""
    path = folder / f"{name}.parquet"
    said = about(path) if path.exists() else {}
    return bool(said) and said["there"] == said["planned"]


def _by_image(keys: Iterable[Key]) -> dict[str, set[Key]]:
    found: dict[str, set[Key]] = {}
    for key in keys:
        found.setdefault(key[1], set()).add(key)
    return found


def _array(words: Iterable[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array(list(words), pa.string())
