"""Units of work: one network, one group of explainers and one chunk of images.

Their rows depend on nothing else, so units may run anywhere, in any order, twice, or again after a
crash. Explainers that share passes form one group; every other explainer is a group of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from .config import Config


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
        """A file name; what does not suit one is hashed."""
        said = f"{self.network}--{self.group}--{self.start:07d}"
        if said.replace("-", "").replace("_", "").replace(".", "").isalnum():
            return said
        return f"{self.start:07d}--{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def units_of(config: Config, ids: Sequence[str]) -> list[Unit]:
    """All units, in order: the first images of every network and group come first."""
    groups = config.groups()
    return [
        Unit(network, group, start, labels, tuple(ids[start : start + config.chunk]))
        for start in range(0, len(ids), config.chunk)
        for network in config.networks
        for group, labels in groups.items()
    ]


def mine(units: Sequence[Unit], rank: int, world: int) -> list[Unit]:
    """The units of one process: every one belongs to exactly one, nothing is padded.

    They are dealt in the order of a hash of their names, or a process would get the costly group of
    every chunk; each process then works in the order of `units`.
    """
    dealt = sorted(units, key=lambda unit: hashlib.sha256(unit.name.encode()).digest())[rank::world]
    own = {unit.name for unit in dealt}
    return [unit for unit in units if unit.name in own]
