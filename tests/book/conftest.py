"""What the tests of pages share: the site served on this machine, one browser, one window."""

from __future__ import annotations

import functools
import http.server
import os
import threading

import pytest

from tests.helpers.browser import FLAGS, SITE, THEMES, Quiet, Visit, chromium
from tools.slides.build import build


@pytest.fixture(scope="module")
def address():
    """The site, served on this machine alone."""
    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


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
