"""What an evaluation consists of: a configuration, from a table, a file or a preset.

`units` divides it into work, `evaluate` runs it, `costs` says what it takes.
"""

from __future__ import annotations

import codecs
import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path

from ..core.ops import one_of
from ..core.options import check_count, check_flag
from ..metrics import UnknownProtocolError, protocol_of, registry
from .data_options import as_json, check_needed, check_options
from .entries import ConfigError, Entry
from .kinds import check_joined, check_kinds, check_names
from .naming import named
from .own import anchored, is_own_network, prepare

TARGETS = ("top-1", "label")
LATER = ("pairs", "difficult", "reference", "seed_by_image", "curves", "loaders")  # not in older manifests
RENAMED = {"chunk": "images_per_unit", "batch": "batch_size"}  # names of older versions


@dataclass(frozen=True)
class Config:
    """What is evaluated; `from_toml` reads one from a file.

    dataset: {"name": ..., options of that data set}. networks: names for `load_model`. layers:
    names, the same for all networks, or {network: names}; empty means each network's default
    layers. explainers: names, or {"name": ..., "label": ..., fields of the explainer}, for a joint
    explainer also "layers", those it joins; kept as `Entry`. metrics: names in the registry. protocol: of the
    metrics. target: "top-1" or "label". n: images, drawn by `seed` from the data set; 0 takes all.
    images_per_unit: of a unit of work. batch_size: the largest model batch, of images and of what explainers
    and metrics make of them; neither changes a value, so neither is part of what a run is. notes: what a reader of
    the table must be told, such as a reduced number of masks. table: the published table beside which
    ours is put.

    The fields below stand in a manifest only where they are used. pairs: one row for each image and
    class in it, the class being the target, see `class_pairs`; difficult: a file that lists the pairs of
    the difficult subset, else a rule decides. reference: the network trained without the shortcut,
    for shortcut-contrast. seed_by_image: labels of explainers whose noise follows from each image's
    id, else all images share one draw. curves: keep the curves of insertion, deletion
    and ROAD in the rows. loaders: {network: "module:function"} for networks of one's own, such as
    one trained on VOC's classes; the function returns it in eval mode. load: files, folders and modules of code of
    one's own. A place in them, "module:name", may stand for an explainer (a class), a metric, a data set or a network
    (functions), see `own`. Code is imported and called: a configuration with loaders or places is a program, so
    run none that you would not run as one.
    """

    dataset: Mapping[str, object]
    networks: Sequence[str]
    explainers: Sequence[str | Mapping[str, object] | Entry]
    metrics: Sequence[str] = ("insertion", "deletion", "over-all")
    layers: Sequence[str] | Mapping[str, Sequence[str]] = ()
    protocol: str = "holistic-cam"
    target: str = "top-1"
    n: int = 0
    seed: int = 0
    images_per_unit: int = 8
    batch_size: int = 64
    notes: Sequence[str] = ()
    table: str = ""
    pairs: bool = False
    difficult: str = ""
    reference: str = ""
    seed_by_image: Sequence[str] = ()
    curves: bool = False
    loaders: Mapping[str, str] = field(default_factory=dict)
    load: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.dataset, str):
            object.__setattr__(self, "dataset", {"name": self.dataset})
        check_kinds(self)
        if "name" not in self.dataset:
            raise ConfigError('dataset must have a name, such as {name = "toyland", n = 100}')
        for key in ("networks", "explainers", "metrics"):
            value = getattr(self, key)
            if not len(value):
                raise ConfigError(f"{key} must be a list with at least one entry; got {value!r}")
        check_options(self.dataset)
        object.__setattr__(self, "dataset", {key: as_json(value) for key, value in self.dataset.items()})
        check_names(self)
        object.__setattr__(self, "explainers", tuple(map(Entry.of, self.explainers)))
        own = {name: name for name in (*self.networks, self.reference) if is_own_network(name)}
        object.__setattr__(self, "loaders", {**own, **self.loaders})
        prepare(self.load, self.metrics)
        for name in self.metrics:
            registry[name]  # raises with the close names
        try:
            protocol_of(self.protocol)
        except UnknownProtocolError as error:  # now, not when the first map is scored
            raise ConfigError(str(error)) from None
        one_of("target", self.target, TARGETS)
        check_count("images_per_unit", self.images_per_unit)
        check_count("batch_size", self.batch_size)
        check_count("n", self.n, 0)
        check_count("seed", self.seed, 0)
        for key in ("pairs", "curves"):
            check_flag(key, getattr(self, key))
        self._check_together(self.made)

    def _check_together(self, made: Mapping[str, object]) -> None:
        """Raise ConfigError where settings that are sound alone do not fit each other."""
        check_joined(self.entries, made)
        if self.pairs and self.target != "label":
            raise ConfigError('pairs = true explains every class in an image: give target = "label" with it')
        if self.difficult and not self.pairs:
            raise ConfigError("difficult names a list of pairs of image and class: give pairs = true with it")
        for name in self.metrics:
            if self.pairs and "boxes" in registry[name].needs:
                raise ConfigError(f"{name} counts all of an image's boxes, whatever their class: leave out pairs")
            if self.pairs and "recipes" in registry[name].needs:
                raise ConfigError(f"{name} knows the parts of an image's label only: leave out pairs")
            if "reference" in registry[name].needs and not self.reference:
                raise ConfigError(f"{name} compares two networks: give reference, one trained without the shortcut")
        for label in self.seed_by_image:
            if not hasattr(made.get(label), "seed"):
                having = [name for name, explainer in made.items() if hasattr(explainer, "seed")]
                raise ConfigError(
                    f"seed_by_image names {label!r}, which draws no noise here; those that do: "
                    f"{', '.join(having) or 'none'}"
                )
        if self.seed_by_image and "sensitivity-max" in self.metrics:
            raise ConfigError("sensitivity-max asks for maps of images that have no id: leave out seed_by_image")

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """{label: entry}, in order."""
        return {entry.label: entry for entry in self.explainers}

    @cached_property
    def made(self) -> dict[str, object]:
        """{label: explainer}, in order. Raises ConfigError."""
        found: dict[str, object] = {}
        for entry in self.explainers:
            explainer = entry.made()
            if entry.label in found:
                raise ConfigError(f"two explainers are called {entry.label!r}: give one of them a label")
            found[entry.label] = explainer
        return found

    def layers_for(self, network: str, default: Sequence[str]) -> tuple[str, ...]:
        """The layers explained on a network, `default` where none are named."""
        named = self.layers.get(network, ()) if isinstance(self.layers, Mapping) else self.layers
        return tuple(named) or tuple(default)

    def plain(self) -> dict[str, object]:
        """What the rows depend on, as JSON has it; explainers as `named` and with the layers that they join."""
        said = json.loads(json.dumps(asdict(self)))
        del said["load"]  # where code lies moves no value; which code it is, the manifest says
        for key in LATER:
            if not said[key]:
                del said[key]
        if self.seed_by_image:
            said["seeds_from"] = "identity"  # older versions took another text, and so drew other noise
        joined = {label: None if entry.layers is None else list(entry.layers) for label, entry in self.entries.items()}
        said["explainers"] = {label: [named(made), joined[label]] for label, made in self.made.items()}
        return said

    def given(self) -> dict[str, object]:
        """The table that `from_table` makes this configuration of again, as JSON has it."""
        said = {key: value for key, value in asdict(self).items() if value}
        return json.loads(json.dumps(said | {"explainers": [entry.table() for entry in self.explainers]}))


def from_table(table: Mapping[str, object]) -> Config:
    """A configuration from a mapping. Raises ConfigError with close names for an unknown key."""
    known = [f.name for f in fields(Config)]
    for key in table:
        if key in RENAMED:
            raise ConfigError(f"{key} is called {RENAMED[key]} now: rename it in the configuration")
        if key not in known:
            close = difflib.get_close_matches(key, known, n=2, cutoff=0.4)
            raise ConfigError(f"there is no setting {key!r}; close names are {', '.join(close or known)}")
    if lacking := [key for key in ("dataset", "networks", "explainers") if key not in table]:
        raise ConfigError(f"the configuration is not whole: it needs {', '.join(lacking)}")
    try:
        made = Config(**table)
    except TypeError as error:
        raise ConfigError(f"the configuration is not whole: {error}") from None
    except ValueError as error:
        if type(error) is ValueError:  # of a check that others share; ConfigError and its like say more
            raise ConfigError(str(error)) from None
        raise
    check_needed(made.dataset)
    return made


def renamed(table: Mapping[str, object]) -> dict[str, object]:
    """A table of an older version under today's names."""
    return {RENAMED.get(key, key): value for key, value in table.items()}


def from_toml(path: Path) -> Config:
    """A configuration from a TOML file. Raises ConfigError, FileNotFoundError."""
    path = Path(path)
    if path.read_bytes()[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise ConfigError(f"{path} is not TOML: it is text in UTF-16, save it as UTF-8")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors put a mark before UTF-8
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    return from_table(anchored(table, path.parent))


def differences(old: object, new: object, path: str = "") -> list[str]:
    """Where two JSON values differ: "protocol: 'rise' became 'ucag'"."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        return found
    return [] if same(old, new) else [f"{path}: {old!r} became {new!r}"]


def same(one: object, other: object) -> bool:
    """Whether two JSON values, or lists of result rows, are equal; a value that is unknown, NaN, equals another."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (isinstance(one, float) and isinstance(other, float) and one != one and other != other)
