"""The ledger's verdicts on rows that are made up, against numbers computed by hand."""

import numpy as np
import pytest

from tests.helpers.ledger import EVEN, STEPS, answer, asked, claim, contrasts
from tools.pages.asked import parts
from tools.pages.judging import answers, judged

NAN = float("nan")

VERDICTS = {
    # p = 2 / 4096 = 0.0005, intervals as written above
    "holds: all above zero": (STEPS, {}, "holds"),
    "holds: all below zero, less": (-STEPS, {"direction": "less"}, "holds"),
    "holds: ± 0.01, the same within 0.006": (EVEN * 0.01, {"direction": "same", "margin": 0.006}, "holds"),
    "fails: all below zero": (-STEPS, {}, "fails"),
    "fails: ± 0.01 is nothing within half of 0.012": (EVEN * 0.01, {"step": 0.012}, "fails"),
    "fails: the low end 0.0421 is above the margin": (STEPS, {"direction": "same", "margin": 0.04}, "fails"),
    "undecided: ± 0.01 is not nothing within half of 0.010": (EVEN * 0.01, {"step": 0.010}, "undecided"),
    "undecided: the low end 0.0421 is below the margin": (STEPS, {"direction": "same", "margin": 0.05}, "undecided"),
    "undecided: eleven values of twelve planned images": ([*STEPS[:11], NAN], {}, "undecided"),
}


@pytest.mark.parametrize(("found", "more", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_verdicts_by_hand(found, more, verdict):
    assert answer(contrasts(found), **more).verdict == verdict


def test_the_numbers_of_a_part_by_hand():
    found = answer(contrasts(STEPS))
    assert found.difference.mean == pytest.approx(0.065) and found.p == pytest.approx(2 / 4096)
    assert (found.difference.low, found.difference.high) == pytest.approx((0.0421, 0.0879), abs=5e-5)
    assert found.needed is None, "what is decided needs no more images"
    # (3.92 x 0.104447 / 0.02)^2 = 419.1
    assert answer(contrasts(EVEN * 0.1), step=0.02).needed == 420
    assert answer(contrasts(EVEN * 0.1), margin=0.01).needed == 420
    # before the planned n is there, only what is more than planned is said
    assert answer(contrasts(EVEN * 0.1), step=0.02, n=100).needed == 420
    assert answer(contrasts(EVEN * 0.1), step=0.02, n=500).needed is None
    assert answer(contrasts(EVEN[:11] * 0.1), step=0.02).needed is None, "eleven values say little of a deviation"


def test_no_verdict_below_the_planned_number():
    """Thirteen images that are all above zero are sure, and undecided where fourteen were planned."""
    many = np.arange(1, 15) / 100
    short, full = answer(contrasts(many[:13]), n=14), answer(contrasts(many), n=14)
    assert (short.verdict, short.p, short.there, short.planned) == ("undecided", None, 13, 14)
    assert full.verdict == "holds" and full.there == 14
    nothing = answer(contrasts([]), n=14)
    assert (nothing.verdict, nothing.there, nothing.difference.n) == ("undecided", 0, 0)


def test_images_without_a_value_are_stored_images():
    found = answer(contrasts([*STEPS, NAN, NAN]), n=14)
    assert (found.verdict, found.there, found.difference.n) == ("holds", 14, 12)


def test_mosaics_are_counted_and_not_their_questions():
    ids = [f"mosaic{i}/{q}" for i in range(12) for q in (0, 1)]
    twice = np.repeat(STEPS, 2) + np.tile([0.001, -0.001], 12)
    shelf = contrasts(twice)
    shelf.ids = ids
    assert answer(shelf, n=12).difference.n == 24, "without clusters each question counts"
    found = answer(shelf, n=12, cluster="mosaic")
    assert (found.there, found.difference.n, found.verdict) == (12, 12, "holds")
    assert found.difference.low == pytest.approx(0.0421, abs=5e-5)
    assert answer(shelf, n=13, cluster="mosaic").verdict == "undecided"


# --- families --------------------------------------------------------------------------------------------


def test_p_is_adjusted_within_a_family_and_a_world():
    """p = 2/4096 and 28/4096 of exact tests with 12 values; Holm takes the smallest times the number of parts."""
    near = STEPS.copy()
    near[:3] *= -1  # the sum is 0.66 of 0.78: 14 sets of values hold 0.06 or less, and each pattern has a mirror image
    shelf = contrasts(STEPS, near, EVEN * 0.1)
    first, second, third = (asked(one) for one in "ACD")
    ps = [found.p for found in judged([p for t in (first, second, third) for p in parts(t, shelf)], shelf)]
    alone = [judged(parts(t, shelf), shelf)[0].p for t in (first, second, third)]
    assert alone[:2] == pytest.approx([2 / 4096, 28 / 4096]) and alone[2] == pytest.approx(1, abs=0.3)
    assert ps == pytest.approx([3 * alone[0], 2 * alone[1], alone[2]])
    other = {**third, "world": "photographs"}, {**second, "family": "two"}
    found = answers([claim("a", first), claim("b", *other)], shelf)
    assert {key: [a.p for a in those] for key, those in found.items()} == {
        ("ucag", "a", "toyland"): [pytest.approx(alone[0])],
        ("ucag", "b", "photographs"): [pytest.approx(alone[2])],
        ("ucag", "b", "toyland"): [pytest.approx(alone[1])],
    }


def test_parts_without_rows_count_in_their_family():
    shelf = contrasts(STEPS)
    shelf.sets["later"] = {("A", "layer1", "road"): [], ("B", "layer1", "road"): []}
    waiting = asked(rows=["later"])
    one, *rest = judged([p for t in (asked(), waiting, waiting) for p in parts(t, shelf)], shelf)
    assert one.p == pytest.approx(3 * 2 / 4096) and [a.p for a in rest] == [None, None]
