"""Findings: words follow from the instrument, are adjusted for the table, and name the images that are missing."""

import numpy as np
import pytest

import holicam as hc
from holicam.experiments import results as stored
from holicam.experiments.evidence import Grouping, difference, needed
from holicam.experiments.findings import of


def spread(n, mean, sd):
    """(n,) numbers of exactly this mean and standard deviation, half of them to either side."""
    found = np.tile([-1.0, 1.0], n)[:n] - np.tile([-1.0, 1.0], n)[:n].mean()
    return mean + sd * found / found.std(ddof=1)


def test_each_word():
    found = of(
        {
            "up": spread(40, 0.1, 0.05),
            "down": spread(40, -0.1, 0.05),
            "nothing": spread(40, 0.0, 0.01),
            "open": spread(40, 0.0, 0.1),
        }
    )
    assert {name: one.word for name, one in found.items()} == {
        "up": "more",
        "down": "less",
        "nothing": "equivalent",
        "open": "undecided",
    }
    assert str(found["open"]) == f"undecided, n = {needed(0.1, 0.02):,} needed" == "undecided, n = 385 needed"
    assert str(found["up"]) == "more" and found["up"].low > 0


def test_a_finding_has_the_interval_of_its_difference():
    values = spread(30, 0.01, 0.2)
    one, known = of({"a": values})["a"], difference(values)
    assert one.difference == known and (one.n, one.mean, one.low, one.high) == (30, known.mean, known.low, known.high)
    assert len(hc.charts.intervals({"": {"a": one}}).axes) == 1


def test_few_images_are_undecided_whatever_they_say():
    one = of({"a": np.linspace(0.9, 1.0, 11)})["a"]
    assert one.word == "undecided" and str(one) == "undecided (11 images)"
    assert str(of({"a": np.array([0.9])})["a"]) == "undecided (1 image)"
    assert of({"a": np.linspace(0.9, 1.0, 12)})["a"].word == "more"


def test_enough_images_for_the_step_and_still_undecided():
    """Half the step away: neither zero nor the step is left out, and no number of images is named."""
    one = of({"a": spread(400, 0.01, 0.1)}, 0.02)["a"]
    assert one.needed == 385 and one.word == "more"  # the interval is [0.0002, 0.0198]
    one = of({"a": spread(400, 0.0095, 0.1)}, 0.02)["a"]
    assert one.word == "undecided" == str(one)


def test_p_is_adjusted_for_the_table():
    """13 of 16 images are better: p = .021 alone, and .085 among four."""
    better = np.where(np.arange(16) < 13, 0.1, -0.1)
    assert of({"a": better})["a"].word == "more"
    four = of({"a": better, **{name: np.tile([0.1, -0.1], 8) for name in "bcd"}})
    assert four["a"].word == "undecided" and four["a"].p == pytest.approx(4 * of({"a": better})["a"].p)


def test_a_step_of_each_its_sign_and_none():
    gaps = {"a": spread(40, 0.0, 0.1), "b": spread(40, 0.0, 0.1)}
    found = of(gaps, {"a": 0.1, "b": -0.2})
    assert (found["a"].word, found["b"].word) == ("equivalent", "equivalent")
    assert of(gaps, {"a": 0.04, "b": 0.2})["a"].word == "undecided"
    plain = of(gaps)["b"]
    for nothing in (0.0, 0.527 - 0.5 - 0.027, float("nan")):
        assert of(gaps, {"a": 0.1, "b": nothing})["b"].needed == plain.needed == needed(0.1, 0.02)


def test_clusters_are_counted():
    assert of({"a": np.ones(24)}, grouping=Grouping(np.repeat(np.arange(8), 3)))["a"].word == "undecided"


def test_how_many_images_are_there():
    config = {"explainers": {}, "dataset": {"name": "toyland", "n": 400}}
    known = stored.Stored(config=config, images=("a", "b"), values={}, name="own")
    assert known.size() == "2 images of 400 planned"
    folder = stored.Stored(
        config={"explainers": {}, "dataset": {"name": "photos"}}, images=("a",), values={}, name="own"
    )
    assert folder.size() == "1 image"
