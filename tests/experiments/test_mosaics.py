"""A run on mosaics: rows are the grid pointing game's own values, one for each mosaic and cell asked about."""

from __future__ import annotations

import math
import shutil

import pytest
from PIL import Image

import holicam as hc
from holicam import datasets
from holicam.experiments.config import ConfigError, from_table
from holicam.experiments.plan import Plan
from holicam.experiments.rows import rows
from tests.helpers.runs import planned


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two drawings of each of five of Toyland's classes, in folders of their names."""
    root = tmp_path_factory.mktemp("photographs")
    batch = hc.toyland.batch(60, split="test", size=64)
    for k, (rgb, label) in enumerate(zip(batch.rgb, batch.target.tolist(), strict=True)):
        place = root / hc.toyland.CLASSES[label]
        if label < 5 and len(list(place.glob("*"))) < 2:
            place.mkdir(exist_ok=True)
            Image.fromarray(rgb.numpy()).save(place / f"{k}.png")
    return root


def table(folder, **more):
    return {
        "dataset": {
            "name": "mosaics",
            "root": str(folder),
            "classes": list(hc.toyland.CLASSES),
            "side": 96,
            "questions": 2,
        },
        "networks": ["toy-resnet50"],
        "loaders": {},
        "explainers": ["grad-cam", "activation-sum"],
        "layers": ["layer3", "layer4"],
        "metrics": ["grid-pointing", "epg"],
        "target": "label",
        "images_per_unit": 3,
        **more,
    }


def rows_of(plan):
    return [row for unit in plan.units for row in rows(plan.work(unit, "", "cpu"))]


def test_rows_are_the_metric_s_own_values(folder):
    plan = Plan.of(from_table(table(folder)))
    data = plan.dataset
    assert data.name == "mosaics" and len(data) == 4  # ten pictures of five classes, four of each
    found = {(r["explainer"], r["layer"], r["metric"], r["image"]): r["value"] for r in rows_of(plan)}
    assert len(found) == 2 * 2 * 2 * 4
    model = hc.load_model("toy-resnet50")
    batch = datasets.collate(list(data))
    maps = hc.GradCAM()(model, batch.images, ["layer3", "layer4"], batch.target)
    for layer, of_layer in maps.items():
        want = hc.metrics.grid_pointing(None, batch.images, of_layer, masks=batch.masks)
        for name, value in zip(data.ids, want.tolist(), strict=True):
            assert found["grad-cam", layer, "grid-pointing", name] == pytest.approx(value, abs=1e-5, nan_ok=True)
            assert found["grad-cam", layer, "epg", name] == pytest.approx(value, abs=1e-5, nan_ok=True)
    assert batch.target.tolist() == [
        hc.toyland.CLASSES.index(name.partition("/")[2].split("+")[int(name[-1])].split("/")[0]) for name in data.ids
    ]
    assert (batch.masks.flatten(1).float().mean(1) == 0.25).all()


def test_a_network_of_other_classes_is_refused_before_the_run(folder):
    with pytest.raises(ConfigError, match="toy-resnet50 has 10 classes and mosaics has 5"):
        few = {"name": "mosaics", "root": str(folder), "classes": list(hc.toyland.CLASSES[:5]), "side": 32}
        Plan.of(from_table(table(folder, dataset=few)))


def test_a_folder_that_cannot_be_read_is_said_in_one_sentence(folder, tmp_path):
    with pytest.raises(datasets.MissingDataError, match="Photographs were not found: looked for"):
        Plan.of(from_table(table(tmp_path)))
    (tmp_path / "n00000000_x.jpg").touch()
    with pytest.raises(datasets.WrongDataError, match="n00000000_x.jpg: there is no synset") as error:
        planned(dataset={"name": "mosaics", "root": str(tmp_path)})
    assert "\n" not in str(error.value)


def test_a_damaged_photograph_costs_its_own_mosaics_alone(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    plan = Plan.of(from_table(table(tmp_path / "copy", layers=["layer4"], explainers=["activation-sum"])))
    bad = plan.dataset.ids[0].partition("/")[2].split("+")[0]
    (tmp_path / "copy" / bad).write_bytes(b"no picture")
    found = rows_of(plan)
    skipped = {r["image"] for r in found if bad in r["image"]}
    assert 0 < len(skipped) < len(plan.dataset)
    for row in found:
        if row["image"] in skipped:
            assert str(tmp_path / "copy" / bad) in row["note"] and math.isnan(row["value"])
        else:
            assert 0 <= row["value"] <= 1
