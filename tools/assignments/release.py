"""What a student gets of an assignment: no answer and no hidden test.

The same as nbgrader's `generate_assignment`, which a test compares cell by cell; written here again so that
`make student` needs nothing but the book's own packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from tools.ipynb import source

SOLUTION, HIDDEN = ("BEGIN SOLUTION", "END SOLUTION"), ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
CODE = ("# YOUR CODE HERE", "raise NotImplementedError()")
TEXT = ("YOUR ANSWER HERE",)


def without(text: str, marks: tuple[str, str], stub: Sequence[str] = ()) -> str:
    """The text with each marked region replaced by the lines of `stub`, as far in as the mark stood."""
    out, inside = [], False
    for line in text.split("\n"):
        if marks[0] in line:
            indent = line[: len(line) - len(line.lstrip())]
            out, inside = [*out, *(indent + words for words in stub)], True
        elif marks[1] in line:
            inside = False
        elif not inside:
            out.append(line)
    if inside:
        raise ValueError(f"A region that begins with {marks[0]} has no end: add {marks[1]}.")
    return "\n".join(out)


def released(notebook: dict) -> dict:
    """A copy without answers, hidden tests and outputs."""
    made = deepcopy(notebook)
    for cell in made["cells"]:
        about, text = cell["metadata"].get("nbgrader", {}), source(cell)
        if about.get("solution") and cell["cell_type"] == "markdown":
            text = "\n".join(TEXT)
        elif about.get("solution"):
            text = without(text, SOLUTION, CODE)
        elif about.get("grade"):
            text = without(text, HIDDEN)
        cell["source"] = text.splitlines(keepends=True)
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return made
