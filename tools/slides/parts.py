"""The parts of a chapter that a slide takes over: pictures, formulas, programs, results, claims."""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.chapters import Chapter
from tools.ipynb import PICTURE, source, words_of
from tools.markup import options
from tools.plain_text import Numbers
from tools.slides.spread import row_of, spread
from tools.slides.text import blocks, html, inline, plain
from tools.slides.verdicts import claim

INSERT = re.compile(r"^\{(picture|caption|equation|code|output|claim)(?: ([^}]+))?\}$")
CODE_LINES, WIDE, WIDEST = 12, 79, 94  # lines of a program; characters in a line at 24 and at 20 pixels
CREDIT = re.compile(r"\s*Photographs?: .*$", re.DOTALL)


class Parts:
    """The parts of one chapter as HTML. Pictures are written to `folder`/pictures."""

    def __init__(self, chapter: Chapter, numbers: Numbers, folder: Path):
        self.chapter, self.numbers, self.folder = chapter, numbers, folder
        self.cells = chapter.notebook["cells"]
        self.drawn, self.equations = {}, {}
        for place, cell in enumerate(self.cells):
            if cell["cell_type"] == "code":
                if name := cell["metadata"].get("mystnb", {}).get("figure", {}).get("name"):
                    self.drawn[name] = place
                continue
            for block in blocks(source(cell)):
                if block.kind == "equation" and block.label:
                    self.equations[block.label] = block.text
                elif block.kind == "figure":
                    self.drawn[options(block.text)[0]["name"]] = place

    def words(self, markdown: str) -> str:
        """Markdown without roles."""
        return plain(markdown, self.numbers.said, self.numbers.titles)

    def insert(self, line: str, place: int) -> str | None:
        """The HTML of a line in braces beside the cell at `place`; None for any other line.

        KeyError: the chapter, or the ledger, has no such part. ValueError: it does not fit a slide.
        """
        found = INSERT.match(line.strip())
        if not found:
            return None
        kind, what = found[1], (found[2] or "").strip()
        try:
            return getattr(self, f"_{kind}")(what, place)
        except (KeyError, ValueError, IndexError) as error:
            said = error.args[0] if error.args else error
            raise type(error)(f"{self.chapter.path.name}, cell {place}, {line}: {said}") from None

    def _named(self, what: str, place: int) -> tuple[str, str, str, str]:
        """Name, path, alternative text and caption of a picture, which is written."""
        row = re.fullmatch(r"row (\d)", what)
        place = place if row or what in ("", "whole") else self.drawn[what]
        cell = self.cells[place]
        if cell["cell_type"] == "markdown":
            block = next(b for b in blocks(source(cell)) if b.kind == "figure")
            said, caption = options(block.text)
            return said["name"], block.text.split("\n")[0].partition("} ")[2].strip(), said["alt"], caption
        about = cell["metadata"]["mystnb"]
        raw = next(o["data"][PICTURE] for o in cell["outputs"] if PICTURE in o.get("data", {}))
        raw = base64.b64decode("".join(raw))
        path = f"pictures/{about['figure']['name']}{'-' * bool(what)}{what.replace(' ', '-')}.jpg"
        made = raw if what == "whole" else row_of(raw, int(row[1])) if row else spread(raw)
        (self.folder / path).write_bytes(made)
        return about["figure"]["name"], path, about["image"]["alt"], about["figure"]["caption"]

    def finding(self, place: int) -> str:
        """The first sentence of a caption."""
        caption = " ".join(self.words(self._named("", place)[3]).split())
        return re.split(r"(?<=[.?!]) (?=[A-Z])", caption)[0]

    def _picture(self, what: str, place: int) -> str:
        name, path, alt, caption = self._named(what, place)
        kind = ' class="drawing"' if path.endswith(".svg") else ""
        credit = CREDIT.search(" ".join(caption.split()))
        said = " ".join([self.numbers.said.get(name, "") + ".", credit[0].strip() if credit else ""]).strip()
        return f'<img src="{path}"{kind} alt="{escape(alt)}">\n<p class="credit">{inline(self.words(said))}</p>'

    def _caption(self, _: str, place: int) -> str:
        """What the caption says beside its finding and its credits."""
        caption = " ".join(self.words(self._named("", place)[3]).split())
        rest = CREDIT.sub("", caption[len(self.finding(place)) :]).strip()
        return f"<p>{inline(rest)}</p>" if rest else ""

    def _equation(self, label: str, _: int) -> str:
        number = self.numbers.said[label].strip("()")
        return html(f"$$\n{self.equations[label]}\\tag{{{number}}}\n$$")

    @staticmethod
    def _lines(text: str, what: str) -> list[str]:
        lines = text.strip("\n").split("\n")
        if not what:
            return lines
        first, dash, last = what.partition("-")
        return lines[int(first) - 1 : int(last) if last else None if dash else int(first)]

    def _code(self, what: str, place: int) -> str:
        lines = self._lines(source(self.cells[place]), what)
        if len(lines) > CODE_LINES:
            raise ValueError(f"{len(lines)} lines of a program are too many for a slide; it takes {CODE_LINES}")
        colours = HtmlFormatter(style="friendly", noclasses=True, wrapcode=True)
        return f'<div class="code {_size(lines)}">{highlight(chr(10).join(lines), PythonLexer(), colours)}</div>'

    def _output(self, what: str, place: int) -> str:
        lines = self._lines("".join(map(words_of, self.cells[place]["outputs"])), what)
        if not any(lines):
            raise ValueError("the cell has printed nothing")
        return f'<pre class="{_size(lines)}">{escape(chr(10).join(lines), quote=False)}</pre>'

    def _claim(self, key: str, _: int) -> str:
        found = claim(key)
        told = [*([f"*Asked:* {found.asked}"] if found.asked else []), *found.outcomes, found.seen]
        lines = "".join(f"<p>{inline(self.words(each))}</p>" for each in told if each)
        return f'<p class="says">{inline(self.words(found.says))}</p>\n<div class="found">{lines}</div>'


def _size(lines: list[str]) -> str:
    """How large a program or a result is set. ValueError where it is too wide for the last row of a room."""
    wide = max(map(len, lines))
    if wide > WIDEST:
        raise ValueError(f"a line of {wide} characters is too wide for a slide, which takes {WIDEST}")
    return "small" if wide > WIDE else "large"
