"""Write slides for the chapters of a lecture to _build/slides: python -m tools.slides

Each deck is one page for reveal.js, made from the notebook as it is stored; the folder can be copied
to a stick, for everything that a page loads lies in it. Press S for the speaker's view with the notes.
"""

import shutil
from html import escape
from importlib.metadata import files
from pathlib import Path
from string import Template

from tools.chapters import Chapter, load
from tools.ipynb import BOOK, ROOT
from tools.notes import Notes
from tools.site_extension import BUNDLE, FOLDERS, mathjax_folder
from tools.slides.deck import Deck, Slide
from tools.slides.text import inline, plain

TARGET = ROOT / "_build" / "slides"
LECTURE = (*range(1, 8), *range(14, 20))  # the numbers of the chapters that get a deck
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
    for name in ("reveal", "mathjax", "pictures"):
        (target / name).mkdir(parents=True, exist_ok=True)
    for name in REVEAL:
        shutil.copy2(reveal_folder() / name, target / "reveal" / Path(name).name)
    for folder in FOLDERS:
        shutil.copytree(mathjax_folder() / folder, target / "mathjax" / folder, dirs_exist_ok=True)
    shutil.copy2(mathjax_folder() / BUNDLE, target / "mathjax" / BUNDLE)
    shutil.copytree(BOOK / "figures", target / "figures", dirs_exist_ok=True)
    shutil.copy2(HERE / "slides.css", target / "slides.css")
    shutil.copy2(BOOK / "_static" / "favicon.svg", target / "favicon.svg")


def filled(template: str, **texts: str) -> str:
    """An HTML file of this folder with its $names replaced."""
    return Template((HERE / template).read_text(encoding="utf-8")).substitute(texts)


def section(slide: Slide, extra: str = "") -> str:
    """One slide as HTML."""
    notes = "\n".join(slide.notes) + extra
    aside = f'\n<aside class="notes">{notes}</aside>' if notes else ""
    return f"<section>\n<h2>{inline(slide.title)}</h2>\n{slide.body}{aside}\n</section>"


def deck(chapter: Chapter, titles: dict[str, str], notes: Notes, target: Path) -> str:
    """The page of one chapter; its pictures are written below `target`."""
    made = Deck(chapter, titles, target)

    def words(markdown: str) -> str:
        return inline(plain(markdown, made.numbers, titles))

    def listed(title: str, items: list[str], extra: str = "") -> str:
        body = "<ul>" + "".join(f"<li>{words(item)}</li>" for item in items) + "</ul>"
        return section(Slide(title, body), extra)

    # A section's note belongs to the first slide of that section.
    content, told = [], set()
    for slide in made.make():
        own = [] if slide.section.rstrip(".") in told else notes.of(chapter, slide.section)
        told.add(slide.section.rstrip("."))
        content.append(section(slide, "".join(f"<p>{words(item)}</p>" for item in own)))
    # What belongs to a section without slides, such as one of the paper notes, is said at the summary.
    left = "".join(
        f"<p>{words(item)}</p>" for name, item in notes.misconceptions(chapter) if name.rstrip(".") not in told
    )
    opening = "".join(f"<p>{words(item)}</p>" for item in notes.opening(chapter))
    first = (
        f'<section class="first">\n<h1>{inline(chapter.title)}</h1>\n<p>{words(chapter.question)}</p>\n'
        f'<p class="caption">Chapter {chapter.number} of <em>Holistic class activation maps</em></p>\n'
        f'<aside class="notes">{opening}</aside>\n</section>'
    )
    slides = [
        first,
        listed("You will be able to", chapter.objectives),
        *content,
        listed("Exercises", chapter.tasks),
        listed("Summary", chapter.bullets("Summary"), left),
    ]
    return filled("page.html", title=escape(chapter.title), slides="\n".join(slides), bundle=BUNDLE)


def build(target: Path, numbers: tuple[int, ...] = LECTURE) -> list[Path]:
    """Write the decks of the chapters with these numbers and a page that lists them; the decks' paths."""
    chapters = load()
    titles, notes = {c.label: c.title for c in chapters}, Notes()
    copy_what_pages_load(target)
    chosen = [chapter for chapter in chapters if chapter.number in numbers]
    pages = [target / f"{chapter.path.stem}.html" for chapter in chosen]
    for page, chapter in zip(pages, chosen, strict=True):
        page.write_text(deck(chapter, titles, notes, target), encoding="utf-8")
    links = [
        f'<li><a href="{page.name}">{c.number} {escape(c.title)}</a></li>'
        for page, c in zip(pages, chosen, strict=True)
    ]
    (target / "index.html").write_text(filled("index.html", links="\n".join(links)), encoding="utf-8")
    return pages


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    pages = build(TARGET)
    print(f"{len(pages)} decks are in {TARGET.relative_to(ROOT)}/. Open {(TARGET / 'index.html').as_uri()}")
