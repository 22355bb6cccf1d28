"""What becomes of a claim: an interval decides, against zero and against the paper's own step.

A claim is written down before its rows are made, as one or more tests of a contrast that each image has. It holds where
the contrast is surely in the claimed direction, and does not hold where it is surely in the other, or equivalent to
nothing within half the step that the paper prints. Everything else is undecided: that a difference is not sure is no
verdict, and a claim of "no difference" needs an equivalence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .evidence import FEWEST, Difference, Grouping, differences, equivalent, holm, needed, sure

WORDS = {
    "holds": "holds",
    "partly": "holds in part",
    "fails": "does not hold",
    "undecided": "undecided",
    "open": "not checked",
}
DIRECTIONS = ("more", "less", "same")


@dataclass(frozen=True)
class Test:
    """What a claim says of one contrast, stated before it is measured.

    direction: of the contrast's mean, above zero, below it, or no different from it. step: the difference that the
    paper prints, in our unit, of which the size counts; None where it prints none. margin: what is as good as nothing,
    by default half the step. n: images that are planned. Raises ValueError where these cannot decide anything.
    """

    __test__ = False  # pytest does not collect it

    direction: Literal["more", "less", "same"]
    step: float | None
    margin: float | None
    n: int

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise ValueError(f"the direction of a test is one of {', '.join(DIRECTIONS)}, not {self.direction!r}")
        if self.step is not None and not abs(self.step) > 0:
            raise ValueError(f"a step is not {self.step:g}: None stands for a paper that prints none")
        if self.margin is not None and not self.margin > 0:
            raise ValueError(f"a margin is above zero, not {self.margin:g}")
        if self.direction == "same" and self.within is None:
            raise ValueError("that nothing differs is tested against a margin: give one, or the paper's step")
        if self.n < FEWEST:
            raise ValueError(f"{self.n} images are planned, and fewer than {FEWEST} decide nothing")

    @property
    def within(self) -> float | None:
        """The margin that counts: the stated one, else half the step's size, None without either."""
        if self.margin is not None or self.step is None:
            return self.margin
        return abs(self.step) / 2


@dataclass(frozen=True)
class Judged:
    """A contrast and its verdict. p: adjusted within the family. needed: images for the step, None where unknown."""

    difference: Difference
    p: float
    verdict: str
    needed: int | None


def judge(found: Difference, adjusted_p: float, test: Test) -> str:
    """ "holds", "fails" or "undecided"; of fewer than twelve images or clusters always the last."""
    if found.n < FEWEST:
        return "undecided"
    sign, margin = sure(found, adjusted_p), test.within
    nothing = margin is not None and equivalent(found, margin)
    if test.direction == "same":
        if nothing:
            return "holds"
        outside = margin is not None and (found.low > margin or found.high < -margin)
        return "fails" if sign and outside else "undecided"
    if sign:
        return "holds" if sign == (1 if test.direction == "more" else -1) else "fails"
    return "fails" if nothing else "undecided"


def judged(tests: Sequence[tuple[np.ndarray, Grouping | None, Test]]) -> list[Judged]:
    """The tests of one family, in their order, p adjusted for all of them.

    tests: of each the contrast of every image, (n,), how images cluster, and what is claimed.
    """
    found = differences([values for values, _, _ in tests], [grouping for _, grouping, _ in tests])
    adjusted = holm([each.p for each in found])
    return [
        Judged(each, float(p), judge(each, p, test), _images(each, test))
        for each, p, (_, _, test) in zip(found, adjusted, tests, strict=True)
    ]


def _images(found: Difference, test: Test) -> int | None:
    return None if test.step is None or found.n < 2 else needed(found.sd, test.step)


def together(verdicts: Sequence[str]) -> str:
    """The verdict on a claim of several parts: "holds", "fails", "partly", "undecided", of no part "open".

    Raises ValueError for what is no verdict of a part.
    """
    said = set(verdicts)
    if unknown := said - {"holds", "fails", "undecided"}:
        raise ValueError(f"a part holds, fails or is undecided; {min(unknown)!r} is none of these")
    if not said:
        return "open"
    if {"holds", "fails"} <= said:
        return "partly"
    return said.pop() if len(said) == 1 else "undecided"
