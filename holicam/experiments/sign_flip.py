"""How often chance alone gives a mean as far from zero: the sign-flip test of paired differences.

Where two methods are exchangeable, the difference on each image might as well have the other sign. p is the share of
all patterns of signs that put the mean at least as far from zero as it is. Up to 13 values all 2^n patterns are
counted. Above that m = 9,999 are drawn from a fixed seed, and p = (b + 1) / (m + 1), where b of them are as far: what
was observed counts as one more pattern, so the test keeps its level for every m, and p is never 0. It is 0.0005 or more
for 12 values and 0.0001 or more for any number of them, so among more than 102 and 499 comparisons none can be sure.
Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 9, article 39, 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

EXACT = 13  # values, of which all patterns are counted
DRAWS, SEED = 9_999, 0
ROUNDING = 1e-9  # of the sum of sizes: two sums that are nearer than this are one
BLOCK = 128  # values whose signs are drawn, and rows that are multiplied, at a time


def p_values(rows: Sequence[np.ndarray]) -> np.ndarray:
    """(m,) two-sided p of the mean of each of m rows, of finite values and any lengths; NaN for an empty row."""
    found, lengths = np.full(len(rows), np.nan), np.array([len(row) for row in rows], int)
    for n in np.unique(lengths[(lengths > 0) & (lengths <= EXACT)]):
        here = np.flatnonzero(lengths == n)
        values = np.stack([rows[i] for i in here.tolist()])
        found[here] = _as_far(values @ _all_signs(int(n)), values).mean(1)
    drawn = np.flatnonzero(lengths > EXACT)
    for start in range(0, len(drawn), BLOCK):
        here = drawn[start : start + BLOCK]
        values = np.zeros((len(here), lengths[here].max()))  # a nought at the end is the same with either sign
        for row, i in zip(values, here.tolist(), strict=True):
            row[: lengths[i]] = rows[i]
        sums = np.zeros((len(here), DRAWS))
        for block, first in enumerate(range(0, values.shape[1], BLOCK)):
            part = values[:, first : first + BLOCK]
            sums += part @ _drawn_signs(block)[: part.shape[1]]
        found[here] = (_as_far(sums, values).sum(1) + 1) / (DRAWS + 1)
    return found


def _as_far(sums: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(m, patterns) bool: whether a pattern's sum is at least as far from zero as the sum of (m, n) values."""
    far = np.abs(values.sum(1)) - ROUNDING * np.abs(values).sum(1)
    return np.abs(sums, out=sums) >= far[:, None]


@lru_cache
def _all_signs(n: int) -> np.ndarray:
    """(n, 2^(n-1)) ±1: all patterns whose last sign is +; a pattern and its mirror image are equally far."""
    return 1.0 - 2.0 * (np.arange(2 ** (n - 1)) >> np.arange(n)[:, None] & 1)


@lru_cache(4)
def _drawn_signs(block: int) -> np.ndarray:
    """(BLOCK, DRAWS) ±1: the signs of one block of values, the same however many values follow."""
    return 2.0 * np.random.default_rng((SEED, block)).integers(0, 2, (BLOCK, DRAWS), np.int8) - 1.0
