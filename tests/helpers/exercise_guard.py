"""What the exercises of a chapter must be: a task, a place for the answer, a check of the answer, a solution apart.

The solution has names of its own, so that running a chapter from top to bottom never answers for the reader.
"""

import ast
import re
from collections.abc import Iterator

from tools.chapters import LEVEL
from tools.ipynb import code_cells, source, tags, texts

EXERCISES = (3, 5)
LONG = {1, 3, 4, 7, 14, 18, 19}  # chapters with an exercise of an hour: a method, a metric, a counterexample


def bound(code_text: str) -> set[str]:
    """The names that a cell gives a value."""
    tree = ast.parse(code_text)
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} | {
        n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))
    }


def tagged(notebook: dict, tag: str) -> list[dict]:
    return [c for c in code_cells(notebook) if tag in tags(c)]


def printed(cell: dict) -> str:
    return "".join("".join(o.get("text", "")) for o in cell["outputs"])


def complaints(notebook: dict) -> Iterator[str]:
    """Task with level, minutes and a hint; starter; check; solution under another name, which tries the check."""
    starters, checks, solutions = (tagged(notebook, tag) for tag in ("exercise", "check", "solution"))
    sound = EXERCISES[0] <= len(starters) <= EXERCISES[1] and len(starters) == len(checks) == len(solutions)
    if not sound:
        yield f"{len(starters)} starters, {len(checks)} checks, {len(solutions)} solutions"
        return
    cells = notebook["cells"]
    for starter, check, solution in zip(starters, checks, solutions, strict=True):
        place = cells.index(starter)
        label = f"the exercise {source(starter)[:30]!r}"
        order = [cells.index(c) - place for c in (starter, check, solution)]
        if order != [0, 1, 3]:
            yield f"{label}: starter, check, text of the solution and solution follow each other, not {order}"
            continue
        task, answer = source(cells[place - 1]), bound(source(starter))
        if not LEVEL.search(task):
            yield f"{label} names no level and minutes: '*Level 2 of 3, 15 minutes.*'"
        if "```{dropdown} Hint" not in task or "```{dropdown} Solution" not in source(cells[place + 2]):
            yield f"{label} has no hint, or no text of its solution"
        if not re.fullmatch(r"\w+ = None(?: +#.*)?", source(starter).strip()):
            yield f"{label}: a starter is one line, answer = None  # its form"
        if "@hc.exercise" not in source(check) or printed(check) != "not yet\n":
            yield f"{label}: its check is no hc.exercise, or does not say 'not yet' to None: {printed(check)!r}"
        if taken := bound(source(solution)) & answer:
            yield f"{label}: the solution sets the reader's {', '.join(taken)}"
        if not re.fullmatch(r"tried: nothing, \d+ wrong answers, the solution\n", printed(solution)):
            yield f"{label}: the solution does not end with its check's trial: {printed(solution)!r}"
        for cell in (check, solution):
            if not cell["metadata"].get("jupyter", {}).get("source_hidden"):
                yield f"{label}: check and solution are folded in Jupyter: run `make tidy`"


def minutes(notebook: dict) -> list[int]:
    """How long each exercise takes."""
    return [int(n) for text in texts(notebook) for n in LEVEL.findall(text)]
