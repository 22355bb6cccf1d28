"""The exam questions (book/exam-questions.md, on the site) and their answers (teaching/exam-answers.md, not there)."""

import re
from pathlib import Path

from tools.ipynb import BOOK, ROOT

QUESTIONS = BOOK / "exam-questions.md"
ANSWERS = ROOT / "teaching" / "exam-answers.md"
HEADING = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)


def sections(page: Path) -> dict[int, tuple[str, str]]:
    """Number -> title and body of each question or answer on a page."""
    pieces = HEADING.split(page.read_text(encoding="utf-8"))
    return {
        int(number): (title.strip(), body.strip())
        for number, title, body in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    }


def bank() -> str:
    """Every question with its answer below it, in the book's Markdown. A question without one raises."""
    asked, answered = sections(QUESTIONS), sections(ANSWERS)
    if [(n, title) for n, (title, _) in asked.items()] != [(n, title) for n, (title, _) in answered.items()]:
        raise ValueError("Questions and answers do not have the same numbers and titles.")
    out = ["# Exam questions with answers\n", "For lecturers; change the numbers before marks depend on them.\n"]
    for number, (title, body) in asked.items():
        out += [f"## {number}. {title}\n", body + "\n", "### Answer\n", answered[number][1] + "\n"]
    return "\n".join(out)
