"""Which parts of a chapter become slides, by rule and not by hand.

Headings give the titles. Of a paragraph the first sentence is shown, and the one that leads to an
equation; the rest goes to the speaker. Equations, pictures with their captions, printed tables with
the sentence that reads them, and the short cells with the tag `by-hand` are shown as they stand.
"""

import base64
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.chapters import Chapter
from tools.ipynb import PICTURE, figure, source, tags, words_of
from tools.markup import options
from tools.slides.spread import spread
from tools.slides.text import Block, announced, blocks, html, inline, plain, said

ROOM = 15.0  # lines of text on one slide, below its title
LINE = 80  # characters in a line
LITTLE, CODE_LINES, OUTPUT_LINES = 3.6, 14, 19  # so little text shares a picture's slide
LEFT_OUT = ("Sources", "Exercises", "Summary", "Paper notes")
PRACTICE = {"exercise", "solution", "check"}


@dataclass
class Slide:
    """Title (Markdown), body (HTML), what the speaker sees (HTML), and the section it belongs to."""

    title: str
    body: str
    section: str = ""
    notes: list[str] = field(default_factory=list)
    room: float = 0.0
    picture: bool = False


class Deck:
    """The slides of one chapter. Pictures are written to `folder` as the slides are made."""

    def __init__(self, chapter: Chapter, titles: dict[str, str], folder: Path):
        self.chapter, self.titles, self.folder = chapter, titles, folder
        self.numbers = self._numbers()
        self.slides: list[Slide] = []
        self.section, self.left_out = "", False

    def _numbers(self) -> dict[str, str]:
        """Labels of this chapter's figures and equations -> their numbers in this deck, in order."""
        figures, equations = [], []
        for cell in self.chapter.notebook["cells"]:
            if cell["cell_type"] == "markdown":
                found = blocks(source(cell))
                equations += [b.label for b in found if b.kind == "equation" and b.label]
                figures += [options(b.text)[0].get("name", "") for b in found if b.kind == "figure"]
            else:
                figures.append(figure(cell).get("name", ""))
        return {
            **{name: f"({i})" for i, name in enumerate(equations, 1)},
            **{name: f"Fig. {i}" for i, name in enumerate(filter(None, figures), 1)},
        }

    def words(self, markdown: str) -> str:
        return plain(markdown, self.numbers, self.titles)

    def add(self, title: str, body: str, room: float) -> Slide:
        slide = Slide(self.words(title), body, self.section, room=room)
        self.slides.append(slide)
        return slide

    def flow(self, body: str, room: float, slack: float = 0.0) -> Slide:
        """Put a piece on the current slide of the section, or on a new one where it has no room left."""
        last = self.slides[-1] if self.slides else None
        if last and last.section == self.section and not last.picture and last.room + room <= ROOM + slack:
            last.body, last.room = last.body + body, last.room + room
            return last
        return self.add(self.section, body, room)

    def keep_together(self, room: float) -> None:
        """Begin a new slide if what comes next, in several pieces, has no room on the current one."""
        last = self.slides[-1] if self.slides else None
        if last and last.section == self.section and last.room + room > ROOM:
            last.room = 2 * ROOM

    def say(self, markdown: str) -> None:
        """One sentence."""
        words = self.words(markdown)
        slack = 2.6 if words[:1].islower() else 1.6  # a sentence that goes on stays with its start
        self.flow(f"<p>{inline(words)}</p>", 1.5 + len(words) // LINE, slack)

    def picture(self, name: str, path: str, alt: str, caption: str) -> None:
        finding, _, rest = " ".join(self.words(caption).split()).partition(". ")
        number = f'<span class="number">{self.numbers.get(name, "")}</span> '
        body = f'<img src="{path}" alt="{escape(alt)}"><p class="caption">{number}{inline(rest)}</p>'
        self.add(finding.rstrip(".") + ".", body, ROOM).picture = True

    def join(self) -> list[Slide]:
        """The slides, where a little text beside a picture of its section shares the picture's slide."""
        kept: list[Slide] = []
        for slide in self.slides:
            last = kept[-1] if kept else None
            alike = last and last.section == slide.section
            if alike and slide.picture and not last.picture and last.room <= LITTLE:
                slide.body, slide.notes = last.body + slide.body, last.notes + slide.notes
                kept[-1] = slide
            elif alike and last.picture and not slide.picture and slide.room <= LITTLE and last.room <= ROOM:
                last.body, last.notes = last.body + slide.body, last.notes + slide.notes
                last.room += LITTLE  # no more than one such piece
            else:
                kept.append(slide)
        return kept

    def text(self, markdown: str) -> None:
        """The slides of one text cell."""
        found = blocks(markdown)
        for i, block in enumerate(found):
            if block.kind in ("h1", "h2", "h3"):
                self.section = block.text
                if block.kind == "h2":
                    self.left_out = block.text.startswith(LEFT_OUT)
            elif self.left_out or not self.section or block.text in self.chapter.question:
                continue
            elif block.kind == "paragraph":
                follows = found[i + 1] if i + 1 < len(found) else None
                equation = follows if follows and follows.kind == "equation" else None
                shown = said(block.text, bool(equation))
                if equation:
                    self.keep_together(sum(1.5 + len(line) // LINE for line in shown) + self.height(equation))
                for line in shown:
                    self.say(line)
                rest = [line for line in block.text.split("\n") if line not in shown]
                if rest and self.slides:
                    self.slides[-1].notes.append(f"<p>{inline(self.words(' '.join(rest)))}</p>")
            else:
                self.other(block)

    @staticmethod
    def height(equation: Block) -> float:
        """Lines of text that an equation is as tall as."""
        return 0.9 + 1.4 * (equation.text.count(r"\\") + 1 + 0.5 * equation.text.count(r"\frac"))

    def other(self, block: Block) -> None:
        """Everything in a text cell but headings and paragraphs."""
        if block.kind == "equation":
            number = self.numbers.get(block.label, "").strip("()")
            tag = rf"\tag{{{number}}}" if number else ""
            self.flow(html(f"$$\n{block.text}{tag}\n$$"), self.height(block), slack=1)
        elif block.kind in ("list", "table"):
            lines = block.text.split("\n")
            self.flow(html(self.words(block.text)), 0.4 + sum(1.4 + len(line) // LINE for line in lines))
        elif block.kind == "figure":
            said_, caption = options(block.text)
            path = block.text.split("\n")[0].partition("} ")[2].strip()
            self.picture(said_.get("name", ""), path, said_.get("alt", ""), caption)
        elif block.kind in ("caution", "tip", "warning", "note", "admonition", "important"):
            body = self.words(" ".join(options(block.text)[1].split("\n")[:2]))
            self.flow(f'<p class="box">{inline(body)}</p>', 2.1 + len(body) // (LINE - 4))

    def code(self, cell: dict, before: str) -> None:
        """What a code cell shows: its picture, its lines where a method is built by hand, what it printed."""
        if PRACTICE & set(tags(cell)) or self.left_out or not self.section:
            return
        about = cell["metadata"].get("mystnb", {})
        for output in cell["outputs"]:
            if picture := output.get("data", {}).get(PICTURE):
                name = about["figure"]["name"]
                path = f"pictures/{name}.jpg"
                (self.folder / path).write_bytes(spread(base64.b64decode("".join(picture))))
                self.picture(name, path, about["image"]["alt"], about["figure"]["caption"])
                return
        shown = "".join(map(words_of, cell["outputs"])).rstrip("\n")
        lines, program = shown.count("\n") + 1 if shown else 0, source(cell).rstrip("\n").split("\n")
        code = "by-hand" in tags(cell) and len(program) + lines <= CODE_LINES and "hc.setup(seed=0)" not in program
        if not code and not 2 <= lines <= OUTPUT_LINES:
            return
        body, room = "", 0.71 * (lines + len(program) * code) + 1.2 * (code + bool(shown))
        if code:
            colours = HtmlFormatter(style="friendly", noclasses=True, wrapcode=True)
            body = f'<div class="code">{highlight(chr(10).join(program), PythonLexer(), colours)}</div>'
        if shown:
            wide = max(map(len, shown.split("\n")))
            look = ["shown", "small", "small long"][(wide > 94 or lines > 12) + (wide > 112)]
            body += f'<pre class="{look}">{escape(shown, quote=False)}</pre>'
        told = self.words(announced(before))
        lead = f'<p class="lead">{inline(told)}</p>' if told else ""
        self.flow(lead + body, room + (0.5 + 0.8 * (1 + len(told) // LINE)) * bool(told))

    def make(self) -> list[Slide]:
        before = ""
        for cell in self.chapter.notebook["cells"]:
            if cell["cell_type"] == "markdown":
                before = source(cell)
                self.text(before)
            else:
                self.code(cell, before)
        return self.join()
