"""Write the students' and the lecturer's edition of the chapters to _build/student and _build/lecturer.

    python tools/editions.py student      without solutions: starters and checks stay, outputs of checks go
    python tools/editions.py lecturer     everything, solutions unfolded, with the exam's answers and the notes

A public repository hides nothing: the solutions stand in book/ for everyone who looks.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from tools.exam import bank  # noqa: E402
from tools.notes import PAGE as NOTES  # noqa: E402

SOLUTION_TEXT = re.compile(r"^(`{3,})\{(?:dropdown\} Solution|solution\})[^\n]*\n.*?^\1\s*$", re.DOTALL | re.MULTILINE)


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def source(cell: dict) -> str:
    return "".join(cell["source"])


def student(notebook: dict) -> dict:
    """A copy without solution cells and solution texts, and without the outputs that would give them away."""
    cells = []
    for cell in json.loads(json.dumps(notebook["cells"])):
        if "solution" in tags(cell):
            continue
        if cell["cell_type"] == "markdown":
            text = SOLUTION_TEXT.sub("", source(cell)).strip("\n")
            if not text:
                continue
            cell["source"] = text.splitlines(keepends=True)
        elif "check" in tags(cell) or "exercise" in tags(cell):
            cell["outputs"], cell["execution_count"] = [], None
        cells.append(cell)
    return {**notebook, "cells": cells}


def lecturer(notebook: dict) -> dict:
    """A copy in which solutions are open: no folded cells, no folded texts."""
    cells = json.loads(json.dumps(notebook["cells"]))
    for cell in cells:
        if "solution" in tags(cell):
            cell["metadata"]["tags"] = [tag for tag in tags(cell) if tag != "hide-cell"]
        if cell["cell_type"] == "markdown":
            open_text = source(cell).replace("{dropdown} Solution", "{admonition} Solution")
            cell["source"] = open_text.replace(":class: dropdown\n", "").splitlines(keepends=True)
    return {**notebook, "cells": cells}


EDITIONS = {"student": student, "lecturer": lecturer}


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in EDITIONS:
        print(f"Name one edition: {' or '.join(EDITIONS)}.", file=sys.stderr)
        return 2
    name = sys.argv[1]
    folder = ROOT / "_build" / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        made = EDITIONS[name](json.loads(path.read_text(encoding="utf-8")))
        (folder / path.name).write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if name == "lecturer":
        (folder / "exam-with-answers.md").write_text(bank(), encoding="utf-8")
        (folder / "lecturers-notes.md").write_text(NOTES.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"The {name}'s edition is in {folder.relative_to(ROOT)}/. The repository itself holds the solutions.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
