"""The sets of rows that claims are asked of: what a set holds by its configuration, and what is stored of it so far.

A set is data/results/NAME.toml, made by `make rows`, or one of `tools.study`. Its rows may be missing, or hold fewer
images than planned; which networks, layers, explainers and metrics it has is known before the first row.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from holicam.experiments.config import Config, from_toml
from holicam.experiments.manifest import layers_of
from holicam.experiments.results import StaleCodeWarning, Stored, load
from holicam.models import data_folder
from tools.study.sets import SETS, study_of

STAGES = {  # of the networks of studies, as `hc.stages` finds them
    "efficientnet-lite0": ("blocks.2.0.bn1", "blocks.3.0.bn1", "blocks.5.0.bn1", "bn2"),
    "toy-resnet50": ("layer1", "layer2", "layer3", "layer4"),
    "toy-vgg16_bn": ("features.13", "features.23", "features.33", "features.43"),
}
NETWORKS = {"photographs": "efficientnet-lite0", "toyland": "toy-resnet50", "toyland-vgg": "toy-vgg16_bn"}


@dataclass(frozen=True)
class Term:
    """A cell. layer: as it is asked for. place: where the rows have it, see `Set.place`. set: whose rows they are."""

    label: str
    layer: str
    metric: str
    set: str
    place: str


@dataclass(frozen=True)
class Set:
    """What is known of a set before its rows. config: None for a set of a study."""

    name: str
    networks: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    config: Config | None = None

    def place(self, network: str, label: str, layer: str) -> str:
        """Where the map of an explainer stands that is asked for at a layer: there, or at "" where it is of no layer.

        Raises ValueError for a network, a label or a layer that the set does not have.
        """
        if network not in self.networks:
            raise ValueError(f"{self.name} has no network {network!r}; it has {', '.join(self.networks)}")
        if label not in self.labels:
            raise ValueError(f"{self.name} has no explainer {label!r}; it has {', '.join(self.labels)}")
        if self.config is None:
            there: Sequence[str] = ("", *STAGES[network])
        else:
            there = layers_of(self.config.made[label], self.config.layers_for(network, ()))
        if layer in there:
            return layer
        if tuple(there) == ("",) and layer in self.config.layers_for(network, ()):
            return ""
        raise ValueError(f"{self.name} has no layer {layer!r} for {label} of {network}; it has {', '.join(there)}")


@dataclass(frozen=True, eq=False)
class Shelf:
    """The sets of a folder, each read once."""

    folder: Path = field(default_factory=lambda: data_folder() / "results")

    @cached_property
    def _sets(self) -> dict[str, Set]:
        return {}

    @cached_property
    def _rows(self) -> dict[str, Stored | None]:
        return {}

    def known(self, name: str) -> Set:
        """Raises ValueError where there is no such set."""
        if name not in self._sets:
            self._sets[name] = self._read(name)
        return self._sets[name]

    def _read(self, name: str) -> Set:
        if (path := self.folder / f"{name}.toml").exists():
            config = from_toml(path)
            return Set(name, tuple(config.networks), tuple(config.entries), tuple(config.metrics), config)
        if name in SETS:
            study, world = SETS[name]
            made = study_of(study)
            labels = (*made.explainers, *(made.of_objects if world == "toyland" else ()))
            return Set(name, (NETWORKS[world],), labels, made.metrics)
        raise ValueError(f"there is no set {name}: neither {path} nor a study of that name")

    def rows(self, name: str) -> Stored | None:
        """What is stored of a set, None where nothing is. Whether other code made it is not said here."""
        if name not in self._rows:
            there = (self.folder / f"{name}.parquet").exists()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", StaleCodeWarning)  # `make restamp` and the chapters say it
                self._rows[name] = replace(load(name, self.folder), rows=()) if there else None  # columns are enough
        return self._rows[name]
