"""What names an explainer in a manifest, in a row and in the seed of its noise, as text: "GradCAMpp(eps=0.0)".

The text holds the class and the fields that the class alone would not have (`core.options.identity`), so a new
field with a harmless default renames nothing, and neither does what only changes speed. Manifests of older versions
hold the whole `repr`; `reduced` brings both to one form.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass

from ..core.options import identity

SPEED = ("chunk",)  # of an explainer, in the texts of older versions


def named(explainer: object) -> str:
    """The text. What is no dataclass goes by its `repr`."""
    if not is_dataclass(explainer) or isinstance(explainer, type):
        return repr(explainer)
    return _text(identity(explainer))


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        given = ", ".join(f"{key}={_text(part)}" for key, part in value.items() if key != "name")
        return f"{value['name']}({given})" if "name" in value else repr(dict(value))
    return f"[{', '.join(map(_text, value))}]" if isinstance(value, list) else repr(value)


def without(said: str) -> str:
    """A text without fields that only change speed, to compare it with one of an older version."""
    return re.sub(rf"(, )?\b({'|'.join(SPEED)})=\w+", "", said)


def parsed(said: str) -> object:
    """A text, short or of an older version, as JSON would have it: {"name": class, field: value, ...}.

    What cannot be read so is returned as it is.
    """
    try:
        return _value(ast.parse(said, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return said


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
        return {"name": node.func.id} | {str(word.arg): _value(word.value) for word in node.keywords}
    if isinstance(node, (ast.Tuple, ast.List)):
        return [_value(part) for part in node.elts]
    return float(node.id) if isinstance(node, ast.Name) else ast.literal_eval(node)


def reduced(said: str, kinds: Mapping[str, type]) -> object:
    """The identity that a text stands for, as today's classes have it; kinds: those classes by name, see `kinds_of`.

    A field that a class no longer has stays, so that it is noticed.
    """
    found = parsed(said)
    try:
        made, gone = _made(found, kinds)
        return identity(made) | gone
    except (TypeError, ValueError, KeyError):  # of another class, or of settings that are refused today
        return found


def _made(found: object, kinds: Mapping[str, type]) -> tuple[object, dict[str, object]]:
    """(the explainer that a parsed text describes, what its class does not know)."""
    kind = kinds[found["name"]]
    known = {field.name for field in fields(kind)}
    given, gone = {}, {}
    for key, value in found.items():
        if key in known:
            given[key] = _made(value, kinds)[0] if isinstance(value, dict) and "name" in value else _tuples(value)
        elif key != "name":
            gone[key] = value
    return kind(**given), gone


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def kinds_of(explainers: Iterable[object]) -> dict[str, type]:
    """{name: class} of explainers, and of those inside them."""
    found: dict[str, type] = {}
    for one in explainers:
        if is_dataclass(one) and not isinstance(one, type):
            inside = [getattr(one, field.name, None) for field in fields(one)]
            found |= {type(one).__name__: type(one)} | kinds_of(inside)
    return found
