"""What a test of the ledger asks, part by part, and what each image says to it.

A test of data/claims.toml is a table; each combination of a layer, a metric and one of `others` is a part. A term is
"label", "label @ layer", "label : metric" or "label @ layer : metric", and takes from the test what it does not name.
The value of a part for an image is

    one - other - against        what is not given is left out
    slope of our cells on the printed ones, for one = "as printed": all explainers of which the paper prints the cell

An image counts where every set of the test has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from holicam.experiments.evidence import Grouping
from tools.pages.printed import cells, printed_step
from tools.pages.shelf import Shelf, Term

AS_PRINTED = "as printed"
TERM = re.compile(r"(?P<label>.+?)(?: @ (?P<layer>\S*))?(?: : (?P<metric>\S+))?")


@dataclass(frozen=True, eq=False)
class Part:
    """One contrast of a test. one: None for the slope. printed: one - other as the paper has it, in our unit."""

    test: Mapping[str, object]
    layer: str
    metric: str
    one: Term | None
    other: Term | None
    printed: float | None


def parts(test: Mapping[str, object], shelf: Shelf) -> list[Part]:
    """The parts of a test, layer by layer. Raises ValueError for what its sets do not have."""
    found = []
    layers, metrics, others = (test.get(key) or [None] for key in ("layers", "metrics", "others"))
    for number, layer in enumerate(layers):
        for metric in metrics:
            if test["one"] == AS_PRINTED:
                part = Part(test, layer, metric, None, None, 1.0)
                if len(_printed_cells(part, shelf)) < 3:
                    raise ValueError(f"{test['printed']}: fewer than three cells are printed at {layer}, {metric}")
                found.append(part)
                continue
            one = term(test["one"], test, layer, metric, shelf)
            for other in others:
                second = other and term(other, test, layer, metric, shelf)
                found.append(Part(test, one.layer, one.metric, one, second, printed_step(test, number, one, second)))
    return found


def term(said: str, test: Mapping[str, object], layer: str | None, metric: str | None, shelf: Shelf) -> Term:
    """What a term stands for. Raises ValueError where no set of the test has it."""
    named = TERM.fullmatch(said).groupdict()
    label = named["label"]
    layer = layer if named["layer"] is None else named["layer"]
    metric = metric if named["metric"] is None else named["metric"]
    if layer is None or metric is None:
        raise ValueError(f"{said!r} names no {'layer' if layer is None else 'metric'}, and neither does its test")
    having = [name for name in test["rows"] if label in shelf.known(name).labels]
    if not having:
        raise ValueError(f"no explainer is called {label!r} in {', '.join(test['rows'])}")
    if metric not in shelf.known(having[0]).metrics:
        raise ValueError(f"{having[0]} has no metric {metric!r}")
    return Term(label, layer, metric, having[0], shelf.known(having[0]).place(test["network"], label, layer))


def values(part: Part, shelf: Shelf) -> tuple[np.ndarray, Grouping | None, int]:
    """(n,) the part's value for each image, how they cluster, and how many images or clusters are stored.

    An image whose value is NaN is stored, too. Raises ValueError where stored rows lack a cell.
    """
    stored = {name: shelf.rows(name) for name in part.test["rows"]}
    if None in stored.values():
        return np.empty(0), None, 0
    first, *rest = stored.values()
    images = [image for image in first.images if all(image in each.images for each in rest)]
    if part.one is None:
        found = _slope(part, shelf, images)
    else:
        found = _column(part, part.one, shelf, images) - float(part.test.get("against", 0))
        if part.other is not None:
            found = found - _column(part, part.other, shelf, images)
    if part.test.get("cluster") == "mosaic":
        mosaics = np.array([image.partition("/")[0] for image in images])
        return found, Grouping(mosaics), len(set(mosaics))
    return found, None, len(images)


def _column(part: Part, term: Term, shelf: Shelf, images: list[str]) -> np.ndarray:
    """(n,) the values of a term."""
    rows = shelf.rows(term.set)
    key = part.test["network"], term.place, term.label, term.metric
    if key not in rows.values:
        raise ValueError(f"the rows of {term.set} have no cell {key}")
    index = {image: i for i, image in enumerate(rows.images)}
    return rows.values[key][[index[image] for image in images]]


def _slope(part: Part, shelf: Shelf, images: list[str]) -> np.ndarray:
    """(n,) the least-squares slope of each image's cells on the printed ones, NaN where a cell is."""
    printed = _printed_cells(part, shelf)
    terms = [term(label, part.test, part.layer, part.metric, shelf) for label in printed]
    ours = np.stack([_column(part, each, shelf, images) for each in terms])  # (cells, n)
    x = np.array(list(printed.values()))[:, None]
    x = x - x.mean()
    return (x * (ours - ours.mean(0))).sum(0) / (x**2).sum()


def _printed_cells(part: Part, shelf: Shelf) -> dict[str, float]:
    """{label: what the paper prints} of the explainers of the test's first set."""
    return cells(part.test, shelf.known(part.test["rows"][0]).labels, part.layer, part.metric)
