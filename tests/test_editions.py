"""Exercises: as stored the starter fails its check, with the solution it passes; editions leave out what they must."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tools.editions import lecturer, student, tags
from tools.slices import sliced

BOOK = Path(__file__).resolve().parent.parent / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))


def _cells(path, tag):
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if tag in tags(c)]


def _text(cell):
    return "".join("".join(o.get("text", "") or o.get("data", {}).get("text/plain", "")) for o in cell["outputs"])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_every_exercise_has_starter_solution_and_check(path):
    counts = [len(_cells(path, tag)) for tag in ("exercise", "solution", "check")]
    assert 3 <= counts[0] <= 5 and counts == counts[:1] * 3
    assert all("not yet" not in _text(cell) for cell in _cells(path, "check"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_the_starter_fails_its_check(path):
    """Only what exercises and checks depend on is run: the rest, figures and tables, the notebook gate runs anyway."""
    edition = nbformat.from_dict(student(nbformat.read(path, as_version=4)))
    edition["cells"] = [cell for cell in edition["cells"] if cell["cell_type"] == "code"]
    practice = {i for i, cell in enumerate(edition["cells"]) if {"exercise", "check"} & set(tags(cell))}
    needed = sliced([cell["source"] for cell in edition["cells"]], practice)
    for cell, source in zip(edition["cells"], needed, strict=True):
        cell["source"], cell["outputs"] = source, []
        cell["metadata"].pop("mystnb", None)
    NotebookClient(edition, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(BOOK)}}).execute()
    checks = [cell for cell in edition["cells"] if "check" in tags(cell)]
    assert checks and all("not yet" in _text(cell) for cell in checks)


def test_editions_of_a_made_up_chapter():
    def md(text):
        return {"cell_type": "markdown", "metadata": {}, "source": text}

    def code(text, *names):
        return {"cell_type": "code", "metadata": {"tags": list(names)}, "source": text, "outputs": [{"text": "1"}],
                "execution_count": 1}  # fmt: skip

    cells = [md("```{exercise} One\n:label: ex-a\nDo it.\n```"), code("x = None", "exercise"),
             md("```{dropdown} Solution\nIt is 1.\n```"), code("x = 1", "solution", "hide-cell"),
             code("x == 1", "check"),
             md("Before.\n```{solution} ex-a\n:class: dropdown\nOne.\n```\nAfter.")]  # fmt: skip
    short = student({"cells": cells})["cells"]
    assert [c["source"] if isinstance(c["source"], str) else "".join(c["source"]) for c in short] == [
        cells[0]["source"], "x = None", "x == 1", "Before.\n\nAfter."]  # fmt: skip
    assert all(not c["outputs"] for c in short if c["cell_type"] == "code")
    whole = lecturer({"cells": cells})["cells"]
    assert len(whole) == 6 and "hide-cell" not in tags(whole[3])
    assert "dropdown" not in "".join("".join(c["source"]) for c in whole)
