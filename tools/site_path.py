"""A Sphinx extension: `core-path` lists the chapters of the core path, with their questions and reading minutes."""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList

from tools.chapters import CORE, Chapter, by_number
from tools.site_reference import Directive


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


def setup(app) -> dict:
    app.add_directive("core-path", CorePath)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
