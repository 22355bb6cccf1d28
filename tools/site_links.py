"""A Sphinx extension: links that tie functions, chapters and cells together.

A docstring that says "Built in chapter 07" links to that chapter, and every code cell of a chapter is a place
that another page can link to, as the claim ledger does.
"""

import re
from pathlib import Path

from docutils import nodes

BOOK = Path(__file__).resolve().parent.parent / "book"
CHAPTER = re.compile(r"\b[Cc]hapter (\d\d)\b")


def link_chapters(app, what, name, obj, options, lines) -> None:
    """Turn the "chapter 07" of a docstring into a link; below the text where that is shown as it is."""
    labels = {p.stem[:2]: f"sec-{p.stem[3:]}" for p in BOOK.glob("[0-9][0-9]-*.ipynb")}

    def link(found: re.Match) -> str:
        label = labels.get(found[1])
        return f":ref:`{found[0]} <{label}>`" if label else found[0]

    if "::" in lines:  # plain_text_as_it_is, of site_extension, has been here
        named = [found for line in lines if (found := CHAPTER.search(line))]
        lines += [f"See {link(found)}." for found in named[:1]] + [""]
    else:
        lines[:] = [CHAPTER.sub(link, line) for line in lines]


def name_cells(app, doctree) -> None:
    """Give every code cell of a chapter a name: `cell-07-12` is the cell that ran as In [12]."""
    chapter = re.fullmatch(r"book/(\d\d)-.+", app.env.docname)
    domain = app.env.domains["std"]
    for cell in doctree.findall(nodes.container) if chapter else ():
        if cell.get("nb_element") == "cell_code" and cell.get("exec_count"):
            name = f"cell-{chapter[1]}-{cell['exec_count']}"
            cell["ids"].append(name)
            domain.anonlabels[name] = app.env.docname, name
            domain.labels[name] = app.env.docname, name, f"cell {cell['exec_count']}"


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", link_chapters, priority=950)
    app.connect("doctree-read", name_cells)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
