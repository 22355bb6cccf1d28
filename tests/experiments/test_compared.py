"""Sets beside each other: on the images that both have, at stages in order, with words that an interval carries."""

from __future__ import annotations

import numpy as np
import pytest

import holicam as hc
from holicam.experiments import compared
from holicam.experiments.compared import Level, available, contrast, gaps, level, levels, transfer
from holicam.experiments.evidence import difference
from holicam.experiments.results import Stored

NET, RNG = "net", np.random.default_rng(0)


def rows(images, columns, dataset="folder", name="a set"):
    """Stored rows of {(layer, explainer, metric): (n,)}."""
    labels = list(dict.fromkeys(label for _, label, _ in columns))
    config = {"networks": [NET], "explainers": dict.fromkeys(labels), "dataset": {"name": dataset}}
    return Stored(
        config=config, images=tuple(images), values={(NET, *key): np.array(v) for key, v in columns.items()}, name=name
    )


IMAGES = [f"{i:02d}.jpg" for i in range(20)]
BASE = RNG.normal(0.3, 0.2, 20)
ONE = rows(IMAGES, {("b", "A", "m"): BASE, ("a", "A", "m"): BASE + 1, ("", "noise", "m"): 0 * BASE})
TWO = rows(IMAGES[:15:-1] + IMAGES[:13], {("b", "B", "m"): np.r_[BASE[:15:-1], BASE[:13]] - 0.1})


def test_levels_are_means_with_intervals_of_the_first_set_that_has_a_method():
    again = rows(IMAGES[:12], {("b", "A", "m"): np.zeros(12)})
    found = levels([ONE, again, TWO], NET, "b", "m")
    assert list(found) == ["A", "noise", "B"]
    wanted = difference(BASE)
    assert found["A"] == Level(20, wanted.mean, wanted.low, wanted.high) and found["B"].n == 17


def test_a_difference_is_paired_by_the_name_of_the_image():
    found = gaps([ONE, TWO], NET, "b", "m", "A", ["B", "noise", "C"])
    assert list(found) == ["B", "noise"]
    assert found["B"].n == 17 and abs(found["B"].mean - 0.1) < 1e-12 and found["B"].sd < 1e-12
    assert found["noise"] == difference(BASE)
    assert gaps([ONE], NET, "b", "m", "C", ["A"]) == {} == gaps([], NET, "b", "m", "A", ["B"])


def test_sets_without_an_image_in_common_differ_by_nothing_that_counts():
    far = rows(["x.jpg"], {("b", "B", "m"): [1.0]})
    assert gaps([ONE, far], NET, "b", "m", "A", ["B"])["B"].n == 0


def test_questions_about_one_mosaic_count_once():
    ids = [f"{i}/{q}" for i in range(12) for q in (0, 1)]
    values = RNG.normal(0.5, 0.1, 24)
    both = rows(ids, {("b", "A", "m"): values, ("b", "B", "m"): np.zeros(24)}, "mosaics")
    (found,) = gaps([both], NET, "b", "m", "A", ["B"]).values()
    assert found.n == 12 and found == contrast(both, ("A", 0, "m"))
    same = Level(found.n, found.mean, found.low, found.high)
    assert same == levels([both], NET, "b", "m")["A"] == level(both, ("A", 0, "m"))


def test_a_contrast_finds_stages_in_order_and_maps_of_no_layer_at_each():
    assert contrast(ONE, ("A", 0, "m"), ("A", 1, "m")).mean == pytest.approx(1)
    assert contrast(ONE, ("A", 1, "m"), ("noise", 1, "m")) == difference(BASE)
    assert level(ONE, ("A", 0, "m"), ("A", 1, "m")).mean == pytest.approx(1)
    assert contrast(None, ("A", 0, "m")).n == level(None, ("A", 0, "m")).n == 0
    for term in (("A", 2, "m"), ("B", 0, "m"), ("A", 0, "road")):
        with pytest.raises(KeyError, match="a set has no"):
            contrast(ONE, term)


def test_what_transfers_is_sure_of_one_sign_in_both_worlds():
    up, wide, none = (difference(v) for v in (RNG.normal(1, 0.1, 30), RNG.normal(0, 1, 30), np.empty(0)))
    down = difference(-RNG.normal(1, 0.1, 30))
    worlds = [up, up, up, up, down], [up, down, wide, none, down]
    assert transfer(*worlds) == ["transfers", "differs", "undecided", "no rows", "transfers"]
    with pytest.raises(ValueError, match="zip"):
        transfer([up], [])


def test_available_sets_are_those_that_lie_there(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "here.parquet").touch()
    monkeypatch.setattr(compared, "data_folder", lambda: tmp_path)
    monkeypatch.setattr(compared, "load", lambda name: f"rows of {name}")
    assert available("here", "not here") == {"here": "rows of here"}


def test_it_is_public():
    assert hc.compared is compared
