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


def test_differences_that_were_taken_before():
    """Given as `Difference`, mixed with arrays, the words, and the order of the names, are the same."""
    gaps = {
        "up": spread(40, 0.1, 0.05),
        "down": spread(40, -0.1, 0.05),
        "nothing": spread(40, 0.0, 0.01),
        "open": spread(40, 0.0, 0.1),
        "few": spread(5, 0.1, 0.05),
    }
    taken = {name: difference(values) for name, values in gaps.items()}
    wanted = of(gaps)
    assert of(taken) == wanted == of({**gaps, "down": taken["down"]})
    assert [one.word for one in wanted.values()] == ["more", "less", "equivalent", "undecided", "undecided"]
    assert of({"nothing": taken["nothing"]}, 0.004)["nothing"].word == "undecided"  # the margin is half the step


def test_what_has_no_rows_counts_among_what_was_asked():
    once = difference(np.r_[np.full(12, 1.0), [-0.6]] + np.linspace(0, 0.01, 13))
    assert 0.0002 < once.p < 0.05 and of({"once": once})["once"].word == "more"
    for nothing in (difference(np.empty(0)), np.full(3, np.nan)):
        table = of({"once": once, **{f"{i}": nothing for i in range(400)}})
        assert table["once"].word == "undecided" and str(table["0"]) == "undecided (0 images)" and table["0"].p == 1


def test_what_is_sure_and_small_is_sure():
    """A difference surely above zero, and surely within the margin, is more: its size stands beside the word."""
    one = of({"a": spread(400, 0.002, 0.005)})["a"]
    assert one.word == "more" and hc.evidence.equivalent(one.difference, 0.01)


def test_how_many_images_are_there():
    config = {"explainers": {}, "dataset": {"name": "toyland", "n": 400}}
    known = stored.Stored(config=config, images=("a", "b"), values={}, name="own")
    assert known.size() == "2 images of 400 planned"
    folder = stored.Stored(
        config={"explainers": {}, "dataset": {"name": "photos"}}, images=("a",), values={}, name="own"
    )
    assert folder.size() == "1 image"
