"""The sets of rows that studies make: which study, in which world, and whether they still hold.

A study is imported when it is asked for, since the code of rows is what their process has imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .made import Study

STUDIES = ("structure", "sanity", "pcam")
SETS = {  # name in data/results: (study, world)
    f"{study}-{world}": (study, world)
    for study in ("structure", "sanity")
    for world in ("photographs", "samples", "toyland")
} | {"sanity-pcam": ("pcam", "toyland-vgg")}
PRIVATE, PUBLIC = "photographs", "samples"  # pictures that are not here, and others that are, of the same kind


def study_of(name: str) -> Study:
    """One of STUDIES."""
    return importlib.import_module(f".{name}", __package__).STUDY


def set_name(study: str, world: str) -> str:
    """The name of a study's rows of a world. Raises ValueError where there is no such set."""
    found = [name for name, both in SETS.items() if both == (study, world)]
    if not found:
        raise ValueError(f"no set is of the study {study} in the world {world}; there are {', '.join(SETS)}")
    return found[0]


def witness(name: str, photos: Path | None = None) -> str:
    """The set that answers for one of SETS when its code has changed: itself, where its pictures are at hand.

    For photographs without their folder it is the same study of public photographs: the same network, code and steps.
    """
    study, world = SETS[name]
    return f"{study}-{PUBLIC}" if world == PRIVATE and photos is None else name


def again(name: str, images: Collection[str], photos: Path | None = None) -> Iterator[tuple[tuple[str, ...], float]]:
    """The rows' keys and values of a set's first picture among `images`, measured by today's code.

    Raises ValueError, MissingDataError: photographs that are not there.
    """
    import torch

    from .made import one
    from .worlds import world_of

    study, world_name = SETS[name]
    torch.set_num_threads(1)
    world = world_of(world_name, photos)
    first = next((image for image in world.ids if image in images), None)
    if first is None:
        raise ValueError(f"none of the {len(images)} pictures of {name} is in {photos}")
    measure = study_of(study).begin(world)
    for (explainer, layer, metric), value in one(world, measure, first)[2].items():
        yield (world.network, first, explainer, layer, metric), float(value)


def told_apart(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """The files that two manifests know as different ones: rows of one say nothing of the other's then."""
    found = []
    for kind in ("files", "formulas"):
        here, there = ((manifest.get("code") or {}).get(kind, {}) for manifest in (one, other))
        found += [file for file in here.keys() & there.keys() if here[file] != there[file]]
    return sorted(found)


def formulas(name: str) -> dict[str, str]:
    """{file of this folder: its hash} behind one of SETS."""
    return study_of(SETS[name][0]).formulas()


def other_formulas(name: str, manifest: Mapping[str, object]) -> list[str]:
    """The files of this folder that have changed since a set was made or looked at; none for other sets."""
    if name not in SETS:
        return []
    then, now = (manifest.get("code") or {}).get("formulas", {}), formulas(name)
    return sorted(file for file in {*then, *now} if then.get(file) != now.get(file))
