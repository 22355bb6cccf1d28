"""The numbers of an assignment: they follow from the lecturer's SEED and from nothing else.

SEED is any text. Its digest is what is drawn from, so a sentence cannot be found by trying; a small number can, for
this file is public. The hidden cases are drawn apart from what the students see.
"""

from __future__ import annotations

import hashlib
import random
from functools import cache

from tools import projects
from tools.pages import PAPERS
from tools.pages.claims import Ledger

# Photographs with a class of ImageNet and an outline.
PHOTOS = ("cat", "coffee", "rocket", "palace", "officer", "photographer", "clock")


def draw(seed: str, what: str) -> random.Random:
    """A generator for one purpose; those of two purposes have nothing in common."""
    digest = hashlib.sha256(f"holicam graded work/{what}/{seed}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))


def number(seed: str, what: str) -> int:
    """One large number for one purpose, small enough to seed PyTorch."""
    return draw(seed, what).randrange(2**31)


def channel(dice: random.Random) -> tuple[list[list[int]], list[list[float]]]:
    """Activations and gradients of 2 x 2 cells: one dark cell with a positive gradient, one negative gradient."""
    A = [0, *(dice.randint(1, 4) for _ in range(3))]
    G = [dice.choice((0.5, 1.0)), -dice.choice((1.0, 2.0)), *(dice.choice((0.5, 1.0, 2.0)) for _ in range(2))]
    order = dice.sample(range(4), 4)
    A, G = [A[i] for i in order], [G[i] for i in order]
    return [A[:2], A[2:]], [G[:2], G[2:]]


def dark(channels: list[tuple[list[list[int]], list[list[float]]]]) -> bool:
    """Whether Grad-CAM's map of the channels is zero everywhere: four zeros would be the answer."""
    weighed = [[value * sum(map(sum, G)) for row in A for value in row] for A, G in channels]
    return all(sum(cell) <= 0 for cell in zip(*weighed, strict=True))


def hour(seed: str) -> dict[str, object]:
    """Two channels for the part by hand, a photograph, a drawing for the sanity check."""
    dice = draw(seed, "hour")
    (a1, g1), (a2, g2) = channel(dice), channel(dice)
    while (a2, g2) == (a1, g1) or dark([(a1, g1), (a2, g2)]):
        a2, g2 = channel(dice)
    said = {"a1": a1, "g1": g1, "a2": a2, "g2": g2, "photo": dice.choice(PHOTOS)}
    return said | {"drawing": dice.randrange(500), "hidden": number(seed, "hour, hidden")}


def evening(seed: str) -> dict[str, object]:
    """Which six drawings, and the seed of the random maps."""
    dice = draw(seed, "evening")
    said = {"first": dice.randrange(400), "noise": dice.randrange(10**6)}
    return said | {"hidden": number(seed, "evening, hidden")}


@cache
def comparisons() -> tuple[dict, ...]:
    """The claims of the project pack that compare two methods: undecided, and on the students' list.

    Raises ValueError where none is left.
    """
    fit = tuple(project for project in projects.chosen(Ledger()) if "one" in project)
    if not fit:
        raise ValueError(
            "No claim is left for the assignment of a week: none of the project pack compares two methods. Give "
            "`one`, `other`, `layer`, `metric`, `direction` and `network` to a project of "
            "teaching/projects/projects.toml that is undecided."
        )
    return fit


def week(seed: str) -> dict[str, object]:
    """A claim of the project pack that compares two methods, and the subset and the seed of its drawings."""
    dice = draw(seed, "week")
    claim = dice.choice(comparisons())
    said = {key: claim[key] for key in ("title", "one", "other", "layer", "metric", "direction", "place", "network")}
    said |= {"paper": PAPERS[claim["paper"]][0], "world": dice.randrange(1, 10**6)}
    said |= {"subset": claim.get("subset", "single")}
    return said | {"hidden": number(seed, "week, hidden")}


DRAWS = {"hour": hour, "evening": evening, "week": week}
