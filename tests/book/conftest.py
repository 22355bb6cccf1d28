"""What the tests of pages share: the site served on this machine, one browser, one window."""

from __future__ import annotations

import os

import pytest

from tests.helpers import laboratory
from tests.helpers.browser import FLAGS, SITE, THEMES, Visit, chromium, judge, served, watched
from tools.slides.build import build


@pytest.fixture(scope="module")
def address():
    """The site, served on this machine alone."""
    with served(SITE) as found:
        yield found


@pytest.fixture(scope="session")
def slides(tmp_path_factory):
    """A folder with all decks."""
    folder = tmp_path_factory.mktemp("slides")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    if path is None:
        word = "no Chromium found: install one, or name it with CHROMIUM=/path/to/it"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(word)
        pytest.skip(word)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def context(browser):
    """One window for all pages, so that scripts and fonts are read once."""
    opened = browser.new_context(color_scheme=THEMES[0])
    yield opened
    opened.close()


@pytest.fixture
def visit(context, address):
    visits = []

    def open_page(name, theme=THEMES[0]):
        visits.append(Visit(context, address, name))
        visits[-1].page.emulate_media(color_scheme=theme)
        return visits[-1]

    yield open_page
    for one in visits:
        one.page.close()


@pytest.fixture
def tab(browser):
    """A page of its own, watched."""
    with watched(browser, accept_downloads=True) as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The address of the laboratory by itself: lab.html, and gone.html whose files are missing."""
    folder = tmp_path_factory.mktemp("laboratory")
    laboratory.write(folder)
    with served(folder) as found:
        yield found


@pytest.fixture(scope="module")
def room(browser, place):
    """One laboratory that has been started, for all tests of a file."""
    with watched(browser, accept_downloads=True, permissions=["clipboard-read", "clipboard-write"]) as found:
        yield laboratory.started(found, f"{place}/lab.html#laboratory?{laboratory.QUICK}")


@pytest.fixture
def lab(room):
    """The same at its beginning; a test fails for what its scripts complain of meanwhile."""
    room.set_viewport_size({"width": 1280, "height": 900})
    yield laboratory.show(room)
    judge(room)
