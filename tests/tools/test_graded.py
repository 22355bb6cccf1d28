"""Graded work by nbgrader itself: released, handed in right and wrong, graded; and what a SEED changes.

One course serves all tests: two students hand in each assignment, `right` with our answers, `wrong` with those of
`wrong_answers`. nbgrader runs as a lecturer runs it, from the course's folder, for the shortest of them; for the others
in `make test-slow`.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

import holicam as hc
from holicam.experiments.config import from_table
from tests.tools.wrong_answers import LOST, WRONG
from tools.assignments import NAMES, course, source
from tools.assignments.draws import DRAWS, PHOTOS
from tools.assignments.release import released, without
from tools.ipynb import ROOT, as_text, read
from tools.ipynb import source as lines_of

SEED = "a sentence that nobody guesses"
each_name = pytest.mark.parametrize("name", NAMES)
GRADED = [pytest.param(name, marks=() if name == "hour" else pytest.mark.slow) for name in NAMES]


def nbgrader(folder: Path, *words: str) -> str:
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(folder), "IPYTHONDIR": str(folder)}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])  # nbgrader calls alembic
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words], cwd=folder, env=env, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def mistaken(notebook: dict, name: str) -> dict:
    """A copy with the wrong answers of an assignment in their cells."""
    copied = json.loads(as_text(notebook))
    for cell in copied["cells"]:
        if cell["id"] in WRONG[name]:
            words = WRONG[name][cell["id"]].strip("\n")
            for hole in ("world", "subset"):
                words = words.replace(hole.upper(), str(DRAWS[name](SEED).get(hole)))
            cell["source"] = words.splitlines(keepends=True)
    return copied


def handed_in(notebook: dict, answers: dict) -> dict:
    """The released notebook with the solution cells of `answers` copied into it, as a student would write them."""
    written = {cell["id"]: cell["source"] for cell in answers["cells"]}
    copied = json.loads(as_text(notebook))
    for cell in copied["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = written[cell["id"]]
    return copied


@pytest.fixture(scope="module")
def lectured(tmp_path_factory):
    """(the course's folder with what students are given, {assignment: its source})."""
    folder = tmp_path_factory.mktemp("course")
    sources = course.write_course(folder, SEED, "0")
    course.write_released(folder / "students", SEED)
    return folder, sources


@pytest.fixture(scope="module", params=GRADED)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def graded(lectured, name):
    """The folder, in which the assignment has been released, handed in twice and autograded."""
    folder, sources = lectured
    nbgrader(folder, "generate_assignment", name)
    whole, released_one = read(sources[name]), read(folder / "students" / f"{name}.ipynb")
    for student, answers in (("right", whole), ("wrong", mistaken(whole, name))):
        path = folder / "submitted" / student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(as_text(handed_in(released_one, answers)), encoding="utf-8")
    nbgrader(folder, "autograde", name)
    return folder


def scores(folder: Path, student: str, name: str) -> dict[str, tuple[float, float]]:
    """{test cell: (points given, points there are)} in nbgrader's gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        notebook = book.find_submission_notebook(name, name, student)
        return {g.name: (g.auto_score, g.max_score) for g in notebook.grades if g.cell.cell_type != "markdown"}


def test_the_answers_get_all_points(graded, name):
    found = scores(graded, "right", name)
    by_running, _ = source.points(source.words_of(name))
    assert {cell: given for cell, (given, _) in found.items()} == {cell: most for cell, (_, most) in found.items()}
    assert sum(most for _, most in found.values()) == by_running


def test_wrong_answers_lose_their_points_and_no_others(graded, name):
    assert len(WRONG[name]) >= 3
    found = scores(graded, "wrong", name)
    assert {cell for cell, (given, _) in found.items() if given == 0} == LOST[name]
    assert all(given in (0, most) for given, most in found.values())


def test_the_written_answer_waits_for_a_person(graded, name):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as book:
        notebook = book.find_submission_notebook(name, name, "right")
        by_reading = sum(g.max_score for g in notebook.grades if g.cell.cell_type == "markdown")
        assert notebook.needs_manual_grade and by_reading == source.points(source.words_of(name))[1]


def test_students_get_what_nbgrader_would_release(graded, name):
    theirs, ours = read(graded / "release" / name / f"{name}.ipynb"), read(graded / "students" / f"{name}.ipynb")
    assert [lines_of(cell) for cell in theirs["cells"]] == [lines_of(cell) for cell in ours["cells"]]
    for cell, other in zip(theirs["cells"], ours["cells"], strict=True):
        about = {k: v for k, v in cell["metadata"].get("nbgrader", {}).items() if k not in ("checksum", "cell_type")}
        assert about == other["metadata"].get("nbgrader", {})


@each_name
def test_nothing_is_given_away(name):
    notebook = course.notebooks(SEED)[name]
    said = as_text(released(notebook))
    assert "BEGIN" not in said and SEED not in said and str(DRAWS[name](SEED)["hidden"]) not in said
    hidden = [block for block in source.blocks(source.words_of(name)) if block.kind == "test"]
    assert all("### BEGIN HIDDEN TESTS" in block.text for block in hidden if block.name != "in-code-shape")
    assert said.count("raise NotImplementedError()") >= 3 and "YOUR ANSWER HERE" in said


@each_name
def test_numbers_follow_from_the_seed(name):
    one, again, other = (DRAWS[name](seed) for seed in (SEED, SEED, "another"))
    assert one == again and one["hidden"] != other["hidden"]
    visible = [{k: v for k, v in DRAWS[name](str(i)).items() if k != "hidden"} for i in range(12)]
    assert len({json.dumps(v, sort_keys=True) for v in visible}) >= 10


def test_every_channel_has_what_the_tests_ask_about():
    """A dark cell with a positive gradient, and a negative gradient: else two wrong answers look right."""
    for i in range(200):
        said = DRAWS["hour"](str(i))
        assert said["photo"] in PHOTOS
        for a, g in (("a1", "g1"), ("a2", "g2")):
            cells = [(A, G) for rows in zip(said[a], said[g], strict=True) for A, G in zip(*rows, strict=True)]
            assert any(A == 0 and G > 0 for A, G in cells) and any(G < 0 for _, G in cells)


def test_a_map_by_hand_is_not_zero_everywhere():
    """Else four zeros, written without a thought, are right."""
    for i in range(2000):
        said = DRAWS["hour"](str(i))
        w1, w2 = (sum(map(sum, said[g])) for g in ("g1", "g2"))
        assert any(w1 * said["a1"][r][c] + w2 * said["a2"][r][c] > 0 for r in (0, 1) for c in (0, 1)), i


def cell_of(name: str, cell: str, seed: str = SEED) -> str:
    """The lines of one cell, hidden tests and solution too."""
    (text,) = (b.text for b in source.blocks(source.filled(source.words_of(name), DRAWS[name](seed))) if b.name == cell)
    return text


def refused(own_map) -> str:
    """What the test of a new method says against a map; nothing where it is taken."""
    torch.manual_seed(0)
    try:
        exec(cell_of("week", "own-new"), {"torch": torch, "hc": hc, "own_map": own_map})
    except AssertionError as error:
        return str(error)
    return ""


def ours(A, G):
    made = {"torch": torch, "math": math}
    exec(cell_of("week", "own"), made)
    return made["own_map"](A, G)


@pytest.mark.parametrize(
    "own_map",
    [
        ours,
        lambda A, G: (G.abs() * A).sum(1),
        lambda A, G: A.norm(dim=1) * G.norm(dim=1),
        lambda A, G: (G.abs().mean((2, 3), keepdim=True) * A).sum(1),
    ],
    ids=("our answer", "sizes of gradients", "product of norms", "a size for each channel"),
)
def test_a_new_method_is_taken(own_map):
    assert not refused(own_map)


def stretched(M):
    least, most = M.amin((1, 2), keepdim=True), M.amax((1, 2), keepdim=True)
    return (M - least) / (most - least)


@pytest.mark.parametrize(
    "own_map",
    [
        lambda A, G: (G * A).sum(1),
        lambda A, G: stretched((G.relu() * A).sum(1)),
        lambda A, G: stretched((G.mean((2, 3), keepdim=True) * A).sum(1).relu()),
        lambda A, G: (G.relu() * A).sum(1).square(),
        lambda A, G: 2 * (G.relu() * A).sum(1),
    ],
    ids=("HiResCAM, no ReLU", "Layer-CAM stretched", "Grad-CAM stretched", "Layer-CAM squared", "Layer-CAM twice"),
)
def test_a_method_in_disguise_is_refused(own_map):
    assert "a name already" in refused(own_map)


def test_a_map_without_gradients_is_refused():
    assert "does not depend on the gradients" in refused(lambda A, G: A.square().sum(1))


def test_a_plan_has_the_drawings_of_its_claim():
    seed = next(str(i) for i in range(60) if DRAWS["week"](str(i))["subset"] == "twins")
    said = DRAWS["week"](seed)
    made = {"NETWORK": said["network"], "LAYER": said["layer"], "ONE": said["one"], "OTHER": said["other"]}
    made |= {"METRIC": said["metric"], "tomllib": tomllib, "from_table": from_table}
    exec(cell_of("week", "plan", seed), made)
    exec(cell_of("week", "plan-runs", seed), made)
    for other in ("", 'subset = "single"'):
        wrong = made["CONFIGURATION"].replace('subset = "twins"', other)
        with pytest.raises(AssertionError, match="other drawings"):
            exec(cell_of("week", "plan-runs", seed), made | {"CONFIGURATION": wrong})


def test_mistakes_of_a_source_are_named():
    with pytest.raises(ValueError, match="No number is drawn for oops"):
        source.filled("a @oops@ b", {})
    with pytest.raises(ValueError, match="Cell a is a test cell, which needs points"):
        source.blocks("```python test a\nx\n```\n")
    with pytest.raises(ValueError, match="Two cells are called a"):
        source.blocks("```python given a\nx\n```\n```python given a\nx\n```\n")
    with pytest.raises(ValueError, match="has no end: add END SOLUTION"):
        without("### BEGIN SOLUTION\nx", ("BEGIN SOLUTION", "END SOLUTION"))


@each_name
def test_points_are_said_at_the_top(name):
    by_running, written = source.points(source.words_of(name))
    said = re.search(r"(\d+) points, (\d+) of them for", source.words_of(name))
    assert said and (int(said[1]), int(said[2])) == (by_running + written, written)
