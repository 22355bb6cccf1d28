"""A Sphinx extension: the core path through the book.

`core-path` lists its chapters with their questions and reading minutes, and each of them says below its title how far
the reader is, and what comes next.
"""

from __future__ import annotations

import re

from docutils import nodes
from docutils.statemachine import StringList

from tools.chapters import CORE, Chapter, by_number
from tools.site_reference import Directive

CHAPTER = re.compile(r"book/(\d\d)-[\w-]+")


def chapters() -> list[Chapter]:
    """Those of the core path, in order."""
    book = by_number()
    return [book[number] for number in CORE]


def line(chapter: Chapter) -> str:
    """One chapter as Markdown: number, title that links, minutes, its question."""
    question = " ".join(chapter.question.split())
    return f"{{ref}}`{chapter.number}. {chapter.title} <{chapter.label}>`, {chapter.minutes} minutes: {question}"


def told() -> str:
    """How long the path takes."""
    found = chapters()
    minutes, count = sum(chapter.minutes for chapter in found), len(found)
    return f"{count} chapters, about {round(minutes / 60 * 2) / 2:g} hours of reading without the exercises."


class CorePath(Directive):
    """The list with its sum."""

    def run(self) -> list[nodes.Node]:
        for chapter in chapters():
            self.env.note_dependency(str(chapter.path))
        lines = [*(f"- {line(chapter)}" for chapter in chapters()), "", told()]
        holder = nodes.container(classes=["afternoon"])
        self.state.nested_parse(StringList(lines, "core-path"), 0, holder)
        return [holder]


def below_title(app, pagename, templatename, context, doctree) -> None:
    """On a page of the path: how far the reader is, and what comes next."""
    found = CHAPTER.fullmatch(pagename)
    if not found or int(found[1]) not in CORE or not context.get("body"):
        return
    path, place = chapters(), CORE.index(int(found[1])) + 1
    said = f"Core path, {place} of {len(CORE)}"
    for following in path[place : place + 1]:
        address = context["pathto"](f"book/{following.path.stem}")
        said += f' · next on it: <a href="{address}">{following.number} {following.title}</a>'
    context["body"] = context["body"].replace("</h1>", f'</h1>\n<p class="core-path">{said}</p>', 1)


def setup(app) -> dict:
    app.connect("html-page-context", below_title)
    app.add_directive("core-path", CorePath)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
