"""From a chapter's Markdown to the pieces of a slide: blocks, plain roles, HTML."""

import re
from dataclasses import dataclass
from functools import cache
from html import escape

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.markup import ROLE, cited, parts_of, together

EQUATION = re.compile(r"^\$\$\n?(.*?)\n?\$\$(?:\s*\(([^)]+)\))?$", re.DOTALL)

LETTERS = dict(zip("alpha beta delta varepsilon kappa rho sigma tau phi odot".split(), "αβδεκρστφ⊙", strict=True))
LETTER = re.compile(rf"\\({'|'.join(LETTERS)})\b ?")


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

    return together(ROLE.sub(word, markdown))


@cache
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"typographer": False}).enable("table")
    return renderer.use(dollarmath_plugin, allow_space=False, renderer=_math)


def _math(content: str, kind: dict) -> str:
    opening, closing = (r"\[", r"\]") if kind["display_mode"] else (r"\(", r"\)")
    return opening + escape(content, quote=False) + closing


def spoken(made: str) -> str:
    """HTML for the speaker's view, which sets no formulas: they are shown as they are written, with Greek letters."""

    def written(match: re.Match) -> str:
        return f"<code>{LETTER.sub(lambda m: LETTERS[m[1]], match[1])}</code>"

    return re.sub(r'<span class="math inline">\\\((.*?)\\\)</span>', written, made)


def html(markdown: str) -> str:
    """Markdown with dollar mathematics as HTML; the formulas are left to MathJax."""
    return _renderer().render(markdown)


def inline(markdown: str) -> str:
    """The same without the paragraph around it."""
    return _renderer().renderInline(markdown)
