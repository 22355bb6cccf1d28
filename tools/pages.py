"""What the tools that make pages share: where a page goes, how it is written, what the papers are called.

A page made by a tool holds nothing that is not in a chapter, a data file or a result file, and
`tests/book/test_pages.py` makes it again and compares.
"""

from pathlib import Path

BOOK = Path(__file__).resolve().parent.parent / "book"
# Key, as in data/published -> name and citation.
PAPERS = {
    "holistic": ("Holistic-CAM", "chen2024holistic"),
    "polycam": ("Poly-CAM", "englebert2022poly"),
    "ucag": ("UCAG", "hong2023towards"),
}


def write(path: Path, lines: list[str]) -> None:
    """Write a page."""
    path.write_text(text(lines), encoding="utf-8")


def text(lines: list[str]) -> str:
    """Lines as a file: one final newline, no blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
