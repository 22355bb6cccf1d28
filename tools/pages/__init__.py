"""The pages that are made: what they share. `python -m tools.pages` writes them all, `... claims` one.

A page made by a tool holds nothing that is not in a chapter, a data file, a result file or the package's source, and
`tests/book/test_pages.py` makes it again and compares.
"""

from pathlib import Path
from string import Template

# Key, as in data/published -> name and citation.
PAPERS = {
    "holistic": ("Holistic-CAM", "chen2024holistic"),
    "polycam": ("Poly-CAM", "englebert2022poly"),
    "ucag": ("UCAG", "hong2023towards"),
}


def text(lines: list[str]) -> str:
    """Lines as a file: one final newline, no blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def written(name: str, **values: object) -> str:
    """What stands beside a tool as NAME.md, written by hand, with its $names replaced."""
    return Template(Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8")).substitute(values)
