"""Folders of graded work: what students get, and the course that nbgrader releases and grades (README below)."""

from __future__ import annotations

from pathlib import Path

from tools.assignments import NAMES, PUBLIC, source
from tools.assignments.draws import DRAWS
from tools.assignments.release import released
from tools.ipynb import as_text

CONFIG = '''"""How nbgrader takes this folder: `nbgrader --help` lists its commands."""

c = get_config()  # noqa: F821  # nbgrader gives it
c.CourseDirectory.course_id = "class-activation-maps"
c.Execute.timeout = 600  # seconds a cell
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\\nraise NotImplementedError()"}
'''
README = """# Graded work

Three assignments for nbgrader, made with {seed}.
`source/` holds them with our answers and the hidden tests, `answers/` the same, run; neither is for students.

    pip install nbgrader=={version}
    nbgrader generate_assignment hour        # also evening, week: writes release/ and the gradebook
    nbgrader autograde hour                  # of submitted/NAME/hour/hour.ipynb
    nbgrader formgrade                       # the written answers: nbgrader's pages in JupyterLab
    nbgrader generate_feedback hour
    nbgrader export                          # grades.csv

Run these in this folder, in the environment that the students have, activated: nbgrader calls programs by their names.
{points}
{said}
"""
SECRET = "Students see the numbers of their SEED and could look for it, so choose a sentence, and keep it."
OPEN = (
    "**This SEED is the public one**: anybody can make these answers. "
    "Give your own, `make student lecturer SEED='a sentence'`, before marks depend on them."
)


def notebooks(seed: str) -> dict[str, dict]:
    """{name: notebook with answers} of all assignments."""
    return {name: source.notebook(source.words_of(name), DRAWS[name](seed)) for name in NAMES}


def write_released(folder: Path, seed: str) -> list[Path]:
    """What students get, one notebook an assignment, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [(folder / f"{name}.ipynb", released(notebook)) for name, notebook in notebooks(seed).items()]
    for path, notebook in made:
        path.write_text(as_text(notebook), encoding="utf-8")
    return [path for path, _ in made]


def write_course(folder: Path, seed: str, version: str = "") -> dict[str, Path]:
    """{name: source notebook} of the course that nbgrader takes. version: of nbgrader, for its README."""
    made = {}
    for name, notebook in notebooks(seed).items():
        made[name] = folder / "source" / name / f"{name}.ipynb"
        made[name].parent.mkdir(parents=True, exist_ok=True)
        made[name].write_text(as_text(notebook), encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    (folder / "submitted").mkdir(exist_ok=True)
    lines = []
    for name in NAMES:
        graded, written = source.points(source.words_of(name))
        lines.append(f"- `{name}`: {graded} points by running, {written} by reading.")
    named = "the public SEED" if seed == PUBLIC else "a SEED of your own"
    said = OPEN if seed == PUBLIC else SECRET
    text = README.format(seed=named, version=version, points="\n".join(["", *lines, ""]), said=said)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return made
