"""Networks that forget are those of `hc.sanity`, and so are the similarities of their maps."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import pytest
import torch

import holicam as hc
from tools.study import forgotten, pcam, sanity, worlds

SIDE = 64
METHODS = {"Grad-CAM": hc.GradCAM(), "Layer-CAM": hc.LayerCAM(), "Sobel": hc.SobelMap()}


@pytest.fixture(scope="module")
def world():
    return worlds.drawings(size=SIDE, n=3)


@pytest.fixture(scope="module")
def picture(world):
    return world.picture(world.ids[0])


def probabilities(world, picture):
    return world.model(picture.x).detach().softmax(1)[0]


@pytest.fixture(scope="module")
def values(world, picture):
    before = {key: value.clone() for key, value in world.model.state_dict().items()}
    found = sanity.beginning(METHODS, forgotten.STATES)(world)(picture, probabilities(world, picture))
    after = world.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    return found


def test_all_cells_are_declared(world, values):
    assert {metric for _, _, metric in values} == set(sanity.metrics_of(forgotten.STATES))
    assert {(label, layer) for label, layer, _ in values} == {
        *((label, layer) for label in ("Grad-CAM", "Layer-CAM") for layer in world.stages),
        ("Sobel", ""),
    }


@pytest.mark.parametrize(("label", "layer"), [("Grad-CAM", "layer2"), ("Layer-CAM", "layer3")])
def test_newborn_networks_are_those_of_a_cascade(world, picture, values, label, layer):
    explain = functools.partial(METHODS[label], layers=layer)
    runs = [
        hc.sanity.randomise(explain, world.model, picture.x, seed=seed, measures=("spearman", "ssim"))
        for seed in forgotten.SEEDS
    ]
    for state, part in {"head": 0, "half-reset": 8, "all-reset": 17}.items():
        for name in ("spearman", "ssim"):
            truth = torch.stack([run.similarity[name][part] for run in runs]).nanmean()
            assert values[label, layer, f"{name}-{state}"] == pytest.approx(float(truth), abs=1e-6, nan_ok=True)
        constant = torch.stack([run.degenerate[part] for run in runs]).double().mean()
        assert values[label, layer, f"constant-{state}"] == float(constant)


def test_norms_measured_anew(world, picture, monkeypatch):
    """Over the picture alone they are those of `randomise`, which knows no other."""
    monkeypatch.setattr(worlds.World, "references", lambda self: picture.x)
    methods = {"Layer-CAM": METHODS["Layer-CAM"]}
    found = sanity.beginning(methods, ("all-recalibrated",))(world)(picture, probabilities(world, picture))
    explain = functools.partial(hc.LayerCAM(), layers="layer2")
    runs = [
        hc.sanity.randomise(explain, world.model, picture.x, seed=seed, bn="recalibrate", measures=("spearman",))
        for seed in forgotten.SEEDS
    ]
    truth = torch.stack([run.similarity["spearman"][-1] for run in runs]).mean()
    assert found["Layer-CAM", "layer2", "spearman-all-recalibrated"] == pytest.approx(float(truth), abs=1e-5)


def test_references_are_the_last_in_order(world):
    many = worlds.drawings(size=32, n=11)
    assert torch.equal(many.references()[-1:], many.picture(many.ids[-1]).x) and len(many.references()) == 8
    assert len(world.references()) == 3


def test_edges_never_change_and_another_picture_s_are_others(world, picture, values):
    edges = {cell[2]: value for cell, value in values.items() if cell[0] == "Sobel"}
    for state in forgotten.STATES:
        assert edges[f"spearman-{state}"] == pytest.approx(1) and edges[f"ssim-{state}"] == pytest.approx(1)
    next_ = world.picture(world.ids[1])
    one, other = (hc.SobelMap()(world.model, p.x) for p in (picture, next_))
    truth = float(hc.sanity.spearman(one, other))
    assert edges["spearman-all-reset-other"] == pytest.approx(truth) and truth < 0.9


def test_beside_the_next_picture(world, picture, values):
    """The trained network's map of the next one, and the map of this one that a network has that forgot."""
    next_ = world.picture(world.ids[1])
    trained = hc.LayerCAM()(world.model, next_.x, "layer2")
    target, found = int(probabilities(world, picture).argmax()), []
    for seed in forgotten.SEEDS:
        with hc.sanity.kept(world.model):
            hc.sanity.reinitialise(world.model, hc.sanity.units(world.model, picture.x)[0], seed)
            found.append(hc.sanity.spearman(trained, hc.LayerCAM()(world.model, picture.x, "layer2", target)))
    truth = float(torch.stack(found).mean())
    assert values["Layer-CAM", "layer2", "spearman-head-other"] == pytest.approx(truth, abs=1e-6)


def test_poly_cam_is_asked_without_layers():
    world = worlds.drawings(worlds.VGG, size=32, n=2)
    picture = world.picture(world.ids[0])
    explainer = replace(pcam.METHODS["PCAM+"], chunk=64)
    found = sanity.beginning({"PCAM+": explainer}, ("all-reset",))(world)(picture, probabilities(world, picture))
    assert set(found) == {("PCAM+", "", metric) for metric in sanity.metrics_of(("all-reset",))}
    assert {label: type(e).__name__ for label, e in pcam.METHODS.items()} == {
        "PCAM+": "PCAMPlus",
        "PCAM-": "PCAMMinus",
        "PCAM±": "PCAM",
        "Sobel": "SobelMap",
    }
    value = found["PCAM+", "", "spearman-all-reset"]
    assert math.isnan(value) or -1 <= value < 0.99
