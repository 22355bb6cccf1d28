"""Write slides for every chapter, the lecture and the day to _build/slides: python -m tools.slides

Each deck is one page for reveal.js, made from the notebooks as they are stored; the folder can be copied to a stick,
for everything that a page loads lies in it. S opens the speaker's view, D darkens the screen; with --pdf each deck is
printed as well, one page a slide.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from html import escape
from importlib.metadata import files
from pathlib import Path
from string import Template

from tools.chapters import load
from tools.ipynb import BOOK, ROOT
from tools.notes import Notes
from tools.pdf import chromium
from tools.plain_text import Numbers
from tools.site_extension import BUNDLE, put_mathjax
from tools.slides.deck import Deck, section
from tools.slides.plans import PLANS, made
from tools.slides.printed import printed

TARGET = ROOT / "_build" / "slides"
REVEAL = ("dist/reveal.js", "dist/reveal.css", "dist/reset.css", "plugin/notes/notes.js", "LICENSE")
HERE = Path(__file__).parent


def reveal_folder() -> Path:
    """Where the installed package sphinx-revealjs keeps reveal.js (MIT licence)."""
    for entry in files("sphinx-revealjs") or ():
        if entry.as_posix().endswith("revealjs/dist/reveal.js"):
            return Path(entry.locate()).parent.parent
    raise FileNotFoundError("sphinx-revealjs is installed, but holds no reveal.js.")


def copy_what_pages_load(target: Path) -> None:
    """reveal.js, MathJax with its fonts, the figures and the look."""
    for name in ("reveal", "pictures"):
        (target / name).mkdir(parents=True, exist_ok=True)
    for name in REVEAL:
        shutil.copy2(reveal_folder() / name, target / "reveal" / Path(name).name)
    put_mathjax(target / "mathjax")
    shutil.copytree(BOOK / "figures", target / "figures", dirs_exist_ok=True)
    shutil.copy2(HERE / "slides.css", target / "slides.css")
    shutil.copy2(BOOK / "_static" / "favicon.svg", target / "favicon.svg")


def filled(template: str, **texts: str) -> str:
    """An HTML file of this folder with its $names replaced."""
    return Template((HERE / template).read_text(encoding="utf-8")).substitute(texts)


def page(title: str, slides: str) -> str:
    """A deck as a page; the speaker's timer runs where its slides have minutes."""
    timing = "0" if "data-timing" in slides else "null"
    return filled("page.html", title=escape(title), slides=slides, bundle=BUNDLE, timing=timing)


def build(target: Path) -> dict[str, Path]:
    """Write all decks and a page that lists them; {title: path}, the lecture and the day first."""
    chapters, notes = load(), Notes()
    copy_what_pages_load(target)
    numbers = Numbers.of(chapters)
    decks = {chapter.label: Deck(chapter, numbers, notes, target) for chapter in chapters}
    pages = {heading: (name, made(name, decks)) for name, (heading, _) in PLANS.items()}
    pages |= {
        f"{deck.chapter.number} {deck.chapter.title}": (deck.chapter.path.stem, "\n".join(map(section, deck.slides)))
        for deck in decks.values()
    }
    links = []
    for title, (name, slides) in pages.items():
        (target / f"{name}.html").write_text(page(title, slides), encoding="utf-8")
        links.append(f'<li><a href="{name}.html">{escape(title)}</a></li>')
    (target / "index.html").write_text(filled("index.html", links="\n".join(links)), encoding="utf-8")
    return {title: target / f"{name}.html" for title, (name, _) in pages.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pdf", action="store_true", help="print each deck as well, with the system's Chromium")
    options = parser.parse_args()
    shutil.rmtree(TARGET, ignore_errors=True)
    pages = build(TARGET)
    print(f"{len(pages)} decks are in {TARGET.relative_to(ROOT)}/. Open {(TARGET / 'index.html').as_uri()}")
    if options.pdf:
        try:
            with chromium() as browser:
                for path in printed(pages.values(), browser):
                    print(f"printed {path.relative_to(ROOT)}")
        except FileNotFoundError as error:
            print(error, file=sys.stderr)
            return 1
    return 0
