"""Whether the options of a data set are those that its reader takes: asked before anything is read."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from numbers import Integral, Real

from ..datasets import registry
from ..models.alike import close_names
from .entries import ConfigError

# What a reader's annotation asks for, in words and as a check. Any other annotation, such as `Preset`, says nothing.
KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "int": ("a whole number", lambda value: isinstance(value, Integral) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, Real) and not isinstance(value, bool)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "str": ("a text", lambda value: isinstance(value, str)),
    "Path": ("", lambda value: isinstance(value, os.PathLike)),  # a file may only say it as a text
    "None": ("", lambda value: value is None),
    "Sequence[str]": (
        "a list of names",
        lambda value: isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value),
    ),
    "Preset": ("", lambda value: not isinstance(value, (bool, int, float, list, tuple, dict))),
}


def check_options(dataset: Mapping[str, object]) -> None:
    """Raise ConfigError for an option that the data set has not, or of another kind."""
    name = dataset["name"]
    if not isinstance(name, str):
        raise ConfigError(f'the name of dataset must be a text, such as "toyland"; got {name!r}')
    if name not in registry:  # of one's own, or none at all, which is said where it is looked for
        return
    taken = inspect.signature(registry[name]).parameters
    known = [key for key, one in taken.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    for key, value in dataset.items():
        if key == "name":
            continue
        if key in known:
            _check_kind(name, key, value, str(taken[key].annotation))
        elif len(known) == len(taken):
            raise ConfigError(f"dataset {name!r} has no option {key!r}; close names are {close_names(key, known)}")


def as_json(value: object) -> object:
    """An option as JSON has it: a path as text, NumPy's numbers as Python's."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (bool, int, float)) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def check_needed(dataset: Mapping[str, object]) -> None:
    """Raise ConfigError for an option that the data set must be given. Apart: a preset is told its root later."""
    name = dataset["name"]
    taken = inspect.signature(registry[name]).parameters if name in registry else {}
    for key, one in taken.items():
        needed = one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        if needed and key not in dataset:
            raise ConfigError(f'dataset {name!r} needs {key}: give it as in {{name = "{name}", {key} = "…"}}')


def _check_kind(name: str, key: str, value: object, annotation: str) -> None:
    asked = annotation.split(" | ")
    if any(one not in KINDS or KINDS[one][1](value) for one in asked):
        return
    wanted = " or ".join(filter(None, (KINDS[one][0] for one in asked)))
    raise ConfigError(f"{key} of dataset {name!r} must be {wanted}; got {value!r}")
