"""What a run may ask for: curves, truth for the control, a reference network, noise by image; and what it records."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import holicam as hc
from holicam import datasets, metrics
from holicam.experiments import costs, report
from holicam.experiments import storage as parts
from holicam.experiments.config import Config, ConfigError, from_table, same
from holicam.experiments.pivot import Results
from holicam.experiments.plan import Plan
from holicam.experiments.report_curves import mean_curves
from holicam.experiments.rows import rows
from holicam.experiments.run import evaluate
from holicam.experiments.scoring import NO_CHANGE
from holicam.experiments.units import Unit, units_of
from holicam.experiments.whole_files import write_whole
from holicam.experiments.work import image_seed
from holicam.methods.controls import SobelMap
from tests.helpers.commands import photo

TOY = {
    "dataset": {"name": "toyland", "n": 3, "size": 32},
    "networks": ["toy-resnet50"],
    "layers": ["layer4"],
    "explainers": ["grad-cam", "sobel"],
    "metrics": ["epg"],
    "images_per_unit": 2,
}


def all_rows(table: dict) -> list[dict]:
    plan = Plan.of(from_table({**TOY, **table}))
    return [row for unit in plan.units for row in rows(plan.work(unit, "run", "cpu"))]


def value_of(found: list[dict]) -> dict[tuple, float]:
    return {(row["explainer"], row["metric"], row["image"]): row["value"] for row in found}


@pytest.fixture(scope="module")
def curved(tmp_path_factory):
    """A merged run with curves."""
    out = tmp_path_factory.mktemp("curves")
    plan = Plan.of(from_table({**TOY, "metrics": ["insertion", "deletion", "over-all", "road"], "curves": True}))
    evaluate(plan, out, part=(0, 1))
    return plan, out, parts.merge(out, plan.keys()).to_pylist()


def test_curves_are_those_of_the_values(curved):
    _, _, found = curved
    without = all_rows({"metrics": ["insertion", "deletion", "over-all", "road"]})
    for key, value in value_of(without).items():
        assert value_of(found)[key] == pytest.approx(value, abs=1e-6)
    for row in found:
        if row["metric"] == "over-all":
            assert row["curve"] is None and row["share"] is None
            continue
        shares, scores = torch.tensor([row["share"]]), torch.tensor([row["curve"]], dtype=torch.float64)
        if row["metric"] == "road":
            morf, lerf = scores[0].split(4)
            assert shares[0].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8] * 2)
            assert float((lerf - morf).mean() / 2) == pytest.approx(row["value"], abs=1e-3)
        else:
            area = metrics.area(scores, shares[0].double(), "holistic-cam")
            assert float(area) == pytest.approx(row["value"], abs=1e-3) and shares[0, -1] == 1
    assert "curve" not in all_rows({})[0]


def test_a_report_shows_the_mean_curves(curved):
    _, out, found = curved
    paths = report.write(out)
    assert [p.name for p in paths] == [
        "report.html",
        "report.md",
        "report.tex",
        "report.csv",
        "curves-0.svg",
        "curves-0.pdf",
        "curves-1.svg",
        "curves-1.pdf",
    ]
    first = {p.name: p.read_bytes() for p in paths}
    assert (
        "](curves-0.svg)" in first["report.md"].decode()
        and first["report.html"].count(b'aria-label="Mean curves: ') == 2
    )
    assert rb"\includegraphics[width=\linewidth]{curves-0}" in first["report.tex"]
    report.write(out)
    assert all(p.read_bytes() == first[p.name] for p in paths)  # the same rows, the same files
    curves = mean_curves(Results.of(found, {"networks": ["toy-resnet50"], "explainers": {}}))
    assert list(curves) == [("toy-resnet50", "layer4"), ("toy-resnet50", "")]
    shares, scores = curves["toy-resnet50", "layer4"]["insertion"]["grad-cam"]
    own = [row["curve"] for row in found if (row["explainer"], row["metric"]) == ("grad-cam", "insertion")]
    assert len(own) == 3 and np.allclose(scores, np.mean(own, 0)) and len(shares) == len(scores)


def test_the_control_knows_the_truth(tmp_path):
    found = value_of(
        all_rows({"explainers": ["ground-truth"], "metrics": ["epg", "iou", "sensitivity-max"], "target": "label"})
    )
    assert all(value == (0 if metric == "sensitivity-max" else 1) for (_, metric, _), value in found.items())
    from tests.helpers import disk

    disk.imagenet(tmp_path)
    data = datasets.load("imagenet", tmp_path, partial=True)  # boxes, no masks
    config = from_table({**TOY, "explainers": ["ground-truth"], "layers": ["layer4"]})
    from holicam.experiments.units import units_of

    plan = Plan(config, data, hc.load_model, tuple(units_of(config, data.ids)))
    assert [row["value"] for unit in plan.units for row in rows(plan.work(unit, "", "cpu"))] == [1.0] * 4


def test_shortcut_contrast_gets_its_reference():
    with pytest.raises(ConfigError, match="shortcut-contrast compares two networks: give reference"):
        from_table({**TOY, "metrics": ["shortcut-contrast"]})
    world = {"dataset": {"name": "toyland", "n": 2, "size": 64, "subset": "shortcut"}, "target": "label"}
    more = {
        "metrics": ["shortcut-contrast"],
        "networks": ["toy-resnet50-shortcut", "toy-resnet50"],
        "explainers": ["grad-cam"],
        "reference": "toy-resnet50",
    }
    found = all_rows({**world, **more})
    drawn = hc.toyland.batch(2, split="test", subset="shortcut", size=64)
    maps = [hc.GradCAM()(hc.load_model(name), drawn.images, "layer4", drawn.target) for name in more["networks"]]
    want = metrics.contrast(None, None, maps[0], recipes=drawn.recipes, reference=maps[1]).shortcut
    got = [row["value"] for row in found if row["network"] == "toy-resnet50-shortcut"]
    assert got == pytest.approx(want.tolist(), abs=1e-5, nan_ok=True) and any(v == v for v in got)
    assert {row["value"] for row in found if row["network"] == "toy-resnet50"} <= {0.0}  # against itself
    plan = Plan.of(from_table({**TOY, **world, **more, "networks": ["toy-resnet50-shortcut"]}))
    assert set(plan.manifest()["weights"]) == {"toy-resnet50-shortcut", "toy-resnet50"}


def test_noise_by_image_makes_a_batch_equal_its_singles():
    table = {
        "explainers": [{"name": "smoothgrad", "samples": 3}, "smooth-grad-cam++", "grad-cam"],
        "seed_by_image": ["smoothgrad", "smooth-grad-cam++"],
        "target": "label",
    }
    together, singles = (
        value_of(all_rows({**table, "images_per_unit": 3})),
        value_of(all_rows({**table, "images_per_unit": 1})),
    )
    assert together.keys() == singles.keys() and len(together) == 9
    assert list(together.values()) == pytest.approx([singles[key] for key in together], abs=1e-5, nan_ok=True)
    data = datasets.load("toyland", 3, size=32)
    model, explainer = hc.load_model("toy-resnet50"), hc.SmoothGrad(samples=3)
    seeds = [image_seed(name, explainer, "holistic-cam") for name in data.ids]
    assert len(set(seeds)) == 3
    item = data[1]
    target = torch.tensor(item.targets[:1])
    maps = replace(explainer, seed=seeds[1])(model, item.image[None], None, target)
    want = metrics.epg(None, None, maps, masks=item.region(item.targets[0])[None])
    assert together["smoothgrad", "epg", data.ids[1]] == pytest.approx(float(want), abs=1e-5)
    shared = value_of(all_rows({**table, "seed_by_image": []}))
    assert shared["smoothgrad", "epg", data.ids[1]] != pytest.approx(float(want), abs=1e-5)
    for wrong, message in (
        ("grad-cam", "'grad-cam', which draws no noise here; those that do: smoothgrad"),
        ("rise", "'rise', which draws no noise"),
    ):
        with pytest.raises(ConfigError, match=message):
            from_table({**TOY, **table, "seed_by_image": [wrong]})
    with pytest.raises(ConfigError, match="that have no id"):
        from_table({**TOY, **table, "metrics": ["sensitivity-max"]})


def test_networks_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(
        "import holicam as hc\ndef voc():\n    return hc.load_model('toy-resnet50')\n"
        "def busy():\n    return voc().train()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = Plan.of(from_table({**TOY, "networks": ["voc"], "loaders": {"voc": "my_nets:voc"}}))
    theirs = [row["value"] for row in all_rows({})]
    assert same([row["value"] for unit in own.units for row in rows(own.work(unit, "", "cpu"))], theirs)
    assert own.config.plain()["loaders"] == {"voc": "my_nets:voc"}
    for wrong in ("my_nets:busy", "my_nets:none", "no_such_module:voc", "my_nets"):
        with pytest.raises(ConfigError, match="loaders: "):
            Plan.of(from_table({**TOY, "networks": ["voc"], "loaders": {"voc": wrong}}))
    from holicam.experiments.cli import config_of

    assert config_of("ucag-table2", False, 0, tmp_path, ["vgg16=my_nets:voc"]).loaders == {"vgg16": "my_nets:voc"}


@dataclass(frozen=True)
class Broken:
    """Somebody's own explainer: edges, but NaN for the second image of a call. Ours would refuse to return that."""

    takes = "input"

    def __call__(self, model, images, layers=None, target=None, **options):
        maps = SobelMap()(model, images, None, target)
        maps[1:2] = torch.nan
        return maps


def test_a_map_that_is_not_finite_is_recorded_and_the_run_goes_on():
    plan = Plan.of(
        from_table(
            {
                **TOY,
                "explainers": ["sobel"],
                "images_per_unit": 3,
                "metrics": [
                    "insertion",
                    "over-all",
                    "epg",
                    "pointing-game",
                    "average-drop",
                    "map-density+",
                    "iou",
                    "part-faithfulness",
                ],
            }
        )
    )
    broken = replace(plan, config=replace(plan.config))
    broken.config.__dict__["made"] = {"sobel": Broken()}
    found = list(rows(broken.work(plan.units[0], "", "cpu")))
    bad = [row for row in found if row["image"] == plan.dataset.ids[1]]
    assert len(found) == 24 and all(row["degenerate"] == "nan" and row["value"] != row["value"] for row in bad)
    fine = {(r["metric"], r["image"]): r["value"] for r in rows(plan.work(plan.units[0], "", "cpu"))}
    for row in found:
        if row["image"] != plan.dataset.ids[1]:
            assert row["degenerate"] == "none"
            assert row["value"] == pytest.approx(fine[row["metric"], row["image"]], nan_ok=True)


class Sure(torch.nn.Module):
    """A network that is so sure of class 0 that no part matters, but for rounding."""

    def __init__(self, gain: float):
        super().__init__()
        self.layer, self.gain = torch.nn.Conv2d(3, 2, 1), gain

    def forward(self, x):
        change = self.gain * self.layer(x).mean((1, 2, 3))
        return torch.stack([change + 9, *[torch.zeros_like(change)] * 9], 1)


@pytest.mark.parametrize(("gain", "known"), [(1e-4, False), (5.0, True)])
def test_ranks_of_rounding_are_no_part_faithfulness(gain, known):
    torch.manual_seed(0)
    config = from_table(
        {
            **TOY,
            "layers": ["layer"],
            "explainers": ["sobel"],
            "dataset": {"name": "toyland", "n": 2, "size": 48},
            "metrics": ["part-faithfulness", "shapley-faithfulness"],
        }
    )
    plan = Plan.of(replace(config, layers=("layer4",)))
    plan = replace(plan, config=config, load=lambda name: Sure(gain).eval())
    found = [row for row in rows(plan.work(plan.units[0], "", "cpu")) if row["metric"] == "part-faithfulness"]
    assert len(found) == 2
    assert all((row["value"] == row["value"]) == known and (row["note"] == NO_CHANGE) != known for row in found)


def test_cost_follows_protocol_size_and_parts():
    def scoring(names, size=(224, 224), protocol="holistic-cam", recipes=()):
        return costs.scoring(from_table({**TOY, "metrics": names, "protocol": protocol}), size, recipes)

    assert scoring(["insertion", "deletion", "over-all"]) == scoring(["over-all"]) == 57
    assert scoring(["insertion"]) == scoring(["deletion"]) == 29
    assert scoring(["insertion", "deletion"], protocol="rise") == 449
    assert scoring(["insertion", "deletion"], protocol="poly-cam") == 448
    assert scoring(["insertion", "deletion"], (112, 112), "rise") == 225
    assert scoring(["road", "epg", "map-density+", "map-density-"]) == 9 + 2
    drawn = hc.toyland.batch(3, split="test", size=64)
    parts_seen = [len(metrics.truth.regions(metrics.truth.drawn(recipe))) for recipe in drawn.recipes]
    exact = scoring(["part-faithfulness", "shapley-faithfulness"], recipes=drawn.recipes)
    assert exact == sum(2**n for n in parts_seen) / 3 < 256
    assert scoring(["part-faithfulness"], recipes=drawn.recipes) == 1 + sum(parts_seen) / 3
    less = [{"name": "rise", "masks": 60}, {"name": "smoothgrad", "samples": 5}]
    few = Plan.of(from_table({**TOY, "explainers": less}))
    assert [few.cost(unit) for unit in few.units[:2]] == pytest.approx([2 * 60.01, 2 * 10.1])
    plan = Plan.of(from_table({**TOY, "metrics": ["shapley-faithfulness", "sensitivity-max"]}))
    cams, sobel = plan.units[:2]
    assert plan.cost(cams) == pytest.approx(2 * (2 + 11 * 2 + plan.scoring)) and plan.cost(sobel) < plan.cost(cams)


def test_a_figure_that_a_user_changed_is_moved_aside(curved, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(curved[1], out)
    report.write(out)
    (out / "curves-0.svg").write_text("<svg>mine</svg>", encoding="utf-8")
    said: list[str] = []
    report.write(out, said.append)
    assert (out / "aside" / "curves-0.svg").read_text(encoding="utf-8") == "<svg>mine</svg>"
    assert sum("moved" in line for line in said) == 1


def test_a_configuration_in_python_may_hold_paths_and_numpy_s_numbers(tmp_path):
    photo(tmp_path / "pictures" / "cat.png", size=(32, 32))
    config = Config(
        dataset={"name": "folder", "root": tmp_path / "pictures"},
        networks=["toy-resnet50"],
        explainers=[{"name": "integrated-gradients", "steps": 2, "baseline": None}],
        metrics=["deletion"],
    )
    assert evaluate(Plan.of(config), tmp_path / "run", part=(0, 1)) == 1
    parts.merge(tmp_path / "run")
    assert "baseline" not in report.write(tmp_path / "run")[0].read_text(encoding="utf-8")
    again = from_table(json.loads(json.dumps(config.given())))
    assert again.dataset == config.dataset and again.dataset["root"] == str(tmp_path / "pictures")
    assert Config(**{**TOY, "dataset": {"name": "toyland", "n": np.int64(2), "size": 32}}).given()["dataset"]["n"] == 2
    with pytest.raises(ConfigError, match='base must be the name of an explainer, such as "grad-cam".*got GradCAM'):
        from_table({**TOY, "explainers": [{"name": "ucag", "base": hc.GradCAM()}]})


def test_a_label_in_any_script_makes_a_file_name():
    label = "方法" * 40
    (unit,) = units_of(from_table({**TOY, "explainers": [{"name": "random", "label": label}]}), ["a"])
    assert len(unit.name.encode()) <= 200 and label not in unit.name
    latin = Unit("toy-resnet50", "a" * 150, 0, ("a",), ("b",))
    assert latin.name == f"toy-resnet50--{'a' * 150}--0000000"


def test_a_draft_of_a_long_name_can_be_written(tmp_path):
    write_whole(tmp_path / f"{'方' * 80}.json", b"all of it")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"all of it"]
