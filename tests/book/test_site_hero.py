"""The first page in a browser: its switches work by keyboard and without scripts."""

import numpy as np
import pytest

from tests.helpers.browser import PAGES

NAME = "book/intro.html"
pytestmark = pytest.mark.skipif(NAME not in PAGES, reason="there is no built site: run `make book` first")
SHOWN = """figure => [...figure.querySelectorAll(".hero-state")].filter(e => getComputedStyle(e).display !== "none")
    .map(e => [e.className, e.querySelectorAll("img").length])"""


@pytest.fixture(scope="module", params=[True, False], ids=["scripts", "no scripts"])
def page(request, browser, address):
    window = browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=request.param)
    found = window.new_page()
    found.goto(f"{address}/{NAME}")
    yield found
    window.close()


def test_switches_show_one_state_at_a_time(page):
    for figure in page.query_selector_all("figure.hero"):
        assert figure.evaluate(SHOWN) == [["hero-state hero-asked", 6]]
        figure.query_selector('input[value="asked"]').focus()
        for state, panels in (("another", 6), ("forgotten", 6), ("edges", 3)):
            page.keyboard.press("ArrowRight")
            assert figure.evaluate(SHOWN) == [[f"hero-state hero-{state}", panels]]
        page.keyboard.press("ArrowRight")
        assert figure.evaluate(SHOWN) == [["hero-state hero-asked", 6]]


def test_pictures_load_and_differ(page):
    figure = page.query_selector("figure.hero")
    seen = []
    for state in ("asked", "another"):
        figure.query_selector(f'input[value="{state}"]').check(force=True)
        picture = figure.query_selector(f".hero-{state} img")
        picture.scroll_into_view_if_needed()
        picture.evaluate("e => e.complete || new Promise(done => e.onload = done)")
        assert picture.evaluate("e => e.naturalWidth") >= 300 and picture.bounding_box()["width"] >= 200
        seen.append(np.frombuffer(picture.screenshot(), np.uint8))
    assert not np.array_equal(*seen)
