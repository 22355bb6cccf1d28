"""A chapter's Markdown as every notebook renders it: roles as words with links, numbered equations, figures inside.

Colab, VS Code, GitHub and Jupyter without an extension know CommonMark, dollar mathematics and little else. Colab
shows no attachments, no files beside a notebook and no SVG in an address: drawings become PNG in the text itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tools.chapters import Chapter
from tools.ipynb import BOOK, figure, source
from tools.markup import EXERCISE, ROLE, cited, options, parts_of

LABEL = re.compile(r"^\(([^)\s]+)\)=\s*$\n?", re.MULTILINE)
HEADED = re.compile(r"^\(([^)\s]+)\)=\s*\n#+ (.+)$", re.MULTILINE)
EQUATION = re.compile(r"^\$\$\n?(.*?)\n?\$\$(?: *\(([^)\s]+)\))? *$", re.DOTALL | re.MULTILINE)
DIRECTIVE = re.compile(r"^(`{3,})\{([\w:-]+)\}([^\n]*)\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)
CALLOUTS = {"caution", "tip", "warning", "note", "admonition", "hint", "important"}
WIDTH = 1360  # pixels of a drawing: twice what a notebook shows


@dataclass
class Numbers:
    """What references say: "(7.2)" for an equation, "Fig. 7.1", "Exercise 7.3", and titles of chapters and pages."""

    said: dict[str, str] = field(default_factory=dict)
    page: dict[str, str] = field(default_factory=dict)  # label -> page of the site, or notebook, that holds it
    titles: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, chapters: Iterable[Chapter]) -> Numbers:
        found = cls()
        for chapter in chapters:
            found._read(chapter)
        for path in sorted(BOOK.glob("*.md")):
            for label, title in HEADED.findall(path.read_text(encoding="utf-8")):
                found.titles[label], found.page[label] = title.strip(), path.stem
        return found

    def _read(self, chapter: Chapter) -> None:
        counts = dict.fromkeys(("eq", "fig", "ex", "tab"), 0)
        words = {"eq": "({})", "fig": "Fig. {}", "ex": "Exercise {}", "tab": "Table {}"}

        def count(kind: str, label: str) -> None:
            counts[kind] += 1
            self.said[label] = words[kind].format(f"{chapter.number}.{counts[kind]}")
            self.page[label] = chapter.path.stem

        for cell in chapter.notebook["cells"]:
            text = source(cell)
            if cell["cell_type"] == "markdown":
                for label, title in HEADED.findall(text):
                    self.titles[label], self.page[label] = title.strip(), chapter.path.stem
                for found in EQUATION.finditer(text):
                    if found[2]:
                        count("eq", found[2])
                for name in re.findall(r"^:name: (\S+)", text, re.MULTILINE):
                    count(name.partition("-")[0], name)
                for found in EXERCISE.finditer(text):
                    count("ex", found[3])
            elif name := figure(cell).get("name"):
                count("fig", name)


@cache
def png(drawing: Path) -> str:
    """A drawing as a data address; its letters are DejaVu Sans, which comes with matplotlib."""
    import matplotlib
    import resvg_py

    fonts = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")
    raw = resvg_py.svg_to_bytes(
        svg_path=str(drawing),
        width=WIDTH,
        font_dirs=[fonts],
        skip_system_fonts=True,
        font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
    )
    return "data:image/png;base64," + base64.b64encode(bytes(raw)).decode()


class Plain:
    """Turns the text cells of chapters into plain Markdown.

    link: makes an address of a page and a label. unfolded: titles of folded texts that are open from the start.
    """

    def __init__(self, numbers: Numbers, link: Callable[[str, str], str], unfolded: Iterable[str] = ()):
        self.numbers, self.link, self.unfolded = numbers, link, tuple(unfolded)

    def __call__(self, markdown: str) -> str:
        text = DIRECTIVE.sub(self._directive, LABEL.sub("", markdown))
        return self.words(EQUATION.sub(self._equation, text)).strip("\n")

    def _equation(self, found: re.Match) -> str:
        number = self.numbers.said.get(found[2], "").strip("()")
        tag = f"\n\\tag{{{number}}}" if number else ""
        return f"$$\n{found[1].strip()}{tag}\n$$"

    def words(self, text: str) -> str:
        """Roles as words, with links where they lead to another page."""
        return ROLE.sub(self._role, text)

    def _role(self, found: re.Match) -> str:
        role, shown, target = parts_of(found)
        if role.startswith("cite:"):
            said = "; ".join(cited(key, role == "cite:t") for key in target.split(","))
            said = f"[{said}]({self.link('references', '')})"
            return said if role == "cite:t" else f"({said})"
        if role == "try":  # a state of the laboratory
            return f"[{shown}]({self.link('laboratory', f'laboratory?{target}')})"
        if target not in self.numbers.page:
            raise KeyError(f"the text refers to {target!r}, which no chapter and no page defines")
        said = shown or self.numbers.said.get(target) or self.numbers.titles[target]
        return said if role in ("eq", "numref") else f"[{said}]({self.link(self.numbers.page[target], target)})"

    def _directive(self, found: re.Match) -> str:
        name, argument = found[2], found[3].strip()
        said, body = options(f"{name}\n{found[4]}")
        body = DIRECTIVE.sub(self._directive, body)
        if name == "figure":
            picture = png(BOOK / argument)
            return f"![{said.get('alt', '')}]({picture})\n\n*{self.numbers.said[said['name']]}. {one_line(body)}*"
        if name == "exercise":
            return f"### {self.numbers.said[said['label']]}: {argument}\n\n{body}"
        if name in ("dropdown", "solution"):
            title = argument if name == "dropdown" else "Solution"
            kind = "details open" if title in self.unfolded else "details"
            return f"<{kind}>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
        if name == "list-table":
            number = f"{self.numbers.said[said['name']]}. " if "name" in said else ""
            return table(number + argument, body)
        if name in CALLOUTS:
            title = argument or name.capitalize()
            return "\n".join(f"> {line}".rstrip() for line in f"**{title}.**\n{body}".split("\n"))
        raise ValueError(f"tools/plain_text.py does not know the directive {name!r}")


def one_line(text: str) -> str:
    return " ".join(text.split())


def table(title: str, body: str) -> str:
    """A list-table as a Markdown table; the first row is its head."""
    rows = [
        [one_line(cell) for cell in re.split(r"^  - ", row, flags=re.MULTILINE)]
        for row in re.split(r"^\* - ", body, flags=re.MULTILINE)[1:]
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*([f"*{title}*", ""] if title else []), lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def caption(cell: dict, numbers: Numbers) -> str:
    """What stands below the picture of a code cell; empty where it has none."""
    about = figure(cell)
    return f"*{numbers.said[about['name']]}. {about['caption']}*" if about.get("name") else ""
