"""The computational questions of the exam with numbers of the lecturer's SEED, and their answers, computed.

`parts(number, dice)` gives {part: (question, answer)} for the parts that hold numbers; all others stay as they are on
the page. Every answer is a formula of the numbers drawn, and a test holds some of them against the package.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

Parts = dict[int, tuple[str, str]]


def said(value: float, digits: int = 3) -> str:
    """A number with so many significant digits."""
    return f"{value:.{digits}g}"


def power(value: float, digits: int = 2) -> str:
    """The same as TeX, with a power of ten where a number is very small or very large."""
    first, exponent = f"{value:.{digits - 1}e}".split("e")
    if abs(int(exponent)) <= 3:
        return said(value, digits)
    return ("" if first == "1" else rf"{first}\cdot") + f"10^{{{int(exponent)}}}"


def share(value: Fraction) -> str:
    """A fraction as TeX, a whole number as such."""
    sign = "-" if value < 0 else ""
    top, bottom = abs(value.numerator), value.denominator
    return f"{sign}{top}" if bottom == 1 else rf"{sign}\tfrac{{{top}}}{{{bottom}}}"


def matrix(cells: list) -> str:
    a, b, c, d = map(share, map(Fraction, cells))
    return rf"\begin{{pmatrix}}{a}&{b}\\{c}&{d}\end{{pmatrix}}"


def weights(dice: random.Random) -> Parts:
    """Question 2: the two weights of a channel, before and after the logits are multiplied."""
    A = [dice.randint(1, 4), 0, dice.randint(1, 3), 0]
    G = [Fraction(g) for g in (dice.choice((1, 2)), -dice.choice((1, 2, 3)), 0.5, dice.choice((1, 2)))]
    factor, s = dice.choice((2, 5, 10)), sum(A)

    def both(scale: int) -> tuple[Fraction, Fraction]:
        g = [scale * value for value in G]
        return sum(g) / 4, sum(value / (2 + s * value) for value in g if value > 0)

    (mean, plus), (mean2, plus2) = both(1), both(factor)
    given = rf"Let $A={matrix(A)}$, $G={matrix(G)}$ and $\varepsilon=0$ in place of the numbers above."
    return {
        1: (
            f"{given} Compute the weights of the channel for Grad-CAM and for Grad-CAM++.",
            rf"Grad-CAM: ${share(mean)}$. Grad-CAM++: $\sigma={s}$, so $w={share(plus)}\approx{said(float(plus))}$.",
        ),
        3: (
            f"All logits are multiplied by {factor}. Compute both weights again.",
            rf"Grad-CAM: ${share(mean2)}$, {factor} times as much. "
            rf"Grad-CAM++: $w={share(plus2)}\approx{said(float(plus2))}$.",
        ),
        2: (
            "One cell contributes to the second weight although nothing is there. Which one, and why?",
            f"The lower right cell: its gradient is {share(G[3])}, its activation 0. The weight sums gradients, not "
            "products, so a dark place has a vote.",
        ),
        4: (
            "A second channel exists. For which of the two methods may the *stretched* map change, and why?",
            rf"Grad-CAM++: $\alpha$ depends on $\sigma g$, so weights of different channels do not grow by one factor. "
            f"Grad-CAM's all grow by {factor}, and stretching removes that.",
        ),
    }


def laws(dice: random.Random) -> Parts:
    """Question 5: one gradient for each law."""
    sigma, eps = dice.choice((5, 10, 20)), 1e-6
    tiny, middle, large = dice.choice((1e-5, 2e-5)), dice.choice((0.01, 0.02)), dice.choice((5, 10))
    found = [g / (2 + sigma * g + eps / g**2) for g in (tiny, middle, large)]
    return {
        1: (
            rf"Take $\sigma={sigma}$ here. Compute the weight for $g={power(tiny, 1)}$, $g={middle:g}$ and $g={large}$ "
            "with two significant digits. Name the term that rules in each.",
            rf"${power(found[0])}$, where $\varepsilon/g^2$ rules; ${power(found[1])}$, where the 2 rules; "
            rf"${power(found[2])}$, where $\sigma g$ rules.",
        )
    }


def order(dice: random.Random) -> Parts:
    """Question 6: mean of products and product of means of two sizes."""
    a, b = dice.choice(((0, 4), (2, 4), (0, 6), (2, 6))), dice.choice(((6, 2), (8, 2), (4, 2), (10, 4)))
    mean = Fraction(a[0] * b[0] + a[1] * b[1], 2)
    product = Fraction(sum(a) * sum(b), 4)
    return {
        3: (
            f"Two sizes have $A={a}$ and $W={b}$. Compute both values, "
            "and the part of the second that comes from cross terms.",
            f"Mean of products {share(mean)}, product of means {share(product)}; "
            f"cross terms {share(product - mean / 2)}, covariance ${share(mean - product)}$.",
        )
    }


def blocks(dice: random.Random) -> Parts:
    """Question 10: one block of Poly-CAM with LNorm and without."""
    cells = [4 * dice.randint(1, 3), 2 * dice.randint(1, 3), 0, 2 * dice.randint(0, 1)]
    above, mean = dice.choice((2, 3)), Fraction(sum(cells), 4)
    with_, without = [above * c / mean for c in cells], [above * c for c in cells]
    return {
        1: (
            rf"Take $\mathrm{{CAM}}_l=({', '.join(map(str, cells))})$ and $P_{{l+1}}={above}$ here. "
            "Compute $P_l$ with LNorm and without.",
            f"The mean is ${share(mean)}$. With LNorm $({', '.join(map(share, with_))})$, "
            f"without $({', '.join(map(str, without))})$.",
        )
    }


def relevance(dice: random.Random) -> Parts:
    """Question 12: shares of a neuron's relevance."""
    x, w = [dice.randint(1, 3) for _ in range(3)], [dice.randint(1, 3), -dice.randint(1, 3), dice.randint(1, 3)]
    products = [a * b for a, b in zip(x, w, strict=True)]
    total = sum(p for p in products if p > 0)
    relevance_ = total * dice.choice((1, 2))
    shares = [Fraction(max(p, 0) * relevance_, total) for p in products]
    return {
        1: (
            f"A neuron with relevance {relevance_} has the inputs $x=({', '.join(map(str, x))})$ and the weights "
            f"$({', '.join(map(str, w))})$. What does each input get by $z^+$?",
            f"The products are $({', '.join(map(str, products))})$; the positive ones share {relevance_}: "
            f"$({', '.join(map(share, shares))})$.",
        )
    }


def pixels(dice: random.Random) -> Parts:
    """Question 15: insertion, deletion and over-all of an additive score."""
    values = dice.choice(([50, 30, 10, 10], [40, 30, 20, 10], [60, 20, 10, 10], [50, 20, 20, 10]))
    shown = values[:]
    while shown in (values, sorted(values)):
        dice.shuffle(shown)
    points = [Fraction(sum(shown[:k]), 100) for k in range(5)]
    area = sum((a + b) / 2 for a, b in pairwise(points)) / 4
    order_, worth = (", ".join(f"{v / 100:g}" for v in those) for those in (shown, values))
    return {
        1: (
            f"The pixels are worth {worth} here. A map ranks them in the order {order_}. "
            "Compute insertion, deletion and over-all with the trapezoid rule.",
            f"Insertion {', '.join(f'{float(p):g}' for p in points)}: area {float(area):g}. "
            f"Deletion {float(1 - area):g}. Over-all {float(2 * area - 1):g}.",
        )
    }


def scalings(dice: random.Random) -> Parts:
    """Question 17: the printed score of ROAD and the usual ones."""
    f, most, least = dice.choice((80, 90)), dice.choice((20, 30, 40)), dice.choice((60, 70))
    printed, half = (least + most - 2 * f) / f, (least - most) / 200
    return {
        2: (
            f"For $f={f / 100:g}$, $f_L={least / 100:g}$, $f_M={most / 100:g}$, compute the printed score and the "
            "three usual scalings: half, difference, relative.",
            f"Printed ${printed:.2f}$. Half {half:g}. Difference {2 * half:g}. Relative {(least - most) / f:.2f}.",
        )
    }


def columns(dice: random.Random) -> Parts:
    """Question 18: energy pointing of a region, and mean average precision of binary answers."""
    omega, mu, right = dice.choice((10, 20, 25)), dice.choice((2, 4, 5)), dice.choice((80, 90))
    energy, a = omega / (omega + (100 - omega) / mu), right / 100
    return {
        1: (
            rf"A region covers the share $\omega={omega / 100:g}$ here. A map's mean outside it is $1/{mu}$ of its "
            "mean inside. Compute the energy pointing game. What would a uniform map get?",
            rf"$\mathrm{{EPG}}={energy:.3f}$. A uniform map gets $\omega={omega / 100:g}$.",
        ),
        2: (
            f"A method answers {right} % of the pixels right in one image. Compute the mean average precision of its "
            "binary answers. Which of the two columns would you leave out of a table?",
            rf"$a^2+\tfrac12(1-a)={a * a + (1 - a) / 2:.3f}$. One of them: mAP of binary answers is a function of the "
            "accuracy in each image.",
        ),
    }


VARIED: dict[int, Callable[[random.Random], Parts]] = {
    2: weights, 5: laws, 6: order, 10: blocks, 12: relevance, 15: pixels, 17: scalings, 18: columns
}  # fmt: skip
