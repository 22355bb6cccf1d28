"""What an evaluation consists of: a configuration, and the units of work that it divides into.

A unit is one network, one group of explainers and one chunk of images. Its rows depend on nothing
else, so units may run anywhere, in any order, twice, or again after a crash. Explainers that share
passes form one group; every other explainer is a group of its own.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from .askonce import same_questions
from .explain import explainers, info
from .metrics import registry
from .ops import one_of
from .passes import PassExplainer
from .settings import check_count

TARGETS = ("top-1", "label")


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the key and what would be right."""


@dataclass(frozen=True)
class Config:
    """What is evaluated; `from_toml` reads one from a file.

    dataset: {"name": ..., options of that data set}. networks: names for `load_model`. layers:
    names, the same for all networks, or {network: names}; empty means each network's default
    layers. explainers: names, or {"name": ..., "label": ..., fields of the explainer}, for a joint
    explainer also "layers", those it joins. metrics: names in the registry. protocol: of the
    metrics. target: "top-1" or "label". n: images, drawn by `seed` from the data set; 0 takes all.
    chunk: images a unit. batch: the largest model batch. notes: what a reader of the table must be
    told, such as a reduced number of masks. table: the published table beside which ours is put.
    """

    dataset: Mapping[str, object]
    networks: Sequence[str]
    explainers: Sequence[str | Mapping[str, object]]
    metrics: Sequence[str] = ("insertion", "deletion", "over-all")
    layers: Sequence[str] | Mapping[str, Sequence[str]] = ()
    protocol: str = "holistic-cam"
    target: str = "top-1"
    n: int = 0
    seed: int = 0
    chunk: int = 8
    batch: int = 64
    notes: Sequence[str] = ()
    table: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.dataset, str):
            object.__setattr__(self, "dataset", {"name": self.dataset})
        if "name" not in self.dataset:
            raise ConfigError('dataset must have a name, such as {name = "toyland", n = 100}')
        for key in ("networks", "explainers", "metrics"):
            value = getattr(self, key)
            if isinstance(value, str) or not len(value):
                raise ConfigError(f"{key} must be a list with at least one entry; got {value!r}")
        for name in self.metrics:
            registry[name]  # raises with the close names
        one_of("target", self.target, TARGETS)
        check_count("chunk", self.chunk)
        check_count("batch", self.batch)
        check_count("n", self.n, 0)
        self.made()

    def made(self) -> dict[str, object]:
        """{label: explainer}, in order. Raises ConfigError."""
        found: dict[str, object] = {}
        for entry in self.explainers:
            options = {"name": entry} if isinstance(entry, str) else dict(entry)
            name = options.pop("name", None)
            label = options.pop("label", name)
            options.pop("layers", None)
            try:
                if isinstance(options.get("base"), str):
                    options["base"] = explainers[options["base"]]()
                explainer = explainers[name](**{key: tuple(v) if isinstance(v, list) else v
                                                for key, v in options.items()})
            except (TypeError, ValueError, KeyError) as error:
                raise ConfigError(f"explainer {label!r}: {error}") from None
            if label in found:
                raise ConfigError(f"two explainers are called {label!r}: give one of them a label")
            found[label] = explainer
        return found

    def joined(self, label: str) -> list[str] | None:
        """The layers that a joint explainer joins, None for its own list."""
        found = {e.get("label", e["name"]): e.get("layers") for e in self.explainers if not isinstance(e, str)}
        return found.get(label)

    def names(self) -> dict[str, str]:
        """{label: name in the registry}."""
        pairs = [(e, e) if isinstance(e, str) else (e.get("label", e["name"]), e["name"])
                 for e in self.explainers]
        return dict(pairs)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """{group: labels}: "cams" for those that share passes, "asked" for those that share questions
        (`askonce`; "asked-1" and so on for a second set), else one explainer a group.
        """
        shared, asked, alone = [], {}, {}
        for label, explainer in self.made().items():
            if isinstance(explainer, PassExplainer) and explainer.takes == "layer":
                shared.append(label)
            elif questions := same_questions(explainer):
                asked.setdefault(questions, []).append(label)
            else:
                alone[label] = (label,)
        together = {f"asked-{i}" if i else "asked": tuple(labels) for i, labels in enumerate(asked.values())}
        return ({"cams": tuple(shared)} if shared else {}) | together | alone

    def layers_for(self, network: str, default: Sequence[str]) -> tuple[str, ...]:
        """The layers explained on a network, `default` where none are named."""
        named = self.layers.get(network, ()) if isinstance(self.layers, Mapping) else self.layers
        return tuple(named) or tuple(default)

    def plain(self) -> dict[str, object]:
        """What the rows depend on, as JSON has it; explainers with every resolved field."""
        said = json.loads(json.dumps(asdict(self)))
        said["explainers"] = {label: [repr(made), self.joined(label)] for label, made in self.made().items()}
        return said


def from_table(table: Mapping[str, object]) -> Config:
    """A configuration from a mapping. Raises ConfigError with close names for an unknown key."""
    known = [f.name for f in fields(Config)]
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=2, cutoff=0.4)
            raise ConfigError(f"there is no setting {key!r}; close names are {', '.join(close or known)}")
    try:
        return Config(**table)
    except TypeError as error:
        raise ConfigError(f"the configuration is not whole: {error}") from None


def from_toml(path: Path) -> Config:
    """A configuration from a TOML file. Raises ConfigError, FileNotFoundError."""
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    return from_table(table)


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
    return [Unit(network, group, start, labels, tuple(ids[start:start + config.chunk]))
            for start in range(0, len(ids), config.chunk)
            for network in config.networks
            for group, labels in config.groups().items()]


def mine(units: Sequence[Unit], rank: int, world: int) -> list[Unit]:
    """The units of one process: every one belongs to exactly one, nothing is padded.

    They are dealt in the order of a hash of their names, or a process would get the costly group of
    every chunk; each process then works in the order of `units`.
    """
    dealt = sorted(units, key=lambda unit: hashlib.sha256(unit.name.encode()).digest())[rank::world]
    own = {unit.name for unit in dealt}
    return [unit for unit in units if unit.name in own]


def differences(old: object, new: object, path: str = "") -> list[str]:
    """Where two JSON values differ: "protocol: 'rise' became 'ucag'"."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        return found
    return [] if old == new else [f"{path}: {old!r} became {new!r}"]


def cost(config: Config, unit: Unit, maps: int) -> float:
    """About how many F a unit costs: `maps` maps an image, their passes and their metrics."""
    rows = [info(config.names()[label]) for label in unit.labels]
    passes = [row.forwards + row.backwards for row in rows]
    explaining = max(passes) if unit.group.startswith(("cams", "asked")) else sum(passes)
    scoring = sum(registry[name].forwards for name in config.metrics) * maps
    return len(unit.ids) * (explaining + scoring)
