"""The sets of rows that studies make: which study, in which world."""

from __future__ import annotations

from . import pcam, sanity, structure
from .made import Study

STUDIES: dict[str, Study] = {"structure": structure.STUDY, "sanity": sanity.STUDY, "pcam": pcam.STUDY}
SETS = {  # name in data/results: (study, world)
    f"{study}-{world}": (study, world)
    for study in ("structure", "sanity")
    for world in ("photographs", "samples", "toyland")
} | {"sanity-pcam": ("pcam", "toyland-vgg")}


def set_name(study: str, world: str) -> str:
    """The name of a study's rows of a world. Raises ValueError where there is no such set."""
    found = [name for name, both in SETS.items() if both == (study, world)]
    if not found:
        raise ValueError(f"no set is of the study {study} in the world {world}; there are {', '.join(SETS)}")
    return found[0]
