"""The notebook gate's comparison: as strict as printed digits allow, and no looser."""

import pytest

from tools.compare import Printed, same_text

SAME = [
    ("0.873", "0.874"),
    ("0.873", "0.873"),
    ("-0.001", "0.000"),
    ("mass 9.99 of 10", "mass 10.00 of 10"),
    ("2.4e-06", "2.5e-06"),
    ("1e-07", "2e-07"),
    ("inside: 93 %", "inside: 94 %"),
    ("a  0.10   b", "a 0.11 b"),
    ("9.9e-07", "1.0e-06"),
    ("[0.12, 0.50]\n[1.00, 0.00]", "[0.13, 0.49]\n[0.99, 0.01]"),
]
DIFFERENT = [
    ("0.873", "0.875"),
    ("0.873", "0.87"),
    ("(1, 3, 224, 224)", "(1, 3, 225, 224)"),
    ("class 3", "class 4"),
    ("[0., 1.]", "[1., 1.]"),
    ("conv2_3", "conv2_4"),
    ("2.15.0", "2.15.1"),
    ("0.5 owl", "0.5 fox"),
    ("0.10 0.20", "0.10"),
    ("2.4e-06", "2.4e-05"),
    ("0.11", "0.2"),
    ("0.5", "#"),
    ("inside: 93 %", "inside: 95 %"),
    ("True", "False"),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_same(left, right):
    assert same_text(left, right) and same_text(right, left)
    assert Printed(left) == right and not Printed(left) != right  # noqa: SIM202  != is a method of its own


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different(left, right):
    assert not same_text(left, right) and not same_text(right, left)
    assert Printed(left) != right
