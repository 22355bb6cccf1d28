"""What only bounds memory, and so changes how fast a value is computed and never the value.

An explainer's `chunk` is such a field: two explainers that differ in it alone are one explainer, with
one name in a manifest and in a row, and one draw of noise.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, is_dataclass, replace

FIELDS = ("chunk",)


def settled(explainer: object) -> object:
    """The explainer with such fields at their defaults, also in an explainer that it wraps."""
    return _changed(explainer, lambda value, default: default)


def named(explainer: object) -> str:
    """What a manifest, a row and a seed call it: the repr of the explainer `settled`."""
    return repr(settled(explainer))


def bounded(explainer: object, batch: int) -> object:
    """The explainer with model batches of at most `batch`, also in an explainer that it wraps."""
    return _changed(explainer, lambda value, default: min(value, batch) if isinstance(value, int) else value)


def without(said: str) -> str:
    """A repr without such fields, however they are set, to compare it with one of another time."""
    return re.sub(rf"(, )?\b({'|'.join(FIELDS)})=\w+", "", said)


def _changed(explainer: object, rule) -> object:
    if not is_dataclass(explainer) or isinstance(explainer, type):
        return explainer
    changed = {}
    for field in fields(explainer):
        value = getattr(explainer, field.name, None)
        if field.name in FIELDS:
            new = rule(value, value if field.default is MISSING else field.default)
        else:
            new = _changed(value, rule)
        if new is not value and field.init:
            changed[field.name] = new
    return replace(explainer, **changed) if changed else explainer
