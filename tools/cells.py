"""The code cells of a notebook run in this process, without a kernel, and what they print beside what is stored.

Pictures are not compared, nor is a result that is shown as more than text.
"""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.compare import same_text
from tools.ipynb import code_cells, read, source


@dataclass(frozen=True)
class Cell:
    """number: among the code cells, from 1. printed, result: the stored text, None for a result with more than text."""

    number: int
    source: str
    printed: str
    result: str | None


def cells_of(path: Path) -> list[Cell]:
    """The code cells of a notebook with what it stores of them."""
    code = enumerate(code_cells(read(path)), 1)
    return [Cell(number, source(cell), *_stored(cell["outputs"])) for number, cell in code]


def _stored(outputs: list[dict]) -> tuple[str, str | None]:
    printed = "".join("".join(o["text"]) for o in outputs if o.get("name") == "stdout")
    results = [o["data"] for o in outputs if o["output_type"] == "execute_result"]
    if any(set(data) != {"text/plain"} for data in results):
        return printed, None
    return printed, "".join("".join(data["text/plain"]) for data in results)


def run_cell(cell: Cell, names: dict[str, object], title: str) -> tuple[str, str]:
    """What the cell prints, and its last expression as text. `names` is the notebook's memory. Errors are raised."""
    file = f"<{title}, cell {cell.number}>"
    linecache.cache[file] = len(cell.source), None, cell.source.splitlines(True), file  # for tracebacks and inspect
    tree, last = ast.parse(cell.source, file), None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not cell.source.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)
    out, value = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        exec(compile(tree, file, "exec"), names)
        value = None if last is None else eval(compile(last, file, "eval"), names)
    return out.getvalue(), "" if value is None else repr(value)


def differences(path: Path) -> Iterator[tuple[Cell, str, str] | None]:
    """Runs a notebook from the top; after each cell None, or (cell, what is stored, what it says now)."""
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in cells_of(path):
        printed, result = run_cell(cell, names, path.stem)
        if not same_text(cell.printed, printed):
            yield cell, cell.printed, printed
        elif cell.result is not None and not same_text(cell.result, result):
            yield cell, cell.result, result
        else:
            yield None
