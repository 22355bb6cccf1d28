"""An assignment as it is written, teaching/assignments/NAME.md, and as the notebook that nbgrader takes.

Text becomes text cells, and a fenced block whose first line names a kind becomes a cell of its own:

    ```python given NAME              the student reads and runs it; it is locked
    ```python solution NAME           what the student writes, with our answer between the marks of a solution
    ```python test NAME POINTS        graded by running; lines between the marks of hidden tests stay with the lecturer
    ```text written NAME POINTS       graded by a person; the block holds what a good answer says

@name@ is a number, a class or a photograph that follows from the SEED, see `draws`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.ipynb import ROOT

FOLDER = ROOT / "teaching" / "assignments"
BLOCK = re.compile(r"^```(python|text) (given|solution|test|written) ([\w-]+)(?: (\d+))?\n(.*?)^```$", re.M | re.S)
HOLE = re.compile(r"@([a-z][a-z0-9_]*)@")
GRADED = ("test", "written")
KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}


@dataclass(frozen=True)
class Block:
    """A piece of an assignment; a text has no kind and no name."""

    text: str
    kind: str = ""
    name: str = ""
    points: int = 0


def blocks(words: str) -> list[Block]:
    """The pieces of an assignment in order. Raises ValueError for a name that is taken, or for missing points."""
    out, end = [], 0
    for found in BLOCK.finditer(words):
        _, kind, name, points, body = found.groups()
        if name in [block.name for block in out]:
            raise ValueError(f"Two cells are called {name}: give one of them another name.")
        if (kind in GRADED) != (points is not None):
            raise ValueError(f"Cell {name} is a {kind} cell, which {'needs' if kind in GRADED else 'has no'} points.")
        out += [Block(words[end : found.start()].strip()), Block(body.rstrip("\n"), kind, name, int(points or 0))]
        end = found.end()
    out.append(Block(words[end:].strip()))
    return [block for block in out if block.text]


def filled(words: str, numbers: Mapping[str, object]) -> str:
    """The text with its holes filled. Raises ValueError for a hole that has no number."""
    missing = sorted(set(HOLE.findall(words)) - set(numbers))
    if missing:
        raise ValueError(f"No number is drawn for {', '.join(missing)}: add it to tools/assignments/draws.py.")
    return HOLE.sub(lambda found: str(numbers[found[1]]), words)


def nbgrader(block: Block) -> dict:
    """What nbgrader reads of a cell."""
    graded, written = block.kind in GRADED, block.kind == "written"
    said = {"schema_version": 3, "grade_id": block.name, "task": False, "grade": graded}
    said |= {"solution": written or block.kind == "solution", "locked": block.kind in ("given", "test")}
    return said | ({"points": block.points} if graded else {})


def cell(block: Block, number: int) -> dict:
    """A block as a cell of a notebook."""
    code = block.kind not in ("", "written")
    made = {"cell_type": "code" if code else "markdown", "id": block.name or f"text-{number}", "metadata": {}}
    text = f"# {block.points} points\n{block.text}" if block.kind == "test" else block.text
    made["source"] = text.splitlines(keepends=True)
    if block.kind:
        made["metadata"] = {"nbgrader": nbgrader(block)}
    return made | ({"execution_count": None, "outputs": []} if code else {})


def words_of(name: str, folder: Path = FOLDER) -> str:
    """An assignment as it is written, with holes."""
    return (folder / f"{name}.md").read_text(encoding="utf-8")


def notebook(words: str, numbers: Mapping[str, object]) -> dict:
    """The lecturer's notebook: solutions and hidden tests are in it."""
    cells = [cell(block, number) for number, block in enumerate(blocks(filled(words, numbers)))]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": KERNEL, "cells": cells}


def points(words: str) -> tuple[int, int]:
    """Points that are given by running, and points that a person gives."""
    found = blocks(words)
    return tuple(sum(block.points for block in found if block.kind == kind) for kind in GRADED)
