"""Decks as their slides, and what a room sees of one."""

from __future__ import annotations

import html
import re
from pathlib import Path

ASIDE = re.compile(r'<aside class="notes">.*?</aside>', re.DOTALL)


def pages(folder: Path) -> dict[str, list[str]]:
    """Name of a deck -> its slides as HTML, with their notes."""
    found = {}
    for page in sorted(folder.glob("*.html")):
        text = page.read_text(encoding="utf-8")
        if slides := re.findall(r"<section.*?</section>", text, re.DOTALL):
            found[page.stem] = slides
    return found


def content(slides: list[str]) -> list[str]:
    """The slides that are marked in a chapter."""
    return [slide for slide in slides if 'class="frame "' in slide]


def shown(slide: str) -> str:
    """The HTML that the room sees, without programs."""
    return re.sub(r'<div class="code.*?</div>', "", ASIDE.sub("", slide), flags=re.DOTALL)


def words(slide: str, without_title: bool = False) -> str:
    """What the room reads: no tags, no credits."""
    text = re.sub(r'<p class="credit">.*?</p>', "", shown(slide), flags=re.DOTALL)
    text = re.sub(r"<h[12]>.*?</h[12]>", "", text) if without_title else text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def letters(text: str) -> str:
    """Letters and digits alone: to find a text again among tags and formulas."""
    return re.sub(r"[^A-Za-z0-9]", "", html.unescape(re.sub(r"<[^>]+>", "", text)))
