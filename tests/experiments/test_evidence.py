"""Differences, intervals, Holm, equivalence, numbers of images and marks: by hand, and against SciPy."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from holicam.experiments import evidence
from holicam.experiments.evidence import FEWEST, Difference, Grouping

NAN = float("nan")


def found(n=20, mean=0.5, sd=1.0, low=0.1, high=0.9, p=0.01):
    return Difference(n, mean, sd, low, high, p)


# One comparison ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 12, 13, 57])
def test_the_interval_is_scipy_s(n):
    values = np.random.default_rng(n).normal(0.3, 2, n)
    one = evidence.difference(values)
    known = stats.ttest_1samp(values, 0)
    assert (one.low, one.high) == pytest.approx(tuple(known.confidence_interval(0.95)), rel=1e-12)
    assert (one.n, one.mean, one.sd) == (n, pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)))
    assert (one.low, one.high) == pytest.approx(evidence.interval(values), rel=1e-12)


def test_values_that_are_missing_do_not_count():
    values = np.array([1.0, NAN, 2.0, np.inf, 4.0])
    assert evidence.difference(values) == evidence.difference(np.array([1.0, 2.0, 4.0]))


def test_one_value_and_none():
    one = evidence.difference(np.array([NAN, 2.5]))
    assert (one.n, one.mean, one.p) == (1, 2.5, 1) and np.isnan([one.sd, one.low, one.high]).all()
    assert np.isnan(evidence.interval(np.array([2.5]))).all() and evidence.mean(np.array([2.5])) == 2.5
    none = evidence.difference(np.full(3, NAN))
    assert none.n == 0 and np.isnan([none.mean, none.sd, none.low, none.high, none.p]).all()
    assert np.isnan(evidence.mean(np.array([]))) and np.isnan(evidence.interval(np.array([]))).all()


def test_constant_differences():
    same = evidence.difference(np.zeros(20))
    assert (same.mean, same.sd, same.low, same.high, same.p) == (0, 0, 0, 0, 1)
    assert evidence.sure(same, 0.0) == 0 and evidence.equivalent(same, 1e-9)
    step = evidence.difference(np.full(20, 0.25))
    assert (step.low, step.high) == (0.25, 0.25) and evidence.sure(step, step.p) == 1
    assert evidence.sure(evidence.difference(np.full(20, -0.25)), step.p) == -1


def test_many_at_once_are_as_each_alone_and_fast():
    """What a chapter asks: 400 comparisons of 400 images."""
    rows = list(np.random.default_rng(0).normal(0.05, 1, (400, 400)))
    began = time.process_time()
    many = evidence.differences(rows)
    assert time.process_time() - began < 10
    assert many[::50] == [evidence.difference(row) for row in rows[::50]]


# Clusters and classes ------------------------------------------------------------------------------


def test_of_clusters_their_means_count():
    """Six mosaics of three questions: as six values, however alike those of one mosaic are."""
    rng = np.random.default_rng(2)
    values, clusters = rng.normal(size=18), np.repeat(list("abcdef"), 3)
    means = values.reshape(6, 3).mean(1)
    assert evidence.by_cluster(values, Grouping(clusters)) == pytest.approx(means)
    one = evidence.difference(values, Grouping(clusters))
    assert (
        one.n == 6
        and one.p == evidence.difference(means).p
        and one.high == pytest.approx(stats.ttest_1samp(means, 0).confidence_interval().high)
    )
    values[:2] = NAN  # of the first, one question is left; of the last, none
    values[-3:] = NAN
    assert evidence.by_cluster(values, Grouping(clusters)) == pytest.approx([values[2], *means[1:5]])
    shuffled = rng.permutation(18)
    again = evidence.by_cluster(values[shuffled], Grouping(clusters[shuffled]))
    assert again == pytest.approx([values[2], *means[1:5]])


def test_repeats_of_an_image_add_nothing():
    values = np.random.default_rng(3).normal(size=30)
    twins = Grouping(np.repeat(np.arange(30), 2))
    assert evidence.difference(np.repeat(values, 2), twins) == evidence.difference(values)


def test_of_classes_the_means_count_alike():
    """By hand: class 1 has the values 1, 2 and 6, class 2 has 5; the mean is (3 + 5) / 2."""
    values, clusters = np.array([1.0, 2.0, 6.0, 5.0, NAN]), np.array([0, 1, 2, 0, 3])
    grouping = Grouping(clusters, np.array([1, 1, 1, 2, 2]))
    parts = evidence.by_cluster(values, grouping)
    assert parts == pytest.approx([3 * (1 / 6 + 5 / 2), 3 * 2 / 6, 3 * 6 / 6])
    assert parts.mean() == pytest.approx(4) == evidence.mean(values, grouping)
    assert evidence.difference(values, grouping).n == 3


def test_class_means_and_their_intervals():
    """Where each class has its own images the interval is nearly that of the mean of independent means."""
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], (300, 100))
    values = rng.normal(scale=0.1, size=400)
    low, high = evidence.interval(values, Grouping(np.arange(400), classes))
    wanted = 0.5 * (0.1**2 / 300 + 0.1**2 / 100) ** 0.5
    assert low < 0 < high and high - low == pytest.approx(2 * 1.966 * wanted, rel=0.1)


def test_the_level_of_a_rare_class_is_no_scatter():
    """A hit rate of 1 in every class has no width, though a hit in a rare class weighs ten times as much."""
    classes = np.repeat([0, 1], (300, 30))
    grouping = Grouping(np.arange(330), classes)
    assert evidence.interval(np.ones(330), grouping) == pytest.approx((1, 1), abs=1e-12)
    values = np.random.default_rng(6).normal(scale=0.1, size=330)
    low, high = evidence.interval(values, grouping)
    assert evidence.interval(values + 50, grouping) == pytest.approx((low + 50, high + 50))


def test_a_grouping_of_other_values_is_refused():
    with pytest.raises(ValueError, match="the grouping is of 3 values, the values are 4"):
        evidence.difference(np.ones(4), Grouping(np.arange(3)))
    with pytest.raises(ValueError, match="the grouping is of 4 values and 3 classes, the values are 4"):
        evidence.difference(np.ones(4), Grouping(np.arange(4), np.arange(3)))


# Sure, equivalent, needed --------------------------------------------------------------------------


def test_holm_by_hand():
    """0.01 × 4, 0.02 × 3, then 0.03 × 2 and 0.04 × 1 no lower than what stands before; 1 at most."""
    assert evidence.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert evidence.holm([0.5, 0.9, 0.5]) == pytest.approx([1, 1, 1])
    assert evidence.holm([0.02, NAN, 0.04]) == pytest.approx([0.04, NAN, 0.04], nan_ok=True)
    assert evidence.holm([0.03]) == pytest.approx([0.03]) and evidence.holm([]).shape == (0,)
    assert np.isnan(evidence.holm([NAN])).all()
    with pytest.raises(ValueError, match="p lies between 0 and 1, not 1.2"):
        evidence.holm([0.1, 1.2])


def test_sure_needs_all_three():
    assert evidence.sure(found(), 0.049) == 1
    assert evidence.sure(found(mean=-0.5, low=-0.9, high=-0.1), 0.049) == -1
    assert evidence.sure(found(), 0.05) == evidence.sure(found(), NAN) == 0
    assert evidence.sure(found(low=-0.01), 0.001) == 0
    assert evidence.sure(found(n=FEWEST - 1), 0.001) == 0 and evidence.sure(found(n=FEWEST), 0.001) == 1
    assert FEWEST == 12


def test_equivalence_is_two_one_sided_tests():
    values = np.random.default_rng(1).normal(0.1, 1, 40)
    one = evidence.difference(values)
    for margin in np.linspace(0.05, 0.9, 60):
        above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(values, margin, alternative="less").pvalue
        assert evidence.equivalent(one, margin) == (max(above, below) < 0.05), margin
    edge = abs(values.mean()) + stats.t.ppf(0.95, 39) * values.std(ddof=1) / 40**0.5
    assert evidence.equivalent(one, edge + 1e-9) and not evidence.equivalent(one, edge - 1e-9)
    assert not evidence.equivalent(evidence.difference(np.zeros(11)), 1.0)
    assert not evidence.equivalent(evidence.difference(np.full(3, NAN)), 1.0)
    for margin in (0, -0.1, NAN):
        with pytest.raises(ValueError, match="the margin of an equivalence is above zero"):
            evidence.equivalent(one, margin)


def test_images_that_a_step_needs():
    """By hand: (3.92 × 0.031 / 0.036)² is 11.4, (3.92 × 0.203 / 0.014)² is 3,230.8."""
    assert evidence.needed(0.031, 0.036) == 12 and evidence.needed(0.01, 1) == FEWEST
    assert evidence.needed(0.203, 0.014) == evidence.needed(0.203, -0.014) == 3231
    assert evidence.needed(0.0, 0.1) == FEWEST
    values = np.random.default_rng(4).normal(size=evidence.needed(1.0, 0.5))
    low, high = evidence.interval(values / values.std(ddof=1))
    assert high - low == pytest.approx(0.5, rel=0.05)
    for sd, step in ((1.0, 0.0), (NAN, 1.0), (1.0, NAN)):
        with pytest.raises(ValueError, match="follows from a step and a deviation"):
            evidence.needed(sd, step)


# Marks of a table ----------------------------------------------------------------------------------


def marks(columns, higher, grouping=None):
    return evidence.marks({"one": columns}, {"one": higher}, grouping)["one"]


@pytest.fixture
def base():
    return np.random.default_rng(1).normal(size=60)


def test_best_and_second(base):
    columns = {"a": base + 1, "b": base + 0.5, "c": base}
    assert marks(columns, True) == {"a": "best", "b": "second"}
    assert marks(columns, False) == {"c": "best", "b": "second"}
    assert marks({"a": base, "e": base}, True) == {}  # nobody is surely better than its twin
    noise = np.random.default_rng(2).normal(scale=5, size=60)
    assert marks({"c": base, "d": base + noise}, True) == marks({"c": base, "d": base + noise}, False) == {}
    assert marks(columns | {"a2": base + 1.001 + noise / 100}, True) == {}  # two are first: no second either
    assert marks({"a": base}, True) == {} and marks({}, True) == {}
    assert evidence.marks({}, {}) == {}


def test_methods_are_compared_where_both_have_values(base):
    holes = base.copy()
    holes[20:] = NAN
    assert marks({"a": base + 0.1, "b": holes}, True) == {"a": "best"}
    holes[11:] = NAN
    assert marks({"a": base + 0.1, "b": holes}, True) == {}
    assert marks({"a": base, "b": np.full(60, NAN)}, True) == {}


def test_fewer_than_twelve_images_mark_nothing():
    rng = np.random.default_rng(0)
    for n in (2, 4, 11, 12, 30):
        noise = rng.normal(scale=0.01, size=n)
        assert marks({"a": noise + 1, "b": noise}, True) == ({"a": "best"} if n >= FEWEST else {}), n
    six = Grouping(np.repeat(np.arange(6), 2), np.zeros(12, int))  # twelve pairs of six images
    assert marks({"a": np.ones(12) + 1, "b": np.ones(12)}, True, six) == {}
    twelve = Grouping(np.repeat(np.arange(12), 2))
    assert marks({"a": np.ones(24) + 1, "b": np.ones(24)}, True, twelve) == {"a": "best"}


def test_more_comparisons_in_a_table_need_more_evidence():
    """Thirteen positive differences of sixteen: p = .021 alone, and no longer below .05 beside three other columns."""
    sizes = np.where(np.arange(16) < 13, 1.0, -1.0) * np.random.default_rng(3).uniform(0.9, 1.1, 16)
    alone = evidence.difference(sizes)
    assert 0.0125 < alone.p < 0.05 and alone.low > 0
    pair, dull = {"a": sizes, "b": np.zeros(16)}, {"a": np.tile([1.0, -1.0], 8), "b": np.zeros(16)}
    assert evidence.marks({"x": pair}, {"x": True}) == {"x": {"a": "best"}}
    table = {"x": pair, "y": dull, "z": dull, "w": dull}
    assert evidence.marks(table, dict.fromkeys(table, True)) == {key: {} for key in table}
    none = {"a": np.full(16, NAN), "b": np.full(16, NAN)}
    assert evidence.marks({"x": pair, "y": none}, {"x": True, "y": False}) == {"x": {"a": "best"}, "y": {}}
