"""Stored rows: they are those of their configuration and of today's code, and a change is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_1samp

from holicam.experiments import results as stored
from holicam.experiments.config import from_toml
from holicam.experiments.evidence import Grouping, marks
from holicam.experiments.loading import fingerprint
from holicam.experiments.manifest import run_name
from holicam.experiments.part_file import about
from holicam.experiments.plan import Plan
from holicam.experiments.run import evaluate
from holicam.experiments.storage import merge
from holicam.models import data_folder, load_model
from tests.helpers.runs import stored_set

RESULTS = data_folder() / "results"
# Those that have rows; of photographs, which are not here, only the configuration can be looked at.
SETS = sorted(path.stem for path in RESULTS.glob("*.toml") if path.with_suffix(".json").exists())
NAMES = [name for name in SETS if not name.startswith("photographs")]
CHEAP = (
    "Grad-CAM",
    "grad-cam",
    "GradCAM",
    "GradCAM original",
    "GCAM original",
    "CAM+",
    "PGE=1;FSD=1",
    "ksize=91;blurSize=51",
    "LRP original",
)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_their_configuration(name):
    """Images, networks, layers, explainers and metrics of the file are those of the rows."""
    import pyarrow.parquet as pq

    rows, made = stored.load(name), json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    plan = Plan.of(from_toml(RESULTS / f"{name}.toml"))
    assert set(rows.images) <= set(plan.dataset.ids) and made["ids"] == plan.dataset.split_hash
    assert made["weights"] == {network: fingerprint(load_model(network)) for network in plan.config.networks}
    wanted = {
        (network, layer, label, metric)
        for network in plan.config.networks
        for label in plan.config.made
        for layer in plan.layers_of(label, network)
        for metric in plan.config.metrics
    }
    assert rows.values.keys() == wanted
    table = pq.read_table(RESULTS / f"{name}.parquet")
    said = about(RESULTS / f"{name}.parquet") or {"there": len(plan.dataset), "planned": len(plan.dataset)}
    assert said == {"there": len(rows.images), "planned": len(plan.dataset)}
    assert table.num_rows == len(wanted) * len(rows.images)
    assert table["run"].unique().to_pylist() == [run_name(made)]
    if "run" not in made:  # of a time when manifests had no name
        then = {key: value for key, value in made.items() if key != "code"}  # which has been added since
        assert run_name(made) == hashlib.sha256(json.dumps(then, sort_keys=True).encode()).hexdigest()[:12]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_what_the_code_gives_today(name, tmp_path):
    """One cheap explainer on the first image: a changed formula would move its numbers."""
    config = from_toml(RESULTS / f"{name}.toml")
    entry = next(entry for entry in config.explainers if any(entry.label.endswith(said) for said in CHEAP))
    network = config.networks[0]
    layer = Plan.of(config).layers[network][0]
    slow = {"part-faithfulness", "shapley-faithfulness"}
    one = replace(
        config,
        explainers=(entry,),
        networks=(network,),
        layers=(layer,),
        images_per_unit=1,
        dataset={**config.dataset, **({"n": 1} if "n" in config.dataset else {})},
        n=0 if "n" in config.dataset else 1,
        metrics=tuple(m for m in config.metrics if m not in slow),
    )
    plan = Plan.of(one)
    evaluate(plan, tmp_path, part=(0, 1))
    known = stored.load(name)
    for row in merge(tmp_path, plan.keys()).to_pylist():
        column = known.values[network, row["layer"], row["explainer"], row["metric"]]
        want = column[known.images.index(row["image"])]
        # Weights that differ in the seventh digit move a rank-based score of Grad-CAM at layer1 by up to 0.007.
        assert row["value"] == pytest.approx(want, abs=2e-2, nan_ok=True), row["metric"]


def edited(text: str, key: str) -> str:
    """The configuration with one setting changed by hand."""
    if key == "n":
        changed = re.sub(r"^n = \d+$", "n = 3", text, flags=re.MULTILINE)
        return changed if changed != text else f"n = 3\n{text}"  # a set that takes all of its images says no number
    if key == "explainers":  # the first one goes
        return re.sub(r"(explainers = \[\n).*\n", r"\1", text, count=1)
    value = {"protocol": '"rise"', "metrics": '["epg-top100"]', "images_per_unit": "7", "batch_size": "3"}[key]
    if re.search(rf"^{key} = ", text, re.MULTILINE):
        return re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    return f"{key} = {value}\n{text}"


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("key", ["protocol", "n", "metrics", "explainers"])
def test_a_changed_configuration_is_refused(tmp_path, name, key):
    """Whoever edits a stored configuration is told the difference, and gets no numbers."""
    for ending in ("toml", "json", "parquet"):
        shutil.copy(RESULTS / f"{name}.{ending}", tmp_path)
    assert stored.load(name, tmp_path).images
    path = tmp_path / f"{name}.toml"
    path.write_text(edited(path.read_text(encoding="utf-8"), key), encoding="utf-8")
    with pytest.raises(stored.StaleRowsError, match=rf"\b{key}\b.* became "):
        stored.load(name, tmp_path)


@pytest.mark.parametrize("key", ["images_per_unit", "batch_size", "chunk of an explainer"])
def test_what_only_changes_speed_is_no_change(tmp_path, key):
    stored_set(tmp_path, "small")
    path = tmp_path / "small.toml"
    text = path.read_text(encoding="utf-8")
    explainer = text.replace('label = "UCAG"', 'label = "UCAG", chunk = 3')
    changed = edited(text, key) if key in ("images_per_unit", "batch_size") else explainer
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    assert len(stored.load("small", tmp_path).images) == 2


def test_rows_of_another_run_are_refused(tmp_path):
    stored_set(tmp_path, "small")
    stored_set(tmp_path, "other", ("epg",))
    shutil.copy(tmp_path / "other.parquet", tmp_path / "small.parquet")
    with pytest.raises(stored.StaleRowsError, match="holds other rows than those of"):
        stored.load("small", tmp_path)


METHODS = ("Grad-CAM", "XGrad-CAM", "Eigen-CAM", "Holistic-CAM")


@pytest.fixture
def table6():
    """Rows as of appendix Table 6: four methods at two places, a control that is of no layer, sixteen images."""
    rng, places = np.random.default_rng(0), (("toy-resnet50", "Layer4"), ("toy-vgg16_bn", "Layer23"))
    values = {
        (network, "" if label == "Random" else layer, label, metric): rng.random(16) + 2 * (label == "Holistic-CAM")
        for network, layer in places
        for label in (*METHODS, "Random")
        for metric in ("deletion", "epg", "epg-box-count")
    }
    made = dict.fromkeys((*METHODS, "Random"))
    config = {"explainers": made, "dataset": {"name": "toyland", "n": 250}, "table": "holistic-cam-table6"}
    return stored.Stored(config=config, images=tuple(map(str, range(16))), values=values, name="own")


def test_columns_means_and_printed_values(table6):
    column = table6.column("toy-resnet50", "Layer4", "deletion")
    assert list(column) == [*METHODS, "Random"]
    mean = table6.average("toy-resnet50", "Layer4", "Grad-CAM", "deletion")
    assert mean == pytest.approx(column["Grad-CAM"].mean())
    assert table6.printed("toy-resnet50", "Layer4", "Grad-CAM", "insertion") == (pytest.approx(0.54887), "")
    value, note = table6.printed("toy-vgg16_bn", "Layer23", "XGrad-CAM", "epg")
    assert value == pytest.approx(0.40761) and note.startswith("contradiction")
    assert table6.printed("toy-vgg16_bn", "Layer23", "XGrad-CAM", "epg-box-count") == (value, note)
    value, note = table6.printed("toy-resnet50", "Layer4", "no such", "insertion")
    assert np.isnan(value) and note == ""


def test_side_by_side_and_aligned(table6):
    cells = table6.side_by_side("toy-vgg16_bn", "Layer23", ["deletion", "epg"], digits=2)
    mean = table6.average("toy-vgg16_bn", "Layer23", "XGrad-CAM", "epg")
    assert cells["XGrad-CAM"]["epg"] == f"{mean:.2f} (0.41†)"
    assert cells["Random"]["epg"] == f"{table6.average('toy-vgg16_bn', '', 'Random', 'epg'):.2f}"
    text = stored.aligned({"one": {"a": "1", "b": "10.5"}, "twelve": {"b": "2"}})
    assert text.split("\n") == ["        a     b", "one     1  10.5", "twelve  –     2"]


def test_a_star_is_adjusted_for_all_metrics_side_by_side():
    """Of two methods on sixteen images, better on 13: a star where it is the only column."""
    signs, dull = np.where(np.arange(16) < 13, 0.1, -0.1), np.tile([0.1, -0.1], 8)
    values = {
        ("net", "", label, metric): 0.5 + (label == "a") * (signs if metric == "over-all" else dull)
        for label in "ab"
        for metric in ("over-all", "insertion", "epg", "road")
    }
    config = {"explainers": {"a": {}, "b": {}}, "dataset": {"name": "toyland"}, "table": ""}
    known = stored.Stored(config=config, images=tuple(map(str, range(16))), values=values, name="own")
    assert known.side_by_side("net", "", ["over-all"]) == {"a": {"over-all": "0.562*"}, "b": {"over-all": "0.500"}}
    assert known.side_by_side("net", "", ["over-all", "insertion", "epg", "road"])["a"]["over-all"] == "0.562"


def test_stars_are_the_marks(table6):
    metrics = ["deletion", "epg"]
    columns = {metric: table6.column("toy-resnet50", "Layer4", metric) for metric in metrics}
    best = marks(columns, {"deletion": False, "epg": True})
    assert best["epg"]["Holistic-CAM"] == "best"
    for label, row in table6.side_by_side("toy-resnet50", "Layer4", metrics).items():
        assert all(("*" in row[metric]) == (best[metric].get(label) == "best") for metric in metrics)


def test_pairs_leave_out_images_that_one_lacks():
    one, other = np.array([1.0, 2.0, np.nan, 4.0]), np.array([0.5, 1.5, 1.0, 3.5])
    assert stored.paired(one, other) == (0.5, 0.5, 0.5)
    mean, low, high = stored.paired(np.arange(40.0), np.zeros(40))
    known = ttest_1samp(np.arange(40.0), 0).confidence_interval()
    assert mean == 19.5 and (low, high) == pytest.approx((known.low, known.high))
    assert stored.paired(np.array([2.0]), np.array([0.5])) == pytest.approx((1.5, np.nan, np.nan), nan_ok=True)
    pairs = Grouping(np.repeat(np.arange(20), 2))
    assert stored.paired(np.arange(40.0), np.zeros(40), pairs)[2] > high  # twenty clusters know less than forty images
    with pytest.raises(ValueError, match="no image"):
        stored.paired(np.array([np.nan]), np.array([1.0]))


def test_agreement_is_spearman_of_what_both_have():
    ours, theirs = [3.0, 1.0, 2.0, 2.0, np.nan], [0.3, 0.1, 0.4, 0.2, 0.9]
    assert stored.agreement(ours, theirs) == pytest.approx(spearmanr(ours[:4], theirs[:4]).statistic)
    assert np.isnan(stored.agreement([1.0, np.nan, 2.0], [1.0, 2.0, 3.0]))
    assert np.isnan(stored.agreement([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]))
