"""Fill the tables of book/teaching.md.

What stands between `% begin NAME` and `% end NAME` on the page is made here, from the chapters; all else
on it is written by hand.
"""

import re

from tools.chapters import WORDS_A_MINUTE, Chapter, load
from tools.ipynb import BOOK
from tools.pages.graph import told

PAGE = BOOK / "teaching.md"


def names(labels: list[str], known: dict[str, Chapter]) -> str:
    """Chapters as numbers that link, or a dash."""
    return ", ".join(f"{{ref}}`{known[n].number} <{n}>`" for n in labels if n in known) or "–"


def table(chapters: list[Chapter]) -> str:
    """One row a chapter: minutes, run time, what it needs."""
    known = {c.label: c for c in chapters}
    rows = ["| | Chapter | Reading, minutes | Exercises | Run, seconds | Needs | Looks ahead to |", "|---" * 7 + "|"]
    for c in chapters:
        run = "–" if c.seconds is None else f"{c.seconds:.0f}"
        rows.append(
            f"| {c.number} | {{ref}}`{c.label}` | {c.minutes} | {len(c.exercises)} | {run} "
            f"| {names(c.needs, known)} | {names(c.looks_ahead, known)} |"
        )
    minutes, tasks = sum(c.minutes for c in chapters), sum(len(c.exercises) for c in chapters)
    rows.append(f"| | Together | {minutes} | {tasks} | | | |")
    return "\n".join(rows)


def rates(chapters: list[Chapter]) -> str:
    """How the minutes were counted."""
    words = sum(c.words for c in chapters)
    return (
        f"Reading minutes are words divided by {WORDS_A_MINUTE} a minute, rounded to five; the {len(chapters)} "
        f"chapters have {words:,} words without their exercises.\n"
        "That rate is slow for prose, for the text stands between formulas, figures and code.\n"
        "How long an exercise takes was not measured.\n"
        "Run seconds are wall time of the run whose outputs are stored, start of the kernel included, "
        "on a machine that did other work as well; each chapter carries its versions and device in its metadata."
    )


def graph(chapters: list[Chapter]) -> str:
    """The drawing with its words."""
    return "\n".join(
        [
            "```{figure} figures/prerequisites.svg",
            ":name: fig-teaching-prerequisites",
            ":width: 420px",
            f":alt: {told(chapters)}",
            "",
            "Which chapter needs which.",
            "A line runs from a chapter's ring down to the last chapter that needs it; "
            "what follows from other lines is left out.",
            "```",
        ]
    )


def objectives(chapters: list[Chapter]) -> str:
    """A folded box a chapter: its question, its objectives, its exercises."""
    out = []
    for c in chapters:
        said = "\n".join(f"- {item}" for item in c.objectives)
        tasks = ", ".join(f"{{ref}}`{title} <{label}>`" for title, label in c.exercises)
        out.append(
            f"````{{dropdown}} {c.number} {c.title}\n{c.question}\n\n"
            f"**After {{ref}}`{c.label}` a student can**\n\n{said}\n\n**Exercises:** {tasks}.\n````"
        )
    return "\n\n".join(out)


MADE = {"table": table, "rates": rates, "graph": graph, "objectives": objectives}


def filled(text: str, chapters: list[Chapter]) -> str:
    """`text` with every marked block made anew. A mark that is missing or unknown raises ValueError."""
    marks = re.findall(r"^% begin (\w+)$", text, re.MULTILINE)
    if sorted(marks) != sorted(MADE):
        raise ValueError(f"The page marks the blocks {sorted(marks)}; it should mark {sorted(MADE)}.")
    for name, make in MADE.items():
        block = re.compile(rf"^% begin {name}$.*?^% end {name}$", re.DOTALL | re.MULTILINE)
        made = f"% begin {name}\n\n{make(chapters)}\n\n% end {name}"
        text, count = block.subn(lambda _, made=made: made, text)
        if count != 1:
            raise ValueError(f"The block {name!r} of the page begins, but does not end.")
    return text


def page() -> list[str]:
    """The page as it is, line by line, with its blocks made anew."""
    return filled(PAGE.read_text(encoding="utf-8"), load()).split("\n")
