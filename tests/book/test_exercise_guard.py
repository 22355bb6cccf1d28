"""Every chapter's exercises, as stored; and one fault at a time, to show that the guard can fail."""

import json
from pathlib import Path

import pytest

from tests.helpers.exercise_guard import LONG, complaints, minutes

CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "book").glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_exercises_of(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    found = list(complaints(notebook))
    assert not found, "\n".join(found)
    if int(path.stem[:2]) in LONG:
        assert max(minutes(notebook)) >= 60


TASK = "```{exercise} One\n:label: ex-a\n\n*Level 1 of 3, 5 minutes.*\nDo it.\n```\n\n```{dropdown} Hint\nTry.\n```"
CHECK = "@hc.exercise\ndef check_it(answer):\n    hc.exercises.close(answer, 1, 0.1)\n\ncheck_it(it)"


def text(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def cell(source, tag, said):
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": [tag], "jupyter": {"source_hidden": True}},
        "outputs": [{"name": "stdout", "text": said}] if said else [],
    }


def one(
    task=TASK,
    starter="it = None  # a number",
    check=CHECK,
    said="not yet\n",
    solution="found = 1\ncheck_it.trial(found, 2, 3)",
    tried="tried: nothing, 2 wrong answers, the solution\n",
):
    return [
        text(task),
        cell(starter, "exercise", ""),
        cell(check, "check", said),
        text("```{dropdown} Solution\nOne.\n```"),
        cell(solution, "solution", tried),
    ]


def chapter(**fault):
    return {"cells": [*one(**fault), *one(), *one()]}


def test_good_exercises_pass():
    assert list(complaints(chapter())) == [] and minutes(chapter()) == [5, 5, 5]


@pytest.mark.parametrize(
    "fault, said",
    [
        ({"task": TASK.replace("*Level 1 of 3, 5 minutes.*", "")}, "names no level"),
        ({"task": TASK.replace("Hint", "Clue")}, "no hint"),
        ({"starter": "it = 1"}, "a starter is one line"),
        ({"said": "right\n"}, "does not say 'not yet'"),
        ({"check": "print(it == 1)"}, "no hc.exercise"),
        ({"solution": "it = 1\ncheck_it.trial(it, 2, 3)"}, "the solution sets the reader's it"),
        ({"tried": ""}, "does not end with its check's trial"),
    ],
)
def test_a_fault_is_found(fault, said):
    assert said in "\n".join(complaints(chapter(**fault)))


def test_missing_and_misplaced_cells_are_found():
    some = {"cells": [*one(), *one()]}
    assert "2 starters" in next(complaints(some))
    mixed = chapter()
    mixed["cells"][2], mixed["cells"][4] = mixed["cells"][4], mixed["cells"][2]
    assert "follow each other" in next(complaints(mixed))
    bare = chapter()
    del bare["cells"][2]["metadata"]["jupyter"]
    assert "make tidy" in next(complaints(bare))
