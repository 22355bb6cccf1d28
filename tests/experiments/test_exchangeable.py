"""Simulated methods between which there is nothing to choose: how often the instrument says "surely" all the same.

At most 6 % are allowed, of what 5 % are meant to be. Of 10,000 repetitions a rate of 5 % strays by 0.2 % (one standard
error), so 6 % is met by nothing that is much too sure: an interval of twice the standard error to either side, for
one, is off zero in 7 % of cases at n = 12. Rates far below 5 % would be a test that sees nothing, and fail too.
"""

from __future__ import annotations

import numpy as np
import pytest

from holicam.experiments.evidence import Grouping, by_cluster, differences, equivalent, holm, marks, sure

TIMES, MOST, FEW = 10_000, 0.06, 0.03
SIZES = (12, 16, 20, 32, 64)


def surely(values: np.ndarray) -> float:
    """The share of (times, n) paired differences, each row a table of its own, that is called sure."""
    return float(np.mean([sure(one, one.p) != 0 for one in differences(list(values))]))


def two_methods(times: int, n: int, seed: int = 0, skewed: bool = False) -> np.ndarray:
    """(times, n) differences of two methods' scores on images that are hard or easy for both, with the same noise."""
    rng = np.random.default_rng((seed, n))
    hard = rng.normal(size=(times, n, 1))
    noise = rng.normal(size=(times, n, 2)) * np.exp(0.5 * hard)  # easy images scatter more
    scores = hard + (np.exp(noise) if skewed else noise)
    return scores[..., 0] - scores[..., 1]


@pytest.mark.parametrize("n", SIZES)
def test_two_exchangeable_methods_are_told_apart_in_six_percent_at_most(n):
    assert FEW <= surely(two_methods(TIMES, n)) <= MOST


def test_skewed_scores_do_not_matter():
    """Where the methods' scores are skewed, their differences have long tails, and the t interval is wide."""
    assert surely(two_methods(TIMES // 2, 20, skewed=True)) <= MOST


def test_eleven_images_are_never_sure():
    assert surely(two_methods(1_000, 11) + 5) == 0


def test_an_effect_is_seen():
    """Of 32 images an effect of 0.6 standard deviations is sure in nine of ten cases, by the usual formula."""
    assert surely(np.random.default_rng(1).normal(0.6, 1, (1_000, 32))) == pytest.approx(0.91, abs=0.03)


def test_the_rate_of_lognormal_differences_is_printed(capsys, record_property):
    """With a mean of zero and a long tail to one side they are not exchangeable, and 5 % are not promised."""
    rng, rates = np.random.default_rng(2), {}
    for n in SIZES:
        rates[n] = surely(np.exp(rng.normal(size=(TIMES // 4, n))) - np.exp(0.5))
        record_property(f"lognormal, n = {n}", rates[n])
    with capsys.disabled():
        said = ", ".join(f"{100 * rate:.1f} % at n = {n}" for n, rate in rates.items())
        print(f"\nlognormal differences of mean 0 are called sure: {said}")
    assert 0.03 < rates[64] < rates[12] < 0.2  # far from 5 %, and nearer with more images


@pytest.mark.parametrize("n", [12, 32])
def test_a_table_of_ten_comparisons_holds_a_sure_one_in_six_percent_at_most(n):
    times = TIMES // 6
    found = differences(list(two_methods(10 * times, n, seed=1)))
    tables = [found[i : i + 10] for i in range(0, len(found), 10)]
    adjusted = [holm([one.p for one in table]) for table in tables]
    any_sure = [any(map(sure, table, ps)) for table, ps in zip(tables, adjusted, strict=True)]
    assert FEW <= np.mean(any_sure) <= MOST
    alone = np.mean([any(sure(one, one.p) for one in table) for table in tables])
    assert alone > 0.3  # what Holm's adjustment is for


def test_clusters_are_not_taken_for_images():
    """Sixteen mosaics of three questions that have most of their luck in common."""
    rng, groups = np.random.default_rng(3), Grouping(np.repeat(np.arange(16), 3))
    values = np.repeat(rng.normal(size=(TIMES // 4, 16)), 3, 1) + 0.3 * rng.normal(size=(TIMES // 4, 48))
    assert FEW <= surely(np.stack([by_cluster(row, groups) for row in values])) <= MOST
    assert surely(values) > 0.15


def table_of(rng: np.random.Generator, methods: int, metrics: int, n: int = 16) -> dict[str, dict[str, np.ndarray]]:
    return {f"m{j}": {str(i): rng.normal(size=n) for i in range(methods)} for j in range(metrics)}


@pytest.mark.parametrize(("methods", "metrics"), [(2, 1), (2, 5), (4, 2)])
def test_no_mark_where_nothing_is_better(methods, metrics):
    rng, times, any_mark = np.random.default_rng(methods), 1_000, 0
    for _ in range(times):
        table = table_of(rng, methods, metrics)
        any_mark += any(marks(table, dict.fromkeys(table, True)).values())
    assert any_mark / times <= MOST


def test_no_second_where_only_the_first_is_better():
    rng, times, seconds = np.random.default_rng(4), 1_000, 0
    for _ in range(times):
        table = table_of(rng, 3, 2)
        for column in table.values():
            column["0"] = column["0"] + 9
        found = [set(said.values()) for said in marks(table, dict.fromkeys(table, True)).values()]
        assert all("best" in said for said in found)
        seconds += any("second" in said for said in found)
    assert seconds / times <= MOST


def test_what_lies_on_the_margin_is_rarely_equivalent():
    """The error of an equivalence: of a true difference as large as the margin, 5 %."""
    values = np.random.default_rng(5).normal(0.5, 1, (TIMES // 2, 40))
    assert FEW <= np.mean([equivalent(one, 0.5) for one in differences(list(values))]) <= MOST
