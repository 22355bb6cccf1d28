"""The search of the built site names sections by what their headings say, also in other words."""

from __future__ import annotations

from urllib.parse import quote_plus

import pytest

ASKED = {
    "does the map depend on the network": "18-sanity-checks.html#when-the-network-forgets-the-map-must-change",
    "why \u03b5": "04-positive-gradients.html#decides-what-counts-as-small",
    "low-pass": "06-the-low-pass-wrap.html",
    "what does it cost": "08-one-sum-many-weights.html#ten-methods-cost-one-pass",
    "vision transformer": "23-your-own-network.html#any-module-that-returns-logits-will-do",
    "gradient variance": "03-when-channels-disagree.html",
}
ALIKE = [("size", "sizes"), ("baseline", "baselines"), ("scale", "scales"), ("image", "images")]


def asked(visit, query):
    page = visit("search.html").page
    page.goto(f"{page.url}?q={quote_plus(query)}", wait_until="load")
    return page


@pytest.mark.parametrize("query", ASKED)
def test_a_question_finds_its_section(visit, query):
    page = asked(visit, query)
    page.wait_for_selector(".search-sections a", timeout=30_000)
    found = page.evaluate("[...document.querySelectorAll('.search-sections a')].map(link => link.href)")
    assert len(found) <= 5 and any(link.endswith(f"/book/{ASKED[query]}") for link in found), found


@pytest.mark.parametrize("pair", ALIKE)
def test_one_and_many_find_the_same(visit, pair):
    found = []
    for query in pair:
        page = asked(visit, query)
        page.wait_for_selector(".search-sections a", timeout=30_000)
        found.append(page.evaluate("[...document.querySelectorAll('.search-sections a')].map(link => link.href)"))
    assert found[0] == found[1] and len(found[0]) == 5


@pytest.mark.parametrize("query", ["speed", "untrained", "undecided"])
def test_a_word_of_another_s_meaning_finds_a_section(visit, query):
    asked(visit, query).wait_for_selector(".search-sections a", timeout=30_000)


def test_nonsense_finds_no_section(visit):
    page = asked(visit, "zyxw")
    page.wait_for_function("document.querySelector('#search-results')?.innerText.length > 20", timeout=30_000)
    assert page.query_selector(".search-sections") is None
