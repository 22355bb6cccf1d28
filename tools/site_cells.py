"""A Sphinx extension: where the cells of tables may break, so that tables fit a column of text.

A name in a cell may break behind an underscore, a point, a comma, a bracket or an equals sign; an interval and a count
of images keep together. What is too wide all the same is set as a list of entries (book/_static/reading.mjs).
"""

from __future__ import annotations

import re

CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
NAME = re.compile(r'(<span class="pre">)([^<]*)(</span>)')
BREAK = re.compile(r"(?<=[\w)\]\"'][_.,=(|/])(?=[^\s\d])|(?<=[a-z])(?=[A-Z][a-z]+[A-Z]?)|(?<=[\w;])(?=&amp;)")
TOGETHER = re.compile(r"\[[+\-−][\d.]+, [+\-−]?[\d.]+\]|\b\d[\d,]* of \d[\d,]*\b|[+\-−]?\d[\d.]* ± \d[\d.]*")


def breakable(name: str) -> str:
    """A name in code with the places at which it may break."""
    return BREAK.sub("<wbr>", name)


def cells(html: str) -> str:
    """A page's HTML with the cells of its tables so marked."""

    def marked(cell: re.Match[str]) -> str:
        text = NAME.sub(lambda found: found[1] + breakable(found[2]) + found[3], cell[0])
        return TOGETHER.sub(lambda found: f'<span class="together">{found[0]}</span>', text)

    return CELL.sub(marked, html)


def mark(app, pagename, templatename, context, doctree) -> None:
    """Every page of the book; chapters print their tables themselves."""
    if "<td" in (context.get("body") or ""):
        context["body"] = cells(context["body"])


def setup(app) -> dict:
    app.connect("html-page-context", mark)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
