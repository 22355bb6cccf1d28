"""The ledger's filter in a browser: a page of its own with a few entries, and the page of the built site."""

from __future__ import annotations

import shutil

import pytest

from tests.helpers.browser import PAGES, THEMES
from tools.ipynb import ROOT

NAME = "book/claims.html"
ENTRIES = {
    "one": "paper-holistic toyland-holds photographs-undecided",
    "two": "paper-holistic toyland-undecided photographs-open",
    "three": "paper-ucag toyland-fails photographs-holds",
    "four": "paper-ucag identity",
}
on_the_site = pytest.mark.skipif(NAME not in PAGES, reason="there is no built site: run `make book` first")


@pytest.fixture
def opened(browser, tmp_path):
    """The script on a page with four entries in three sections, and what it complains of."""
    for name in ("claims.mjs", "claims.css"):
        shutil.copy(ROOT / "book" / "_static" / name, tmp_path)
    script = (tmp_path / "claims.mjs").read_text(encoding="utf-8")
    body = {name: f'<div class="claim {classes}" id="{name}">{name}</div>' for name, classes in ENTRIES.items()}
    text = (
        '<section id="page"><div class="claims-filter"><p>Without scripts.</p></div>'
        f'<section id="holistic">{body["one"]}{body["two"]}</section><section id="ucag">{body["three"]}</section>'
        f'<section id="identities">{body["four"]}</section><section id="index">index</section></section>'
    )
    tab = browser.new_page()
    troubles = []
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.set_content(f"<!DOCTYPE html><html lang='en'><title>claims</title><body>{text}</body></html>")
    tab.add_style_tag(path=str(tmp_path / "claims.css"))
    tab.add_script_tag(content=script, type="module")
    tab.wait_for_selector(".claims-filter[data-state=ready]")
    yield tab
    tab.close()
    assert not troubles, troubles


def shown(tab):
    return {name for name in ENTRIES if tab.locator(f"#{name}").is_visible()}


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({}, {"one", "two", "three", "four"}),
        ({"paper": "Holistic-CAM"}, {"one", "two"}),
        ({"verdict": "holds"}, {"one", "three"}),
        ({"verdict": "holds", "world": "Toyland"}, {"one"}),
        ({"verdict": "holds", "world": "photographs"}, {"three"}),
        ({"world": "photographs"}, {"one", "three"}),
        ({"verdict": "not checked"}, {"two"}),
        ({"verdict": "holds in part"}, set()),
        ({"paper": "UCAG", "verdict": "undecided"}, set()),
    ],
)
def test_entries_by_paper_world_and_verdict(opened, chosen, left):
    for label, option in chosen.items():
        opened.get_by_label(label, exact=False).select_option(option)
    assert shown(opened) == left
    assert opened.locator("output").text_content() == f"{len(left)} of 4 entries"
    assert opened.locator("#holistic").is_visible() == bool(left & {"one", "two"})
    assert opened.locator("#index").is_visible() and opened.get_by_text("Without scripts.").count() == 0
    for label in chosen:
        opened.get_by_label(label, exact=False).select_option("")
    assert len(shown(opened)) == 4


def test_a_link_to_an_entry_that_is_hidden_shows_it(opened):
    opened.get_by_label("paper", exact=False).select_option("UCAG")
    assert not opened.locator("#holistic").is_visible()
    opened.evaluate("location.hash = '#holistic'")
    opened.wait_for_function("() => !document.querySelector('#holistic').hidden")
    assert len(shown(opened)) == 4 and opened.get_by_label("paper", exact=False).input_value() == ""
    opened.get_by_label("paper", exact=False).select_option("UCAG")
    opened.evaluate("location.hash = '#index'")
    opened.wait_for_timeout(100)
    assert opened.get_by_label("paper", exact=False).input_value() == "ucag", "what is seen needs no reset"


@on_the_site
@pytest.mark.parametrize("theme", THEMES)
def test_the_page_of_the_site_is_filtered(visit, theme):
    one = visit(NAME, theme)
    one.page.wait_for_selector(".claims-filter[data-state=ready]")
    whole = one.page.locator(".claim:visible").count()
    one.page.get_by_label("paper").select_option("UCAG")
    assert 0 < one.page.locator(".claim:visible").count() < whole
    assert one.page.locator(".paper-holistic:visible").count() == 0
    assert not one.troubles and not one.foreign


@on_the_site
def test_the_page_is_whole_without_scripts(browser, address):
    window = browser.new_context(java_script_enabled=False)
    tab = window.new_page()
    tab.goto(f"{address}/{NAME}")
    assert tab.get_by_text("Where scripts run").is_visible()
    assert tab.locator(".claim:visible").count() == tab.locator(".claim").count() > 60
    window.close()
