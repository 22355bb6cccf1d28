"""What the reference says of a class, made from its code: fields, presets, an example, how it is called.

Everything here is reStructuredText, line by line; `site_reference` turns it into pages.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import get_type_hints

import holicam as hc
from tools.site_docstrings import built_in, linked, parts
from tools.site_names import documented


def fields_of(cls: type) -> list[dataclasses.Field]:
    """The fields a caller may set."""
    return [field for field in dataclasses.fields(cls) if field.init] if dataclasses.is_dataclass(cls) else []


def presets_of(cls: type) -> dict[str, dict[str, object]]:
    """{preset: the value of every field}, found by making one of each; empty for a class without presets."""
    if cls not in hc.explainers.values() or not cls.presets:
        return {}
    made = {preset: cls(preset=preset) for preset in cls.presets}
    return {preset: {field.name: getattr(one, field.name) for field in fields_of(cls)} for preset, one in made.items()}


def described(cls: type) -> dict[str, str]:
    """{field: what it is}, from the docstrings of a class and of those it inherits from, the nearest first."""
    names, found = [field.name for field in fields_of(cls)], {}
    for parent in cls.__mro__:
        if parent is not object:
            for said, text in parts(parent.__doc__ or "", names).entries.items():
                for name in said.split(", "):
                    found.setdefault(name, text)
            for name, text in comments(parent).items():
                found.setdefault(name, text)
    return found


def comments(cls: type) -> dict[str, str]:
    """{field: the comment behind it} of a class's source."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return {}
    return dict(re.findall(r"^    (\w+): [^#\n]*#\s*(.+)$", source, re.MULTILINE))


def default(field: dataclasses.Field) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else dataclasses.MISSING


def required(cls: type) -> list[dataclasses.Field]:
    """The fields without a default."""
    return [field for field in fields_of(cls) if default(field) is dataclasses.MISSING]


def shown(value: object) -> str:
    """A value for a cell; long rows of numbers in short, objects as they are made."""
    if value is dataclasses.MISSING:
        return "required"
    if isinstance(value, tuple) and len(value) > 3 and all(isinstance(v, (int, float)) for v in value):
        return f"``{len(value)} numbers, {value[0]:g} to {value[-1]:g}``"
    if dataclasses.is_dataclass(type(value)):
        name, settings = type(value).__name__, repr(value).partition("(")[2]
        usual = settings == repr(type(value)()).partition("(")[2] if not required(type(value)) else False
        return f"``{documented().get(id(type(value)), name)}({'' if usual else settings.removesuffix(')')})``"
    if callable(value):
        return f"``{getattr(value, '__name__', type(value).__name__)}``"
    return f"``{value!r}``"


def typed(field: dataclasses.Field, hint: object) -> str:
    """A field's type, with what it must be beside: its choices, or the limits of a number."""
    text = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
    for check in getattr(hint, "__metadata__", ()):
        text = inspect.formatannotation(hint.__origin__)
        limits = inspect.signature(check).parameters if callable(check) else {}
        if "choices" in limits:
            return " | ".join(map(repr, limits["choices"].default))
        if {"low", "high", "above"} <= limits.keys():
            low, high = limits["low"].default, limits["high"].default
            text += "" if low == float("-inf") else f" {'>' if limits['above'].default else '≥'} {low:g}"
            text += "" if high == float("inf") else f", ≤ {high:g}"
        elif "low" in limits:
            text += f" ≥ {limits['low'].default}"
    return text


def table(head: list[str], rows: list[list[str]], kind: str = "") -> list[str]:
    """A table in reStructuredText; none without rows."""
    if not rows:
        return []
    out = [".. list-table::", "   :header-rows: 1"] + ([f"   :class: {kind}"] if kind else []) + [""]
    for row in [head, *rows]:
        out += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return [*out, ""]


def hints_of(cls: type) -> dict[str, object]:
    """The fields' types, as far as they can be told while the package runs."""
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError:  # named for type checkers only
        return {}


def fields_table(cls: type) -> list[str]:
    """Every field with its type, its default and what it is."""
    presets, said, names = presets_of(cls), described(cls), [field.name for field in fields_of(cls)]
    usual = presets.get(getattr(cls, "preset", ""), {})
    hints, rows = hints_of(cls), []
    for field in fields_of(cls):
        text = linked(said.get(field.name, ""), cls.__module__, names)
        value = shown(usual.get(field.name, default(field)))
        rows.append([f"``{field.name}``", f"``{typed(field, hints.get(field.name))}``", value, text])
    head, columns = ["field", "type", "default", "what it is"], [0, 1, 2, 3]
    if all(row[2] == "required" for row in rows):
        columns.remove(2)
    if not any(row[3] for row in rows):
        columns.remove(3)
    return table([head[i] for i in columns], [[row[i] for i in columns] for row in rows], "fields")


def presets_table(cls: type) -> list[str]:
    """What each preset sets; fields in which all presets agree are left out."""
    presets = presets_of(cls)
    names = [field.name for field in fields_of(cls) if field.name != "preset"]
    rows = [[f"``{name}``", *(shown(values[name]) for values in presets.values())] for name in names]
    rows = [row for row in rows if len(set(row[1:])) > 1]
    return table(["field", *(f'``"{preset}"``' for preset in presets)], rows, "presets")


def example_of(cls: type) -> str:
    """The runnable example of a class's docstring."""
    return parts(cls.__doc__ or "").example


def call_of(cls: type) -> tuple[type, list[str]]:
    """The class that defines how `cls` is called, and its arguments without types."""
    owner = next(parent for parent in cls.__mro__ if "__call__" in vars(parent))
    shown, star = [], False
    for p in list(inspect.signature(owner.__call__).parameters.values())[1:]:
        if p.kind is p.KEYWORD_ONLY and not star:
            shown, star = [*shown, "*"], True
        shown.append(p.name if p.default is p.empty else f"{p.name}={p.default!r}")
    return owner, shown


def made(cls: type) -> str:
    """The signature by which an explainer is made, with what its default preset sets; long values in short."""
    presets, out = presets_of(cls), []
    usual = presets.get(getattr(cls, "preset", ""), {})
    for field in fields_of(cls):
        value = shown(usual.get(field.name, default(field))).strip("`")
        out += ["*"] * (field.kw_only and "*" not in out)
        out.append(f"{field.name}={'(...)' if 'numbers' in value else value}")
    return f"({', '.join(out)})"


def call_line(cls: type) -> list[str]:
    """The signature of the call, and where it is described."""
    return [
        f".. py:method:: __call__({', '.join(call_of(cls)[1])})",
        "   :no-index:",
        "   :single-line-parameter-list:",
        "",
        "   As every explainer is called, see :ref:`sec-calling`.",
        "",
    ]


def chapters_of(obj: object) -> str:
    """Links to the chapters that build this, as its docstring says."""
    return built_in(parts(inspect.getdoc(obj) or "").chapters)


def facts(name: str, paper: str) -> list[str]:
    """By name, needs, cost, chapter, paper: a list of fields. `paper`: keys of the bibliography."""
    cls, info = hc.explainers[name], hc.info(name)
    source = ", ".join(f":cite:t:`{key}`" for key in paper.split()) if paper else info.paper
    out = [f':By name: ``"{name}"``, in :py:obj:`hc.explain_many` and ``hc.explainers``', f":Needs: {info.needs}"]
    out += [f":Cost: {info.cost} per image", f":Paper: {source}"]
    out += [f":Built in: {built}"] if (built := chapters_of(cls)) else []
    return [*out, ""]
