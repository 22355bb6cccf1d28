"""What the stored outputs of a chapter depend on.

These are its code cells, the files of holicam that its run loaded, and the weights that it names. Each is a short hash
in the notebook's metadata, blind to comments, docstrings and layout.

A file that was moved is known by its hash. What is not seen here (an import that leads elsewhere, the cost of a method
in the registry) the notebook gate sees, which runs every cell and compares what it prints.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from holicam.experiments.code import canonical, changed, file_hash
from tools.ipynb import ROOT, code_cells, run_of, source


def parts(notebook: dict, files: Iterable[str], root: Path = ROOT) -> dict[str, dict[str, str]]:
    """{"cells": {"1": hash}, "files": {"core/ops.py": hash}, "weights": {"toy-resnet50": hash}}, as they are now.

    A cell that is no Python raises SyntaxError; a file that is not there is left out.
    """
    trees = [_tree(n, source(cell)) for n, cell in enumerate(code_cells(notebook), 1)]
    named = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    weights = [path for path in sorted((root / "data").rglob("*.safetensors")) if path.stem in named]
    package = root / "holicam"
    return {
        "cells": {str(n): short(json.dumps(canonical(tree)).encode()) for n, tree in enumerate(trees, 1)},
        "files": {file: file_hash(package / file) for file in files if (package / file).exists()},
        "weights": {path.stem: short(path.read_bytes()) for path in weights},
    }


def _tree(number: int, text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise SyntaxError(f"cell {number} is no Python: {error.msg}") from None


def short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def digest(found: dict[str, dict[str, str]]) -> str:
    """All parts in 64 hexadecimal digits; the names of files do not count."""
    content = [found["cells"], sorted(found["files"].values()), found["weights"]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def changes(notebook: dict, root: Path = ROOT) -> Iterator[str]:
    """What has changed since the run whose outputs are stored, as "core/ops.py", "cell 3", "weights toy-resnet50"."""
    stored = run_of(notebook)
    if not {"cells", "files", "weights"} <= stored.keys():
        yield "no run is recorded"
        return
    try:
        now = parts(notebook, (), root)
    except SyntaxError as error:
        yield error.msg
        return
    yield from changed(stored["files"], root / "holicam")
    for kind, word in (("cells", "cell"), ("weights", "weights")):
        was, there = stored[kind], now[kind]
        names = sorted(was.keys() | there.keys(), key=lambda name: (len(name), name))
        yield from (f"{word} {name}" for name in names if was.get(name) != there.get(name))
