"""Mean curves count every picture that the tables count, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest

from holicam.experiments.pivot import Results
from holicam.experiments.report_curves import mean_curves

CONFIG = {"networks": ["net"], "explainers": {}}


def row(image, share, curve, metric="insertion"):
    there = {"network": "net", "layer": "", "explainer": "a", "metric": metric, "image": image, "note": ""}
    return {**there, "value": 0.0, "share": share, "curve": curve}


def mean_of(rows):
    (panels,) = mean_curves(Results.of(rows, CONFIG)).values()
    return panels[rows[0]["metric"]]["a"]


def test_pictures_of_all_sizes_count():
    """Straight lines stay what they are at other steps, so the mean's area is that of all of them."""
    coarse, fine = np.linspace(0, 1, 3), np.linspace(0, 1, 8)
    rows = [row("a", coarse, coarse), row("b", fine, 0.5 * fine), row("c", fine, 0 * fine), row("d", coarse, None)]
    rows.append(row("e", coarse, [0, np.nan, 1]))
    shares, scores = mean_of(rows)
    assert shares.tolist() == fine.tolist() and scores == pytest.approx(0.5 * fine)
    moved = [row("a", [0, 0.25, 1], [0, 1, 1]), row("b", [0, 0.5, 1], [0, 1, 1])]  # as many steps, and others
    assert mean_of(moved)[1] == pytest.approx([0, (1 + 0.5) / 2, 1])


def test_the_two_curves_of_road_stay_two():
    few, many = [0.25, 0.75] * 2, [0.25, 0.5, 0.75] * 2
    rows = [row("a", few, [1, 0, 4, 2], "road"), row("b", many, [1, 0.5, 0, 4, 3, 2], "road")]
    assert mean_of(rows)[1].tolist() == [1, 0.5, 0, 4, 3, 2]
