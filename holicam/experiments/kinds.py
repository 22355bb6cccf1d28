"""What kind of value each key of a configuration has: a file may hold anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .entries import Entry

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
