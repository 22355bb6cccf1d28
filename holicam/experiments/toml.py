"""A configuration as TOML, for a reader who wants to run it again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(table: Mapping[str, object]) -> str:
    """A table of texts, numbers, truth values, and lists and tables of them, as `tomllib` reads it.

    What is None in a table is left out, as TOML has no such value. Raises TypeError for others that it does not have.
    """
    table = _without_none(table)
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    out = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for name, inner in tables.items():
        out += ["", f"[{_key(name)}]", *(f"{_key(key)} = {_value(value)}" for key, value in inner.items())]
    return "\n".join([*out, ""])


def _without_none(said: object) -> Any:
    if isinstance(said, Mapping):
        return {key: _without_none(value) for key, value in said.items() if value is not None}
    return [_without_none(one) for one in said] if isinstance(said, (list, tuple)) else said


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(said: str) -> str:
    return json.dumps(said, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        inner = [_value(one) for one in value]
        if any(isinstance(one, Mapping) for one in value):
            return "[\n" + "".join(f"    {one},\n" for one in inner) + "]"
        return f"[{', '.join(inner)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + "}"
    raise TypeError(f"TOML has no value such as {value!r}")
