"""What a test of the ledger asks, part by part: terms, values of images, and the steps that the papers print."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from tests.helpers.ledger import STEPS, Made, asked, contrasts
from tools.pages.asked import parts, values
from tools.pages.claims import claims
from tools.pages.judging import judged
from tools.pages.shelf import Shelf

NAN, REAL = float("nan"), Shelf()


def test_layers_metrics_and_others_are_multiplied():
    test = {
        "rows": ["holistic-table6"],
        "network": "toy-resnet50",
        "layers": ["Layer1", "Layer4"],
        "metrics": ["over-all", "insertion"],
        "one": "Holistic-CAM",
        "others": ["Grad-CAM", "CAMERAS", "Random"],
        "n": 250,
    }
    found = parts(test, REAL)
    assert len(found) == 12
    said = [(part.layer, part.metric, part.one.label, part.other.label, part.other.place) for part in found]
    assert said[0] == ("Layer1", "over-all", "Holistic-CAM", "Grad-CAM", "Layer1")
    assert said[2] == ("Layer1", "over-all", "Holistic-CAM", "Random", "")  # a map of no layer goes with every layer
    assert said[-1] == ("Layer4", "insertion", "Holistic-CAM", "Random", "")


def test_a_term_names_its_layer_its_metric_or_both():
    test = asked("Holistic-CAM : fine-clip", ["Holistic-CAM : fine-before"], rows=["structure-toyland"], metrics=[])
    test["layers"] = ["layer1", "layer4"]
    one, four = parts(test, REAL)
    assert (one.one.metric, one.other.metric, one.layer, four.layer) == ("fine-clip", "fine-before", "layer1", "layer4")
    (part,) = parts(asked("PGE @ layer2 : class-other", [], rows=["structure-toyland"], layers=[], metrics=[]), REAL)
    assert (part.one.label, part.one.layer, part.one.metric, part.other) == ("PGE", "layer2", "class-other", None)
    (part,) = parts(asked("Grad-CAM @ Layer4", ["Grad-CAM @ Layer1"], rows=["holistic-road"], layers=[]), REAL)
    assert (part.one.place, part.other.place) == ("Layer4", "Layer1")


def test_values_are_differences_less_a_number():
    shelf = contrasts(STEPS)
    assert values(*parts(asked(), shelf), shelf)[0] == pytest.approx(STEPS)
    assert values(*parts(asked(against=0.05), shelf), shelf)[0] == pytest.approx(STEPS - 0.05)
    assert values(*parts(asked(others=(), against=0.05), shelf), shelf)[0] == pytest.approx(STEPS - 0.05)


def test_sets_are_joined_by_image():
    shelf = Made({"set": {("A", "layer1", "road"): [1.0, 2.0, 3.0]}, "more": {("B", "layer1", "road"): [10.0, 20.0]}})
    (part,) = parts(asked(rows=["set", "more"]), shelf)
    found, grouping, there = values(part, shelf)
    assert found.tolist() == [-9, -18] and grouping is None and there == 2


def test_stored_rows_without_a_cell_are_an_error():
    shelf = contrasts(STEPS)
    (part,) = parts(asked("A @ layer2"), shelf)
    with pytest.raises(ValueError, match="the rows of set have no cell"):
        values(part, shelf)


def test_a_set_without_rows_has_no_values():
    shelf = contrasts([])
    (part,) = parts(asked(), shelf)
    assert len(values(part, shelf)[0]) == 0 and values(part, shelf)[2] == 0


def test_values_of_stored_rows_are_those_of_the_rows():
    """Of any set that is stored, two explainers at one place."""
    name = next(path.stem for path in sorted(REAL.folder.glob("*.toml")) if REAL.rows(path.stem) is not None)
    rows = REAL.rows(name)
    network, layer, label, metric = next(iter(rows.values))
    other = next(o for n, a, o, m in rows.values if (n, a, m) == (network, layer, metric) and o != label)
    test = asked(label, [other], rows=[name], network=network, layers=[layer], metrics=[metric], n=len(rows.images) + 1)
    (part,) = parts(test | {"n": max(12, test["n"])}, REAL)
    found, _, there = values(part, REAL)
    cells = [rows.values[network, layer, each, metric] for each in (label, other)]
    np.testing.assert_array_equal(found, cells[0] - cells[1])
    assert there == len(rows.images) and judged([part], REAL)[0].verdict == "undecided"


# --- what the paper prints ---------------------------------------------------------------------------


def step(place, one, other, **more):
    """The step of the ledger's part of a claim with these labels."""
    claim = next(c for c in claims() if c["place"] == place)
    found = [p for test in claim["test"] for p in parts(test, REAL) if p.one and p.other]
    chosen = [p for p in found if (p.one.label, p.other.label) == (one, other)]
    chosen = [p for p in chosen if all(more[k] in (getattr(p, k, None), p.test.get(k)) for k in more)]
    (part,) = chosen
    return part.printed


HC = "Holistic-CAM PGE={};FSD={}"


@pytest.mark.parametrize(
    ("place", "one", "other", "more", "expected"),
    [
        (
            "Table 2, FSD",
            HC.format(1, 1),
            HC.format(1, 0),
            {"layer": "Layer4", "metric": "over-all"},
            0.46032 - 0.45532,
        ),
        ("Table 2, FSD", HC.format(1, 1), HC.format(1, 0), {"layer": "Layer4", "metric": "epg-box-count"}, 0.03337),
        ("Fig. 1", "Holistic-CAM", "Grad-CAM", {}, 0.41740 - 0.01271),
        ("Fig. 1", "Holistic-CAM fast", "Grad-CAM", {}, 0.41740 - 0.01271),
        ("Tables 1 and A6, the collapse of Grad-CAM", "Grad-CAM", "Grad-CAM", {"world": "toyland"}, 0.43265 - 0.01271),
        ("Tables 2 and 3, more layers", "PCAM+/- block1_conv2", "PCAM+/- block5_conv3", {}, 0.04),
        ("Tables 2 and 3, early layers alone", "CAM+/-", "CAM+/-", {"network": "toy-vgg16_bn"}, 0.26 - 0.42),
        ("Table 1, insertion and deletion", "GCAM ucag", "GCAM original", {"metric": "deletion"}, -0.027),
        ("Table 1, insertion and deletion", "GCAM++ ucag", "GCAM++ original", {"metric": "insertion"}, 0.0),
        ("Table 4, gain of UCAG", "LRP ucag", "LRP original", {"network": "toy-vgg16_bn", "metric": "map"}, -0.018),
        ("Table 5, map density", "GradCAM+UCAG", "GradCAM", {"metric": "map-density+"}, 3.89 - 2.33),
    ],
)
def test_printed_steps_are_those_of_the_tables(place, one, other, more, expected):
    assert step(place, one, other, **more) == pytest.approx(expected)


def test_a_tie_and_a_number_that_is_taken_off_give_no_margin():
    claim = next(c for c in claims() if c["place"] == "Table 1, insertion and deletion")
    found = [p for test in claim["test"] for p in parts(test, REAL) if p.metric == "insertion"]
    assert {p.test["against"] for p in found} == {-0.01}
    assert {judged([p], REAL)[0].needed for p in found} == {None}


def slopes(factor):
    """Table 2's four cells at Layer2, `factor` times as printed on twelve images, each with a level of its own."""
    printed = {"PGE=0;FSD=0": 0.39828, "PGE=1;FSD=0": 0.41652, "PGE=0;FSD=1": 0.41980, "PGE=1;FSD=1": 0.42925}
    level = np.linspace(0, 1, 12)
    cells = {(f"Holistic-CAM {k}", "Layer2", "over-all"): factor * x + level for k, x in printed.items()}
    return Made({"set": cells | {("Random", "Layer2", "over-all"): np.zeros(12)}})


def as_printed(shelf):
    test = asked("as printed", (), layers=["Layer2"], metrics=["over-all"], step=1)
    test["printed"] = {"table": "holistic-cam-table2"}
    shelf.known = lambda name: SimpleNamespace(
        labels=[label for label, _, _ in shelf.sets[name]], metrics=["over-all"], place=lambda net, label, layer: layer
    )
    return parts(test, shelf)


@pytest.mark.parametrize("factor", [1, 2.5, -0.5, 0])
def test_the_slope_on_the_printed_cells(factor):
    shelf = slopes(factor)
    (part,) = as_printed(shelf)
    found, _, there = values(part, shelf)
    assert there == 12 and found == pytest.approx([factor] * 12)
    assert judged([part], shelf)[0].verdict == ("holds" if factor > 0 else "fails")  # 0: nothing within half a step


def test_the_slope_needs_every_cell():
    shelf = slopes(1)
    shelf.sets["set"]["Holistic-CAM PGE=1;FSD=0", "Layer2", "over-all"][3] = NAN
    found, _, there = values(*as_printed(shelf), shelf)
    assert there == 12 and math.isnan(found[3]) and np.isfinite(found).sum() == 11
