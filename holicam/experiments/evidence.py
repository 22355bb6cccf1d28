"""What paired differences say: intervals, which are surely not zero, which are as good as zero, and what is best.

Methods are compared on the same images, image by image. *Sure* asks for three things: an exact sign-flip test with
p < .05 after Holm's adjustment for all comparisons of the table, a 95 % t interval off zero, and twelve images. Where
two methods are exchangeable it is said in 5 % of tables at most; where differences have a mean of zero and a long tail
to one side, oftener (lognormal ones: 15 % at twelve images, 8 % at 64). To be *equivalent* is a finding of its own, by
two one-sided t tests against a margin; it never follows from a difference that is not sure. Values that are NaN are
left out, and an image counts only where both methods have a value.

Where several values belong together, n is the number of clusters (`Grouping`). Holm, Scandinavian Journal of Statistics
6, 65-70, 1979. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680, 1987.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from ..models.extras import extra
from .clusters import Grouping, by_cluster, from_class_means
from .sign_flip import p_values

FEWEST = 12  # images or clusters: of fewer nothing is called sure, nor equivalent
LEVEL = 0.05
WIDTH = 2 * 1.96  # of a 95 % interval, in standard errors

__all__ = [
    "Difference",
    "Grouping",
    "by_cluster",
    "difference",
    "differences",
    "equivalent",
    "holm",
    "interval",
    "marks",
    "mean",
    "needed",
    "sure",
]
Head = TypeVar("Head", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """A mean that is held against zero. n: images, or clusters, that have a value.

    sd: of what the n contribute (`by_cluster`), with classes each value measured from its class's mean; NaN for one.
    low, high: 95 % t interval of the mean, NaN for one. p: two-sided exact sign-flip test of the mean, all 2^n signs up
    to n = 13 and 9,999 drawn signs above (`sign_flip`); not yet adjusted for others.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float
    p: float


def mean(values: np.ndarray, grouping: Grouping | None = None) -> float:
    """The mean of (n,), of the clusters' means or of the classes' means; NaN without any value."""
    found = by_cluster(values, grouping)
    return float(found.mean()) if len(found) else float("nan")


def interval(values: np.ndarray, grouping: Grouping | None = None) -> tuple[float, float]:
    """The 95 % t interval of the mean of (n,); NaN and NaN for fewer than two values."""
    return _moments(by_cluster(values, grouping), values, grouping)[3:]


def difference(values: np.ndarray, grouping: Grouping | None = None) -> Difference:
    """Of the paired differences of one comparison, (n,). Without any value n is 0 and all else NaN."""
    return differences([values], [grouping])[0]


def differences(many: Sequence[np.ndarray], groupings: Sequence[Grouping | None] | None = None) -> list[Difference]:
    """Of many comparisons at once, faster than one by one, with the same result. groupings: of each."""
    pairs = list(zip(many, [None] * len(many) if groupings is None else groupings, strict=True))
    rows = [by_cluster(*pair) for pair in pairs]
    return [
        Difference(*_moments(row, *pair), p) for row, pair, p in zip(rows, pairs, p_values(rows).tolist(), strict=True)
    ]


def _moments(row: np.ndarray, values: np.ndarray, grouping: Grouping | None) -> tuple[int, float, float, float, float]:
    """n, mean, standard deviation and interval, as in `Difference`, of the contributions (J,) of values (n,)."""
    n, nan = len(row), float("nan")
    middle = float(row.mean()) if n else nan
    if n < 2:
        return n, middle, nan, nan, nan
    if grouping is not None and grouping.classes is not None:
        row = by_cluster(from_class_means(np.asarray(values, float), np.asarray(grouping.classes)), grouping)
    sd = float(row.std(ddof=1))
    half = _quantile(n, 1 - LEVEL / 2) * sd / math.sqrt(n)
    return n, middle, sd, middle - half, middle + half


@lru_cache(maxsize=1024)
def _quantile(n: int, share: float) -> float:
    """Of the t distribution for the mean of n values."""
    with extra("An interval"):
        from scipy.special import stdtrit
    return float(stdtrit(n - 1, share))


def holm(ps: Sequence[float]) -> np.ndarray:
    """(m,) p adjusted for all m: of a family without any effect, 5 % at most have one below .05. NaN is not counted.

    Raises ValueError for what is no probability.
    """
    given = np.asarray(ps, float)
    if (wrong := given[(given < 0) | (given > 1)]).size:
        raise ValueError(f"p lies between 0 and 1, not {wrong[0]:g}")
    adjusted, order = np.full(len(given), np.nan), np.argsort(given, kind="stable")  # NaN comes last
    order = order[: int(np.isfinite(given).sum())]
    steps = given[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def sure(found: Difference, adjusted_p: float) -> int:
    """+1 or -1 where a difference is surely above or below zero, else 0: twelve images, p < .05, interval off zero."""
    if found.n < FEWEST or not adjusted_p < LEVEL:
        return 0
    return int(found.low > 0) - int(found.high < 0)


def equivalent(found: Difference, margin: float) -> bool:
    """Whether the mean is surely within ±margin: two one-sided t tests at 5 %, that is a 90 % interval inside.

    Raises ValueError for a margin that is not above zero.
    """
    if not margin > 0:
        raise ValueError(f"the margin of an equivalence is above zero, not {margin:g}")
    if found.n < FEWEST:
        return False
    return abs(found.mean) + _quantile(found.n, 1 - LEVEL) * found.sd / math.sqrt(found.n) < margin


def needed(sd: float, step: float) -> int:
    """How many images make a 95 % interval no wider than a step: (3.92 sd / step)² of them, 12 at least.

    Half of the step lies to either side of the mean. Raises ValueError for a step of zero, or a deviation that is not
    known.
    """
    if not (abs(step) > 0 and sd >= 0):
        raise ValueError(f"a number of images follows from a step and a deviation, not from {step:g} and {sd:g}")
    return max(FEWEST, math.ceil((WIDTH * sd / step) ** 2))


def marks(
    columns: Mapping[Head, Mapping[str, np.ndarray]], higher: Mapping[Head, bool], grouping: Grouping | None = None
) -> dict[Head, dict[str, str]]:
    """{column: {method: "best" or "second"}} of a whole table, given {column: {method: (n,)}}.

    higher: whether more is better in that column. Of each column the first by its mean is compared with all others, and
    the second with all that follow; p is adjusted for these comparisons in all columns together. Best is what is surely
    better than every other, second what is surely better than the rest where one is best.
    """
    order = {head: _in_order(methods, higher[head], grouping) for head, methods in columns.items()}
    made = [(head, a, b) for head, names in order.items() for i, a in enumerate(names[:2]) for b in names[i + 1 :]]
    found = differences([columns[head][a] - columns[head][b] for head, a, b in made], [grouping] * len(made))
    signs = (sure(each, p) for each, p in zip(found, holm([each.p for each in found]), strict=True))
    better = {key for key, sign in zip(made, signs, strict=True) if sign == (1 if higher[key[0]] else -1)}
    marked: dict[Head, dict[str, str]] = {head: {} for head in columns}
    for head, names in order.items():
        for i, (place, name) in enumerate(zip(("best", "second"), names, strict=False)):
            rest = names[i + 1 :]
            if not rest or any((head, name, other) not in better for other in rest):
                break
            marked[head][name] = place
    return marked


def _in_order(methods: Mapping[str, np.ndarray], higher: bool, grouping: Grouping | None) -> list[str]:
    """Names of what has any value, the best mean first."""
    means = {name: mean(values, grouping) for name, values in methods.items()}
    return sorted((name for name in means if np.isfinite(means[name])), key=means.__getitem__, reverse=higher)
