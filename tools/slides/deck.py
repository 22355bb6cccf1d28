"""The slides of a chapter: a title, what is marked in it, its exercises, what to remember."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.chapters import LEVEL, Chapter
from tools.ipynb import DROPDOWN
from tools.markup import EXERCISE
from tools.notes import Notes
from tools.plain_text import Numbers
from tools.slides.marks import Mark, marks, told
from tools.slides.parts import Parts
from tools.slides.text import html, inline, spoken

FOUND = "Here: "


@dataclass(frozen=True)
class Slide:
    """title: Markdown. body: HTML. notes: HTML, for the speaker. decks: which take it beside the chapter's own."""

    title: str
    body: str
    notes: str = ""
    kind: str = ""
    decks: frozenset[str] = frozenset()


def section(slide: Slide, clock: str = "", seconds: float = 0) -> str:
    """A slide as HTML. clock: what the notes say of the time. seconds: for the speaker's timer, 0 for none."""
    level = "h1" if slide.kind == "first" else "h2"
    timing = f' data-timing="{seconds:.0f}"' if seconds else ""
    notes = (f'<p class="clock">{clock}</p>' if clock else "") + slide.notes
    return (
        f'<section{timing}><div class="frame {slide.kind}">\n<{level}>{inline(slide.title)}</{level}>\n'
        f'{slide.body}</div>\n<aside class="notes">{notes}</aside></section>'
    )


class Deck:
    """The slides of one chapter; its pictures are written to `folder`."""

    def __init__(self, chapter: Chapter, numbers: Numbers, notes: Notes, folder: Path):
        self.chapter, self.numbers, self.notes = chapter, numbers, notes
        self.parts = Parts(chapter, numbers, folder)
        self.content = self._content()
        self.exercises = dict(self._exercise(*found) for found in EXERCISE.findall(chapter.text))

    @property
    def slides(self) -> list[Slide]:
        """All, in order."""
        return [self.first, *self.content, *self.exercises.values(), self.last]

    def paragraphs(self, texts: Iterable[str]) -> str:
        """For the speaker."""
        return "".join(f"<p>{spoken(inline(self.parts.words(' '.join(text.split()))))}</p>" for text in texts)

    @property
    def asks(self) -> str:
        """Title and question, for a deck of several chapters."""
        question = " ".join(self.parts.words(self.chapter.question).split())
        return f"<p><strong>{inline(self.chapter.title)}.</strong> {inline(question)}</p>"

    @property
    def first(self) -> Slide:
        """The chapter's question."""
        body = f"<p>{inline(self.parts.words(self.chapter.question))}</p>\n"
        body += f'<p class="credit">Chapter {self.chapter.number} of <em>Holistic class activation maps</em></p>'
        return Slide(self.chapter.title, body, self.paragraphs(self.notes.opening(self.chapter)), "first")

    @property
    def last(self) -> Slide:
        """The summary; its notes are those that belong to a section without a slide."""
        bullets = "\n".join(f"- {item}" for item in self.chapter.bullets("Summary"))
        told = {mark.section.rstrip(".") for mark in marks(self.chapter)}
        left = [said for name, said in self.notes.misconceptions(self.chapter) if name.rstrip(".") not in told]
        return Slide("What to remember", html(self.parts.words(bullets)), self.paragraphs(left), "last")

    def _content(self) -> list[Slide]:
        content, told = [], set()
        for mark in marks(self.chapter):
            fresh = mark.section.rstrip(".") not in told
            told.add(mark.section.rstrip("."))
            content.append(self._slide(mark, self.notes.of(self.chapter, mark.section) if fresh else []))
        return content

    def _slide(self, mark: Mark, misconceptions: list[str]) -> Slide:
        title = self.parts.words(mark.title) if mark.title else self.parts.finding(mark.cell)
        said = self.paragraphs(misconceptions)
        if text := self.paragraphs(told(self.chapter, mark.cell)):
            said += f'<div class="book"><p>In the book:</p>{text}</div>'
        return Slide(title, self._body(mark), said, "", mark.decks)

    def _body(self, mark: Mark) -> str:
        """Text and inserts as HTML, in their order."""
        out, waiting = [], []

        def flush() -> None:
            text = "\n".join(waiting).strip("\n")
            found = text.startswith(FOUND)
            if text:
                made = html(self.parts.words(text.removeprefix(FOUND) if found else text))
                out.append(f'<div class="found">{made}</div>' if found else made)
            waiting.clear()

        for line in mark.lines:
            made = self.parts.insert(line, mark.cell)
            if made is not None or line.startswith(FOUND):
                flush()
            if made is None:
                waiting.append(line)
            else:
                out.append(made)
        flush()
        return "\n".join(out)

    def _exercise(self, _: str, title: str, label: str, text: str) -> tuple[str, Slide]:
        """The task, whole, with its level."""
        level = LEVEL.search(text)
        task = html(self.parts.words(DROPDOWN.sub("", LEVEL.sub("", text)).strip()))
        said = f'<p class="credit">{level[0].strip("*")}</p>' if level else ""
        name = self.numbers.said[label]
        return label, Slide(f"{name}: {title.strip()}", task + said, "", "exercise")
