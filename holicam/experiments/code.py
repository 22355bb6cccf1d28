"""Which code made a result: the files of holicam that a run imported, boiled down to 64 hexadecimal digits.

Only what may change a value counts: comments, docstrings, annotations of functions, layout, the names of files and
the order of definitions do not, nor does what only says where another file's definitions are: an import, the table of
explainers, or one of places such as {"mura": "folders:mura"}. So a move changes nothing, nor does a new entry.
Imports are lazy, so the files that a run loads are those it needs.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
import tokenize
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
TABLES = {"__init__.py", "methods/table.py"}  # where names are written, and what a reader should know of them
PLACE = re.compile(r"[a-z_][\w.]*:[A-Za-z_]\w*")  # a file and a name in it


def loaded(modules: Mapping[str, object] | None = None) -> list[str]:
    """The files of holicam that this process has imported, as "core/ops.py", sorted; or those among `modules`."""
    files = {
        getattr(module, "__file__", None)
        for name, module in dict(sys.modules if modules is None else modules).items()
        if name.split(".")[0] == "holicam"
    }
    paths = (Path(file).resolve() for file in files if file)
    found = {path.relative_to(PACKAGE).as_posix() for path in paths if path.is_relative_to(PACKAGE)}
    return sorted(found - TABLES)


def code_hash(files: Iterable[str], package: Path = PACKAGE) -> str:
    """The hash of these files of holicam, which `loaded` lists: 64 hexadecimal digits.

    A file that is no longer there raises FileNotFoundError: whoever compares knows that the code has changed.
    """
    return joined_hash(one for file in files for one in definitions(package / file))


def joined_hash(found: Iterable[str]) -> str:
    """The hash of definitions, wherever they stand."""
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def short_hash(found: Iterable[str]) -> str:
    """The hash of the definitions of one file: twelve hexadecimal digits, as manifests and chapters have it."""
    return joined_hash(found)[:12]


def file_hash(path: Path) -> str:
    """The same of a file as it is now. Raises FileNotFoundError."""
    return short_hash(definitions(path))


def changed(known: Mapping[str, object], package: Path = PACKAGE) -> list[str]:
    """The files of {"core/ops.py": its hash} that are others now. One that was moved is found where it is."""
    found = [file for file, was in known.items() if not (package / file).exists() or file_hash(package / file) != was]
    there = {file_hash(path) for path in package.rglob("*.py")} if found else set()
    return [file for file in found if (package / file).exists() or known[file] not in there]


def definitions(path: Path) -> tuple[str, ...]:
    """The hash of every statement of a file that is no import from holicam and no table of places."""
    with tokenize.open(path) as file:  # in the encoding that Python reads it in
        return _definitions(file.read())


@cache
def _definitions(text: str) -> tuple[str, ...]:
    kept = [node for node in ast.parse(text).body if not (_docstring(node) or _within(node) or _places(node))]
    forms = (json.dumps(canonical(node)) for node in kept)
    return tuple(hashlib.sha256(form.encode()).hexdigest() for form in forms)


def canonical(node: object) -> object:
    """A syntax tree as nested lists without docstrings, the same on every version of Python."""
    if isinstance(node, ast.AST):
        fields = dict(ast.iter_fields(node))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            fields["body"] = [item for item in fields["body"] if not _docstring(item) and not _within(item)]
        for name in ("kind", "type_comment", "type_ignores", "ctx", "returns"):
            fields.pop(name, None)
        if isinstance(node, ast.arg):
            fields.pop("annotation")  # what a function is said to take; a field's type is checked, and counts
        kept = [[k, canonical(v)] for k, v in sorted(fields.items()) if v not in (None, [])]
        # A constant None is a value, not an absent field.
        if isinstance(node, ast.Constant):
            kept = [["value", f"{type(node.value).__name__} {node.value!r}"]]
        return [type(node).__name__, *kept]
    return [canonical(item) for item in node] if isinstance(node, list) else repr(node)


def _docstring(node: ast.AST) -> bool:
    """A string that nobody reads: a docstring, or a comment in a string's clothes."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _within(node: ast.AST) -> bool:
    """An import of one file of holicam by another."""
    return isinstance(node, ast.ImportFrom) and (node.level > 0 or (node.module or "").split(".")[0] == "holicam")


def _places(node: ast.AST) -> bool:
    """A table of which every entry says where something is written: {"mura": "folders:mura"}."""
    table = getattr(node, "value", None)
    if not isinstance(table, ast.Dict) or not table.values:
        return False
    texts = ([n.value for n in ast.walk(value) if isinstance(n, ast.Constant)] for value in table.values)
    return all(any(isinstance(text, str) and PLACE.fullmatch(text) for text in some) for some in texts)
