"""What the paired differences of one table say, in words: more, less, equivalent, or undecided and what it needs.

A finding has no direction that somebody claimed; `verdicts` judges claims, by the same rule. What is surely not zero is
"more" or "less", also where it lies within the margin. Built in chapter 20.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .evidence import FEWEST, Difference, Grouping, differences, equivalent, holm, needed, sure

STEP = 0.02  # of scores from 0 to 1, where nobody prints one
NOTHING = 1e-12  # printed numbers whose difference is smaller are the same
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Finding:
    """One difference of a table. As text its word, and where it is undecided how many images the step needs.

    p: of the sign-flip test, adjusted for all of the table. word: "more" or "less" where the mean is surely above or
    below zero, "equivalent" where it is within half the step, else "undecided". needed: images for an interval no wider
    than the step, None where there are fewer than two.
    """

    difference: Difference
    p: float
    word: str
    needed: int | None

    @property
    def n(self) -> int:
        return self.difference.n

    @property
    def mean(self) -> float:
        return self.difference.mean

    @property
    def low(self) -> float:
        return self.difference.low

    @property
    def high(self) -> float:
        return self.difference.high

    def __str__(self) -> str:
        if self.word != "undecided":
            return self.word
        if self.n < FEWEST:
            return f"undecided ({self.n} image{'s' * (self.n != 1)})"
        more = self.needed is not None and self.needed > self.n
        return f"undecided, n = {self.needed:,} needed" if more else "undecided"


def of(
    gaps: Mapping[Name, np.ndarray | Difference],
    steps: Mapping[Name, float] | float = STEP,
    grouping: Grouping | None = None,
) -> dict[Name, Finding]:
    """The findings of one table, p adjusted for all of its differences.

    Args:
        gaps: {name: (n,)}, the difference of each image, NaN where it has none; or a `Difference`, as `compared.gaps`
            and `compared.contrast` give it. One without any image counts in the adjustment, with p = 1.
        steps: what would be worth knowing, of which the size counts: the paper's step, of each or of all. `STEP` stands
            for one that is not printed, NaN, or printed as nothing, 0.
        grouping: how the images of arrays cluster.

    Example:
        >>> import numpy as np
        >>> import holicam as hc
        >>> {name: str(found) for name, found in hc.findings.of({"a": np.linspace(0.1, 0.3, 16)}).items()}
        {'a': 'more'}
    """
    found = _differences(gaps, grouping)
    adjusted = holm([one.p if one.n else 1.0 for one in found.values()])
    sizes = {name: abs(steps[name] if isinstance(steps, Mapping) else steps) for name in gaps}
    sizes = {name: size if size > NOTHING else STEP for name, size in sizes.items()}
    return {
        name: Finding(one, float(p), _word(one, p, sizes[name]), needed(one.sd, sizes[name]) if one.n > 1 else None)
        for (name, one), p in zip(found.items(), adjusted, strict=True)
    }


def _differences(gaps: Mapping[Name, np.ndarray | Difference], grouping: Grouping | None) -> dict[Name, Difference]:
    """Those that were given, and those of the arrays, all at once."""
    arrays = {name: values for name, values in gaps.items() if not isinstance(values, Difference)}
    made = dict(zip(arrays, differences(list(arrays.values()), [grouping] * len(arrays)), strict=True))
    return {name: made[name] if name in made else one for name, one in gaps.items()}  # type: ignore[misc]


def _word(one: Difference, adjusted_p: float, step: float) -> str:
    if sign := sure(one, adjusted_p):
        return "more" if sign > 0 else "less"
    return "equivalent" if equivalent(one, step / 2) else "undecided"
