"""The decks of the 90-minute lecture and of the day, put together as book/teaching.md plans them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.ipynb import BOOK
from tools.slides.deck import Deck, Slide, section
from tools.slides.text import html, inline, plain

PAGE = BOOK / "teaching.md"
REF = re.compile(r"\{ref\}`((?:sec|ex)-[\w-]+)`")
SPOKEN = 45  # minutes of a block of the day, ninety, that are not spent at the keyboard


@dataclass(frozen=True)
class Step:
    """A row of a plan. what: Markdown. chapters, tasks: labels; tasks are shown after the slides."""

    what: str
    minutes: int
    chapters: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    keyboard: str = ""


def rows(heading: str, page: Path = PAGE) -> list[list[str]]:
    """The cells of the table below a heading of the page, without its head."""
    body = re.split(rf"^## {heading}$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    body = re.split(r"^## ", body, flags=re.MULTILINE)[0]
    table = [line.strip("| ").split(" | ") for line in body.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in table[2:]]


def lecture() -> list[Step]:
    """The ninety minutes; what is set for afterwards is the last step."""
    page = PAGE.read_text(encoding="utf-8")
    steps = [Step(what, int(minutes), tuple(REF.findall(place))) for minutes, what, place in rows("One lecture")]
    return [*steps, Step("To set", 0, (), tuple(REF.findall(re.search(r"^\*\*To set:\*\* .+$", page, re.M)[0])))]


def day() -> list[Step]:
    """The four blocks."""
    return [
        Step(f"Block {block}", SPOKEN, tuple(REF.findall(chapters)), tuple(REF.findall(keyboard + given)), keyboard)
        for block, chapters, keyboard, given in rows("One day")
    ]


PLANS = {"lecture": ("One lecture", lecture), "day": ("One day", day)}


def shares(steps: list[Step], decks: Mapping[str, Deck], name: str) -> Iterator[tuple[Step, list[Slide]]]:
    """Each step with its slides. Where consecutive steps share a chapter, each but the last takes one slide of it."""
    used: dict[str, int] = {}
    for place, step in enumerate(steps):
        found: list[Slide] = []
        for label in step.chapters:
            own = [slide for slide in decks[label].content if name in slide.decks][used.get(label, 0) :]
            again = place + 1 < len(steps) and label in steps[place + 1].chapters
            found += own[:1] if again else own
            used[label] = used.get(label, 0) + (1 if again else len(own))
        yield step, found


def made(name: str, decks: Mapping[str, Deck]) -> str:
    """The slides of a plan as HTML, with minutes in the notes and for the speaker's timer."""
    heading, plan = PLANS[name]
    steps, titles = plan(), {label: deck.chapter.title for label, deck in decks.items()}
    every = {label: slide for deck in decks.values() for label, slide in deck.exercises.items()}

    def words(markdown: str) -> str:
        return plain(markdown, next(iter(decks.values())).numbers.said, titles)

    whole = sum(step.minutes for step in steps)
    lines = ["| Minutes | |", "|---|---|"] + [
        f"| {step.minutes} | {words(step.what)}"
        + (": " + "; ".join(titles[c] for c in step.chapters) if step.keyboard else "")
        + " |"
        for step in steps
        if step.minutes
    ]
    opening = Slide("Class activation maps", f"<p>{heading}</p>\n" + html("\n".join(lines)), "", "first plan")
    out, clock = [section(opening)], 0
    for step, slides in shares(steps, decks, name):
        said = f"Minutes {clock} to {clock + step.minutes} of {whole}: {inline(words(step.what))}"
        of = "".join(decks[label].asks for label in step.chapters)
        notes = "".join(decks[label].first.notes for label in step.chapters)
        if step.minutes:
            slides = [Slide(words(step.what), of, notes, "part"), *slides]
        seconds = 60 * step.minutes / len(slides) if slides else 0
        out += [section(slide, said if step.minutes else "", seconds) for slide in slides]
        if step.keyboard:
            lines = "\n".join(f"- {each}" for each in re.split("[;,] ", words(step.keyboard)))
            out.append(section(Slide("At the keyboard", html(lines), "", "part")))
        out += [section(every[label]) for label in step.tasks]
        clock += step.minutes
    return "\n".join(out)
