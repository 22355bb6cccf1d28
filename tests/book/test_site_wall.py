"""The wall in a browser: a page of its own with the stored maps, and the page of the built site."""

from __future__ import annotations

import html
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.helpers.browser import GUARDED, PAGES, THEMES, changed_then_followed, pixels, served
from tools.ipynb import ROOT
from tools.wall import draw, page, pictures, store

NAME = "book/wall.html"
HEAD = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>wall</title><link rel="icon" href="data:,">'
READY = "() => ['ready', 'failed'].includes(document.querySelector('figure.wall').dataset.state)"
on_the_site = pytest.mark.skipif(NAME not in PAGES, reason="there is no built site: run `make book` first")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{name: address}: the wall as the site has it, and one whose index has gone."""
    folder = tmp_path_factory.mktemp("wall")
    page.write(folder / "wall")
    for name in ("wall.mjs", "wall.css"):
        shutil.copy(ROOT / "book" / "_static" / name, folder / name)
    cards = "".join(
        f'<details class="wall-entry" id="wall-{i}" data-method="{html.escape(name)}">'
        f"<summary>{html.escape(name)}</summary><div>words on {html.escape(name)}</div></details>"
        for i, name in enumerate(page.explained())
    )
    figure = (
        '<figure class="wall" id="wall" data-wall="wall/wall.json"><img src="wall/still.jpg" alt="maps">'
        "<figcaption>What is seen.</figcaption></figure>"
    )
    ends = '<script type="module" src="wall.mjs"></script></body></html>'
    text = f'{HEAD}<link rel="stylesheet" href="wall.css"></head><body>{figure}{cards}{ends}'
    (folder / "whole.html").write_text(text, encoding="utf-8")
    (folder / "broken.html").write_text(text.replace("wall/wall.json", "wall/gone.json"), encoding="utf-8")
    with served(folder) as place:
        yield {name: f"{place}/{name}.html" for name in ("whole", "broken")}


def opened(tab, url):
    tab.goto(url)
    tab.wait_for_function(READY)
    return tab


def tile(tab, method, picture="cat"):
    return tab.locator(f'.wall-tile[data-method="{method}"][data-picture="{picture}"]')


def seen(tab, method, picture="cat", state=None):
    """(S, S, 3) pixels of a map, once it is painted for a state such as "2 80": stage and opacity."""
    one = tile(tab, method, picture)
    one.scroll_into_view_if_needed()
    tab.wait_for_function(
        "([e, state]) => state ? e.dataset.painted === state : e.dataset.painted", arg=[one.element_handle(), state]
    )
    return pixels(one.locator("canvas"))


def expected(method, stage, picture="cat", side=224, opacity=0.8):
    """What `draw.over` makes of the same bytes."""
    found = store.tile(picture, method, stage)
    return draw.over(pictures.pixels(picture, side), found, store.signed(method), opacity).astype(int)


def same(a, b):
    """The photograph went through JPEG, and the map is enlarged in two steps: few pixels, small steps."""
    return a.shape == b.shape and np.abs(a - b).mean() < 4


@pytest.mark.parametrize("method", ["grad-cam", "holistic-cam", "input-x-gradient"])
def test_first_view_slider_and_opacity(tab, pages, method):
    opened(tab, pages["whole"])
    first = seen(tab, method, state="2 80")
    assert same(first, expected(method, 2))
    tab.get_by_label("stage", exact=True).fill("4")
    last = seen(tab, method, state="4 80")
    assert same(last, expected(method, 4))
    if store.read(method)[0]["takes"] == "layer":
        assert not same(last, first), "the slider changes nothing"
    assert "4 of 4, 7 × 7 cells" in tab.locator("output").first.text_content()
    tab.get_by_label("opacity").fill("0")
    bare = seen(tab, method, state="4 0")
    assert same(bare, pictures.pixels("cat", 224)) and not same(bare, last)


def test_only_the_picture_that_is_shown_is_loaded(tab, pages):
    opened(tab, pages["whole"])
    seen(tab, "grad-cam")
    assert sum(url.endswith(".png") for url in tab.asked) == 1
    tab.locator("input[value=mosaic-tripod]").check(force=True)
    assert same(seen(tab, "layer-cam", "mosaic-tripod", "2 80"), expected("layer-cam", 2, "mosaic-tripod"))
    assert "Lav Varshney" in tab.locator(".wall-credit").text_content()
    assert sum(url.endswith(".png") for url in tab.asked) == 2


def test_all_pictures_at_a_small_size(tab, pages):
    opened(tab, pages["whole"])
    tab.locator("input[value=all]").check(force=True)
    assert tab.locator(".wall-tile").count() == len(pictures.ALL) * len(page.explained())
    for picture in ("coffee", "palace"):
        assert same(seen(tab, "grad-cam", picture, "2 80"), expected("grad-cam", 2, picture, side=112))
    tab.get_by_label("family").select_option("multi-scale CAM")
    names = tab.locator(".wall-row-name").all_text_contents()
    assert "Holistic-CAM" in names and "Grad-CAM" not in names
    tab.get_by_label("family").select_option("")
    seen(tab, "cam", state="2 80")
    opacity = "e => getComputedStyle(e).opacity"
    for stage, ends, shown in (("2", ", no map at this stage", "0.25"), ("4", "CAM, A cat", "1")):
        tab.get_by_label("stage", exact=True).fill(stage)
        seen(tab, "cam", state=f"{stage} 80")
        one = tile(tab, "cam")
        tab.wait_for_function("([e, ends]) => e.ariaLabel.endsWith(ends)", arg=[one.element_handle(), ends])
        assert one.locator("canvas").evaluate(opacity) == shown, "no map looks like a map of nothing"


def test_a_print_holds_every_map(tab, pages):
    opened(tab, pages["whole"])
    assert tab.locator(".wall-tile:not([data-painted])").count() > 10, "all are painted without being seen"
    tab.pdf()
    tab.wait_for_function("() => !document.querySelector('.wall-tile:not([data-painted])')")


def test_the_tile_in_focus_is_not_behind_the_bar(tab, pages):
    opened(tab, pages["whole"])
    tile(tab, page.explained()[-1]).focus()
    for _ in range(8):
        tab.keyboard.press("ArrowUp")
        top = tab.evaluate("document.activeElement.getBoundingClientRect().top")
        assert top >= tab.evaluate("document.querySelector('.wall-bar').getBoundingClientRect().bottom") - 1


def test_keyboard_alone(tab, pages):
    """From the top of the page: the pictures, the slider, the maps, a card and back."""
    opened(tab, pages["whole"])
    focus = "document.activeElement.id || document.activeElement.dataset.method"
    reached = []
    for key in (None, "ArrowRight", None, None):
        tab.keyboard.press("Tab")
        if key:
            tab.keyboard.press(key)
        reached.append(tab.evaluate(focus))
    assert reached == ["wall-cat", "wall-stage", "wall-opacity", "wall-family"]
    assert "3 of 4" in tab.locator("output").first.text_content()
    tab.keyboard.press("Tab")
    order = page.explained()
    assert tab.evaluate(focus) == order[0]
    for key, number in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", -1), ("Home", 0)):
        tab.keyboard.press(key)
        assert tab.evaluate(focus) == order[number], key
    tab.keyboard.press("ArrowDown")
    below = tab.evaluate(focus)
    assert below != order[0]
    tab.keyboard.press("ArrowUp")
    assert tab.evaluate(focus) == order[0]
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    card = tab.locator("dialog.wall-card")
    card.wait_for(state="visible")
    assert f"words on {below}" in card.text_content() and tab.evaluate("document.activeElement.id") == "wall-card-title"
    tab.keyboard.press("Escape")
    card.wait_for(state="hidden")
    tab.wait_for_function(  # the words go back when the closed card says so, a moment after it is gone
        "name => document.querySelector(`.wall-entry[data-method='${name}']`).textContent.endsWith(`words on ${name}`)",
        arg=below,
    )
    assert tab.evaluate(focus) == below
    labels = tab.evaluate("[...document.querySelectorAll('figure.wall :is(input, select)')].map(e => e.labels.length)")
    assert set(labels) == {1}, "a control without a label"


def test_card_shows_all_stages_and_turns_to_the_next(tab, pages):
    opened(tab, pages["whole"])
    tile(tab, "grad-cam").click()
    card = tab.locator("dialog.wall-card")
    large = card.locator(".wall-strip > canvas")
    assert same(pixels(large), expected("grad-cam", 2, side=448))
    assert card.locator(".wall-small button").count() == 4
    card.locator(".wall-small button").nth(3).click()
    assert same(pixels(large), expected("grad-cam", 4, side=448))
    found = store.tile("cat", "grad-cam", 4)
    assert (
        f"7 × 7 cells, raw values {found.low:.2g} to {found.high:.2g}" in card.locator(".wall-reading").text_content()
    )
    after = page.explained()[page.explained().index("grad-cam") + 1]
    card.get_by_text("next").click()
    assert f"words on {after}" in card.text_content() and "words on grad-cam " not in card.text_content() + " "
    title = card.locator("h2").text_content()
    said = card.locator(".wall-reading").text_content()
    assert said.startswith(f"{title}, "), "who listens does not hear which it is"
    card.get_by_label("close").click()
    card.wait_for(state="hidden")
    assert seen(tab, "grad-cam", state="4 80").shape == (224, 224, 3), "the stage chosen in the card is the wall's"


def test_the_address_is_the_view(tab, pages):
    link = f"{pages['whole']}#wall?picture=coffee&stage=1&method=layer-cam"
    opened(tab, link)
    card = tab.locator("dialog.wall-card")
    card.wait_for(state="visible")
    assert same(pixels(card.locator(".wall-strip > canvas")), expected("layer-cam", 1, "coffee", side=448))
    tab.keyboard.press("Escape")
    tab.wait_for_function("() => location.hash === '#wall?picture=coffee&stage=1'")
    assert changed_then_followed(tab, "#wall-stage", "3", "wall?stage=2") == "wall?stage=2"
    assert tab.get_by_label("stage", exact=True).input_value() == "2"
    tab.goto("about:blank")
    opened(tab, f"{pages['whole']}#wall?picture=nothing&stage=99&opacity=x&family=%20&method=%3Cb%3E")
    assert tab.get_by_label("stage", exact=True).input_value() == "4"
    assert tab.locator("input[value=cat]").is_checked() and not tab.locator("dialog.wall-card").is_visible()


def test_without_scripts_the_still_picture_and_the_cards_are_there(browser, pages):
    window = browser.new_context(java_script_enabled=False)
    found = window.new_page()
    found.goto(pages["whole"])
    still = found.locator("figure.wall > img")
    assert still.is_visible() and found.locator("figcaption").is_visible() and found.locator(".wall-tile").count() == 0
    assert np.asarray(Image.open(io.BytesIO(still.screenshot())).convert("L")).std() > 20, "the picture is blank"
    found.locator(".wall-entry summary").first.click()
    assert found.locator(".wall-entry div").first.is_visible()
    window.close()


def test_a_picture_that_did_not_come_is_asked_for_again(tab, pages):
    opened(tab, pages["whole"])
    tab.route("**/coffee*", lambda route: route.abort())
    tab.locator("input[value=coffee]").check(force=True)
    tab.wait_for_function("() => document.querySelector('.wall-credit').textContent.includes('did not come')")
    tab.unroute("**/coffee*")
    tab.locator("input[value=cat]").check(force=True)
    tab.locator("input[value=coffee]").check(force=True)
    assert same(seen(tab, "grad-cam", picture="coffee"), expected("grad-cam", 2, "coffee"))
    assert tab.troubles
    tab.troubles.clear()


def test_in_the_view_of_all_a_link_opens_the_card_over_its_picture(tab, pages):
    opened(tab, f"{pages['whole']}#wall?picture=all")
    tab.locator(".wall-tile[data-picture=coffee][data-method=layer-cam]").click()
    card = tab.locator("dialog.wall-card")
    card.wait_for(state="visible")
    tab.wait_for_function("() => location.hash.includes('of=coffee')")
    link, said = tab.url, card.locator(".wall-reading").text_content()
    tab.goto("about:blank")
    opened(tab, link)
    card.wait_for(state="visible")
    assert card.locator(".wall-reading").text_content() == said and "espresso" in said
    tab.keyboard.press("Escape")
    tab.wait_for_function("() => location.hash === '#wall?picture=all'")
    opened(tab, f"{pages['whole']}#wall?picture=all&of=nothing&method=layer-cam")
    card.wait_for(state="visible")


def test_data_that_are_gone_leave_the_still_picture(tab, pages):
    opened(tab, pages["broken"])
    assert tab.locator("figure.wall[data-state=failed] > img").is_visible()
    assert any("wall:" in word for word in tab.troubles), "nothing is said of it"
    tab.troubles.clear()
    tab.add_init_script(GUARDED)
    opened(tab, pages["whole"])
    assert tab.locator("figure.wall[data-state=failed] > img").is_visible()
    assert any("does not let a page read its own pictures" in word for word in tab.troubles)
    tab.troubles.clear()


# --- the built site ------------------------------------------------------------------------------------------------


@on_the_site
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_the_site(visit, width):
    """Its own stage slider, a card with code and formula, in both themes, without scrolling sideways."""
    one = visit(NAME)
    found = one.page
    found.set_viewport_size({"width": width, "height": 900})
    found.wait_for_function(READY)
    assert found.locator("figure.wall").get_attribute("data-state") == "ready"
    first = seen(found, "holistic-cam", state="2 80")
    found.get_by_label("stage", exact=True).fill("4")
    assert not np.array_equal(seen(found, "holistic-cam", state="4 80"), first)
    for theme in THEMES:
        found.emulate_media(color_scheme=theme)
        found.wait_for_function("theme => document.documentElement.dataset.theme == theme", arg=theme)
        tile(found, "holistic-cam").click()
        card = found.locator("dialog.wall-card")
        card.wait_for(state="visible")
        assert card.locator("mjx-container").count() > 0 and "hc.HolisticCAM()" in card.locator("pre").text_content()
        assert (
            card.get_by_role("link", name="chapter 7").count() == 1 and "60.9\N{NO-BREAK SPACE}F" in card.text_content()
        )
        filters = "[...document.querySelectorAll('figure.wall canvas')].map(e => getComputedStyle(e).filter)"
        assert set(found.evaluate(filters)) == {"none"}, f"colours of maps are changed ({theme})"
        for words in ("h2", ".wall-reading", "pre", "button"):
            shot = card.locator(words).first.screenshot()
            assert np.ptp(np.asarray(Image.open(io.BytesIO(shot)).convert("L")).astype(int)) > 110, (words, theme)
        assert card.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), "the card scrolls sideways"
        found.keyboard.press("Escape")
        card.wait_for(state="hidden")
    assert found.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert not one.troubles and not one.foreign, (one.troubles, one.foreign)


@on_the_site
def test_every_method_has_its_card_on_the_site(visit):
    found = visit(NAME).page
    for text in ("Whose photographs these are", "CC BY 2.0", "cropped; maps laid over it"):
        assert text in found.locator("main").text_content()
    assert found.locator(".wall-entry").count() == 54
    assert found.locator(".wall-entry:not(:has(mjx-container))").count() == 0, "a card without a formula"
