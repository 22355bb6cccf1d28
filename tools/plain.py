"""Write the chapters as notebooks that render everywhere: Colab, VS Code, GitHub, any Jupyter.

    python -m tools.plain              to _build/plain
    python -m tools.plain FOLDER

The site's "Open in Colab" and "Download the notebook" lead to these; the workflow publishes them on a branch of
their own, `notebooks`. Nothing of this is committed.
"""

from __future__ import annotations

import html
import re
import sys
from copy import deepcopy
from pathlib import Path

import yaml

from tools import first_cell
from tools.chapters import load
from tools.ipynb import FOLDED, PICTURE, ROOT, as_text, source, tags
from tools.plain_text import Numbers, Plain, caption

BRANCH = "notebooks"
EXPLORER = re.compile(
    r'<figure class="cam-explorer".*?<img src="data:image/jpeg;base64,([^"]+)"[^>]*alt="([^"]*)">\s*'
    r"<figcaption>(.*?)<span",
    re.DOTALL,
)


def repository() -> str:
    """The address of the repository, which _config.yml holds."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"].rstrip("/")


def site() -> str:
    """Where the workflow publishes the site: _config.yml's baseurl, or the pages of the repository's owner."""
    said = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8")).get("html", {}).get("baseurl")
    owner, name = repository().split("/")[-2:]
    return said.rstrip("/") if said else f"https://{owner.lower()}.github.io/{name}"


def on_site(page: str, label: str) -> str:
    """A link to a page of the published book."""
    return f"{site()}/book/{page}.html" + (f"#{label}" if label else "")


def markdown(text: str, name: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text.splitlines(keepends=True)}


def still(outputs: list[dict]) -> tuple[list[dict], str]:
    """Outputs with the explorer's picture in place of the figure that only the site brings to life, and its caption."""
    kept, said = [], ""
    for output in outputs:
        page = "".join(output.get("data", {}).get("text/html", ""))
        if found := EXPLORER.search(page):
            data = {PICTURE: found[1], "text/plain": output["data"]["text/plain"]}
            output = {**output, "data": data, "metadata": {PICTURE: {"alt": html.unescape(found[2])}}}
            said = f"*{html.unescape(found[3]).strip()}*"
        kept.append(output)
    return kept, said


def plain(notebook: dict, write: Plain, first: str = "") -> dict:
    """A chapter as a plain notebook: text by `write`, `first` as the first code cell, captions below pictures."""
    cells, waiting = [], bool(first)
    for number, cell in enumerate(deepcopy(notebook["cells"])):
        name = cell.get("id", f"cell-{number}")
        if cell["cell_type"] == "markdown":
            if text := write(source(cell)):
                cells.append(markdown(text, name))
            continue
        if waiting:
            cells.append(first_cell.cell(first))
            waiting = False
        below = caption(cell, write.numbers)
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k not in ("mystnb", "slide")}
        if FOLDED & set(tags(cell)):  # VS Code and Colab have no other word
            cell["metadata"] |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
        cell["outputs"], explorer = still(cell["outputs"])
        cells.append({**cell, "id": name})
        if said := below or explorer:
            cells.append(markdown(write.words(said), f"{name}-caption"[:64]))
    about = {k: v for k, v in notebook["metadata"].items() if k in ("kernelspec", "language_info")}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": cells}


def write(folder: Path) -> list[Path]:
    """The plain chapters in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    chapters, written = load(), []
    words = Plain(Numbers.of(chapters), on_site)
    for chapter in chapters:
        made = plain(chapter.notebook, words, first_cell.plain(repository()))
        written.append(folder / chapter.path.name)
        written[-1].write_text(as_text(made), encoding="utf-8")
    return written


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "plain"
    print(f"{len(write(folder))} plain notebooks are in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
