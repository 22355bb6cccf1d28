"""Which cells of a chapter make slides, and with which words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.chapters import SECTION, Chapter
from tools.ipynb import DROPDOWN, source, tags
from tools.slides.text import blocks

TAG = "slide"
DECKS = {"slide-lecture": "lecture", "slide-day": "day"}  # tag -> deck that takes the slides of a cell as well
PICTURE_ALONE = ["{picture}", "{caption}"]


@dataclass(frozen=True)
class Mark:
    """One slide as it is marked. title: empty where the caption has it. cell: its place in the notebook."""

    title: str
    lines: tuple[str, ...]
    cell: int
    section: str
    decks: frozenset[str]


def split(lines: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The slides of one cell: title and lines. ValueError where words stand before the first title."""
    if lines and not lines[0].startswith("# "):
        raise ValueError(f"the words of a slide begin with its title, '# …', not with {lines[0]!r}")
    for piece in re.split(r"^# ", "\n".join(lines), flags=re.MULTILINE)[1:]:
        title, _, body = piece.partition("\n")
        yield title.strip(), tuple(body.strip("\n").split("\n"))


def marks(chapter: Chapter) -> Iterator[Mark]:
    """The slides of a chapter, in order. ValueError names a cell whose tags and words do not fit."""
    section = ""
    for place, cell in enumerate(chapter.notebook["cells"]):
        if cell["cell_type"] == "markdown" and (found := SECTION.findall(DROPDOWN.sub("", source(cell)))):
            section = found[-1].strip()
        words, own = cell["metadata"].get("slide"), {tag for tag in tags(cell) if tag.startswith(TAG)}
        if not own and words is None:
            continue
        where = f"{chapter.path.name}, cell {place} ({cell.get('id')})"
        if TAG not in own or own - {TAG, *DECKS}:
            raise ValueError(f"{where}: the tags of slides are {TAG}, {', '.join(DECKS)}; here are {sorted(own)}")
        if words is None and not cell["metadata"].get("mystnb", {}).get("figure"):
            raise ValueError(f'{where}: without a picture a slide needs words, "slide": ["# Title", …]')
        decks = frozenset(DECKS[tag] for tag in own & DECKS.keys())
        for title, lines in split(words) if words else [("", tuple(PICTURE_ALONE))]:
            yield Mark(title, lines, place, section, decks)


def told(chapter: Chapter, place: int) -> list[str]:
    """The paragraphs of the book beside a slide: those of its text cell, or those that read what its code shows."""
    cells = chapter.notebook["cells"]
    if cells[place]["cell_type"] == "code":
        after = cells[place + 1 : place + 2]
        text = source(after[0]) if after and after[0]["cell_type"] == "markdown" else ""
        text = re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]
    else:
        text = source(cells[place])
    return [block.text for block in blocks(DROPDOWN.sub("", text)) if block.kind == "paragraph"]
