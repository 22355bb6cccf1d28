"""Which class --target means: names as they are written, numbers, names in other letters, parts of names."""

from __future__ import annotations

import pytest

from holicam.experiments.find_class import find_class

NAMES = ["tabby", "Cardigan", "crane", "cardigan", "crane", "Crane fly"]


@pytest.mark.parametrize(
    ("wanted", "found"), {"Cardigan": 1, "cardigan": 3, "4": 4, "TABBY": 0, "fly": 5, "crane fly": 5}.items()
)
def test_a_name_as_it_is_written_comes_first(wanted, found):
    assert find_class(NAMES, wanted) == found


def test_a_class_may_be_called_by_a_number():
    assert [find_class(["1", "2", "3"], wanted) for wanted in ("0", "1", "2", "3")] == [0, 0, 1, 2]
    assert find_class(["1", "1", "x"], "1") == 1  # two names: the number is meant


@pytest.mark.parametrize(
    ("wanted", "said"),
    {
        "CARDIGAN": r"choose one of 1 \(Cardigan\), 3 \(cardigan\)\.",
        "crane": r"choose one of 2 \(crane\), 4 \(crane\)\.",
        "ane": r"choose one of 2 \(crane\), 4 \(crane\), Crane fly\.",
    }.items(),
)
def test_classes_of_one_name_are_told_apart_by_number(wanted, said):
    with pytest.raises(ValueError, match=f"^Several classes fit '{wanted}'; {said}$"):
        find_class(NAMES, wanted)
