"""The rule that makes a verdict of an interval: every branch by hand, families, and what is no verdict."""

from __future__ import annotations

import numpy as np
import pytest

from holicam.experiments.evidence import Difference, Grouping, difference
from holicam.experiments.verdicts import WORDS, Judged, Test, judge, judged, together

NAN = float("nan")


def seen(low, high, n=60, sd=None):
    """A difference with that 95 % interval."""
    from scipy.stats import t

    half = (high - low) / 2
    return Difference(n, low + half, half * n**0.5 / t.ppf(0.975, n - 1) if sd is None else sd, low, high, 0.001)


MORE, LESS = Test("more", 0.1, None, 60), Test("less", -0.1, None, 60)
SAME = Test("same", None, 0.05, 60)


@pytest.mark.parametrize(
    ("low", "high", "p", "more", "less", "same"),
    [
        (0.06, 0.14, 0.01, "holds", "fails", "fails"),  # beyond the margin
        (0.02, 0.14, 0.01, "holds", "fails", "undecided"),  # above zero, perhaps within the margin
        (0.02, 0.04, 0.01, "holds", "fails", "holds"),  # above zero, and as good as nothing
        (-0.14, -0.06, 0.01, "fails", "holds", "fails"),
        (-0.14, -0.02, 0.01, "fails", "holds", "undecided"),
        (-0.03, 0.03, 0.9, "fails", "fails", "holds"),  # equivalent to nothing within half the step
        (-0.03, 0.06, 0.4, "undecided", "undecided", "undecided"),
        (-0.3, 0.3, 0.9, "undecided", "undecided", "undecided"),  # not sure is no verdict
        (0.06, 0.14, 0.06, "undecided", "undecided", "undecided"),  # not after Holm's adjustment
        (0.06, 0.14, NAN, "undecided", "undecided", "undecided"),
    ],
)
def test_the_rule(low, high, p, more, less, same):
    assert [judge(seen(low, high), p, test) for test in (MORE, LESS, SAME)] == [more, less, same]
    few = seen(low, high, n=11)
    assert {judge(few, p, test) for test in (MORE, LESS, SAME)} == {"undecided"}


def test_without_a_step_nothing_is_too_small():
    """A claim whose paper prints no step and that states no margin fails only in the other direction."""
    bare = Test("more", None, None, 60)
    assert bare.within is None
    assert judge(seen(-0.001, 0.001), 0.9, bare) == "undecided"
    assert judge(seen(-0.002, -0.001), 0.01, bare) == "fails" and judge(seen(0.001, 0.002), 0.01, bare) == "holds"


def test_the_margin_is_half_the_step_or_what_is_stated():
    assert MORE.within == LESS.within == 0.05 and Test("more", 0.1, 0.02, 60).within == 0.02
    assert Test("same", 0.1, None, 60).within == 0.05
    narrow = seen(-0.03, 0.03)
    assert judge(narrow, 0.9, MORE) == "fails" and judge(narrow, 0.9, Test("more", 0.1, 0.02, 60)) == "undecided"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("better", 0.1, None, 60), "one of more, less, same, not 'better'"),
        (("more", 0.0, None, 60), "a step is not 0: None stands for"),
        (("more", NAN, None, 60), "a step is not nan"),
        (("more", 0.1, -0.05, 60), "a margin is above zero, not -0.05"),
        (("same", None, None, 60), "tested against a margin: give one, or the paper's step"),
        (("more", 0.1, None, 11), "11 images are planned, and fewer than 12 decide nothing"),
    ],
)
def test_tests_that_cannot_decide_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Test(*given)


def test_a_family_is_judged_together():
    sixteen = np.where(np.arange(16) < 13, 1.0, -1.0)  # p = .02 alone, as a coin says that falls so 13 times of 16
    test = Test("more", 0.5, None, 16)
    (alone,) = judged([(sixteen, None, test)])
    assert alone == Judged(difference(sixteen), alone.difference.p, "holds", alone.needed)
    assert alone.needed == int(np.ceil((3.92 * sixteen.std(ddof=1) / 0.5) ** 2)) > 12
    noise, empty = np.random.default_rng(0).normal(size=16) + 0.1, np.full(16, NAN)
    family = judged([(noise, None, test), (sixteen, None, test), (-noise, None, test), (empty, None, test)])
    assert [one.verdict for one in family] == ["undecided"] * 4
    assert family[1].p == pytest.approx(3 * alone.p) and np.isnan(family[3].p)  # what has no value is not counted
    assert family[3].needed is None and family[3].difference.n == 0


def test_clusters_of_a_family():
    values = np.repeat(np.random.default_rng(1).normal(1, 0.5, 11), 4)
    test = Test("more", None, None, 40)
    groups = Grouping(np.repeat(np.arange(11), 4))
    one, other = judged([(values, groups, test), (values, None, test)])
    assert (one.difference.n, one.verdict, one.needed) == (11, "undecided", None)
    assert (other.difference.n, other.verdict) == (44, "holds")
    assert judged([]) == []


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (["holds"], "holds"),
        (["holds", "holds"], "holds"),
        (["fails", "fails"], "fails"),
        (["holds", "fails"], "partly"),
        (["fails", "undecided", "holds"], "partly"),
        (["holds", "undecided"], "undecided"),
        (["fails", "undecided"], "undecided"),
        (["undecided"], "undecided"),
        ([], "open"),
    ],
)
def test_parts_make_a_whole(parts, whole):
    assert together(parts) == together(tuple(reversed(parts))) == whole and whole in WORDS


def test_a_part_has_one_of_three_verdicts():
    with pytest.raises(ValueError, match="'open' is none of these"):
        together(["holds", "open"])
