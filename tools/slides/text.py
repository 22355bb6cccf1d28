"""From a chapter's Markdown to the pieces of a slide: blocks, plain roles, HTML."""

import re
from dataclasses import dataclass
from functools import cache
from html import escape

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.markup import ROLE, cited, parts_of

EQUATION = re.compile(r"^\$\$\n?(.*?)\n?\$\$(?:\s*\(([^)]+)\))?$", re.DOTALL)
ANNOUNCES = re.compile(r"\b[Tt]he (?:next|first|last|second|folded) (?:cell|function|one)\b")
# A sentence that tells what a paper says; what was found here stands in the sentences behind it.
QUOTES = re.compile(r"\b(?:paper|authors)(?:'s|s')?\b|\{cite:t\}|\b[Pp]ublished\b|\bin print\b")
EMPTY_WORDS = re.compile(
    r"^(It prints nothing|No assertion fails|The assertion holds|Put |Each exercise has|Where this notebook runs)"
)
# A sentence that counts what comes in the sentences behind it.
COUNTS = re.compile(r"^(?:Two|Three|Four|Five) (?:\w+ )?(?:limits|things|of \S+ findings)\b")


@dataclass
class Block:
    """One piece of text: a heading, paragraph, list, equation, table or directive."""

    kind: str
    text: str
    label: str = ""


def blocks(markdown: str) -> list[Block]:
    """A text cell, piece by piece. A paragraph keeps its lines, one sentence each."""
    found: list[Block] = []
    lines = markdown.split("\n")
    while lines:
        line = lines.pop(0)
        if fence := re.match(r"(`{3,})(?:\{([\w:-]+)\})?", line):
            inside = [line]
            while lines and lines[0].rstrip() != fence[1]:
                inside.append(lines.pop(0))
            if lines:
                lines.pop(0)
            found.append(Block(fence[2] or "code", "\n".join(inside)))
        elif line.startswith("$$"):
            inside = [line]
            while lines and not (len(inside) > 1 and inside[-1].startswith("$$")):
                inside.append(lines.pop(0))
            match = EQUATION.match("\n".join(inside).strip())
            found.append(Block("equation", match[1].strip(), match[2] or ""))
        elif heading := re.match(r"(#{1,3}) (.+)", line):
            found.append(Block("h" + str(len(heading[1])), heading[2].strip()))
        elif line.strip() and not re.match(r"\([\w-]+\)=$", line):
            kind = "table" if line.startswith("|") else "list" if line.startswith("- ") else "paragraph"
            inside = [line]
            while lines and lines[0].strip() and not re.match(r"\$\$|`{3}|#{1,3} ", lines[0]):
                inside.append(lines.pop(0))
            found.append(Block(kind, "\n".join(inside)))
    return found


def plain(markdown: str, numbers: dict[str, str], titles: dict[str, str]) -> str:
    """`markdown` without roles: citations as name and year, references as numbers of this deck or as titles.

    numbers: label -> "Fig. 2" or "(3)"; titles: label -> title of a chapter. What neither knows gets a word.
    """

    def word(match: re.Match) -> str:
        role, shown, target = parts_of(match)
        if role.startswith("cite:"):
            said = "; ".join(cited(key, role == "cite:t") for key in target.split(","))
            return said if role == "cite:t" else f"({said})"
        if shown:
            return shown
        if target in numbers:
            return numbers[target]
        if target in titles:
            return f"*{titles[target]}*"
        return {"eq": "an earlier equation", "numref": "a figure of the book"}.get(role, "the book")

    return ROLE.sub(word, markdown)


@cache
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"typographer": False}).enable("table")
    return renderer.use(dollarmath_plugin, allow_space=False, renderer=_math)


def _math(content: str, kind: dict) -> str:
    opening, closing = (r"\[", r"\]") if kind["display_mode"] else (r"\(", r"\)")
    return opening + escape(content, quote=False) + closing


def html(markdown: str) -> str:
    """Markdown with dollar mathematics as HTML; the formulas are left to MathJax."""
    return _renderer().render(markdown)


def inline(markdown: str) -> str:
    """The same without the paragraph around it."""
    return _renderer().renderInline(markdown)


def said(paragraph: str, before_equation: bool) -> list[str]:
    """The sentences of a paragraph that a slide shows: the first, and the one that leads to an equation.

    A paragraph that quotes a paper is shown as a whole, in one piece: nobody is to see a claim without its outcome.
    So is one that begins with how many things it tells.
    """
    lines = [line for line in paragraph.split("\n") if not EMPTY_WORDS.match(line)]
    told = [line for line in lines if not ANNOUNCES.search(line)]
    if any(QUOTES.search(line) for line in told) or (told and COUNTS.match(told[0])):
        return [" ".join(told)]
    if before_equation and told:
        return list(dict.fromkeys([told[0], told[-1]]))
    return lines[:1] if lines[:1] == told[:1] else []  # what follows an announcement leans on it


def announced(markdown: str) -> str:
    """What the text before a cell says that the cell does, as words for the slide of that cell."""
    lines = [line for line in markdown.split("\n") if ANNOUNCES.search(line)]
    return ANNOUNCES.sub(lambda m: "this cell" if m.start() else "This cell", lines[-1]) if lines else ""
