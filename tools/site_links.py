"""A Sphinx extension: every code cell of a chapter is a place that another page can link to."""

import re

from docutils import nodes


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
    app.connect("doctree-read", name_cells)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
