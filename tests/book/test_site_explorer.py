"""The explorer in a browser: by mouse, by keyboard, by its address, and with scripts off.

The page is made here from maps that are known, so that what the browser draws and says can be held against the
arithmetic in `holicam.notebook.explorer`. The last tests visit the built site. Needs a Chromium, as test_site.py does.
"""

import base64
import io
import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

import holicam as hc
from holicam.notebook.explorer import figure, packed
from tests.helpers.browser import GUARDED, PAGES, SITE, THEMES, changed_then_followed, served
from tests.helpers.pictures import in_cells

ROOT = Path(__file__).resolve().parents[2]
HOLDERS = [name for name in PAGES if 'class="cam-explorer"' in (SITE / name).read_text(encoding="utf-8")]
CANVAS = "canvas"


def some_maps(seed):
    draw = np.random.default_rng(seed)
    return {
        method: {layer: draw.random((n, n + 1)) for layer, n in (("early", 8), ("late", 4))} for method in ("A", "B")
    }


MAPS = {"cat": some_maps(0), "dog": some_maps(1)}
FORGOTTEN = {"cat": some_maps(2), "dog": some_maps(3)}
SIGNED = {"S": {"early": np.random.default_rng(4).normal(size=(6, 6))}}
PHOTO = np.kron(np.random.default_rng(5).integers(0, 256, (4, 4, 3)), np.ones((16, 16, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{name: address} of pages with explorers; the data lie in files, or in the page itself."""
    folder = tmp_path_factory.mktemp("explorers") / "book"
    shutil.copytree(ROOT / "book" / "_static", folder / "_static", ignore=shutil.ignore_patterns("explorers"))
    (folder.parent / "_config.yml").write_text("title: a book\n")
    words = {"caption": "What is found.", "alt": "What is seen, in words."}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        two = [
            hc.explore(PHOTO, MAPS, random=FORGOTTEN, name="small/one", scores=(0.9, 0.2), layer="late", **words),
            hc.explore(PHOTO, SIGNED, signed=True, name="small/two", **words),
        ]
        steps = {f"step: {name}": layers for name, layers in MAPS["cat"].items()}
        named = hc.explore(PHOTO, steps, name="small/named", **words)
    head = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="_static/favicon.svg">'
    site = '<link rel="stylesheet" href="_static/explorer.css"></head><body>'
    script = '<script type="module" src="_static/explorer.mjs"></script></body></html>'
    (folder / "two.html").write_text(head + site + "".join(map(str, two)) + script)
    (folder / "named.html").write_text(head + site + str(named) + script)
    (folder / "broken.html").write_text(head + site + str(two[0]).replace("one-", "gone-") + script)
    (folder / "inline.html").write_text(f"{head}</head><body>{hc.explore(PHOTO, MAPS, **words)}</body></html>")
    with served(folder) as place:
        yield {name: f"{place}/{name}.html" for name in ("two", "named", "broken", "inline")}


def opened(tab, url):
    tab.goto(url)
    tab.wait_for_function(
        "() => [...document.querySelectorAll('figure.cam-explorer')]"
        ".every(e => ['ready', 'failed'].includes(e.dataset.state))"
    )
    return tab


def seen(tab, name="small-one"):
    """(H, W, 3) pixels of a canvas."""
    url = tab.evaluate("name => document.getElementById(name).toDataURL()", f"explorer-{name}-canvas")
    raw = base64.b64decode(url.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")).astype(int)


def part(tab, word, name="small-one"):
    return tab.locator(f"#explorer-{name}-{word}")


def said(tab, name="small-one"):
    return part(tab, "readout", name).text_content()


def settled(tab, words):
    """Wait until the address holds these words; it is written with a delay."""
    tab.wait_for_function("words => decodeURIComponent(location.hash).includes(words)", arg=words)


def expected(m, cells=False, **how):
    """What the figure's arithmetic in Python draws from the bytes that the page gets."""
    bits, low, high = packed.quantised(m)
    values = low + (high - low) * bits / 255
    side = figure.SIDE // PHOTO.shape[1] * PHOTO.shape[1]
    photo = np.asarray(Image.open(io.BytesIO(packed.jpeg(PHOTO))).convert("RGB"))  # as the page gets it
    return figure.drawn(photo, in_cells(values, side) if cells else values, **how).astype(int)


def same(a, b):
    """Two decoders of JPEG and two enlargements differ at edges: few pixels, small steps."""
    return a.shape == b.shape and np.abs(a - b).mean() < 2.5


def test_a_word_that_all_names_share_is_the_name_of_the_control(tab, pages):
    opened(tab, pages["named"])
    for control, word in (("method", "step"), ("layer", "layer")):
        assert tab.locator(f"label[for=explorer-small-named-{control}]").text_content() == word
    assert part(tab, "method", "small-named").locator("option").all_text_contents() == ["A", "B"]
    part(tab, "method", "small-named").select_option("step: B")
    part(tab, "layer", "small-named").select_option("early")
    assert same(seen(tab, "small-named"), expected(MAPS["cat"]["B"]["early"]))


def test_first_view_and_every_control(tab, pages):
    opened(tab, pages["two"])
    assert same(seen(tab), expected(MAPS["cat"]["A"]["late"]))
    assert not same(seen(tab), expected(MAPS["cat"]["B"]["late"])), "this comparison cannot fail"
    part(tab, "method").select_option("B")
    assert same(seen(tab), expected(MAPS["cat"]["B"]["late"]))
    part(tab, "layer").select_option("early")
    assert same(seen(tab), expected(MAPS["cat"]["B"]["early"]))
    part(tab, "target").select_option("dog")
    assert same(seen(tab), expected(MAPS["dog"]["B"]["early"]))
    part(tab, "random").check()
    assert same(seen(tab), expected(FORGOTTEN["dog"]["B"]["early"]))
    assert "randomised network's score: 0.2" in said(tab)
    part(tab, "grid").check()
    assert same(seen(tab), expected(FORGOTTEN["dog"]["B"]["early"], cells=True))
    for word, value in (("opacity", 90), ("threshold", 50)):
        part(tab, word).fill(str(value))
    m = FORGOTTEN["dog"]["B"]["early"]
    assert same(seen(tab), expected(m, cells=True, opacity=0.9, threshold=0.5))
    above = figure.relative(m, False) >= 0.5
    percent = [f"{round(100 * x)} %" for x in (m[above].sum() / m.sum(), above.mean())]
    assert f"Above the threshold: {percent[0]} of the evidence in {percent[1]} of the cells" in said(tab)
    part(tab, "reset").click()
    assert same(seen(tab), expected(MAPS["cat"]["A"]["late"]))


def test_signed_maps_in_their_own_colours(tab, pages):
    opened(tab, pages["two"])
    assert same(seen(tab, "small-two"), expected(SIGNED["S"]["early"], signed=True))
    part(tab, "threshold", "small-two").fill("40")
    assert same(seen(tab, "small-two"), expected(SIGNED["S"]["early"], signed=True, threshold=0.4))
    assert part(tab, "random", "small-two").count() == 0 and part(tab, "target", "small-two").count() == 0


def test_mouse_reads_a_cell(tab, pages):
    opened(tab, pages["two"])
    canvas, before = part(tab, "canvas"), seen(tab)
    box = canvas.bounding_box()
    at = {"x": box["width"] * 0.9, "y": box["height"] * 0.6}  # of 5 columns the last, of 4 rows the third
    canvas.hover(position=at)
    m = MAPS["cat"]["A"]["late"]
    value = figure.relative(m, False)[2, 4]
    assert said(tab).startswith(f"Row 3 of 4, column 5 of 5: {value:.2f} of the scale, raw ")
    raw = float(said(tab).split("raw ")[1].split(". ")[0])
    assert abs(raw - m[2, 4]) < 0.01 * np.ptp(m)
    assert not np.array_equal(seen(tab), before), "the cell is not outlined"
    part(tab, "method").hover()
    assert "Row" not in said(tab) and np.array_equal(seen(tab), before)
    canvas.click(position=at)
    settled(tab, "at=3,5")
    part(tab, "method").hover()
    assert "Row 3 of 4, column 5 of 5" in said(tab), "a click does not hold the cell"
    part(tab, "layer").select_option("early")
    assert "of 8, column 9 of 9" in said(tab) or "of 8, column 8 of 9" in said(tab), "another place on the finer grid"


def test_a_pointer_that_rests_reads_the_map_that_is_shown(tab, pages):
    """Another layer by keyboard, whose grid is finer, and one whose grid is coarser."""
    opened(tab, pages["two"])
    canvas = part(tab, "canvas")
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] * 0.95, "y": box["height"] * 0.95})
    choose = "(e, value) => { e.value = value; e.dispatchEvent(new Event('change')); }"
    for layer, corner in (("early", "Row 8 of 8, column 9 of 9"), ("late", "Row 4 of 4, column 5 of 5")):
        part(tab, "layer").evaluate(choose, layer)
        assert said(tab).startswith(f"{corner}: {figure.relative(MAPS['cat']['A'][layer], False)[-1, -1]:.2f}")
        assert layer in canvas.get_attribute("aria-label")


def test_keyboard_alone(tab, pages):
    """From the top of the page: Tab to every control, change it, read the map's cells."""
    opened(tab, pages["two"])
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "explorer-small-one-canvas"
    m, first = MAPS["cat"]["A"]["late"], seen(tab)
    tab.keyboard.press("ArrowRight")  # the first key takes the middle
    assert said(tab).startswith("Row 3 of 4, column 3 of 5")
    for key, row, column in (
        ("ArrowRight", 3, 4),
        ("ArrowUp", 2, 4),
        ("ArrowLeft", 2, 3),
        ("ArrowDown", 3, 3),
        ("Home", 3, 1),
        ("ArrowLeft", 3, 1),
        ("End", 3, 5),
        ("PageUp", 1, 5),
        ("PageDown", 4, 5),
    ):
        tab.keyboard.press(key)
        value = figure.relative(m, False)[row - 1, column - 1]
        assert said(tab).startswith(f"Row {row} of 4, column {column} of 5: {value:.2f} of the scale"), key
    assert tab.evaluate("scrollY") == 0, "the arrow keys scroll the page, too"
    assert not np.array_equal(seen(tab), first)
    settled(tab, "at=4,5")
    tab.keyboard.press("Escape")
    assert "Row" not in said(tab)
    reached = []
    for key in ("ArrowDown", "ArrowUp", "ArrowDown", "ArrowRight", "ArrowRight", "Space", "Space", "Enter"):
        tab.keyboard.press("Tab")
        word = tab.evaluate("document.activeElement.id").removeprefix("explorer-small-one-")
        before = seen(tab)
        tab.keyboard.press(key)
        assert not np.array_equal(seen(tab), before), f"{key} on {word} changes nothing"
        reached.append(word)
    assert reached == ["method", "layer", "target", "opacity", "threshold", "random", "grid", "reset"]
    assert np.array_equal(seen(tab), first)
    names = tab.evaluate("""() => [...document.querySelectorAll(
        '#explorer-small-one :is(select, input)')].map(e => e.labels.length)""")
    assert names == [1] * 7, "a control without a label"


def test_the_address_is_the_view(tab, pages):
    opened(tab, pages["two"])
    part(tab, "method").select_option("B")
    part(tab, "random").check()
    part(tab, "threshold").fill("30")
    part(tab, "opacity", "small-two").fill("80")
    settled(tab, "small-two?opacity=80")
    pictures = [seen(tab), seen(tab, "small-two")]
    link = tab.url
    assert unquote(link.split("#")[1]) == (
        "explorer-small-one?method=B&threshold=30&random=1;explorer-small-two?opacity=80"
    )
    tab.reload()
    opened(tab, "about:blank")
    opened(tab, link)
    assert part(tab, "method").input_value() == "B" and part(tab, "random").is_checked()
    assert all(np.array_equal(a, b) for a, b in zip(pictures, [seen(tab), seen(tab, "small-two")], strict=True))
    part(tab, "reset").click()
    tab.wait_for_function("() => location.hash == '#explorer-small-two?opacity=80'")
    tab.evaluate("location.hash = '#explorer-small-one?method=B'")
    tab.wait_for_function("() => document.querySelector('#explorer-small-one-method').value == 'B'")
    assert part(tab, "opacity", "small-two").input_value() == "85"
    part(tab, "opacity").fill("50")
    settled(tab, "opacity=50")
    tab.evaluate("location.hash = '#a-section'")
    tab.wait_for_timeout(200)
    assert part(tab, "opacity").input_value() == "50" and part(tab, "method").input_value() == "B", (
        "a section is no view"
    )
    tab.evaluate("location.hash = '#explorer-small-one?method=B'")
    tab.wait_for_function("() => document.querySelector('#explorer-small-one-opacity').value == '85'")
    address = "explorer-small-one?threshold=20"
    assert changed_then_followed(tab, "#explorer-small-one-opacity", "40", address) == address, "the link is lost"
    assert part(tab, "threshold").input_value() == "20" and part(tab, "opacity").input_value() == "85"


def test_a_browser_that_hides_pixels_keeps_the_still_picture(tab, pages):
    tab.add_init_script(GUARDED)
    opened(tab, pages["two"])
    assert tab.locator("figure.cam-explorer[data-state=failed] > img").first.is_visible()
    assert "does not let a page read" in tab.locator(".cam-explorer-hint").first.text_content()
    assert any("does not let a page read its own pictures" in word for word in tab.troubles)
    tab.troubles.clear()


@pytest.mark.parametrize(
    "address",
    [
        "explorer-small-one?method=Z&layer=Z&target=Z&opacity=x&threshold=999&random=7&grid=maybe&at=99,99",
        "explorer-small-one?at=0,0",
        "explorer-small-one?%",
        ";;;?",
        "a-section",
    ],
)
def test_no_address_breaks_it(tab, pages, address):
    opened(tab, f"{pages['two']}#{address}")
    assert tab.locator("figure[data-state=ready]").count() == 2
    assert part(tab, "method").input_value() == "A" and "Row" not in said(tab)


def test_scripts_off_the_picture_is_there(browser, pages):
    window = browser.new_context(java_script_enabled=False)
    page = window.new_page()
    page.goto(pages["two"])
    pictures = page.locator("figure.cam-explorer img")
    assert pictures.count() == 2 and page.locator(CANVAS).count() == 0
    for number in range(2):
        assert pictures.nth(number).is_visible() and pictures.nth(number).get_attribute("alt")
        shot = np.asarray(Image.open(io.BytesIO(pictures.nth(number).screenshot())).convert("RGB"))
        assert shot.std() > 10, "the picture is blank"
    assert page.locator("figcaption").nth(0).is_visible()
    window.close()


def test_data_that_are_gone_leave_the_picture(tab, pages):
    opened(tab, pages["broken"])
    assert tab.locator("figure[data-state=failed] img").is_visible() and tab.locator(CANVAS).count() == 0
    assert any("explorer-small-one" in word for word in tab.troubles), "nothing is said of it"
    tab.troubles.clear()


def test_data_inside_the_page(tab, pages):
    opened(tab, pages["inline"])
    assert tab.locator("figure[data-state=ready] canvas").count() == 1
    before = tab.locator(CANVAS).screenshot()
    tab.get_by_label("method").select_option("B")
    assert tab.locator(CANVAS).screenshot() != before
    assert "of the evidence" in tab.locator("output").text_content()


# --- the built site ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOLDERS)
def test_explorers_of_the_site(visit, name):
    """Each can be read by keyboard, on a phone too, and says where it is."""
    one = visit(name)
    page = one.page
    page.set_viewport_size({"width": 390, "height": 900})
    for number in range(page.locator("figure.cam-explorer").count()):
        own = page.locator("figure.cam-explorer").nth(number)
        assert own.get_attribute("data-state") == "ready" and own.locator("img").is_hidden()
        box = own.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        own.locator(CANVAS).focus()
        page.keyboard.press("ArrowDown")
        assert own.locator("output").text_content().startswith("Row ")
        before = own.locator(CANVAS).evaluate("e => e.toDataURL()")
        own.get_by_label("opacity").fill("100")
        assert own.locator(CANVAS).evaluate("e => e.toDataURL()") != before
        page.wait_for_function("name => location.hash.includes(`${name}?opacity=100`)", arg=own.get_attribute("id"))
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_function("() => !document.querySelector('figure.cam-explorer:not([data-state=ready])')")
    assert page.locator("figure.cam-explorer").nth(0).get_by_label("opacity").input_value() == "100"
    assert not one.troubles and not one.foreign, (one.troubles, one.foreign)


@pytest.mark.parametrize("name", HOLDERS)
def test_words_can_be_read_in_both_themes(visit, name):
    """The theme lays a light card behind what a cell writes; dark on dark or light on light is no text."""
    page = visit(name).page
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.wait_for_function("theme => document.documentElement.dataset.theme == theme", arg=theme)
        for words in ("label", "output", ".cam-explorer-help", "button", "figcaption", ".cam-explorer-scale span"):
            element = page.locator(f"figure.cam-explorer {words}").first
            pixels = np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("L")).astype(int)
            assert np.ptp(pixels) > 110, f"{words} cannot be read ({theme})"


def test_chapters_show_explorers():
    assert any("18-sanity-checks" in name for name in HOLDERS) or not PAGES
