"""The runner: units, parts, resuming, faults at every write, real kills, several processes, the command line."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch

from holicam import datasets
from holicam.experiments import storage as parts
from holicam.experiments import whole_files
from holicam.experiments.config import Config, ConfigError, differences, from_table, from_toml, same
from holicam.experiments.joining import IncompleteError
from holicam.experiments.plan import Plan
from holicam.experiments.rows import ELSEWHERE
from holicam.experiments.rows import rows as rows_of
from holicam.experiments.run import evaluate, shard
from holicam.experiments.units import groups_of, mine, units_of
from tests.helpers.runs import same_run

ONE_LIKE_US = {"OMP_NUM_THREADS": os.environ.get("HOLICAM_THREADS", "1")}
TABLE = {
    "dataset": {"name": "toyland", "n": 7, "size": 32},
    "networks": ["toy-resnet50"],
    "explainers": ["grad-cam", {"name": "grad-cam++", "label": "no guard", "eps": 0.0}, "gradient"],
    "layers": ["layer3", "layer4"],
    "metrics": ["epg", "average-drop"],
    "images_per_unit": 3,
}
TOML = """
networks = ["toy-resnet50"]
explainers = ["grad-cam", {name = "grad-cam++", label = "no guard", eps = 0.0}, "gradient"]
layers = ["layer3", "layer4"]
metrics = ["epg", "average-drop"]
images_per_unit = 3
dataset = {name = "toyland", n = 7, size = 32}
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.of(from_table(TABLE))


@pytest.fixture(scope="module")
def truth(plan, tmp_path_factory):
    """The rows of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    assert evaluate(plan, out, part=(0, 1)) == len(plan.units)
    return parts.merge(out, plan.keys())


# Units and rows -----------------------------------------------------------------------------------


def test_units_cover_every_image_once(plan):
    assert [(u.group, u.start, len(u.ids)) for u in plan.units] == [
        ("cams", 0, 3),
        ("gradient", 0, 3),
        ("cams", 3, 3),
        ("gradient", 3, 3),
        ("cams", 6, 1),
        ("gradient", 6, 1),
    ]
    assert len({u.name for u in plan.units}) == len(plan.units)
    assert groups_of(plan.config.made) == {"cams": ("grad-cam", "no guard"), "gradient": ("gradient",)}


@pytest.mark.parametrize(
    ("explainers", "groups"),
    [
        (["grad-cam", {"name": "center", "label": "cams"}], {"cams": ("grad-cam",), "cams-alone": ("cams",)}),
        (["pcam+", {"name": "center", "label": "asked"}], {"asked": ("pcam+",), "asked-alone": ("asked",)}),
        ([{"name": "center", "label": "cams"}, "gradient"], {"cams": ("cams",), "gradient": ("gradient",)}),
    ],
)
def test_a_label_may_be_called_as_a_group_is(explainers, groups):
    """No explainer takes the place of another's group, and a label that meets none names its group as ever."""
    assert groups_of(from_table({**TABLE, "explainers": explainers}).made) == groups


def test_rows_are_what_the_functions_give(plan, truth):
    import holicam as hc

    model = hc.load_model("toy-resnet50")
    batch = hc.toyland.batch(7, split="test", size=32)
    with torch.no_grad():
        target = model(batch.images).argmax(1)
    maps = hc.GradCAMpp(eps=0.0)(model, batch.images, "layer3", target)
    want = hc.metrics.registry["epg"](
        model,
        batch.images,
        maps,
        target,
        masks=batch.class_masks[torch.arange(7), batch.target],
        protocol="holistic-cam",
    )
    rows = [r for r in truth.to_pylist() if (r["explainer"], r["layer"], r["metric"]) == ("no guard", "layer3", "epg")]
    assert [r["image"] for r in rows] == sorted(plan.dataset.ids)
    got = {r["image"]: r["value"] for r in rows}
    want = torch.where(target == batch.target, want, torch.nan)  # no score for a map of another class than the label's
    assert 0 < int(want.isfinite().sum()) < 7
    for image, value in zip(batch.ids, want, strict=True):
        assert got[image] == pytest.approx(float(value), rel=1e-5, abs=1e-7, nan_ok=True)
    assert rows[0]["settings"] == "GradCAMpp(eps=0.0)" and rows[0]["protocol"] == "holistic-cam"
    assert {r["protocol"] for r in truth.to_pylist() if r["metric"] == "average-drop"} == {""}
    assert {r["layer"] for r in truth.to_pylist() if r["explainer"] == "gradient"} == {""}
    assert truth.num_rows == 7 * 2 * (2 * 2 + 1)


def test_several_processes_give_the_same_rows(plan, truth, tmp_path):
    assert sum(evaluate(plan, tmp_path, part=(rank, 4)) for rank in range(4)) == len(plan.units)
    assert same_run(parts.merge(tmp_path, plan.keys()), truth)


def test_a_second_run_does_nothing(plan, truth, tmp_path):
    evaluate(plan, tmp_path, part=(0, 2))
    left = []
    evaluate(plan, tmp_path, part=(0, 1), progress=lambda unit, cost, seconds: left.append((unit, cost, seconds)))
    assert [unit for unit, _, _ in left] == mine(plan.units, 1, 2)
    assert all(cost > 0 and seconds > 0 for _, cost, seconds in left)
    assert evaluate(plan, tmp_path, part=(0, 1)) == 0
    assert same_run(parts.merge(tmp_path, plan.keys()), truth)


def test_poly_cam_is_asked_once_for_all_its_variants(tmp_path):
    """Rows of a group that shares questions are those of each explainer alone."""
    depth = [
        {"name": "pcam+-", "label": f"from {layer}", "layers": ["layer3", "layer4"][i:]}
        for i, layer in enumerate(("layer3", "layer4"))
    ]
    table = {**TABLE, "dataset": {"name": "toyland", "n": 2, "size": 64}, "metrics": ["epg"], "layers": ["layer4"]}
    together = Plan.of(from_table({**table, "explainers": [*depth, "cam-"]}))
    assert groups_of(together.config.made) == {"asked": ("from layer3", "from layer4", "cam-")}
    rows = {
        (r["explainer"], r["layer"], r["image"]): r["value"]
        for unit in together.units
        for r in rows_of(together.work(unit, "", "cpu"))
    }
    assert len(rows) == 6
    for entry in [*depth, "cam-"]:
        alone = Plan.of(from_table({**table, "explainers": [entry]}))
        for row in rows_of(alone.work(alone.units[0], "", "cpu")):
            assert rows[row["explainer"], row["layer"], row["image"]] == pytest.approx(
                row["value"], rel=1e-4, nan_ok=True
            )


def test_labels_and_top_one():
    labelled = Plan.of(from_table({**TABLE, "target": "label", "explainers": ["activation-sum"], "metrics": ["epg"]}))
    rows = list(rows_of(labelled.work(labelled.units[0], "", "cpu")))
    assert [r["target"] for r in rows[:3]] == [labelled.dataset[i].targets[0] for i in range(3)]


def test_a_map_is_not_held_against_an_object_that_the_network_did_not_see():
    """Region scores are unknown, with the reason, where the top-1 class is another; all other scores stand."""
    table = {**TABLE, "explainers": ["center"], "metrics": ["epg-count", "epg-box-count", "average-drop"]}
    plan = Plan.of(from_table(table))
    found = list(rows_of(plan.work(plan.units[0], "", "cpu")))
    labels = {image: plan.dataset[i].targets[0] for i, image in enumerate(plan.dataset.ids)}
    wrong = [row for row in found if row["target"] != labels[row["image"]]]
    assert wrong
    for row in found:
        apart = row in wrong and row["metric"] != "average-drop"
        assert math.isnan(row["value"]) is apart and (ELSEWHERE in row["note"]) == apart
    asked = Plan.of(from_table({**table, "metrics": ["epg-count"], "target": "label"}))
    assert not any(math.isnan(row["value"]) for row in rows_of(asked.work(asked.units[0], "", "cpu")))


def test_an_image_that_cannot_be_read_is_recorded(plan, tmp_path):
    def read(name):
        if name == plan.dataset.ids[1]:
            raise datasets.UnreadableError("the file ends early")
        return plan.dataset.read(name)

    broken = Plan(plan.config, replace(plan.dataset, read=read), plan.load, plan.units)
    evaluate(broken, tmp_path, part=(0, 1))
    rows = parts.merge(tmp_path, broken.keys()).to_pylist()
    bad = [r for r in rows if r["image"] == plan.dataset.ids[1]]
    assert len(rows) == 70 and len(bad) == 10
    assert all(r["value"] != r["value"] and r["note"] == "skipped: the file ends early" for r in bad)


# What can go wrong --------------------------------------------------------------------------------


def test_another_run_is_refused_with_the_difference(plan, tmp_path):
    evaluate(plan, tmp_path, part=(0, 6))
    other = Plan.of(from_table({**TABLE, "protocol": "ucag", "explainers": ["grad-cam"]}))
    with pytest.raises(ConfigError) as caught:
        evaluate(other, tmp_path)
    assert "protocol: 'holistic-cam' became 'ucag'" in str(caught.value)
    assert "explainers.no guard" in str(caught.value)
    assert differences({"a": 1, "b": [1]}, {"a": 1, "b": [2]}) == ["b: [1] became [2]"]


def test_unknown_values_are_equal(plan, truth):
    """At 32 pixels layer4 has one cell, so its maps are constant and have no energy: NaN on every processor."""
    unknown = [row for row in truth.to_pylist() if row["value"] != row["value"]]
    assert {(row["layer"], row["degenerate"]) for row in unknown} >= {("layer4", "constant")}
    again = type(truth).from_pylist(truth.to_pylist(), truth.schema)
    assert parts.same_rows(truth, again) and not truth.equals(again)
    for column, value in (("value", 0.5), ("note", "other")):
        changed = truth.to_pylist()
        next(row for row in changed if row["value"] != row["value"])[column] = value
        assert not parts.same_rows(truth, type(truth).from_pylist(changed, truth.schema))
    assert not parts.same_rows(truth, truth.slice(1)) and not parts.same_rows(truth, truth.drop_columns(["note"]))
    nan = float("nan")
    assert same({"a": [nan, (1, nan)]}, {"a": [nan, [1, nan]]}) and not same([nan], [0.0]) and not same(nan, None)
    assert not same({"a": nan}, {"b": nan}) and not same([nan], [nan, nan])
    assert differences({"std": nan}, {"std": nan}) == [] and differences({"std": nan}, {"std": 1.0})


def test_missing_and_doubled_rows_are_counted(plan, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no parts"):
        parts.merge(tmp_path, plan.keys())
    evaluate(replace(plan, units=plan.units[::2]), tmp_path)
    with pytest.raises(IncompleteError, match="14 of 70 rows are missing, 0 are there twice"):
        parts.merge(tmp_path, plan.keys())
    evaluate(plan, tmp_path, part=(0, 1))
    first = parts.part_path(tmp_path, plan.units[0].name)
    first.with_name("copy.parquet").write_bytes(first.read_bytes())
    with pytest.raises(IncompleteError, match="24 are there twice"):
        parts.merge(tmp_path, plan.keys())
    first.with_name("copy.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(IncompleteError, match="cannot be read"):
        parts.merge(tmp_path, plan.keys())


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
@pytest.mark.parametrize("nth", [0, 1, 3])
def test_a_fault_at_any_write_leaves_whole_parts_only(plan, truth, tmp_path, monkeypatch, fails, nth):
    """A full disk at the n-th write: an error that names the file, nothing half written, and the next run completes it.

    A part is put in its place by "replace", the manifest by "link", which never takes the place of another's.
    """
    calls, real = [], {"fsync": os.fsync, "replace": os.replace, "write": open, "link": os.link}

    def failing(name):
        def fail(*args, **kwargs):
            if name == "write" and args[1:] != ("wb",):
                return real[name](*args, **kwargs)
            calls.append(args)
            if len(calls) == nth + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real[name](*args, **kwargs)

        return fail

    with monkeypatch.context() as patch:
        if fails == "write":
            patch.setattr(whole_files, "open", failing("write"), raising=False)
        for name in {"fsync": ["fsync"], "replace": ["replace", "link"]}.get(fails, []):
            patch.setattr(whole_files.os, name, failing(name))
        with pytest.raises(OSError, match="No space left") as caught:
            evaluate(plan, tmp_path, part=(0, 1))
    assert str(tmp_path) in str(caught.value) and Path(caught.value.filename).suffix in (".json", ".parquet")
    there = [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert len(there) == nth and not [name for name in there if name.startswith(".")]
    evaluate(plan, tmp_path, part=(0, 1))
    assert same_run(parts.merge(tmp_path, plan.keys()), truth)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({**TABLE, "explainer": ["a"]}, "there is no setting 'explainer'; close names are explainers"),
        ({**TABLE, "explainers": ["gradcam"]}, "explainer 'gradcam': there is no explainer"),
        ({**TABLE, "explainers": [{"name": "grad-cam", "epsilon": 1}]}, "explainer 'grad-cam'"),
        ({**TABLE, "explainers": ["grad-cam", "grad-cam"]}, "two explainers are called 'grad-cam'"),
        ({**TABLE, "networks": []}, "networks must be a list with at least one entry"),
        ({**TABLE, "dataset": {"n": 3}}, "dataset must have a name"),
        ({**TABLE, "target": "top1"}, "target must be one of 'top-1', 'label'"),
        ({**TABLE, "images_per_unit": 0}, "images_per_unit must be a whole number of at least 1"),
        ({**TABLE, "protocol": "holistic_cam"}, "there is no protocol 'holistic_cam'; close names are holistic-cam"),
        ({**TABLE, "protocol": 3}, "protocol must be a name; got 3"),
        ({**TABLE, "protocol": ["rise"]}, "protocol must be a name; got"),
        ({**TABLE, "explainers": "rise"}, r"explainers must be a list such as \[.rise.\]; got 'rise'"),
        ({**TABLE, "metrics": "epg"}, "metrics must be a list of names, and a text is no list of names; got 'epg'"),
        ({**TABLE, "layers": "layer4"}, "layers must be a list of names, and a text is no list"),
        ({**TABLE, "layers": {"toy-resnet50": "layer4"}}, "layers must be a list of names, and a text is no list"),
        ({**TABLE, "seed_by_image": "rise"}, "seed_by_image must be a list of names, and a text is no list"),
        ({**TABLE, "notes": "few masks"}, "notes must be a list of names, and a text is no list"),
        ({"dataset": "toyland"}, "the configuration is not whole"),
        ({**TABLE, "layers": {"toy_resnet50": ["layer4"]}}, "layers names 'toy_resnet50', .* names are toy-resnet50"),
        ({**TABLE, "explainers": [{"name": "grad-cam", "layers": ["layer1"]}]}, "grad-cam reads the layers of the run"),
        ({**TABLE, "explainers": [{"name": "rise", "layers": ["layer1"]}]}, "rise reads none: leave them out"),
        ({**TABLE, "networks": ["toy-resnet50"] * 2}, "networks has toy-resnet50 more than once"),
        ({**TABLE, "metrics": ["epg", "epg"]}, "metrics has epg more than once"),
        ({**TABLE, "table": "ucag-tabel1"}, "no published table is called 'ucag-tabel1'; close names are ucag-table1"),
        *(
            ({**TABLE, "seed": seed}, "seed must be a whole number of at least 0")
            for seed in ("abc", -1, 1.5, math.nan, True, date(1979, 5, 27))
        ),
        *(
            ({**TABLE, "dataset": {"name": "toyland", "n": n}}, "n of dataset 'toyland' must be a whole number")
            for n in (True, "4", 4.0)
        ),
        ({**TABLE, "dataset": {"name": "toyland", "nn": 4}}, "dataset 'toyland' has no option 'nn'; close names are n"),
        ({**TABLE, "dataset": {"name": "folder", "root": 5}}, "root of dataset 'folder' must be a text; got 5"),
        ({**TABLE, "dataset": {"name": "masked-folder", "masks": "m"}}, "dataset 'masked-folder' needs root"),
        ({**TABLE, "dataset": {"name": 5}}, "the name of dataset must be a text"),
        *(
            ({**TABLE, "explainers": [{"name": "rise", "label": label}]}, "label of explainer 'rise' must be one line")
            for label in (5, [], "", " ", "a\nb", "a" * 300)
        ),
        *(
            ({**TABLE, "explainers": [{"name": "pcam+", "layers": layers}]}, "layers of explainer 'pcam.' must be")
            for layers in ("layer4", 5, [4])
        ),
        ({**TABLE, "explainers": {"name": "rise"}}, "explainers must be a list such as"),
        ({**TABLE, "networks": [""]}, 'networks must be a list of names, and "" is none'),
        ({}, "not whole: it needs dataset, networks, explainers"),
        ({**TABLE, "chunk": 3}, "chunk is called images_per_unit now: rename it"),
        ({**TABLE, "batch": 3}, "batch is called batch_size now: rename it"),
    ],
)
def test_bad_configurations_are_named(table, message):
    with pytest.raises(ConfigError, match=message):
        from_table(table)


def test_unknown_metrics_data_sets_and_networks(tmp_path):
    with pytest.raises(KeyError, match="there is no metric 'epp'"):
        from_table({**TABLE, "metrics": ["epp"]})
    for wrong, message in (
        ({"dataset": {"name": "toylands"}}, "there is no data set 'toylands'"),
        ({"dataset": {"name": "toyland", "colour": 1}}, "dataset 'toyland'"),
        ({"networks": ["toy-resnet5"]}, "There is no network 'toy-resnet5'"),
    ):
        with pytest.raises(ValueError, match=message):
            Plan.of(from_table({**TABLE, **wrong}))
    (tmp_path / "bad.toml").write_text("networks = [")
    with pytest.raises(ConfigError, match="is not TOML"):
        from_toml(tmp_path / "bad.toml")


def test_toml_and_table_are_one(tmp_path):
    (tmp_path / "run.toml").write_text(TOML)
    assert from_toml(tmp_path / "run.toml").plain() == from_table(TABLE).plain()
    (tmp_path / "run.toml").write_text(TOML, encoding="utf-8-sig")
    assert from_toml(tmp_path / "run.toml") == from_table(TABLE)
    (tmp_path / "run.toml").write_text(TOML, encoding="utf-16")
    with pytest.raises(ConfigError, match="run.toml is not TOML: it is text in UTF-16"):
        from_toml(tmp_path / "run.toml")
    assert isinstance(from_table(TABLE), Config)


def test_shards_follow_the_launcher(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"):
        monkeypatch.delenv(name, raising=False)
    assert shard() == (0, 1)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "8")
    assert shard() == (3, 8)
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")  # --array=1-8
    assert shard() == (2, 8)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert shard() == (1, 2)
    ids = [str(i) for i in range(200)]
    units = units_of(from_table(TABLE), ids)
    dealt = [mine(units, rank, 3) for rank in range(3)]
    assert sorted(u.name for own in dealt for u in own) == sorted(u.name for u in units)
    assert all({u.group for u in own} == {"cams", "gradient"} for own in dealt)  # nobody gets the costly ones only


# Processes ----------------------------------------------------------------------------------------


def start(folder: Path, *more: str, **env: str) -> subprocess.Popen:
    config = folder / "run.toml"
    config.write_text(TOML)
    command = [sys.executable, "-m", "holicam", "evaluate", str(config), "--out", str(folder / "out"), *more]
    return subprocess.Popen(
        command, env={**os.environ, **ONE_LIKE_US, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def kill_after_one_more_part(folder: Path, wait: float, workers: int) -> tuple[int, int]:
    """Start a run, kill its workers a moment after a part was written; (kills that met a living one, parts)."""
    before = len(list((folder / "out").rglob("*.parquet")))
    running = [start(folder, "--shard", f"{n}/{workers}") for n in range(workers)]
    while any(p.poll() is None for p in running) and len(list((folder / "out").rglob("*.parquet"))) <= before:
        time.sleep(0.005)
    time.sleep(wait)
    for process in running:
        process.send_signal(signal.SIGKILL)
    for process in running:
        process.communicate()
    hits = sum(process.returncode == -signal.SIGKILL for process in running)
    return hits, len(list((folder / "out").rglob("*.parquet")))


def killed(folder: Path, kills: int, plan: Plan, truth, workers: int = 1) -> list[int]:
    """Kill a run until so many kills have met one at work; the merged rows must equal an undisturbed run's."""
    chance = random.Random(kills)
    seen, met = [], 0
    while met < kills:
        hits, there = kill_after_one_more_part(folder, chance.uniform(0, 0.08), workers)
        met += hits
        seen.append(there)
        if there == len(plan.units):  # begin anew
            for path in (folder / "out").rglob("*.parquet"):
                path.unlink()
    evaluate(plan, folder / "out", part=(0, 1))
    assert parts.same_rows(parts.merge(folder / "out", plan.keys()), truth)
    assert not list((folder / "out").rglob("*.tmp")), "a killed process left a draft"
    return seen


def test_three_kills_lose_nothing(plan, truth, tmp_path):
    assert max(killed(tmp_path, 3, plan, truth)) >= 1


@pytest.mark.slow
def test_twenty_kills_lose_nothing(plan, truth, tmp_path):
    seen = killed(tmp_path, 20, plan, truth, workers=2)
    print("whole parts after each pair of kills:", *seen)  # shown with -s
    assert max(seen) >= 1


def test_two_torchrun_workers_and_the_other_commands(plan, truth, tmp_path):
    (tmp_path / "run.toml").write_text(TOML)
    out, python = tmp_path / "out", [sys.executable, "-m"]
    env = {**os.environ, **ONE_LIKE_US}
    torchrun = [*python, "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    tail = ["-m", "holicam", "evaluate", str(tmp_path / "run.toml"), "--out", str(out)]
    subprocess.run([*torchrun, *tail], check=True, capture_output=True, env=env)
    said = subprocess.run(
        [*python, "holicam", "merge", str(tmp_path / "run.toml"), "--out", str(out)],
        check=True,
        capture_output=True,
        text=True,
        env=env,
    )
    assert "70 rows" in said.stdout
    import pyarrow.parquet as pq

    assert same_run(pq.read_table(out / "rows.parquet"), truth)
    assert json.loads((out / "manifest.json").read_text())["config"]["images_per_unit"] == 3
    dry = subprocess.run(
        [*python, "holicam", "evaluate", str(tmp_path / "run.toml"), "--dry-run"],
        check=True,
        capture_output=True,
        text=True,
        env=env,
    )
    assert "6 of 6 units" in dry.stdout and "hours" in dry.stdout


def test_a_folder_that_cannot_be_written_gets_one_sentence(tmp_path):
    (tmp_path / "out").write_text("a file where the folder should be")
    process = start(tmp_path)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith("Error: ") and "Traceback" not in said
