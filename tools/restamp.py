"""Whether stored rows still hold after a change of the code: recompute a slice, and say so in their manifests.

    python -m tools.restamp            every set in data/results whose code is not today's
    python -m tools.restamp NAME ...   these sets; --all: also those whose code is today's
    python -m tools.restamp NAME --close 1e-3     for rows that another processor made; the manifest says so
    python -m tools.restamp --photos FOLDER       where photographs were measured on, which are not in the repository

Of each set the first unit is computed again, with as many explainers as `--budget` forwards allow, the cheapest first.
Of sets that tools.study made it is the first picture; without --photos the rows of public photographs answer for those
of others, if the same code made both, and the manifest says so. Where all values agree to 1e-6 (of rows that were
stored with few decimals: to these), the manifest gets the hash of today's code, and keeps that of the code that made
the rows. Where one does not, nothing is written, and the exit status is 1. A set is finished when its manifest is
written, so a stopped run goes on.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from holicam.experiments.config import from_toml
from holicam.experiments.made_by import makers, shortened, stamp
from holicam.experiments.plan import Plan
from holicam.experiments.results import other_code, read
from holicam.experiments.rows import rows
from holicam.experiments.storage import as_json
from holicam.experiments.units import Unit
from holicam.experiments.whole_files import write_whole
from holicam.models import data_folder

from .study import sets

FOLDER = data_folder() / "results"
BUDGET, CLOSE = 3000, 1e-6
Key = tuple[str, str, str, str, str]  # network, image, explainer, layer, metric
COLUMNS = ("network", "image", "explainer", "layer", "metric")


def stored_values(name: str) -> dict[Key, float]:
    """What lies in data/results."""
    import pyarrow.parquet as pq

    found = pq.read_table(FOLDER / f"{name}.parquet", columns=[*COLUMNS, "value"]).to_pylist()
    return {tuple(row[column] for column in COLUMNS): row["value"] for row in found}


def again(name: str, budget: float) -> Iterator[tuple[Key, float]]:
    """A slice of a set, computed by today's code."""
    if not (FOLDER / f"{name}.toml").exists():
        yield from _of_chapter22()
        return
    plan = Plan.of(from_toml(FOLDER / f"{name}.toml"))
    for unit in affordable(plan, budget):
        for row in rows(plan.work(unit, "", "cpu")):
            yield tuple(row[column] for column in COLUMNS), row["value"]


def affordable(plan: Plan, budget: float) -> Iterator[Unit]:
    """The first unit of each network and group, with the labels that the budget allows; at least one label."""
    first = [unit for unit in plan.units if unit.start == 0]
    single = [(plan.cost(replace(unit, labels=(label,))), unit, label) for unit in first for label in unit.labels]
    spent, chosen = 0.0, {}
    for cost, unit, label in sorted(single, key=lambda one: one[0]):
        if chosen and spent + cost > budget:
            break
        spent += cost
        chosen.setdefault(unit, []).append(label)
    for unit, labels in chosen.items():
        yield replace(unit, labels=tuple(labels))


def _of_chapter22() -> Iterator[tuple[Key, float]]:
    """Every method but the costly ones, on one scene of each subset."""
    from holicam.models import load_model

    from . import rows22

    for job in rows22.jobs(1, 0):
        values = rows22.values_of(job, load_model(job[1]))
        for key in rows22.keys([job]):
            yield key, values[key[-1]]


def apart(
    name: str, manifest: Mapping[str, object], budget: float, close: float, photos: Path | None = None
) -> tuple[list[str], set[str]]:
    """(sentences on values that are not those that lie there, the explainers that were computed again)."""
    known, wrong, seen = stored_values(name), [], set()
    close += 0.5 * 10.0 ** -manifest["digits"] if "digits" in manifest else 0
    found = sets.again(name, {key[1] for key in known}, photos) if name in sets.SETS else again(name, budget)
    for key, value in found:
        seen.add(key[2])
        then = known[key]
        if not (abs(value - then) <= close or (math.isnan(value) and math.isnan(then))):
            wrong.append(f"{', '.join(filter(None, key))}: {then:.7g} became {value:.7g}")
    return wrong, seen


def unfit(manifest: Mapping[str, object], asked: str) -> str:
    """Why the set `asked` cannot answer for the rows of a manifest, "" where it can."""
    if not (FOLDER / f"{asked}.json").exists():
        return f"{asked}, which could answer for them, is not stored"
    files = sets.told_apart(manifest, read(asked, FOLDER))
    return f"{asked} is of other code than its rows ({shortened(files)})" if files else ""


def one(name: str, budget: float, close: float, photos: Path | None = None) -> int:
    """Renew the manifest of one set. Returns the exit status."""
    began, manifest = time.perf_counter(), read(name, FOLDER)
    asked = sets.witness(name, photos) if name in sets.SETS else name
    if asked != name and (said := unfit(manifest, asked)):
        print(f"{name}: its photographs are not here, and {said}: give --photos FOLDER", flush=True)
        return 1
    wrong, seen = apart(asked, read(asked, FOLDER), budget, close, photos)
    took = f"{time.perf_counter() - began:.0f} s"
    if wrong:
        print(f"{asked}: {len(wrong)} values are not those that lie there ({took}); the first: {wrong[0]}", flush=True)
        return 1
    code, then = stamp(makers()), manifest.get("code") or {}
    made = then.get("made", then.get("hash", "unknown"))  # what made the rows, however often they are stamped
    agreed = {} if close == CLOSE else {"close": close}
    agreed |= {"asked": asked} if asked != name else {}
    agreed |= {"formulas": sets.formulas(name)} if name in sets.SETS else {}
    whole = {**manifest, "code": {**code, "made": made, **agreed}}
    write_whole(FOLDER / f"{name}.json", as_json(whole))
    total = len(manifest["config"]["explainers"])
    print(f"{name}: the rows hold ({len(seen)} of {total} explainers computed again, {took})", flush=True)
    return 0


def changed(name: str) -> bool:
    """Whether other code than today's made a set, in holicam or in tools.study."""
    manifest = read(name, FOLDER)
    return bool(other_code(name, manifest) or sets.other_formulas(name, manifest))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="also sets whose code is today's")
    parser.add_argument("--budget", type=float, default=BUDGET, help="forwards a set")
    parser.add_argument("--close", type=float, default=CLOSE, help="the largest difference of a value")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="where photographs lie that rows were made of")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in this process: one set
    words = parser.parse_args()
    if words.here:
        return one(words.names[0], words.budget, words.close, words.photos)
    if unknown := [name for name in words.names if not (FOLDER / f"{name}.json").exists()]:
        parser.error(f"there is no stored set {unknown[0]}: data/results has their files")
    names = words.names or sorted(path.stem for path in FOLDER.glob("*.json"))
    todo = [name for name in names if words.all or changed(name)]
    command = [sys.executable, "-m", "tools.restamp", "--here", "--budget", str(words.budget)]
    command += ["--close", str(words.close)] + (["--photos", str(words.photos.resolve())] if words.photos else [])
    # Each in a process of its own: its code is what that process imports.
    failed = [name for name in todo if subprocess.run([*command, name], cwd=Path(__file__).parents[1]).returncode]
    print(f"{len(todo) - len(failed)} of {len(todo)} sets were stamped" + (f"; not {', '.join(failed)}" * bool(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
