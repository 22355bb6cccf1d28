"""Slides: every deck is complete and plain, and in a browser nothing overflows, nothing is asked of other hosts."""

import functools
import http.server
import re
import threading

import pytest

from tests.helpers.browser import FLAGS, Quiet, chromium
from tools.chapters import load
from tools.ipynb import figure, source
from tools.notes import Notes
from tools.slides.build import LECTURE, build
from tools.slides.deck import LEFT_OUT
from tools.slides.text import ANNOUNCES, QUOTES, blocks, inline

NUMBERED = {c.number: c for c in load()}
IN_BROWSER = (2, 6)  # the deck with most formulas, and one with wide tables and pictures
HIDDEN = re.compile(r'<aside class="notes">.*?</aside>|<div class="code">.*?</div>', re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("slides")
    build(target)
    return target


def drawn(chapter):
    """The names of the pictures that its cells draw, but for those of the folded notes and the exercises."""
    out = False
    for cell in chapter.notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for heading in re.findall(r"^## (.+)$", source(cell), re.MULTILINE):
                out = heading.startswith(LEFT_OUT)
        elif not out and (about := figure(cell)):
            yield about["name"]


@pytest.mark.parametrize("number", LECTURE)
def test_deck(folder, number):
    chapter = NUMBERED[number]
    page = (folder / f"{chapter.path.stem}.html").read_text(encoding="utf-8")
    slides = page.split("<section")[1:]
    assert 12 <= len(slides) <= 40
    assert all(re.search(r"<h[12]>.+</h[12]>", slide) for slide in slides)
    figures = list(drawn(chapter))
    assert figures and all(f'src="pictures/{name}.jpg"' in page for name in figures)
    assert all((folder / path).stat().st_size for path in re.findall(r'<img src="([^"]+)"', page))
    assert page.count("<img ") == len(re.findall(r'<img src="[^"]+" alt="[^"]{30,}"', page))
    shown = HIDDEN.sub("", page.partition("<body>")[2])
    leftover = re.findall(r"\{(?:ref|eq|numref|cite)[^}]*\}`|\]\(|```|(?<!\w)\*\*\w", shown)
    assert not leftover, f"markup that was not read: {leftover[:3]}"
    assert not re.search(r"\b[Tt]he next cell|Where this notebook runs", shown)
    for _, said in Notes().misconceptions(chapter):
        assert inline(said)[:40] in page, f"the note {said!r} is on no slide"


def letters(text):
    """What is left of a text without markup: to find it again among tags and formulas."""
    return re.sub(r"[^A-Za-z0-9]", "", re.sub(r"<[^>]+>|&\w+;", "", text))


def quoting(chapter):
    """The paragraphs of a chapter that quote a paper and go on with what was found."""
    for markdown in (source(c) for c in chapter.notebook["cells"] if c["cell_type"] == "markdown"):
        for block in blocks(markdown):
            lines = [line for line in block.text.split("\n") if not ANNOUNCES.search(line)]
            if block.kind == "paragraph" and len(lines) > 1 and any(map(QUOTES.search, lines)):
                yield [re.split(r"\{[\w:]+\}`|\$|`|\*", line) for line in lines]


def test_no_claim_without_its_outcome(folder):
    """Where a slide shows the first sentence of a paragraph that quotes a paper, it shows the last one as well."""
    met = 0
    for chapter in map(NUMBERED.get, LECTURE):
        page = (folder / f"{chapter.path.stem}.html").read_text(encoding="utf-8")
        slides = [letters(HIDDEN.sub("", slide)) for slide in page.split("<section")[1:]]
        for lines in quoting(chapter):
            first, last = (max((letters(part) for part in line), key=len) for line in (lines[0], lines[-1]))
            shown = [slide for slide in slides if len(first) > 36 and first in slide]
            met += bool(shown)
            assert all(last in slide for slide in shown), f"chapter {chapter.number}, cut short: {lines[0]}"
    assert met > 20


def test_no_count_without_what_it_counts(folder):
    """Where a paragraph begins with how many limits, things or findings it tells, its slide shows all of it."""
    met = 0
    for chapter in map(NUMBERED.get, LECTURE):
        page = letters(HIDDEN.sub("", (folder / f"{chapter.path.stem}.html").read_text(encoding="utf-8")))
        for markdown in (source(c) for c in chapter.notebook["cells"] if c["cell_type"] == "markdown"):
            for lines in (b.text.split("\n") for b in blocks(markdown) if b.kind == "paragraph"):
                if re.match(r"(Two|Three|Four)\b.{,30} (limits|things|findings)\b", lines[0]):
                    met += 1
                    last = max((letters(part) for part in re.split(r"\{[\w:]+\}`|\$|`|\*", lines[-1])), key=len)
                    assert last in page, f"chapter {chapter.number}, cut short: {lines[0]}"
    assert met > 1


def test_nothing_is_loaded_from_elsewhere(folder):
    for page in folder.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r'(?:src|href)="([^"#]+)"', text):
            assert "//" not in path and (folder / path).exists(), f"{page.name}: {path}"
    assert (folder / "reveal" / "LICENSE").read_text(encoding="utf-8").count("Permission is hereby granted")


MEASURE = """() => {
    const slide = Reveal.getCurrentSlide();
    return {bottom: bottom(slide), right: right(slide), size: slide.style.fontSize || "100%",
            cut: [...slide.querySelectorAll("pre")].filter(e => e.scrollWidth > e.clientWidth + 1).length,
            words: slide.innerText.trim().length, wrong: slide.querySelectorAll("mjx-merror").length,
            broken: [...slide.querySelectorAll("img")].filter(i => !i.complete || !i.naturalWidth).length}}"""


@pytest.fixture(scope="module")
def page(folder):
    path = chromium()
    if path is None:
        pytest.skip("no Chromium found: install one, or name it with CHROMIUM=/path/to/it")
    from playwright.sync_api import sync_playwright

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 720})
        opened.set_default_timeout(300_000)
        opened.address = f"http://127.0.0.1:{server.server_port}"
        yield opened
        browser.close()
    server.shutdown()


@pytest.mark.parametrize("number", IN_BROWSER)
def test_deck_in_a_browser(page, number):
    troubles, foreign = [], []
    page.on("request", lambda r: r.url.startswith((page.address, "data:")) or foreign.append(r.url))
    page.on("requestfailed", lambda r: troubles.append(r.url))
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.goto(f"{page.address}/{NUMBERED[number].path.stem}.html")
    page.evaluate("async () => { await typeset; await document.fonts.ready; }")
    for i in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate("async i => { Reveal.slide(i); await new Promise(requestAnimationFrame); }", i)
        seen = page.evaluate(MEASURE)
        assert seen["bottom"] <= 712 and seen["right"] <= 1280, f"slide {i + 1} overflows: {seen}"
        assert int(seen["size"].rstrip("%")) >= 75 and seen["words"] > 10, f"slide {i + 1}: {seen}"
        assert not seen["wrong"] and not seen["broken"] and not seen["cut"], f"slide {i + 1}: {seen}"
    assert not troubles and not foreign, (troubles, foreign)


def test_overflow_is_found(page):
    """The measure sees a slide that is too tall even when set small."""
    page.evaluate("""() => { const p = document.createElement("p"); p.style.height = "900px";
                             Reveal.getCurrentSlide().append(p); fit(Reveal.getCurrentSlide()); }""")
    assert page.evaluate(MEASURE)["bottom"] > 712
