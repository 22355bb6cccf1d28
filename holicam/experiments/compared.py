"""Rows of several stored sets beside each other: levels, and paired differences on the images that both have.

Sets may be of other images than each other, or hold fewer than planned: what is compared is compared on the images that
both have. A set that is missing is None, and gives a difference of no images, so a chapter can be written before its
rows are there. `findings` has a word for each difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..models import data_folder
from . import findings
from .clusters import Grouping, by_cluster
from .evidence import Difference, difference, differences, interval, mean
from .results import Stored, load

Term = tuple[str, int, str]  # explainer, number of the stage from 0, metric


def available(*names: str) -> dict[str, Stored]:
    """{name: rows} of those sets that lie in data/results. Warns and raises as `results.load`."""
    folder = data_folder() / "results"
    return {name: load(name) for name in names if (folder / f"{name}.parquet").exists()}


@dataclass(frozen=True)
class Level:
    """A mean that is held against nothing. n: images, or clusters; low, high: its 95 % t interval, NaN for one."""

    n: int
    mean: float
    low: float
    high: float


def _level(values: np.ndarray, grouping: Grouping | None) -> Level:
    return Level(len(by_cluster(values, grouping)), mean(values, grouping), *interval(values, grouping))


def levels(sets: Sequence[Stored], network: str, layer: str, metric: str) -> dict[str, Level]:
    """{explainer: its mean and interval at a layer}, of the first set that has it; maps of no layer as well.

    An explainer without any value, such as a map that is nowhere positive in a pointing game, is left out.
    """
    found: dict[str, Level] = {}
    for rows in sets:
        for label, values in rows.column(network, layer, metric).items():
            if label not in found and np.isfinite(values).any():
                found[label] = _level(values, rows.grouping())
    return found


def gaps(
    sets: Sequence[Stored], network: str, layer: str, metric: str, one: str, others: Sequence[str]
) -> dict[str, Difference]:
    """{other: one less other on the images that both have}; an explainer that no set has at this layer is left out."""
    of_one = _having(sets, network, layer, metric, one)
    found: dict[str, tuple[np.ndarray, Grouping | None]] = {}
    for other in others:
        of_other = _having(sets, network, layer, metric, other)
        if of_one and of_other:
            found[other] = _paired(*of_one, *of_other)
    return _differences(found)


def _differences(found: Mapping[str, tuple[np.ndarray, Grouping | None]]) -> dict[str, Difference]:
    """All at once, which is faster than one by one."""
    many = differences([values for values, _ in found.values()], [kinds for _, kinds in found.values()])
    return dict(zip(found, many, strict=True))


def _having(
    sets: Sequence[Stored], network: str, layer: str, metric: str, label: str
) -> tuple[Stored, np.ndarray] | None:
    """The first set that has an explainer at a layer, and its values."""
    columns = ((rows, rows.column(network, layer, metric)) for rows in sets)
    return next(((rows, column[label]) for rows, column in columns if label in column), None)


def _paired(rows: Stored, a: np.ndarray, others: Stored, b: np.ndarray) -> tuple[np.ndarray, Grouping | None]:
    """a - b of the images that both have, and what belongs together among them."""
    place = {image: i for i, image in enumerate(others.images)}
    shared = np.array([i for i, image in enumerate(rows.images) if image in place], int)
    theirs = np.array([place[rows.images[i]] for i in shared], int)
    kinds = rows.grouping()
    if kinds is not None:
        kinds = Grouping(kinds.clusters[shared], None if kinds.classes is None else kinds.classes[shared])
    return a[shared] - b[theirs], kinds


def level(rows: Stored | None, one: Term, less: Term | None = None) -> Level:
    """Of one column of a set, or of one less another: on its first network, stages in the order of their names.

    A map of no layer stands at every stage. Of no set, n is 0. Raises KeyError for a column that the set does not have.
    """
    return _level(*_values(rows, one, less))


def contrast(rows: Stored | None, one: Term, less: Term | None = None) -> Difference:
    """The same with a test against zero."""
    return difference(*_values(rows, one, less))


def _values(rows: Stored | None, one: Term, less: Term | None) -> tuple[np.ndarray, Grouping | None]:
    if rows is None:
        return np.empty(0), None
    values = _at(rows, one)
    return values if less is None else values - _at(rows, less), rows.grouping()


def _at(rows: Stored, term: Term) -> np.ndarray:
    label, stage, metric = term
    network = rows.config["networks"][0]
    layers = sorted(k[1] for k in rows.values if (k[0], *k[2:]) == (network, label, metric))
    if not layers or (stage >= len(layers) and layers != [""]):
        raise KeyError(f"{rows.name} has no {metric} of {label} at stage {stage}")
    return rows.values[network, layers[min(stage, len(layers) - 1)], label, metric]


def transfer(one: Sequence[Difference], other: Sequence[Difference]) -> list[str]:
    """Of the same findings in two worlds: "transfers" where both are sure of one sign, "differs" where of two.

    Else "undecided", or "no rows" where one world has none. Adjusted in each world for all of them, as `findings.of`.
    """
    words = [[each.word for each in findings.of(dict(enumerate(world))).values()] for world in (one, other)]
    return [_transfer(*each) for each in zip(one, other, *words, strict=True)]


def _transfer(one: Difference, other: Difference, *words: str) -> str:
    if not (one.n and other.n):
        return "no rows"
    return {("more",): "transfers", ("less",): "transfers", ("less", "more"): "differs"}.get(
        tuple(sorted(set(words))), "undecided"
    )
