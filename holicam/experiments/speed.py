"""What only bounds memory, and so changes how fast a value is computed and never the value."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace


def bounded(explainer: object, batch: int) -> object:
    """The explainer with model batches of at most `batch`, also in an explainer that it wraps."""
    if not is_dataclass(explainer) or isinstance(explainer, type):
        return explainer
    changed = {}
    for field in fields(explainer):
        value = getattr(explainer, field.name, None)
        if field.name == "chunk":
            new = min(value, batch) if isinstance(value, int) else value
        else:
            new = bounded(value, batch)
        if new is not value and field.init:
            changed[field.name] = new
    return replace(explainer, **changed) if changed else explainer
