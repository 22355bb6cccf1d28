"""A Sphinx extension: paper notes are folded, a number keeps its unit beside it, and the search names sections.

Folding needs no script: the section's text lies in a <details>, which a browser opens by itself for a link to a place
in it, or for a word that is searched on the page.
"""

from __future__ import annotations

from docutils import nodes

from tools.chapters import NOTES
from tools.markup import together

VERBATIM = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
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


def keep_together(app, doctree, docname) -> None:
    """Put a space that does not break between a number and its unit; code is left as it is."""
    if app.builder.format != "html":
        return
    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(text.parent, VERBATIM) and (kept := together(text)) != text:
            text.parent.replace(text, nodes.Text(kept))


def search(app, pagename, templatename, context, doctree) -> None:
    """The search also names sections, by what their headings say."""
    if pagename == "search":
        app.add_js_file("search.mjs", type="module")


def setup(app) -> dict:
    app.connect("doctree-resolved", fold_notes)
    app.connect("doctree-resolved", keep_together)
    app.connect("html-page-context", search)
    app.add_js_file("reading.mjs", type="module")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
