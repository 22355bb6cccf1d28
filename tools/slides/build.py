"""Write slides for the chapters of a lecture to _build/slides: python -m tools.slides

Each deck is one page for reveal.js, made from the notebook as it is stored; the folder can be copied
to a stick, for everything that a page loads lies in it. Press S for the speaker's view with the notes.
"""

import shutil
from html import escape
from importlib.metadata import files
from pathlib import Path

from tools.chapters import Chapter, load
from tools.ipynb import BOOK, ROOT
from tools.notes import Notes
from tools.site_extension import BUNDLE, FOLDERS, mathjax_folder
from tools.slides.deck import Deck, Slide
from tools.slides.text import inline, plain

TARGET = ROOT / "_build" / "slides"
LECTURE = (*range(1, 8), *range(14, 20))  # the numbers of the chapters that get a deck
REVEAL = ("dist/reveal.js", "dist/reveal.css", "dist/reset.css", "plugin/notes/notes.js", "LICENSE")
LOOK = Path(__file__).with_name("slides.css")

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="favicon.svg">
<link rel="stylesheet" href="reveal/reset.css">
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="slides.css">
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script>
window.MathJax = {{tex: {{inlineMath: [["\\\\(", "\\\\)"]], displayMath: [["\\\\[", "\\\\]"]]}},
                  options: {{enableMenu: false}}}};
</script>
<script src="mathjax/{bundle}"></script>
<script src="reveal/reveal.js"></script>
<script src="reveal/notes.js"></script>
<script>
// A slide that is a little too tall is set a little smaller; the tests allow no more than that.
// (A formula carries an invisible copy for screen readers, so what is measured are the visible pieces.)
function bottom(slide) {{
  const scale = Reveal.getScale(), top = slide.getBoundingClientRect().top;
  return Math.max(...[...slide.children].filter(e => !e.matches("aside"))
    .map(e => (e.getBoundingClientRect().bottom - top) / scale));
}}
function right(slide) {{
  const scale = Reveal.getScale(), left = slide.getBoundingClientRect().left;
  return Math.max(...[...slide.querySelectorAll("h2, p, li, img, pre, code, mjx-math, table")]
    .map(e => (e.getBoundingClientRect().right - left) / scale));
}}
function fit(slide) {{
  for (let size = 100; size >= 75 && (bottom(slide) > 700 || right(slide) > 1270); size -= 5)
    slide.style.fontSize = size + "%";
}}
Reveal.initialize({{width: 1280, height: 720, margin: 0, center: false, hash: true, slideNumber: "c/t",
                   controls: false, transition: "none", plugins: [RevealNotes]}});
const typeset = MathJax.startup.promise.then(() => {{ Reveal.layout(); fit(Reveal.getCurrentSlide()); }});
Reveal.on("slidechanged", e => typeset.then(() => fit(e.currentSlide)));
</script>
</body>
</html>
"""
INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Slides</title>
<link rel="icon" href="favicon.svg"><link rel="stylesheet" href="slides.css"></head>
<body class="index">
<h1>Holistic class activation maps: slides</h1>
<ul>
{links}
</ul>
<p>Arrow keys turn the slides, S opens the speaker's view with notes, F fills the screen, O shows all.</p>
</body>
</html>
"""


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
    shutil.copy2(LOOK, target / LOOK.name)
    shutil.copy2(BOOK / "_static" / "favicon.svg", target / "favicon.svg")


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

    def listed(title: str, items: list[str]) -> str:
        body = "<ul>" + "".join(f"<li>{words(item)}</li>" for item in items) + "</ul>"
        return section(Slide(title, body))

    # A section's note belongs to the first slide of that section.
    content, told = [], set()
    for slide in made.make():
        own = [] if slide.section in told else notes.of(chapter, slide.section)
        told.add(slide.section)
        content.append(section(slide, "".join(f"<p>{words(item)}</p>" for item in own)))
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
        listed("Summary", chapter.bullets("Summary")),
    ]
    return PAGE.format(title=escape(chapter.title), slides="\n".join(slides), bundle=BUNDLE)


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
    (target / "index.html").write_text(INDEX.format(links="\n".join(links)), encoding="utf-8")
    return pages


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    pages = build(TARGET)
    print(f"{len(pages)} decks are in {TARGET.relative_to(ROOT)}/. Open {(TARGET / 'index.html').as_uri()}")
