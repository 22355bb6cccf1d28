"""The pages that are made: what they share. `python -m tools.pages` writes them all, `... claims` one.

A page made by a tool holds nothing that is not in a chapter, a data file, a result file or the package's source, and
`tests/book/test_pages.py` makes it again and compares.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

# Key, as in data/published -> name and citation.
PAPERS = {
    "holistic": ("Holistic-CAM", "chen2024holistic"),
    "polycam": ("Poly-CAM", "englebert2022poly"),
    "ucag": ("UCAG", "hong2023towards"),
}
INK, GREY, PAPER = "#23252b", "#5b5f69", "#fcfcfa"


def text(lines: list[str]) -> str:
    """Lines as a file: one final newline, no blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def written(name: str, **values: object) -> str:
    """What stands beside a tool as NAME.md, written by hand, with its $names replaced."""
    return Template(Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8")).substitute(values)


def folded(title: str, lines: Iterable[str]) -> list[str]:
    """A box that opens at a click."""
    return [f"````{{dropdown}} {title}", *lines, "````", ""]


def svg(width: int, height: float, size: int, title: str, told: str, lines: Iterable[str]) -> str:
    """A drawing with what it shows in words; size: of its letters. `tools/pages` draws on paper, in ink."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
            f' aria-labelledby="t d" font-family="DejaVu Sans, Verdana, sans-serif" font-size="{size}" fill="{INK}">',
            f' <title id="t">{escape(title)}</title>',
            f' <desc id="d">{escape(told)}</desc>',
            f' <rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
            *(f" {line}" for line in lines),
            "</svg>",
        ]
    )
