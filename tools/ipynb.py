"""A stored notebook, read without any package: a machine that only has a GPU reads chapters, too.

python3 -m tools.ipynb FILE     its sources and printed outputs as text, which `git diff` can show
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
PICTURE = "image/jpeg"
FOLDED = {"hide-cell", "hide-input"}  # tags of cells that the site shows folded
# What opens on a click: hints and solutions. A block of code; directives, ```{name}, are text.
DROPDOWN = re.compile(r"^(`{3,})\{dropdown\}[^\n]*\n.*?^\1\s*$", re.DOTALL | re.MULTILINE)
CODE_BLOCK = re.compile(r"^(`{3,})(?!\{)[^\n]*\n.*?^\1\s*$", re.DOTALL | re.MULTILINE)


def read(path: Path) -> dict:
    """A notebook as it lies on disk."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def as_text(notebook: dict) -> str:
    """A notebook as it is stored: one-space indent, sorted keys."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def source(cell: dict) -> str:
    return "".join(cell["source"])


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def texts(notebook: dict) -> list[str]:
    """The sources of the text cells."""
    return [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


def run_of(notebook: dict) -> dict:
    """What a notebook says of the run whose outputs it stores: digest, device, seconds, versions."""
    return notebook["metadata"].get("holicam", {})


def figure(cell: dict) -> dict:
    """Name and caption of the picture that a cell draws; empty where it draws none."""
    return cell["metadata"].get("mystnb", {}).get("figure", {})


def words_of(output: dict) -> str:
    """What an output says in words."""
    return "".join(output.get("text") or output.get("data", {}).get("text/plain") or "")


def prose(markdown: str) -> str:
    """The words a reader reads: nothing folded, no code, formulas, option lines, labels or link targets."""
    markdown = CODE_BLOCK.sub("", DROPDOWN.sub("", markdown))
    markdown = re.sub(r"\$\$.*?\$\$(\s*\([^)]*\))?", " formula ", markdown, flags=re.DOTALL)
    markdown = re.sub(r"\$[^$\n]+\$", "x", markdown)
    markdown = re.sub(r"^(?::[\w-]+:.*|[`:]{3,}.*|\([^)\s]+\)=)$", "", markdown, flags=re.MULTILINE)
    markdown = re.sub(r"\{[\w:]+\}`([^`<]*)(<[^>]*>)?`", r"\1", markdown)
    markdown = re.sub(r"`[^`]+`", "code", markdown)
    return re.sub(r"\]\([^)]*\)", "]", markdown)


if __name__ == "__main__":
    for cell in read(Path(sys.argv[1]))["cells"]:
        print(f"--- {cell['cell_type']} {cell.get('id', '')}", source(cell), sep="\n")
        for output in cell.get("outputs", []):
            print("=>", words_of(output))
