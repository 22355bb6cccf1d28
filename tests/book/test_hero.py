"""The picture of the first page: what it draws, and the numbers that its words carry."""

import re

import numpy as np
import pytest

from tools import site_hero
from tools.ipynb import BOOK
from tools.wall import draw, hero, measures, pictures, store

INTRO = (BOOK / "intro.md").read_text(encoding="utf-8")
HEROES = re.findall(r"^```\{hero\} (\S+)$", INTRO, re.MULTILINE)
PLACEHOLDERS = sorted(set(re.findall(r"<<([^>]+)>>", INTRO)))


def test_the_first_page_opens_with_a_photograph_that_the_network_is_sure_of():
    first = hero.answers()[HEROES[0]]
    assert first["p"] >= 0.9 and first["answer"] == pictures.PICTURES[HEROES[0]].label
    assert INTRO.index("```{hero}") < INTRO.index("## ")


def test_stored_answers_are_the_network_s():
    """A probability on the page is what the network says here, up to what processors differ by."""
    stored, now = hero.answers(), hero.asked()
    assert stored.keys() == now.keys() == pictures.PICTURES.keys()
    for picture, values in now.items():
        assert stored[picture]["answer"] == values["answer"]
        for key in ("asked", "another", "forgotten", "p"):
            assert stored[picture][key] == pytest.approx(values[key], abs=0.003), (picture, key)


@pytest.mark.parametrize("picture", HEROES)
def test_every_state_has_its_maps(picture, tmp_path):
    hero.write(tmp_path, picture)
    for state in hero.STATES:
        for row in hero.panels(state):
            assert len(row) == 3
            for panel in row:
                assert (tmp_path / hero.file(picture, panel)).stat().st_size > 2000
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1_000_000


def test_a_panel_is_the_stored_map_over_its_photograph():
    panel = hero.Panel("holistic-cam", 4, "another")
    tile = store.tile("coffee", "holistic-cam", 4, "another")
    want = draw.over(pictures.pixels("coffee", hero.SIDE), tile)
    assert np.array_equal(hero.drawn("coffee", panel), want)
    other = hero.drawn("coffee", panel._replace(question="asked"))
    assert np.abs(other.astype(int) - want).mean() > 1


@pytest.mark.parametrize("said", PLACEHOLDERS)
@pytest.mark.parametrize("picture", HEROES)
def test_placeholders_stand_for_numbers(picture, said):
    found, one = site_hero.number(picture, said.split()), pictures.PICTURES[picture]
    if said.startswith("corr"):
        assert re.fullmatch(r"−?[01]\.\d\d", found) and -1 <= float(found.replace("−", "-")) <= 1
    elif said.startswith("p "):
        assert found.endswith(" %")
    else:
        assert found == {"asked": one.label, "other": one.other_label}[said]


def test_a_map_correlates_with_itself_and_unknown_numbers_are_refused():
    assert measures.likeness("coffee", "grad-cam", 4, "asked") == pytest.approx(1)
    with pytest.raises(ValueError, match="no number of the first page"):
        site_hero.number("coffee", ["q"])


def test_percentages():
    assert [site_hero.percent(p) for p in (0.938, 0.0312, 0.0004)] == ["94 %", "3.1 %", "under 0.1 %"]
