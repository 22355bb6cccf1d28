"""Every built page, opened in a browser: light and dark, wide and narrow.

Needs a built site (`make book`) and a Chromium. Without one the tests are skipped with a word, but
under CI=true its absence is a failure. CHROMIUM=/path/to/it names another.
"""

import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from PIL import Image

from holicam.notebook.stored import panels
from tests.helpers.browser import PAGES, SITE, THEMES
from tools.site_laboratory import FOLDER

WIDTHS = (1280, 390)
PICTURES = ".bd-content .cell_output img, .bd-content figure img, .cam-explorer canvas"
EDGE = 8  # pixels
TALL = 3000  # of the window while pictures are compared, so that no header lies over one

each_page = pytest.mark.parametrize("name", PAGES)


def test_site_is_built():
    assert PAGES, f"there is no page in {SITE}: run `make book` first"


# What each check looks for on a page; an empty list is a clean page.
TOO_WIDE = """() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    return [...document.querySelectorAll("main *")]
        .filter(e => e.getBoundingClientRect().right > root.clientWidth + 1)
        .slice(0, 5).map(e => e.tagName + "." + e.className)
        .concat([`${root.scrollWidth} > ${root.clientWidth}`])}"""
NOT_TYPESET = """() => [...document.querySelectorAll("span.math, div.math")]
    .filter(e => !e.querySelector("mjx-container")
                 || e.querySelector("mjx-merror, [data-mjx-error]"))
    .map(e => e.textContent.slice(0, 60))"""
# Formulas, tables, code and what it printed: cut at the right edge of their box, also in boxes that are folded. On a
# phone they may scroll, if a shadow says so; book/_static/reading.mjs makes formulas and tables smaller first.
CUT = """strict => {
    const over = e => e.scrollWidth > e.clientWidth + 1;
    const cut = e => over(e) || [...e.querySelectorAll(":scope > mjx-container")].some(over);
    return [...document.querySelectorAll(
            ".bd-content :is(div.math, .cell_output, pre, table.results, .pst-scrollable-table-container)")]
        .filter(e => e.checkVisibility() && cut(e))
        .filter(e => strict || !e.closest(".scrolls"))
        .map(e => `${e.tagName}.${e.className} ${e.scrollWidth} > ${e.clientWidth}: ${e.innerText.slice(0, 40)}`)}"""
OPEN = "() => document.querySelectorAll('.bd-content details').forEach(e => { e.open = true })"
BROKEN = """() => [...document.querySelectorAll(".bd-content img")]
    .filter(e => !e.complete || !e.naturalWidth || !e.alt || e.alt.includes("_images/"))
    .map(e => e.src + " alt=" + e.alt)"""


@each_page
def test_page(visit, name):
    """Opened once; the theme is turned where it stands, as a reader's system turns it."""
    one, pictures = visit(name), {}
    page = one.page
    page.evaluate(OPEN)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        if page.query_selector(".bd-content"):
            page.wait_for_function(
                "theme => document.documentElement.dataset.theme == theme", arg=theme, timeout=10_000
            )
        for width in WIDTHS if theme == THEMES[0] else WIDTHS[:1]:  # no theme changes what is wide
            page.set_viewport_size({"width": width, "height": TALL if width == WIDTHS[0] else 900})
            if width == WIDTHS[0]:
                pictures[theme] = shots(page)
            wide = page.evaluate(TOO_WIDE)
            settle(page)
            cut = page.evaluate(CUT, width == WIDTHS[0])
            assert not cut, f"cut at {width} px: {cut[:5]}"
            assert not wide, f"scrolls sideways at {width} px ({theme}): {wide}"
    raw, broken = page.evaluate(NOT_TYPESET), page.evaluate(BROKEN)
    assert not raw, f"formulas not typeset: {raw}"
    assert not broken, f"pictures that do not show, or without alt text: {broken}"
    assert not one.foreign, f"asks other hosts: {one.foreign}"
    assert not one.troubles, one.troubles
    pairs = list(zip(pictures["light"], pictures["dark"], strict=True))
    for number, (light, dark) in enumerate(pairs, 1):
        assert same(light, dark), f"picture {number} looks different in dark mode"


def settle(page) -> None:
    """Two frames: what follows the width of the column has followed it."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )


def same(light: np.ndarray, dark: np.ndarray) -> bool:
    """The same colours. A browser that clips a picture mixes a pixel in a thousand anew."""
    if light.shape != dark.shape:
        return False
    apart = np.abs(light.astype(int) - dark)
    return apart.size == 0 or (apart.max() <= 16 and apart.mean() < 0.05)


def shots(page) -> list[np.ndarray]:
    """The pixels of every picture on a page whose colours stand for something, without the edges of its panels.

    Of a figure that says where its panels are, these; drawings are ink on paper and follow the theme.
    """
    found = []
    for element in page.query_selector_all(PICTURES):
        if not element.is_visible() or (element.get_attribute("src") or "").endswith(".svg"):
            continue
        pixels = np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"))
        source = unquote(urlparse(element.get_attribute("src") or "").path).rpartition("/")[2]
        path = SITE / "_images" / source
        boxes = panels(path.read_bytes()) if source.endswith((".jpg", ".jpeg")) and path.is_file() else None
        y, x = pixels.shape[:2]
        for left, top, width, height in [(0, 0, 1, 1)] if boxes is None else boxes:
            rows, across = (
                slice(round(p * n) + EDGE, round((p + q) * n) - EDGE)
                for p, q, n in ((top, height, y), (left, width, x))
            )
            found.append(pixels[rows, across])
    return found


def test_colour_test_can_fail(visit):
    """A filter like the stock theme's is found; without ours the same picture is unchanged."""
    page = visit("book/intro.html", "dark").page
    draw = """() => {
        const c = document.createElement("canvas"); c.width = c.height = 64;
        const g = c.getContext("2d"); g.fillStyle = "rgb(200, 90, 20)"; g.fillRect(0, 0, 64, 64);
        const f = document.createElement("figure"), i = new Image(64, 64);
        document.querySelector(".bd-content article").prepend(f);
        f.append(i); i.src = c.toDataURL();
        return i.decode()}"""
    page.evaluate(draw)
    assert np.abs(shots(page)[0].astype(int) - (200, 90, 20)).max() <= 1
    page.evaluate("""() => document.querySelectorAll("img").forEach(
        e => e.style.setProperty("filter", "brightness(.8) contrast(1.2)", "important"))""")
    assert np.abs(shots(page)[0].astype(int) - (200, 90, 20)).max() > 8


class Anchors(HTMLParser):
    """The places of a page, where it links to, and what it loads."""

    def __init__(self, name: str):
        super().__init__()
        self.places, self.links, self.loads = set(), [], []
        self.feed((SITE / name).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        self.places |= {said.get("id"), said.get("name")}
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        elif tag == "link" and said.get("rel") not in ("canonical", "author"):
            self.loads.append(said.get("href") or "")
        elif said.get("src"):
            self.loads.append(said["src"])


def test_links_lead_somewhere():
    """Links within the site: the page exists, and so does the place on it, before the state that a "?" begins."""
    pages = {SITE / name: Anchors(name) for name in PAGES}
    for path, page in pages.items():
        for link in map(urlparse, page.links):
            if link.scheme or link.netloc:
                continue
            target = (path.parent / unquote(link.path)).resolve() if link.path else path
            assert target.exists(), f"{path.name} links to {link.path}"
            if link.fragment and target in pages:
                assert unquote(link.fragment).split("?")[0] in pages[target].places, (
                    f"{path.name} links to {link.path}#{link.fragment}"
                )


@pytest.mark.parametrize("name", [n for n in PAGES if re.match(r"book/\d\d-", n)])
def test_chapter_can_be_run_elsewhere(name):
    """A link to Colab, where the workflow publishes plain notebooks, and the same notebook as a file."""
    links, notebook = Anchors(name).links, name.removesuffix(".html") + ".ipynb"
    in_colab = [link for link in links if "colab" in link]
    assert in_colab == [
        "https://colab.research.google.com/github/holicam/holicam/blob/notebooks/" + notebook.removeprefix("book/")
    ]
    assert "../_sources/" + notebook in links
    plain = json.loads((SITE / "_sources" / notebook).read_text(encoding="utf-8"))
    assert any(cell["id"] == "install" for cell in plain["cells"])
    assert not re.search(r"\{(?:ref|eq|numref|cite:[tp])\}`", "".join("".join(c["source"]) for c in plain["cells"]))


@each_page
def test_page_names_nothing_elsewhere(name):
    foreign = [url for url in Anchors(name).loads if urlparse(url).netloc]
    assert not foreign, f"{name} loads {foreign}"


def test_size():
    """Without the laboratory's network and what runs it, and with them."""
    sizes = {path: path.stat().st_size for path in SITE.rglob("*") if path.is_file()}
    laboratory = sum(size for path, size in sizes.items() if path.is_relative_to(SITE / FOLDER))
    assert sum(sizes.values()) - laboratory <= 45e6
    assert sum(sizes.values()) <= 75e6
