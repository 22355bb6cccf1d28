"""What the stored rows say of methods on photographs, for pages that read them: means, differences and their words.

Only what twelve pictures or more say is printed as a number; of fewer it is said how many there are.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

from holicam.experiments import compared, findings
from holicam.experiments.evidence import FEWEST, Difference
from holicam.experiments.results import StaleCodeWarning, Stored
from tools.pages.shelf import NETWORKS, STAGES

NETWORK = NETWORKS["photographs"]
PLACES = STAGES[NETWORK]
WORDS = ("first", "second", "third", "last")
MARGIN = 0.02  # of a score: what counts as nothing, as in chapter 24
FAST = "Holistic-CAM fast"


@cache
def rows(name: str) -> Stored | None:
    """A set, None where nothing of it is stored. That other code made it is said elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StaleCodeWarning)
        return compared.available(name).get(name)


@cache
def levels(name: str, stage: int, metric: str) -> dict[str, compared.Level]:
    """{method: mean and interval} at a stage; empty where nothing is stored."""
    found = rows(name)
    return {} if found is None else compared.levels([found], NETWORK, PLACES[stage], metric)


@cache
def against(name: str, metric: str, one: str, others: tuple[str, ...]) -> dict[tuple[str, int], tuple[Difference, str]]:
    """{(other, stage): (one less other on the same pictures, its word)}, adjusted for all of them."""
    found = rows(name)
    if found is None:
        return {}
    pairs = {
        (other, i): gap
        for i, layer in enumerate(PLACES)
        for other, gap in compared.gaps([found], NETWORK, layer, metric, one, others).items()
    }
    said = findings.of(pairs, 2 * MARGIN)  # equivalent: within half of the step, to either side
    return {key: (gap, said[key].word) for key, gap in pairs.items()}


def number(value: float, digits: int = 2, sign: bool = False) -> str:
    return f"{value:{'+' * sign}.{digits}f}".replace("-", "−")


def cell(level: compared.Level | None, digits: int = 2) -> str:
    """ "0.33 ± 0.03", or how few pictures there are."""
    if level is None or not level.n:
        return "not measured"
    if level.n < FEWEST:
        return f"too few ({level.n})"
    return f"{number(level.mean, digits)} ± {number((level.high - level.low) / 2, digits)}"


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
