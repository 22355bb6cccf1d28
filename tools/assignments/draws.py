"""The numbers of an assignment: they follow from the lecturer's SEED and from nothing else.

SEED is any text. Its digest is what is drawn from, so a sentence cannot be found by trying; a small number can, for
this file is public. The hidden cases are drawn apart from what the students see.
"""

from __future__ import annotations

import hashlib
import random
import tomllib

from tools.ipynb import ROOT
from tools.pages import PAPERS

# Photographs with a class of ImageNet and an outline.
PHOTOS = ("cat", "coffee", "rocket", "palace", "officer", "photographer", "clock")
PROJECTS = ROOT / "teaching" / "projects" / "projects.toml"


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


def hour(seed: str) -> dict[str, object]:
    """Two channels for the part by hand, a photograph, a drawing for the sanity check."""
    dice = draw(seed, "hour")
    (a1, g1), (a2, g2) = channel(dice), channel(dice)
    while (a2, g2) == (a1, g1):
        a2, g2 = channel(dice)
    said = {"a1": a1, "g1": g1, "a2": a2, "g2": g2, "photo": dice.choice(PHOTOS)}
    return said | {"drawing": dice.randrange(500), "hidden": number(seed, "hour, hidden")}


def evening(seed: str) -> dict[str, object]:
    """Which six drawings, and the seed of the random maps."""
    dice = draw(seed, "evening")
    said = {"first": dice.randrange(400), "noise": dice.randrange(10**6)}
    return said | {"hidden": number(seed, "evening, hidden")}


def week(seed: str) -> dict[str, object]:
    """A claim of the project pack that compares two methods, and the seed of its drawings."""
    dice = draw(seed, "week")
    fit = [p for p in tomllib.loads(PROJECTS.read_text(encoding="utf-8"))["project"] if "one" in p]
    claim = dice.choice(fit)
    said = {key: claim[key] for key in ("title", "one", "other", "layer", "metric", "direction", "place", "network")}
    said |= {"paper": PAPERS[claim["paper"]][0], "world": dice.randrange(1, 10**6)}
    return said | {"hidden": number(seed, "week, hidden")}


DRAWS = {"hour": hour, "evening": evening, "week": week}
