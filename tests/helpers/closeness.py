"""How far our numbers lie from others', noted in the report: `pytest -rA` or a JUnit file shows it."""

from __future__ import annotations

import numpy as np


def difference(ours, theirs):
    """The largest difference over the largest value of theirs, which are not all 0."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape and abs(theirs).max() > 0
    return abs(ours - theirs).max() / abs(theirs).max()


def within(record_property, value, limit=1e-12):
    record_property("difference", float(value))
    assert value < limit


def close(got, wanted, record_property, bound=1e-12):
    got, wanted = np.asarray(got), np.asarray(wanted)
    within(record_property, np.abs(got - wanted).max() / np.abs(wanted).max(), bound)
