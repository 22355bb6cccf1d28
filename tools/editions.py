"""Write the students' and the lecturer's edition of the chapters to _build/student and _build/lecturer.

    python -m tools.editions student      without solutions: tasks, hints and checks stay
    python -m tools.editions lecturer     everything, solutions open, with the exam's answers and the notes
    ... --seed 'a sentence'               graded work and exam with the numbers of this SEED, see tools/assignments

A folder is whole: it may be packed, unpacked elsewhere and run. It holds plain notebooks with their drawings, the
package as a wheel, requirements.txt and a README. A public repository hides nothing: the solutions stand in book/.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

from tools.assignments import PUBLIC, answers, course
from tools.chapters import load
from tools.exam import bank
from tools.first_cell import EXTRA, handed_out
from tools.ipynb import ROOT, as_text, source, tags
from tools.notes import PAGE as NOTES
from tools.plain import on_site, plain
from tools.plain_text import Numbers, Plain

SOLUTION_TEXT = re.compile(r"^(`{3,})\{(?:dropdown\} Solution|solution\})[^\n]*\n.*?^\1\s*$", re.DOTALL | re.MULTILINE)
PACKED = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-text.md", "holicam", "data", "book/_static")
README = """# Holistic class activation maps: the {name}'s edition

The chapters of the book as notebooks, {what}.
In this folder, with Python 3.11 or newer:

    python3 -m venv .venv
    .venv/bin/pip install -r requirements.txt
    .venv/bin/jupyter lab

On Windows the programs lie in `.venv\\Scripts\\`.
In VS Code, open the folder, choose a Python of 3.11 or newer as the kernel and run the first cell of a chapter.
PyTorch is large: the installation takes some minutes and, on Linux, gigabytes; nothing else is downloaded afterwards.

{graded}
An exercise is a task, a cell such as `by_hand = None`, and a check: put your answer in place of `None`, run both cells.
The book: {site}
"""
WHAT = {
    "student": "without the solutions",
    "lecturer": "with open solutions, the lecturer's notes, and the exam questions with their answers",
}

GRADED = {
    "student": "`assignments/` holds graded work: hand in the notebook. `projects/` holds twelve claims: choose one.",
    "lecturer": "`course/` is nbgrader's folder of graded work, with the answers; students choose from `projects/`.",
}


def student(notebook: dict) -> dict:
    """A copy without solution cells, solution texts, and the outputs of checks."""
    cells = []
    for cell in deepcopy(notebook["cells"]):
        if "solution" in tags(cell):
            continue
        if cell["cell_type"] == "markdown":
            kept = SOLUTION_TEXT.sub("", source(cell)).strip("\n")
            if not kept:
                continue
            cell["source"] = kept.splitlines(keepends=True)
        elif "check" in tags(cell) or "exercise" in tags(cell):
            cell["outputs"], cell["execution_count"] = [], None
        cells.append(cell)
    return {**notebook, "cells": cells}


def lecturer(notebook: dict) -> dict:
    """A copy in which solutions are open: no folded cells."""
    cells = deepcopy(notebook["cells"])
    for cell in cells:
        if "solution" in tags(cell):
            cell["metadata"] = {"tags": [tag for tag in tags(cell) if tag != "hide-cell"]}
    return {**notebook, "cells": cells}


EDITIONS = {"student": student, "lecturer": lecturer}


def wheel(folder: Path, *options: str, whole: bool = False) -> Path:
    """The package with its data as one file in `folder`, built from a copy; `options` go to pip.

    whole: with all trained networks, not only the two that chapters share.
    """
    with tempfile.TemporaryDirectory() as copy:
        for name in PACKED:
            target = Path(copy) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, target)
        if whole:
            project = Path(copy) / "pyproject.toml"
            words = re.sub(r'( +"data/.*",\n)+', '    "data",\n', project.read_text(encoding="utf-8"))
            project.write_text(words, encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "-q"]
        subprocess.run([*pip, *options, "-w", str(folder), copy], check=True)
    return next(folder.glob("holicam-*.whl"))


def requirements(package: str) -> str:
    """What a notebook of the folder needs: the package, what it draws with, and JupyterLab."""
    lab = re.findall(r"^jupyterlab==\S+", (ROOT / "requirements-lab.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return "\n".join([f"./packages/{package}[{EXTRA}]", "ipykernel>=6", *lab]) + "\n"


def write(name: str, folder: Path, package: Path | None = None, seed: str | None = None) -> None:
    """One edition; what was in the folder goes. `package` is a wheel with all networks; None builds one.

    seed: whose numbers the lecturer's exam has; None leaves those of the site.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "packages").mkdir(parents=True)
    package = Path(shutil.copy(package, folder / "packages")) if package else wheel(folder / "packages", whole=True)
    (folder / "requirements.txt").write_text(requirements(package.name), encoding="utf-8")
    (folder / "README.md").write_text(
        README.format(name=name, what=WHAT[name], graded=GRADED[name], site=on_site("intro", "")), encoding="utf-8"
    )
    chapters = load()
    numbers, here = Numbers.of(chapters), {c.path.stem for c in chapters}

    def link(page: str, label: str) -> str:
        return f"{page}.ipynb" if page in here else on_site(page, label)

    words = Plain(numbers, link, ("Solution",) if name == "lecturer" else ())
    for chapter in chapters:
        made = plain(EDITIONS[name](chapter.notebook), words, handed_out())
        (folder / chapter.path.name).write_text(as_text(made), encoding="utf-8")
    if name == "lecturer":
        (folder / "exam-with-answers.md").write_text(words(bank(seed)) + "\n", encoding="utf-8")
        (folder / "exam.md").write_text(words(bank(seed, answers=False)) + "\n", encoding="utf-8")
        (folder / "lecturers-notes.md").write_text(words(NOTES.read_text(encoding="utf-8")) + "\n", encoding="utf-8")


def graded(name: str, folder: Path, seed: str) -> None:
    """Assignments and projects: released for students; for the lecturer nbgrader's course, and the answers, run."""
    shutil.copytree(ROOT / "teaching" / "projects", folder / "projects")
    if name == "student":
        course.write_released(folder / "assignments", seed)
        return
    test = (ROOT / "requirements-test.txt").read_text(encoding="utf-8")
    version = re.search(r"^nbgrader==(\S+)", test, re.MULTILINE)[1]
    for assignment, path in course.write_course(folder / "course", seed, version).items():
        print(f"Running the answers of the assignment of {article(assignment)}.", flush=True)
        answers.run(path, folder / "course" / "answers" / f"{assignment}.ipynb")


def of_a_class(course: Path) -> list[str]:
    """What a lecturer has made or collected in nbgrader's folder."""
    found = (course / name for name in ("gradebook.db", "submitted", "autograded", "feedback"))
    return [path.name for path in found if path.is_file() or (path.is_dir() and any(path.iterdir()))]


def check_seed(parser: argparse.ArgumentParser, seed: str | None) -> None:
    """Everybody guesses an empty one."""
    if seed is not None and not seed.strip():
        parser.error("--seed is empty: give a sentence, or leave it out for the public numbers")


def article(assignment: str) -> str:
    return f"an {assignment}" if assignment[0] in "eh" else f"a {assignment}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.editions", description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=EDITIONS, help="which edition")
    parser.add_argument("--seed", help="any text that nobody guesses; without it the public numbers")
    given = parser.parse_args()
    check_seed(parser, given.seed)
    name, folder = given.name, ROOT / "_build" / given.name
    if found := of_a_class(folder / "course"):
        words = f"_build/{name}/course holds {', '.join(found)}: copy it out of _build, for this command writes it anew"
        print(words, file=sys.stderr)
        return 1
    draft = folder.with_name(f".{name}")  # what is there stays until all of it is written
    write(name, draft, seed=given.seed)
    graded(name, draft, PUBLIC if given.seed is None else given.seed)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    print(
        f"The {name}'s edition is in _build/{name}/, whole: pack the folder and hand it out. "
        if name == "student"
        else f"The lecturer's edition is in _build/{name}/; its folder course/ is nbgrader's. ",
        end="",
    )
    print("The repository itself holds the solutions of the chapters.")
    if given.seed is None:
        print("Graded work has the public numbers, and anybody can make its answers: give SEED='a sentence'.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
