"""make rows: what is stopped goes on, what is done is published, and a fresh checkout goes on from there."""

from __future__ import annotations

import json
import shutil
import sys
import time
import tomllib
from types import SimpleNamespace

import pytest

from holicam.experiments.config import from_toml
from holicam.experiments.manifest import read_manifest
from holicam.experiments.plan import Plan
from holicam.experiments.results import load
from holicam.metrics import registry
from tools import kept_rows, rows
from tools.study import sets

TOML = """
networks = ["toy-resnet50"]
layers = ["layer4"]
explainers = ["grad-cam", "center"]
metrics = ["epg", "epg-box", "epg-box-count"]
images_per_unit = 1

[dataset]
name = "toyland"
n = 3
size = 48
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A set of three images of its own."""
    monkeypatch.setattr(rows, "FOLDER", tmp_path)
    monkeypatch.setattr(rows, "RUNS", tmp_path / "results")
    (tmp_path / "small.toml").write_text(TOML)
    return tmp_path


def work(here, **more):
    rows.work("small", (0, 1), "cpu", more.pop("until", time.time() + 600), **more)


def publish(here):
    return kept_rows.publish("small", here / "results" / "small", "cpu, here", here)


def test_first_images_then_the_rest_and_both_are_published(here):
    work(here, images=1)
    assert publish(here) == "small: 1 of 3 images, 6 rows" and not kept_rows.finished("small", here)
    stored = load("small", here)
    assert len(stored.images) == 1 and read(here)["devices"] == ["cpu, here"]
    noted = {"made": "older", "close": 0.1}  # as `tools.restamp` leaves it
    about = read(here)
    (here / "small.json").write_text(json.dumps({**about, "code": {**about["code"], **noted}}))
    work(here)
    assert publish(here) == "small: 3 of 3 images, 18 rows" and kept_rows.finished("small", here)
    assert noted.items() <= read(here)["code"].items(), "who reads it takes older rows for today's"
    more = load("small", here)
    for cell, values in stored.values.items():
        assert more.values[cell][:1] == pytest.approx(values, nan_ok=True)


def test_a_fresh_checkout_goes_on_from_what_was_published(here, monkeypatch):
    work(here, images=2)
    publish(here)
    shutil.rmtree(here / "results")
    plan = Plan.of(from_toml(here / "small.toml"))
    assert kept_rows.restore("small", plan, here / "results" / "small", here) == 4  # two explainers, two images
    ran = []
    monkeypatch.setattr(rows, "evaluate", lambda plan, out, **more: ran.append(real(plan, out, **more)))
    work(here)
    assert ran == [2] and publish(here) == "small: 3 of 3 images, 18 rows"


real = rows.evaluate


def test_an_image_that_lacks_a_row_is_not_published(here):
    work(here, images=2)
    part = next(
        path for path in sorted((here / "results" / "small" / "parts").glob("*.parquet")) if "center" in path.name
    )
    part.unlink()
    assert publish(here) == "small: 1 of 3 images, 6 rows"


def test_rows_of_other_code_are_not_gone_on_with(here):
    work(here, images=1)
    publish(here)
    shutil.rmtree(here / "results")
    said = read(here)
    said["code"]["files"]["core/ops.py"] = "0" * 12
    (here / "small.json").write_text(json.dumps(said))
    plan = Plan.of(from_toml(here / "small.toml"))
    with pytest.raises(ValueError, match="made by other code than today's .* tools.restamp small"):
        kept_rows.restore("small", plan, here / "results" / "small", here)


def test_no_unit_is_begun_when_time_is_up(here, capsys):
    work(here, until=0)
    assert "time is up" in capsys.readouterr().out and not (here / "results" / "small" / "parts").exists()


def test_an_unknown_set_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rows", "nosuch"])
    with pytest.raises(SystemExit):
        rows.main()
    assert "there is no set nosuch" in capsys.readouterr().err


def test_every_study_is_in_line():
    assert set(sets.SETS) <= set(rows.LINE)


def test_a_study_is_handed_its_pictures_and_what_is_left_of_the_time(monkeypatch):
    said = []
    monkeypatch.setattr(rows.subprocess, "run", lambda command: said.append(command) or SimpleNamespace(returncode=0))
    assert rows.study("structure-photographs", time.time() + 100, None) and rows.study("sanity-pcam", time.time(), 3)
    words = [" ".join(command[2:]) for command in said]
    assert words[0].startswith("tools.study structure --world photographs --n 100 --limit 9")
    assert words[0].endswith("--photos _build/photos") and "pcam --world toyland-vgg --n 3" in words[1]


@pytest.mark.parametrize("name", [name for name in rows.LINE if name not in sets.SETS])
def test_every_set_in_line_is_a_configuration_with_controls(name):
    """Read without its data; where scores are compared, rows of maps that know nothing stand beside them."""
    table = tomllib.loads((kept_rows.FOLDER / f"{name}.toml").read_text())
    kinds = {entry["name"] for entry in table["explainers"]}
    assert set(table["metrics"]) <= set(registry) and table["batch_size"] == 8
    if table["dataset"]["name"] == "toyland":
        assert table["dataset"]["size"] == 224
        from_toml(kept_rows.FOLDER / f"{name}.toml")
        if not name.startswith("poly-table5"):  # a control does not move with the image
            assert {"random", "sobel", "center", "ground-truth"} <= kinds


def read(here):
    shutil.copy(here / "small.json", here / "manifest.json")
    return read_manifest(here)
