"""The exam questions (book/exam-questions.md, on the site) and their answers (teaching/exam-answers.md, not there).

With a SEED the computational parts carry other numbers (`exam_numbers`), and their answers are computed.
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.assignments.draws import draw
from tools.exam_numbers import VARIED
from tools.ipynb import BOOK, ROOT

QUESTIONS = BOOK / "exam-questions.md"
ANSWERS = ROOT / "teaching" / "exam-answers.md"
HEADING = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
ABOUT = re.compile(r"\*([A-Z][a-z ]+), level (\d) of 3, (\d+) minutes, (\d+) points\.\*")
PART = re.compile(r"^(\d)\. (.*?)(?=^\d\. |^\*\*|\Z)", re.MULTILINE | re.DOTALL)
BEFORE = {
    True: "# Exam questions with answers\n\nFor lecturers. {seed}\n",
    False: "# Exam questions\n\nChoose from the bank: one point is one minute. {seed}\n",
}
OWN = "The numbers of questions {varied} follow from your SEED; the other questions are as on the site."
PUBLIC = "These are the book's own numbers, which are public: `make lecturer SEED='a sentence'` gives others."


def sections(page: Path) -> dict[int, tuple[str, str]]:
    """Number -> title and body of each question or answer on a page."""
    pieces = HEADING.split(page.read_text(encoding="utf-8"))
    return {
        int(number): (title.strip(), body.strip())
        for number, title, body in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    }


def shares(points: int, parts: int) -> list[int]:
    """The points of a question divided among its parts; what is over goes to the last ones."""
    least, over = divmod(points, parts)
    return [least + (part >= parts - over) for part in range(parts)]


def replaced(body: str, new: dict[int, str]) -> str:
    """A question or an answer with some parts replaced."""
    return PART.sub(lambda found: f"{found[1]}. {new[int(found[1])]}\n" if int(found[1]) in new else found[0], body)


def pointed(body: str) -> str:
    """A question with the points of each part at its end."""
    points, found = int(ABOUT.search(body)[4]), PART.findall(body)
    each = dict(zip((number for number, _ in found), shares(points, len(found)), strict=True))
    return PART.sub(lambda part: f"{part[1]}. {part[2].rstrip()} *({each[part[1]]} points)*\n", body)


def bank(seed: str | None = None, answers: bool = True) -> str:
    """Every question, with its answer below it, in the book's Markdown. A question without an answer raises."""
    asked, answered = sections(QUESTIONS), sections(ANSWERS)
    if [(n, title) for n, (title, _) in asked.items()] != [(n, title) for n, (title, _) in answered.items()]:
        raise ValueError("Questions and answers do not have the same numbers and titles.")
    said = PUBLIC if seed is None else OWN.format(varied=", ".join(map(str, VARIED)))
    out = [BEFORE[answers].format(seed=said)]
    for number, (title, body) in asked.items():
        new = VARIED[number](draw(seed, f"exam {number}")) if seed is not None and number in VARIED else {}
        body = replaced(body, {part: question for part, (question, _) in new.items()})
        out += [f"## {number}. {title}\n", pointed(body) + "\n"]
        if answers:
            body = replaced(answered[number][1], {part: answer for part, (_, answer) in new.items()})
            out += ["### Answer\n", body + "\n"]
    return "\n".join(out)
