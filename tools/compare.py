"""When two printed texts say the same: numbers may differ by one unit in their last printed digit.

Two processors round differently, so 0.873 on one may be 0.874 on the next. Only numbers that were
rounded for printing are given that room: those with decimals, and whole numbers before a per cent
sign. Shapes, indices and counts are exact. Runs of spaces count as one, for a column may widen.
"""

import re
from decimal import Decimal

NUMBER = re.compile(
    r"(?<![\w.])"  # not inside a name such as conv2_3 or a version such as 2.15.0
    r"[-+−]?(?:\d+\.\d+(?:[eE][-+]?\d+)?|\d+(?:[eE][-+]?\d+)|\d+(?=\s?%))"
    r"(?![\w]|\.\d)"
)


def unit(number: str) -> Decimal:
    """One unit in the last printed digit: 0.001 for '0.873', 0.1e-6 for '2.4e-6', 1 for '93'."""
    return Decimal(1).scaleb(Decimal(number).as_tuple().exponent)


def same_number(left: str, right: str) -> bool:
    """True where two printed numbers differ by at most one unit in the last digit."""
    left, right = left.replace("−", "-"), right.replace("−", "-")
    # 0.101 may be printed 0.1 by round(): the finer unit counts. But 9.9e-07 and 1.0e-06 are
    # neighbours whose units differ by ten, so there the coarser one does.
    pick = max if "e" in (left + right).lower() else min
    return abs(Decimal(left) - Decimal(right)) <= pick(unit(left), unit(right))


def same_text(left: str, right: str) -> bool:
    """True where the texts are equal but for spaces and the last digit of rounded numbers."""
    left, right = str.__str__(left), str.__str__(right)
    words = [" ".join(NUMBER.sub("#", text).split()) for text in (left, right)]
    numbers = [NUMBER.findall(text) for text in (left, right)]
    if words[0] != words[1] or len(numbers[0]) != len(numbers[1]):
        return False
    return all(map(same_number, *numbers))


class Printed(str):
    """A printed text that equals another one by `same_text`."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and same_text(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__
