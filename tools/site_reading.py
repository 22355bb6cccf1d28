"""A Sphinx extension: what helps to read a page. Paper notes are folded, and the chapters of the core path say so.

Folding needs no script: the section's text lies in a <details>, which a browser opens by itself for a link to a place
in it, or for a word that is searched on the page.
"""

from __future__ import annotations

import re

from docutils import nodes

from tools.chapters import CORE, NOTES, load

CHAPTER = re.compile(r"book/(\d\d)-[\w-]+")
WORDS = "What the papers print, what their authors’ code does, and what we measured of it"


def fold_notes(app, doctree, docname) -> None:
    """Put everything below the heading "Paper notes" into a <details>."""
    if app.builder.format != "html":
        return
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title)
        if title is not None and title.parent is section and title.astext() == NOTES:
            after = section.index(title) + 1
            opening = f'<details class="paper-notes"><summary>{WORDS}</summary>'
            section.insert(after, nodes.raw("", opening, format="html"))
            section.append(nodes.raw("", "</details>", format="html"))


def core_path(app, pagename, templatename, context, doctree) -> None:
    """Below the title of a chapter of the core path: how far the reader is, and what comes next."""
    found = CHAPTER.fullmatch(pagename)
    if not found or int(found[1]) not in CORE or not context.get("body"):
        return
    chapters = {chapter.number: chapter for chapter in load()}
    place = CORE.index(int(found[1]))
    said = f"Core path, {place + 1} of {len(CORE)}"
    if place + 1 < len(CORE):
        following = chapters[CORE[place + 1]]
        address = context["pathto"](f"book/{following.path.stem}")
        said += f' · next on it: <a href="{address}">{following.number} {following.title}</a>'
    line = f'<p class="core-path">{said}</p>'
    context["body"] = context["body"].replace("</h1>", "</h1>\n" + line, 1)


def setup(app) -> dict:
    app.connect("doctree-resolved", fold_notes)
    app.connect("html-page-context", core_path)
    app.add_js_file("reading.mjs", type="module")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
