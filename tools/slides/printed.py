"""Decks as PDF, one page a slide, printed by a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.pdf import served


def printed(decks: Iterable[Path], browser: Any) -> Iterator[Path]:
    """Print pages of one folder beside themselves with playwright's `browser`; the paths of the files."""
    decks = list(decks)
    with served(decks[0].parent) as address:
        page = browser.new_page()
        for deck in decks:
            page.goto(f"{address}/{deck.name}?print-pdf")
            page.evaluate("ready")
            file = deck.with_suffix(".pdf")
            page.pdf(path=str(file), prefer_css_page_size=True, print_background=True)
            yield file
        page.close()
