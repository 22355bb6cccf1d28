"""Put the stored chapters into their canonical form, without running anything.

    python -m tools.tidy                   every chapter in book/
    python -m tools.tidy book/07-*.ipynb   these

Jupyter saves a chapter in a form of its own as soon as it is opened: other metadata, other indents,
one output in pieces. What a reader needs is kept, what differs from run to run goes. A guard
(`tests/book/test_book.py`) says when this is to be run.
"""

import json
import os
import sys
from pathlib import Path

import nbformat

from tools.ipynb import BOOK, FOLDED, PICTURE, as_text, code_cells, tags


def canonical_text(notebook: dict) -> str:
    """A notebook as the text that is stored, with lines as lists."""
    return as_text(json.loads(nbformat.writes(nbformat.from_dict(notebook), version=4)))


def write(notebook: dict, path: Path) -> None:
    """Store a notebook, whole or not at all."""
    draft = path.with_suffix(".tmp")
    draft.write_text(canonical_text(notebook), encoding="utf-8")
    os.replace(draft, path)


def merge_streams(outputs: list) -> list:
    """One output for consecutive prints; a busy machine hands them over in pieces."""
    merged: list = []
    for output in outputs:
        before = merged[-1] if merged else {}
        if "name" in output and output["name"] == before.get("name"):
            before["text"] = "".join(before["text"]) + "".join(output["text"])
        else:
            merged.append(output)
    return merged


def tidy(notebook) -> None:
    """Leave in a notebook only what a reader needs and what is the same on every run."""
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        **{k: v for k, v in notebook["metadata"].items() if k == "holicam"},
    }
    for cell in notebook["cells"]:
        kept = ("mystnb", "tags", "numbers", "slide")
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k in kept}
        if FOLDED & set(tags(cell)):  # Jupyter's word for what the site's tags fold
            cell["metadata"]["jupyter"] = {"source_hidden": True}
    for cell in code_cells(notebook):
        cell["outputs"] = merge_streams(cell["outputs"])
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt")
        for output in cell["outputs"]:
            if PICTURE in output.get("data", {}):
                output["data"] = {k: v for k, v in output["data"].items() if k in (PICTURE, "text/plain")}
                width = output.get("metadata", {}).get(PICTURE, {}).get("width")
                about = {"alt": alt, "width": width}  # pixels on a page; the picture has twice as many
                output["metadata"] = {PICTURE: said} if (said := {k: v for k, v in about.items() if v}) else {}
            elif "metadata" in output:
                output["metadata"] = {}


def tidied_text(path: Path) -> str:
    """The text that a stored chapter should have."""
    notebook = nbformat.read(path, as_version=4)
    tidy(notebook)
    return canonical_text(notebook)


def tidied(path: Path) -> bool:
    """Tidy a chapter on disk; True where that changed it."""
    text = tidied_text(path)
    if text == path.read_text(encoding="utf-8"):
        return False
    write(json.loads(text), path)
    return True


def main() -> int:
    for path in [Path(name) for name in sys.argv[1:]] or sorted(BOOK.glob("*.ipynb")):
        if tidied(path):
            print(f"{path.name}: tidied")
    return 0


if __name__ == "__main__":
    sys.exit(main())
