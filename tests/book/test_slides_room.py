"""Every slide in a browser, as the room sees it: nothing overflows, all is large enough, no other host is asked.

All decks are put on one page and laid out as for the printer, so that formulas and fonts are read once.
"""

import functools
import http.server
import re
import threading

import pytest
from pypdf import PdfReader

from tests.helpers.browser import Quiet
from tests.helpers.slides import pages
from tools.slides.build import page
from tools.slides.printed import printed

MEASURE = """() => [...document.querySelectorAll(".slides .frame")].map(frame => {
    const box = frame.getBoundingClientRect(), pieces = [...frame.children];
    const texts = [...frame.querySelectorAll("h1, h2, p, li, td, th, pre, code")].filter(e =>
        [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !e.closest(".credit, mjx-container"));
    const size = e => parseFloat(getComputedStyle(e).fontSize);
    const images = [...frame.querySelectorAll("img")];
    return {
        title: frame.querySelector("h1, h2").innerText, height: box.height, width: box.width,
        bottom: Math.max(...pieces.map(e => e.getBoundingClientRect().bottom)) - box.top,
        right: Math.max(...[...frame.querySelectorAll("h1, h2, p, li, pre, td, mjx-math, mjx-mtext")]
            .map(e => e.getBoundingClientRect().right)) - box.left,
        text: Math.min(99, ...texts.filter(e => !e.closest("pre")).map(size)),
        program: Math.min(99, ...texts.filter(e => e.closest("pre")).map(size)),
        cut: [...frame.querySelectorAll("pre")].filter(e => e.scrollWidth > e.clientWidth + 1).length,
        wrong: frame.querySelectorAll("mjx-merror").length,
        broken: images.filter(i => !i.complete || !i.naturalWidth).length,
        drawn: Math.min(1e9, ...images.map(i => { const b = i.getBoundingClientRect();
            const scale = Math.min(b.width / i.naturalWidth, b.height / i.naturalHeight);
            return scale * i.naturalWidth * scale * i.naturalHeight; })),
    }})"""


@pytest.fixture(scope="module")
def home(slides):
    every = "\n".join(dict.fromkeys(slide for deck in pages(slides).values() for slide in deck))
    (slides / "every.html").write_text(page("Every slide", every), encoding="utf-8")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(slides)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def opened(browser, home):
    troubles = []
    tab = browser.new_page(viewport={"width": 1280, "height": 720})
    tab.set_default_timeout(300_000)
    tab.on("request", lambda r: r.url.startswith((home, "data:")) or troubles.append(r.url))
    tab.on("requestfailed", lambda r: troubles.append(r.url))
    tab.on("pageerror", lambda e: troubles.append(str(e)))

    def go(name):
        tab.goto(f"{home}/{name}")
        tab.evaluate("ready")
        return tab

    yield go
    tab.close()
    assert not troubles


def faults(slide):
    """What is wrong with a slide as it was measured."""
    yield from (word for word in ("cut", "wrong", "broken") if slide[word])
    if (round(slide["width"]), round(slide["height"])) != (1280, 720):
        yield "not 1280 by 720"
    if slide["bottom"] > 704 or slide["right"] > 1264:
        yield f"overflows: {slide['right']:.0f} by {slide['bottom']:.0f}"
    if slide["text"] < 24 or slide["program"] < 20:
        yield f"too small for the last row: {slide['text']} and {slide['program']} pixels"
    if slide["drawn"] < 180_000:
        yield f"a picture of {slide['drawn']:.0f} square pixels"


def test_every_slide_fits(opened):
    tab = opened("every.html?print-pdf")
    measured = tab.evaluate(MEASURE)
    assert len(measured) > 450
    wrong = [f"{slide['title']}: {fault}" for slide in measured for fault in faults(slide)]
    assert not wrong, "\n".join(wrong)
    # The measure sees what it should: too tall, too small, too wide.
    spoiled = tab.evaluate(
        """measure => { const p = document.createElement("p"); p.textContent = "x"; p.style.height = "900px";
           p.style.fontSize = "20px"; p.style.whiteSpace = "pre"; p.textContent = "wide ".repeat(400);
           document.querySelector(".slides .frame").append(p); return eval(measure)(); }""",
        MEASURE,
    )[0]
    assert len(list(faults(spoiled))) == 2


def test_a_deck_turns_and_darkens(opened):
    """As on the stage: one slide at a time, D for a dark room, notes for the speaker alone."""
    tab = opened("lecture.html")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(colour)
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("Reveal.getIndices().h") == 1
    assert not tab.locator("aside.notes").first.is_visible()
    tab.keyboard.press("d")
    assert tab.evaluate(colour) != light
    tab.keyboard.press("d")
    assert tab.evaluate(colour) == light
    tab.evaluate("Reveal.slide(0)")
    with tab.expect_popup() as popup:
        tab.keyboard.press("s")
    view = popup.value
    view.wait_for_function(
        "document.querySelector('#current-slide iframe')"
        " && getComputedStyle(document.querySelector('.pacing')).display != 'none'"
    )
    tab.evaluate("Reveal.slide(3)")
    view.wait_for_function(
        "document.querySelector('.speaker-controls-notes').innerText.includes('Minutes 5 to 30 of 90')"
    )
    view.close()


def test_a_deck_is_printed_one_page_a_slide(slides, browser):
    decks = [slides / "05-many-scales-much-noise.html", slides / "16-pointing.html"]
    for deck, file in zip(decks, printed(decks, browser), strict=True):
        printed_pages = PdfReader(file).pages
        assert len(printed_pages) == deck.read_text(encoding="utf-8").count("<section")
    assert "Three questions, three scores" in re.sub(r"\s+", " ", printed_pages[2].extract_text())
    assert all(round(p.mediabox.width / p.mediabox.height, 2) == 1.78 for p in printed_pages)
