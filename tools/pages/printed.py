"""What the papers print of a test's cells, in our unit: fractions, where they print per cent.

    printed = {table = "holistic-cam-table6"}        where the test's own words find the cells
    printed = {table = [...], network = "resnet50", layers = ["Layer1"], one = "Holistic-CAM", metric = "epg"}

`table` is a name of `experiments.published`, or several of which one has the cell; `layers` go with the test's own,
one by one. What is not given is as in the test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from holicam.experiments.published import beside, in_our_unit, published
from tools.pages.shelf import Term

TIE = 1e-12  # two printed numbers whose difference is smaller are the same


@cache
def _table(name: str) -> Mapping:
    found = published(name)
    if not found:
        raise ValueError(f"there is no published table {name!r}")
    return found


def cell(said: Mapping[str, object], network: str, layer: str, label: str, metric: str) -> float | None:
    """One printed number, None where no table of `said` has it. Raises ValueError for a table that is not there."""
    names = said["table"] if isinstance(said["table"], list) else [said["table"]]
    for name in names:
        text, _ = beside(_table(name), str(said.get("network", network)), layer, label, str(said.get("metric", metric)))
        if text:
            return float(in_our_unit(text))
    return None


def printed_step(test: Mapping[str, object], number: int, one: Term, other: Term | None) -> float | None:
    """one - other as the paper prints them, None where it does not print both; number: of the test's layer."""
    said = test.get("printed")
    if said is None or other is None:
        return None
    where = [said["layers"][number]] * 2 if "layers" in said else [one.layer, other.layer]
    names = [said.get("one", one.label), other.label]
    both = [
        cell(said, str(test["network"]), layer, name, term.metric)
        for layer, name, term in zip(where, names, (one, other), strict=True)
    ]
    if None in both:
        return None
    step = both[0] - both[1]
    return 0.0 if abs(step) < TIE else step


def cells(test: Mapping[str, object], labels: Iterable[str], layer: str, metric: str) -> dict[str, float]:
    """{label: printed number} of those labels that the paper has at this place."""
    found = {label: cell(test["printed"], str(test["network"]), layer, label, metric) for label in labels}
    return {label: value for label, value in found.items() if value is not None}
