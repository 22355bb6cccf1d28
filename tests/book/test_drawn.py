"""Sheets of pictures: what they show is what the code and the networks say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from holicam.notebook.explorer.packed import jpeg
from holicam.toyland import CLASSES, SUBSETS, render
from holicam.toyland.scene import scene
from tools import drawn
from tools.drawn import toyland
from tools.ipynb import BOOK

USED = {
    (page.name, *found.split())
    for page in BOOK.glob("*.md")
    for found in re.findall(r"^ *`{3,}\{drawn\} (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("sheet", drawn.sheets())
def test_panels_are_pictures_that_differ(sheet):
    panels = drawn.panels(sheet)
    assert len({panel.name for panel in panels}) == len(panels)
    for panel in panels:
        assert panel.pixels.dtype == np.uint8 and panel.pixels.ndim == 3 and panel.pixels.std() > 5, panel.name
        assert panel.alt.endswith(".") and len(jpeg(panel.pixels, drawn.QUALITY)) < 60_000
    assert len({panel.pixels.tobytes() for panel in panels}) == len(panels)


def test_every_sheet_is_shown_and_every_shown_one_exists():
    assert {sheet for _, sheet, *_ in USED} == drawn.sheets().keys()
    for page, sheet, *one in USED:
        assert not one or one[0] in {panel.name for panel in drawn.panels(sheet)}, page
    with pytest.raises(ValueError, match="no sheet 'toyland-planets'; there are"):
        drawn.panels("toyland-planets")


def test_the_ten_classes_are_large_and_the_network_is_sure_of_them():
    assert toyland.INDEX.keys() == set(CLASSES) and next(iter(toyland.INDEX)) != "fish"
    for name in toyland.INDEX:
        plan = scene(toyland.recipe(name))
        assert CLASSES[plan.label] == name and plan.things[0].extent > 0.35 and len(plan.clutter) <= 4
    p = toyland.logits([render(toyland.recipe(name)) for name in toyland.INDEX]).softmax(1)
    for row, name in zip(p, toyland.INDEX, strict=True):
        assert row[CLASSES.index(name)] > 0.99, name


def test_subsets_show_what_they_are_named_after():
    assert toyland.SUBSETS.keys() == set(SUBSETS)
    plans = {name: scene(toyland.Recipe(name, index=index)) for name, (index, _) in toyland.SUBSETS.items()}
    assert {name: len(plan.things) for name, plan in plans.items()} == {
        "single": 1,
        "twins": 3,
        "scene": 3,
        "shortcut": 1,
        "cast": 1,
    }
    assert len({thing.label for thing in plans["scene"].things}) == 3
    assert len({thing.label for thing in plans["twins"].things}) == 1
    assert all(plans[name].mark["agrees"] for name in ("shortcut", "cast"))


def test_a_scene_drawn_again_loses_what_is_left_out_and_keeps_the_rest():
    whole, *others = drawn.panels("toyland-redrawn")
    changed = {panel.name: (panel.pixels != whole.pixels).any(2) for panel in others}
    assert not (changed["wheels"] & ~changed["car"]).any() and changed["wheels"].sum() < changed["car"].sum()
    assert not (changed["background"] & changed["car"]).mean() > 0.02
    assert whole.note == "car: over 99 %" and drawn.panels("toyland-redrawn")[4].note != whole.note
