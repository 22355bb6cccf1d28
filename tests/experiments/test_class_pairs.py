"""Pairs of image and class: which rows there are, their subsets, games at the picture's own size, class means."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from holicam import datasets
from holicam.experiments import evidence, report
from holicam.experiments import storage as parts
from holicam.experiments.class_pairs import listed_pairs, pairs_of, region
from holicam.experiments.config import ConfigError, from_table
from holicam.experiments.paper_tables import preset
from holicam.experiments.plan import Plan
from holicam.experiments.run import evaluate
from holicam.models.preprocessing import Preprocessing
from tests.helpers import disk

DOG, CAT, BUS, PERSON = 11, 7, 5, 14  # of VOC's twenty classes
ROWS = {"000001#11": "difficult", "000001#7": "difficult", "000002#5": "flagged", "000003#14": "easy"}


@pytest.fixture
def voc(tmp_path):
    disk.voc(tmp_path / "voc")
    return tmp_path / "voc"


class Twenty(torch.nn.Module):
    """A network of twenty classes whose one layer is the image, made dark."""

    def __init__(self):
        super().__init__()
        self.preprocessing = Preprocessing()  # a network of one's own says so itself
        self.layer, self.head = torch.nn.Conv2d(3, 4, 1), torch.nn.Linear(4, 20)
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))

    def forward(self, x):
        return self.head(self.layer(x).relu().mean((2, 3)))


def planned(root, **more) -> Plan:
    """A run over the pairs of the small VOC, with a network of its own."""
    table = {
        "dataset": {"name": "voc2007", "root": str(root), "partial": True},
        "networks": ["twenty"],
        "explainers": ["center", "ground-truth", "grad-cam"],
        "layers": ["layer"],
        "target": "label",
        "protocol": "ucag",
        "metrics": ["pointing-game", "epg"],
        "images_per_unit": 2,
        "pairs": True,
        **more,
    }
    config = from_table(table)
    data = datasets.load("voc2007", root, partial=True, **({"preset": more["preset"]} if "preset" in more else {}))
    from holicam.experiments.units import units_of

    data = pairs_of(data, config.difficult) if config.pairs else data
    return Plan(config, data, lambda name: Twenty().eval(), tuple(units_of(config, data.ids)))


def test_rows_by_hand(voc, tmp_path):
    """Four pairs of three images, three explainers, two metrics: 24 rows; two pairs are difficult, one is flagged."""
    plan = planned(voc)
    assert plan.dataset.ids == tuple(ROWS)
    evaluate(plan, tmp_path / "out", part=(0, 1))
    table = parts.merge(tmp_path / "out", plan.keys())
    rows = table.to_pylist()
    assert len(rows) == 24 and {row["image"]: row["subset"] for row in rows} == ROWS
    assert all(row["target"] == int(row["image"].split("#")[1]) for row in rows)
    assert {row["target_policy"] for row in rows} == {"each label"} and "subset" not in "".join(r["note"] for r in rows)
    value = {(r["explainer"], r["metric"], r["image"]): r["value"] for r in rows}
    assert all(value["ground-truth", metric, image] == 1 for metric in plan.config.metrics for image in ROWS)
    # 120 x 80 pixels, centre (60, 40): inside the dog's box (30, 20, 80, 60); more than 40 from either cat.
    assert value["center", "pointing-game", "000001#11"] == 1 and value["center", "pointing-game", "000001#7"] == 0


def test_games_are_played_at_the_picture_s_own_size(voc):
    """The network sees 336 x 224; fifteen pixels are fifteen pixels of the file's 120 x 80."""
    plan = planned(voc, explainers=["center"])
    item = plan.dataset[1]
    assert item.image.shape[1:] == (224, 336) and item.size == (80, 120)
    assert region(plan.dataset.read("000001#7")).sum() == 10 * 10 + 20 * 20
    from holicam.metrics import pointing_game

    found = {}
    for unit in plan.units:
        from holicam.experiments.rows import rows

        found |= {
            row["image"]: row["value"] for row in rows(plan.work(unit, "", "cpu")) if row["metric"] == "pointing-game"
        }
    for name in ROWS:
        inside = region(plan.dataset.read(name))[None]
        maps = torch.zeros(1, 80, 120)
        maps[0, 40, 60] = 1
        assert found[name] == float(pointing_game(None, None, maps, masks=inside).hit)


def test_the_list_of_the_difficult_is_the_authority(voc, tmp_path):
    path = tmp_path / "difficult.txt"
    flags = {"000001": [CAT], "000002": [BUS]}
    path.write_text(
        "".join(f"{name}\t" + "\t".join(str(int(k in on)) for k in range(20)) + "\n" for name, on in flags.items())
    )
    assert listed_pairs(path, 20)["000001"] == {CAT}
    data = pairs_of(datasets.load("voc2007", voc, partial=True), str(path))
    said = {item.id: item.notes[-1].removeprefix("subset: ") for item in data}
    # The dog is not listed; flagged stays flagged; an image that the list lacks counts as difficult.
    assert said == {"000001#11": "easy", "000001#7": "difficult", "000002#5": "flagged", "000003#14": "difficult"}
    path.write_text("000001 1 0 1\n")
    with pytest.raises(ConfigError, match="line 1: expected an image's name and 20 flags"):
        listed_pairs(path, 20)


def test_coco_and_toyland_have_pairs_too(tmp_path):
    pytest.importorskip("pycocotools")
    disk.coco(tmp_path)
    data = pairs_of(datasets.load("coco2014", tmp_path, partial=True))
    assert [name.split("_")[-1] for name in data.ids] == ["000000000042#0", "000000000042#1", "000000000073#2"]
    assert all(item.targets == (int(item.id.split("#")[1]),) and len(item.masks) == 1 for item in data)
    scenes = datasets.load("toyland", 3, subset="scene", size=48)
    every = pairs_of(scenes)
    assert len(every) == sum(len(item.targets) for item in scenes) > 3
    assert all(
        torch.equal(a.masks[0], b.masks[b.targets.index(a.targets[0])])
        for b in scenes
        for a in every
        if a.id.startswith(b.id + "#")
    )


def test_pictures_that_cannot_be_read_are_recorded(voc):
    disk.break_off(voc / "VOCdevkit" / "VOC2007" / "JPEGImages" / "000001.jpg")
    (voc / "VOCdevkit" / "VOC2007" / "Annotations" / "000003.xml").write_text("<annotation>")
    plan = planned(voc, explainers=["center"], metrics=["epg"])
    assert plan.dataset.ids == ("000001#11", "000001#7", "000002#5", "000003")
    from holicam.experiments.rows import rows

    found = [row for unit in plan.units for row in rows(plan.work(unit, "", "cpu"))]
    assert [row["image"] for row in found if row["note"].startswith("skipped: ")] == ["000001#11", "000001#7", "000003"]


def test_a_report_has_all_and_difficult(voc, tmp_path):
    plan = planned(
        voc,
        table="ucag-table2",
        metrics=["pointing-game"],
        explainers=[{"name": "center", "label": "Center original"}, {"name": "ground-truth", "label": "truth"}],
    )
    evaluate(plan, tmp_path / "out", part=(0, 1))
    parts.merge(tmp_path / "out", plan.keys())
    report.write(tmp_path / "out")
    found, _ = report.tables(tmp_path / "out")
    assert [table.metrics for table in found] == [("pointing-game", "pointing-game difficult")]
    cells = found[0].rows["Center original"]
    # The flagged bus is out; hits on the dog and the person, none on the cats: 2 of 3 classes, 1 of 2 difficult ones.
    assert cells["pointing-game"].count == 3 and cells["pointing-game"].mean == pytest.approx(2 / 3)
    assert cells["pointing-game difficult"].count == 2 and cells["pointing-game difficult"].mean == 0.5
    assert "pointing-game difficult ↑" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    known = {name: report.published(name) for name in ("ucag-table2", "ucag-table2-coco")}
    said = {
        (name, metric): report.beside(k, "resnet50", "", "Center original", metric)[0]
        for name, k in known.items()
        for metric in ("pointing-game", "pointing-game difficult")
    }
    assert list(said.values()) == ["69.6 %", "42.4 %", "27.8 %", "19.5 %"]


def test_class_means_and_their_intervals():
    rng = np.random.default_rng(0)
    images, classes = np.repeat(np.arange(200), 2), np.tile([0, 1], 200)
    values = np.where(classes == 0, 1.0, 0.0) + rng.normal(scale=0.1, size=400)
    values[classes.nonzero()[0][:150]] = np.nan  # class 1 is rare: a plain mean would lean to class 0
    grouping = evidence.Grouping(images, classes)
    assert evidence.mean(values, grouping) == pytest.approx(0.5, abs=0.02) and evidence.mean(values) > 0.7
    low, high = evidence.interval(values, grouping)
    wanted = 0.5 * (0.1**2 / 200 + 0.1**2 / 50) ** 0.5  # of the mean of two independent class means
    assert low < 0.5 < high and high - low == pytest.approx(2 * 1.972 * wanted, rel=0.25)
    assert evidence.interval(values, grouping) == (low, high)
    # Values of one image stand or fall together: twins add nothing.
    twins = evidence.Grouping(images, np.zeros(400, int))
    same = np.repeat(rng.normal(size=200), 2)
    wide, plain = evidence.interval(same, twins), evidence.interval(same)
    assert wide[1] - wide[0] == pytest.approx(2**0.5 * (plain[1] - plain[0]), rel=0.01)
    table = {"epg": {"a": values + 1, "b": values}}
    assert evidence.marks(table, {"epg": True}, grouping) == {"epg": {"a": "best"}}


def test_what_does_not_go_with_pairs(voc):
    base = {
        "dataset": {"name": "voc2007", "root": str(voc), "partial": True},
        "networks": ["toy-resnet50"],
        "explainers": ["center"],
        "metrics": ["epg"],
    }
    with pytest.raises(ConfigError, match='give target = "label" with it'):
        from_table({**base, "pairs": True})
    with pytest.raises(ConfigError, match="give pairs = true with it"):
        from_table({**base, "difficult": "list.txt"})
    with pytest.raises(ConfigError, match="part-faithfulness knows the parts"):
        from_table({**base, "pairs": True, "target": "label", "metrics": ["part-faithfulness"]})
    with pytest.raises(ConfigError, match="whole: pairs must be True or False"):
        from_table({**base, "pairs": "yes", "target": "label"})
    with pytest.raises(ConfigError, match="'std' cuts a part off"):
        pairs_of(datasets.load("voc2007", voc, partial=True, preset="std"))
    with pytest.raises(ConfigError, match="toy-resnet50 has 10 classes and voc2007 has 20"):
        Plan.of(from_table({**base, "pairs": True, "target": "label"}))


def test_manifests_of_older_runs_stay_as_they_were():
    plain = from_table({"dataset": "toyland", "networks": ["toy-resnet50"], "explainers": ["grad-cam"]}).plain()
    assert sorted(plain) == [
        "batch_size",
        "dataset",
        "explainers",
        "images_per_unit",
        "layers",
        "metrics",
        "n",
        "networks",
        "notes",
        "protocol",
        "seed",
        "table",
        "target",
    ]
    more = preset("ucag-table2", root="/data")
    assert more.plain()["pairs"] is True and "pairs" not in preset("ucag-table2", toyland=True).plain()
    assert json.dumps(replace(more, difficult="list.txt").plain()).count("list.txt") == 1
    assert preset("ucag-table3-coco", root="/data").dataset["name"] == "coco2014"
    assert {preset(f"ucag-table{i}", root="/d").protocol for i in range(1, 6)} == {"ucag"}
    assert preset("ucag-table2-coco", root="/d").protocol == "ucag"
    assert preset("ucag-table4", root="/d").target == "top-1"


def test_a_list_with_a_mark_before_utf_8(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf000001 1 0\r\n000002 0 1\r\n")
    assert listed_pairs(path, 2) == {"000001": frozenset({0}), "000002": frozenset({1})}
    path.write_bytes("000001 1 0\n".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"list\.txt is no text in UTF-8 .*: save it as UTF-8"):
        listed_pairs(path, 2)
