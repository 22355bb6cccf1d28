"""The lecturer's notes, read from book/lecturers-notes.md: one section a chapter, one bullet a misconception.

A bullet begins with the bold name of the chapter's section in which it shows itself.
"""

import re
from pathlib import Path

from tools.chapters import Chapter
from tools.ipynb import BOOK

PAGE = BOOK / "lecturers-notes.md"
BULLET = re.compile(r"^- \*\*(.+?)\.?\*\* (.+)$", re.DOTALL)


class Notes:
    """What to say to a chapter."""

    def __init__(self, page: Path = PAGE):
        pieces = re.split(r"^## (\d+) .+$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        self.by_number = {int(n): body.strip() for n, body in zip(pieces[1::2], pieces[2::2], strict=True)}

    def _blocks(self, chapter: Chapter) -> list[str]:
        body = self.by_number.get(chapter.number, "")
        return [" ".join(block.split()) for block in re.split(r"\n\n|\n(?=- )", body) if block.strip()]

    def opening(self, chapter: Chapter) -> list[str]:
        """What belongs to the chapter as a whole."""
        return [block for block in self._blocks(chapter) if not block.startswith("- ")]

    def misconceptions(self, chapter: Chapter) -> list[tuple[str, str]]:
        """Pairs of a section's name and what students get wrong there, in order."""
        return [BULLET.match(block).groups() for block in self._blocks(chapter) if block.startswith("- ")]

    def of(self, chapter: Chapter, section: str) -> list[str]:
        """The misconceptions to expect in one section."""
        return [said for name, said in self.misconceptions(chapter) if name.rstrip(".") == section.rstrip(".")]
