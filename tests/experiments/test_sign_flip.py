"""The sign-flip test against SciPy's, against patterns counted one by one, and on ties, noughts and rounding."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import permutation_test

from holicam.experiments.sign_flip import BLOCK, DRAWS, EXACT, p_values


def scipy_p(values, resamples=np.inf, seed=0):
    return permutation_test(
        (values,),
        lambda x, axis: x.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    ).pvalue


@pytest.mark.parametrize("n", range(2, EXACT + 1))
def test_all_patterns_as_scipy_counts_them(n):
    values = np.random.default_rng(n).normal(0.4, 1, n)
    assert p_values([values])[0] == pytest.approx(scipy_p(values), abs=1e-12)


@pytest.mark.parametrize("n", [14, 40, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
@pytest.mark.parametrize("effect", [0.0, 1.5, 2.5])
def test_drawn_patterns_agree_with_scipy_s(n, effect):
    """Both draw: the two p differ by what 9,999 draws leave open, five standard errors at most."""
    values = np.random.default_rng(n).exponential(size=n) - 1 + effect / n**0.5
    ours, theirs = p_values([values])[0], scipy_p(values, DRAWS)
    assert ours == pytest.approx(theirs, abs=5 * (2 * theirs * (1 - theirs) / DRAWS) ** 0.5)


def test_patterns_one_by_one_with_many_ties():
    values = np.array([1, 1, -1, 0, 2, 0, 1, -1], float)
    far = [abs(np.dot(signs, values)) >= abs(values.sum()) for signs in itertools.product((1, -1), repeat=len(values))]
    assert p_values([values])[0] == np.mean(far)


def test_the_formula_of_drawn_patterns():
    """(b + 1) / (m + 1), which 0 is never: of 40 equal values no drawn pattern is as far."""
    assert p_values([np.ones(40)])[0] == 1 / (DRAWS + 1)
    assert p_values([np.ones(EXACT)])[0] == 2 / 2**EXACT


@pytest.mark.parametrize(("n", "most"), [(12, 102), (30, 499), (400, 499)])
def test_how_many_comparisons_can_hold_a_sure_one(n, most):
    smallest = p_values([np.ones(n)])[0]
    assert smallest * most < 0.05 <= smallest * (most + 1)


@pytest.mark.parametrize("n", [1, 5, EXACT, 14, 200])
def test_noughts_and_nothing(n):
    assert p_values([np.zeros(n)])[0] == 1
    assert np.isnan(p_values([np.array([])])[0])
    assert p_values([]).shape == (0,)


def test_one_value_says_nothing():
    assert p_values([np.array([3.0])])[0] == 1


@pytest.mark.parametrize("n", [10, 60])
def test_rounding_decides_nothing(n):
    """Values that tie but for the last bit, in whatever order they are summed and whatever their unit."""
    rng = np.random.default_rng(n)
    tenths = rng.integers(-3, 4, n).astype(float)
    p = p_values([tenths])[0]
    assert p_values([tenths * 0.1])[0] == p_values([tenths / 3e7])[0] == p_values([-tenths])[0] == p
    noisy = tenths * 0.1 * (1 + 1e-15 * rng.integers(-3, 4, n))
    assert p_values([noisy])[0] == p
    if n <= EXACT:
        assert p_values([tenths[::-1] * 0.1])[0] == p


def test_many_at_once_are_as_each_alone():
    rng = np.random.default_rng(5)
    rows = [rng.normal(0.1, 1, n) for n in (5, 13, 14, 300, 0, 129, 14, 5, *range(20, 280))]
    alone = np.array([p_values([row])[0] for row in rows])
    assert np.array_equal(p_values(rows), alone, equal_nan=True)
