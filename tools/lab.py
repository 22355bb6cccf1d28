"""What `make lab` shows of a chapter, and what it stores: references as words, captions below pictures.

JupyterLab's extension draws figures, formulas and exercises, but knows neither the other chapters nor the
bibliography, nor the captions of code cells. So a chapter is handed to the browser with links for the roles that it
could not resolve, each with its role as the link's title, and with captions as cells that cannot be edited. Saving
turns the links into their roles again and leaves these cells out: the file never holds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache

import nbformat
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from tools.chapters import load
from tools.ipynb import figure, source, texts
from tools.markup import EXERCISE, ROLE, parts_of
from tools.plain import on_site
from tools.plain_text import EQUATION, LABEL, Numbers, Plain, caption

LINK = re.compile(r'\[[^]\n]*\]\([^\s()]* "(\{[\w:]+\}`[^`"\n]+`)"\)')
NAME = re.compile(r"^:name: (\S+)", re.MULTILINE)
OURS = "caption of the cell above"


@cache
def words() -> Plain:
    chapters = load()
    here = {chapter.path.stem for chapter in chapters}

    def link(page: str, label: str) -> str:
        return f"{page}.ipynb" if page in here else on_site(page, label)

    return Plain(Numbers.of(chapters), link)


def labels(notebook: dict) -> set[str]:
    """What the extension can resolve by itself: everything that the text cells define."""
    text = "\n\n".join(texts(notebook))
    return (
        {found[2] for found in EQUATION.finditer(text)}
        | {found[3] for found in EXERCISE.finditer(text)}
        | set(LABEL.findall(text))
        | set(NAME.findall(text))
    )


def linked(known: set[str], write: Plain) -> Callable[[re.Match], str]:
    def link(found: re.Match) -> str:
        role, (name, _, target) = found[0], parts_of(found)
        if name not in ("ref", "numref", "eq", "cite:p", "cite:t") or target in known or set('"\n') & set(role):
            return role
        try:
            said = write.words(role)
        except KeyError:  # a name that no chapter has yet: the extension says so
            return role
        inner = re.fullmatch(r"\(?\[([^]\n]*)\]\(([^\s()]*)\)\)?", said)
        if inner:
            said, address = (f"({inner[1]})" if said[0] == "(" else inner[1]), inner[2]
        else:
            address = write.link(write.numbers.page[target], target)
        return f'[{said}]({address} "{role}")'

    return link


def shown(notebook: dict, write: Plain) -> dict:
    """A stored notebook as the browser gets it; the argument stays as it is."""
    notebook = deepcopy(notebook)
    link, cells = linked(labels(notebook), write), []
    for cell in notebook["cells"]:
        cells.append(cell)
        if cell["cell_type"] == "markdown":
            cell["source"] = ROLE.sub(link, source(cell))
        elif cell["cell_type"] == "code" and figure(cell).get("name") in write.numbers.said and "id" in cell:
            about = {"holicam": OURS, "editable": False, "deletable": False}
            cells.append(
                {
                    "cell_type": "markdown",
                    "id": f"{cell['id']}-below"[-64:],
                    "metadata": about,
                    "source": write.words(caption(cell, write.numbers)),
                }
            )
    notebook["cells"] = cells
    return notebook


def stored(notebook: dict) -> dict:
    """What `shown` was made from, with whatever else has changed since; the argument stays as it is."""
    notebook = deepcopy(notebook)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("metadata", {}).get("holicam") != OURS]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = LINK.sub(r"\1", source(cell))
    return notebook


class Contents(AsyncLargeFileManager):
    """JupyterLab's way to the files, with `shown` on the way out and `stored` on the way in."""

    async def get(self, path, content=True, *args, **options):
        model = await super().get(path, content, *args, **options)
        if content and model["type"] == "notebook":
            model["content"] = nbformat.from_dict(shown(model["content"], words()))
        return model

    async def save(self, model, path=""):
        if model.get("type") == "notebook" and model.get("content"):
            model = {**model, "content": stored(model["content"])}
        return await super().save(model, path)
