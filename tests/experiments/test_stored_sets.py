"""All sets in data/results are stored alike: what the chapters read is of them, and restamping keeps its word."""

from __future__ import annotations

import csv
import shutil

import pytest

from holicam.experiments.made_by import makers, stamp
from holicam.experiments.manifest import changes, read_manifest
from holicam.experiments.results import load, other_code, read
from holicam.models import data_folder
from tests.helpers.runs import stored_set
from tools import restamp, rows22

RESULTS = data_folder() / "results"
NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))


@pytest.mark.filterwarnings("ignore::holicam.experiments.results.StaleCodeWarning")
def test_the_csv_of_chapter_22_is_of_the_stored_rows():
    with (RESULTS / "chapter22.csv").open(newline="", encoding="utf-8") as file:
        lines = [tuple(row.values()) for row in csv.DictReader(file)]
    again = [tuple(map(str, row.values())) for row in rows22.as_csv()]
    assert sorted(lines) == sorted(again) and len(lines) > 400


@pytest.mark.parametrize("name", NAMES)
def test_every_set_has_a_manifest_like_a_run_s(tmp_path, name):
    """The runner's own check finds nothing wrong with it, where it has a name."""
    shutil.copy(RESULTS / f"{name}.json", tmp_path / "manifest.json")
    manifest = read_manifest(tmp_path)
    assert manifest["weights"].keys() == set(manifest["config"]["networks"])


def test_the_settings_of_chapter_22_are_those_of_its_tool():
    old = read("chapter22", RESULTS)
    made = {label: explainer for label, (explainer, _) in rows22.METHODS.items()}
    assert changes(old, rows22.manifest(old["images"]), made) == []
    found = {(row["network"], row["image"], row["explainer"]) for row in load("chapter22").rows}
    assert len(found) == 1100 and old["methods"] == list(rows22.METHODS)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A small set in a folder of its own, made by code that is not today's."""
    stored_set(tmp_path, "small")
    monkeypatch.setattr(restamp, "FOLDER", tmp_path)
    manifest = read("small", tmp_path)
    code = {"hash": "f" * 64, "files": {"core/ops.py": "0" * 12}}
    (tmp_path / "small.json").write_bytes(restamp.as_json({**manifest, "code": code}))
    return tmp_path


@pytest.mark.parametrize(("off", "status"), [(0.0, 0), (9e-7, 0), (2e-6, 1), (float("nan"), 1)])
def test_rows_are_stamped_where_they_hold(copied, monkeypatch, off, status):
    known = restamp.stored_values("small")
    slice_ = [(key, value + off) for key, value in list(known.items())[:4]]
    monkeypatch.setattr(restamp, "again", lambda name, budget: iter(slice_))
    before = (copied / "small.json").read_bytes()
    assert restamp.one("small", 1, 1e-6) == status
    manifest = read("small", copied)
    if status:
        assert (copied / "small.json").read_bytes() == before
        assert "core/ops.py changed" in other_code("small", manifest)
    else:
        assert manifest["code"] == {**stamp(makers()), "made": "f" * 64} and not other_code("", manifest)
        assert restamp.one("small", 1, 1e-6) == 0  # however often
        assert read("small", copied)["code"]["made"] == "f" * 64
