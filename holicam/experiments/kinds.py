"""What kind of value each key of a configuration has: a file may hold anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..models.alike import close_names
from .entries import ConfigError, Entry
from .published import FILES

LONGEST = 200  # letters of a label, which is a part of file names
NAMES = ("networks", "metrics", "notes", "seed_by_image", "load", "layers")  # lists of names
NAME = ("protocol", "target", "table", "difficult", "reference")


def check_kinds(config: object) -> None:
    """Raise TypeError, with the key and what would be right, for a value of another kind than its key has."""
    for key in NAMES:
        value = getattr(config, key)
        lists = value.values() if key == "layers" and isinstance(value, Mapping) else [value]
        if any(isinstance(one, str) for one in lists):  # letters, one by one, would pass for names
            raise TypeError(f"{key} must be a list of names, and a text is no list of names; got {value!r}")
        if not all(isinstance(one, Sequence) and all(isinstance(name, str) for name in one) for one in lists):
            raise TypeError(f"{key} must be a list of names; got {value!r}")
    if isinstance(config.explainers, str):
        raise TypeError(f'explainers must be a list such as ["{config.explainers}"]; got {config.explainers!r}')
    if isinstance(config.explainers, Mapping):
        raise TypeError(f'explainers must be a list such as [{{name = "rise"}}]; got {config.explainers!r}')
    if "" in config.networks:
        raise TypeError(f'networks must be a list of names, and "" is none; got {config.networks!r}')
    for key in NAME:
        if not isinstance(getattr(config, key), str):
            raise TypeError(f"{key} must be a name; got {getattr(config, key)!r}")
    if not isinstance(config.dataset, Mapping):
        raise TypeError(
            f'dataset must be a name or a table with one, {{name = "toyland", n = 100}}; got {config.dataset!r}'
        )
    own = config.loaders
    if not isinstance(own, Mapping) or not all(isinstance(said, str) for said in own.values()):
        raise TypeError(f'loaders must be a table such as {{NAME = "module:function"}}; got {own!r}')
    for entry in config.explainers if isinstance(config.explainers, Sequence) else [config.explainers]:
        if not isinstance(entry, (str, Entry)) and not (
            isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
        ):
            raise TypeError(f'an explainer must be a name or a table with one, {{name = "rise"}}; got {entry!r}')
        if isinstance(entry, Mapping):
            _check_entry(entry)


def _check_entry(said: Mapping[str, object]) -> None:
    """The same for the table of one explainer."""
    label, layers = said.get("label", said["name"]), said.get("layers")
    if not isinstance(label, str) or not label.strip() or label.splitlines() != [label] or len(label) > LONGEST:
        raise TypeError(
            f"the label of explainer {said['name']!r} must be one line of 1 to {LONGEST} letters; got {label!r}"
        )
    listed = isinstance(layers, Sequence) and not isinstance(layers, str)
    if layers is not None and not (listed and all(isinstance(name, str) for name in layers)):
        raise TypeError(f"the layers of explainer {label!r} must be a list of names; got {layers!r}")


def check_names(config: object) -> None:
    """Raise ConfigError for a name that is there twice, and for one that would be passed over in silence."""
    for key in ("networks", "metrics"):
        names = list(getattr(config, key))
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise ConfigError(f"{key} has {', '.join(twice)} more than once: name each once")
    known = [*config.networks, *filter(None, [config.reference])]
    for network in config.loaders:
        if network not in known:
            raise ConfigError(
                f"loaders names {network!r}, which is no network of this run; close names are "
                f"{close_names(str(network), known)}"
            )
    said = config.layers if isinstance(config.layers, Mapping) else {}
    silent = [network for network in config.networks if said and network not in said]
    for network in said:
        if silent and network not in config.networks:  # mistyped; where all have theirs, it may be of a wider study
            close = close_names(str(network), config.networks)
            raise ConfigError(
                f"layers names {network!r}, which is no network of this run, and {', '.join(silent)} has none; "
                f"close names are {close}"
            )
    if config.table and config.table not in FILES:
        close = close_names(config.table, FILES)
        raise ConfigError(f"table: no published table is called {config.table!r}; close names are {close}")


def check_joined(entries: Mapping[str, Entry], made: Mapping[str, object]) -> None:
    """Raise ConfigError for layers of an explainer that joins none: they would be passed over in silence."""
    for label, entry in entries.items():
        takes = getattr(made[label], "takes", "layer")
        if entry.layers is not None and takes in ("layer", "input"):
            how = "reads the layers of the run: give them as layers beside explainers"
            raise ConfigError(
                f"explainer {label!r}: layers are for explainers that join several, and {entry.name} "
                f"{how if takes == 'layer' else 'reads none: leave them out'}"
            )
