"""The fast preset is what benchmarks/fast.py found: stored rows, result file, chapter 05's table and code agree."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace

import pytest

import holicam as hc
from tools.ipynb import ROOT

STORED = ROOT / "benchmarks" / "results" / "fast.json"


@pytest.fixture
def judge(monkeypatch):
    """benchmarks/equivalence.py, which lies in no package."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("equivalence")


@pytest.fixture
def result():
    return json.loads(STORED.read_text(encoding="utf-8"))


def test_the_result_is_that_of_the_stored_rows(judge, result):
    rows = judge.Rows(STORED.with_name("fast-rows.jsonl"))
    worlds = [SimpleNamespace(name=name, **of) for name, of in result["networks"].items()]
    again = json.loads(json.dumps(judge.report(worlds, rows)))
    assert {key: result[key] for key in again} == again
    assert len({(row["kind"], row["world"], row["picture"]) for row in rows.all}) == len(rows.all)


def test_the_preset_is_the_cheapest_that_is_equivalent(judge, result):
    fast, name = hc.HolisticCAM(preset="fast"), result["equivalent"]
    assert fast.scales == tuple(judge.SCALES[t] for t in judge.CANDIDATES[name]) and fast.quantize
    mine = [row for row in result["rows"] if row["setting"] == name]
    asked = {(row["world"], row["pictures"], row["measure"]) for row in mine}
    assert len(mine) == len(asked) == 8 and all(row["passes"] for row in mine)
    assert all(row["n"] == 100 for row in mine if row["pictures"] == "mosaics")
    assert all(row["n"] >= 24 for row in mine if row["pictures"] == "singles")
    cheaper = [k for k in judge.CANDIDATES if judge.cost(k) < judge.cost(name)]
    for other in cheaper:
        assert not all(row["passes"] for row in result["rows"] if row["setting"] == other)


def test_chapter_05_reads_the_same(judge, result, tmp_path, monkeypatch):
    stored = judge.CHAPTER.read_text(encoding="utf-8")
    monkeypatch.setattr(judge, "CHAPTER", tmp_path / "again.csv")
    judge.write_csv(result)
    assert judge.CHAPTER.read_text(encoding="utf-8") == stored


@pytest.mark.parametrize(
    ("measure", "low", "high", "passes"),
    [
        ("correlation", 0.951, 0.97, True),
        ("correlation", 0.949, 0.99, False),
        ("pointing", -0.049, 0.049, True),
        ("pointing", -0.051, 0.0, False),
        ("pointing", 0.0, 0.051, False),
        ("over-all", -0.01, 0.01, True),
        ("over-all", 0.0, 0.021, False),
    ],
)
def test_the_whole_interval_must_be_within_the_margin(judge, measure, low, high, passes):
    fine, asked = [0.99, 0.98, 1.0] if measure == "correlation" else [0.0, 0.0, 0.0], [(low + high) / 2, low, high]
    found = {"1": fine, "2": fine, "3": asked, "4": fine, "mean": asked, "n": 100}
    assert judge.passes(found, measure) is passes and judge.passes({}, measure) is False
