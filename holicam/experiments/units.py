"""Units of work: one network, one group of explainers and a few images.

Their rows depend on nothing else, so units may run anywhere, in any order, twice, or again after a
crash. Explainers that share their work (`registry.sharing`) form one group; every other is one of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from ..methods.registry import sharing
from .config import Config

LONGEST = 200  # bytes; most file systems take 255, and endings follow


@dataclass(frozen=True)
class Unit:
    """One piece of work: which network, which group of explainers, which images."""

    network: str
    group: str
    start: int
    labels: tuple[str, ...] = field(compare=False)
    ids: tuple[str, ...] = field(compare=False)

    @property
    def name(self) -> str:
        """A file name; what does not suit one, or is too long for most file systems, is hashed."""
        said = f"{self.network}--{self.group}--{self.start:07d}"
        if len(said.encode()) <= LONGEST and said.replace("-", "").replace("_", "").replace(".", "").isalnum():
            return said
        return f"{self.start:07d}--{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def groups_of(made: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """{group: labels} of explainers that share their work: "cams", "asked", "asked-1", ..., else the label alone."""
    found: dict[Hashable, list[str]] = {}
    for label, explainer in made.items():
        found.setdefault(("shared", shared) if (shared := sharing(explainer)) else label, []).append(label)
    cams = found.pop(("shared", "passes"), [])
    asked = [found.pop(key) for key in [*found] if isinstance(key, tuple)]
    groups = ({"cams": cams} if cams else {}) | {f"asked-{i}" if i else "asked": some for i, some in enumerate(asked)}
    for label, alone in found.items():
        name = str(label)
        while name in groups:  # a label may be a group's name, and neither is to take the other's place
            name += "-alone"
        groups[name] = alone
    return {group: tuple(labels) for group, labels in groups.items()}


def units_of(config: Config, ids: Sequence[str]) -> list[Unit]:
    """All units, in order: the first images of every network and group come first."""
    groups, count = groups_of(config.made), config.images_per_unit
    return [
        Unit(network, group, start, labels, tuple(ids[start : start + count]))
        for start in range(0, len(ids), count)
        for network in config.networks
        for group, labels in groups.items()
    ]


def mine(units: Sequence[Unit], rank: int, world: int) -> list[Unit]:
    """The units of one process: every one belongs to exactly one, nothing is padded.

    They are dealt in the order of a hash of their names, or a process would get the costly group of
    all images; each process then works in the order of `units`.
    """
    dealt = sorted(units, key=lambda unit: hashlib.sha256(unit.name.encode()).digest())[rank::world]
    own = {unit.name for unit in dealt}
    return [unit for unit in units if unit.name in own]
