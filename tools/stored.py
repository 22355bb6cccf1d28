"""What the pages made by tools read of the book: chapters as they are stored, and where to write.

A page made by a tool holds nothing that is not in a chapter, a data file or a result file, and
`tests/test_pages.py` makes it again and compares.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
NAME = re.compile(r"(\d\d)-(.+)")


@dataclass(frozen=True)
class Chapter:
    """One notebook: its number, its label, its title, and what its cells have printed."""

    path: Path

    @property
    def number(self) -> int:
        return int(NAME.fullmatch(self.path.stem)[1])

    @property
    def label(self) -> str:
        return "sec-" + NAME.fullmatch(self.path.stem)[2]

    @cached_property
    def notebook(self) -> dict:
        return json.loads(self.path.read_text(encoding="utf-8"))

    @property
    def title(self) -> str:
        return re.search(r"^# (.+)$", "\n".join(self.text), re.MULTILINE)[1]

    @property
    def text(self) -> list[str]:
        """The Markdown cells."""
        return ["".join(c["source"]) for c in self.notebook["cells"] if c["cell_type"] == "markdown"]

    @property
    def code(self) -> list[str]:
        """The sources of the code cells."""
        return ["".join(c["source"]) for c in self.notebook["cells"] if c["cell_type"] == "code"]

    @cached_property
    def printed(self) -> dict[int, str]:
        """Execution count of a cell -> the text it has printed or returned."""
        found = {}
        for cell in self.notebook["cells"]:
            if cell["cell_type"] == "code" and cell["execution_count"]:
                said = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell["outputs"]]
                found[cell["execution_count"]] = "\n".join("".join(part) for part in said)
        return found


def chapters() -> dict[int, Chapter]:
    """Number -> chapter, in order."""
    return {int(p.stem[:2]): Chapter(p) for p in sorted(BOOK.glob("[0-9][0-9]-*.ipynb"))}


def write(path: Path, lines: list[str]) -> None:
    """Write a page."""
    path.write_text(text(lines), encoding="utf-8")


def text(lines: list[str]) -> str:
    """Lines as a file: one final newline, no blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
