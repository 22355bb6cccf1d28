"""What a network knows of enlarged images: stored for today's weights, measured again, said in one way."""

from __future__ import annotations

import csv

import pytest
import torch

import holicam as hc
from holicam.experiments import enlarged
from holicam.experiments.config import from_toml
from holicam.experiments.enlarged import COLUMNS, FACTORS, PHOTOGRAPHS, beside, line, of_run, stored
from holicam.experiments.loading import fingerprint
from tools import enlarged as tool

RESNET, LITE0 = "toy-resnet50", "efficientnet-lite0"


def test_what_is_stored_is_of_today_s_networks():
    networks = {name: fingerprint(hc.load_model(name)) for name in (*tool.TOYS, LITE0)}
    assert {name: one.weights for (name, *_), one in stored().items()} == networks
    toys = {(name, size, subset) for name in tool.TOYS for size in tool.SIZES for subset in tool.SUBSETS}
    assert stored().keys() == toys | {(LITE0, 224, PHOTOGRAPHS)}
    for one in stored().values():
        assert one.n >= 200 and one.factors == FACTORS
        assert all(0 < share <= 1 for share in one.right + one.p) and one.right[0] > one.right[-1]


def test_a_part_of_it_is_found_again(monkeypatch):
    monkeypatch.setattr(tool, "FACTORS", (1.0,))
    (again,) = tool.rows(RESNET, hc.load_model(RESNET), 112, "single", tool.drawings("single", 112))
    known = stored()[RESNET, 112, "single"]
    assert again["n"] == known.n and abs(float(again["right"]) - known.right[0]) < 0.011  # two near ties
    assert abs(float(again["p"]) - known.p[0]) < 2e-3


class Knows(torch.nn.Module):
    """Says class 1, the surer the smaller the image; never sees class 0."""

    def forward(self, x):
        return torch.tensor([[0.0, 8 / x.shape[-1]]]).expand(len(x), 2) + 0 * x.mean((1, 2, 3))[:, None]


def test_right_and_sure_are_of_the_label():
    batches = [(torch.zeros(2, 3, 8, 8), torch.tensor([1, 0])), (torch.zeros(1, 3, 8, 8), torch.tensor([1]))]
    found = tool.rows("knows", Knows().eval(), 8, "single", batches)
    assert [row["factor"] for row in found] == ["1", "1.5", "2", "3", "4"] and tuple(found[0]) == COLUMNS
    for row in found:
        sure = torch.sigmoid(torch.tensor(1 / float(row["factor"]))).item()
        assert row["n"] == 3 and row["right"] == "0.6667"
        assert float(row["p"]) == pytest.approx((2 * sure + 1 - sure) / 3, abs=1e-4)


def test_photographs_stay_where_their_folder_is_not_at_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "TOYS", ())
    path = tmp_path / "enlarged.csv"
    with (hc.models.data_folder() / "results" / enlarged.FILE).open(newline="", encoding="utf-8") as file:
        known = [row for row in csv.DictReader(file) if row["network"] == LITE0]
    tool.write(path, known)
    before = path.read_text()
    tool.write(path, tool.measured(None, path))
    assert path.read_text() == before and len(known) == len(FACTORS)


def test_a_folder_without_photographs_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "TOYS", ())
    with pytest.raises(SystemExit):
        tool.main(["--photos", str(tmp_path)])
    assert "is no folder of photographs" in capsys.readouterr().err


def test_a_photograph_of_another_name_is_said_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "TOYS", ("a network that nobody has",))
    (tmp_path / "cat.jpg").touch()
    with pytest.raises(SystemExit):
        tool.main(["--photos", str(tmp_path)])
    assert "cat.jpg is not named after a class of ImageNet" in capsys.readouterr().err


@pytest.fixture
def few(monkeypatch):
    """Two networks and two sizes."""
    keys = [("one", 224, "single"), ("two", 224, "single"), ("one", 112, "scene"), ("lite", 224, PHOTOGRAPHS)]
    known = {key: enlarged.Enlarged(key[0], "w", *key[1:], 200, (1, 1.5), (0.985, 0.5), (0.944, 0.1)) for key in keys}
    monkeypatch.setattr(enlarged, "stored", lambda: known)


SAID = "At 224 px, enlarged 1, 1.5 times, n = 200 drawings, p of the label:"


def test_a_line_a_network_below_what_they_share(few):
    row = "right 98, 50 %, p 0.94, 0.10"
    assert line("one", "two") == f"{SAID}\none {row};\ntwo {row}."
    assert line("one", size=112).startswith("At 112 px, enlarged 1, 1.5 times, n = 200 scenes, p of the label:\none")
    both = line("one", "lite").split("\n")
    assert both[0] == SAID and both[2] == SAID.replace("drawings", "photographs") and len(both) == 4


def test_rows_say_of_what_they_are(few):
    """Networks, size and pictures are those of the configuration; the papers' tables have what they need."""
    config = {"networks": ["one", "two"], "dataset": {"name": "toyland"}}
    assert beside(config) == line("one", "two")
    small = {"networks": ["one"], "dataset": {"name": "toyland", "size": 112, "subset": "scene"}}
    assert beside(small) == line("one", size=112)
    assert beside({"networks": ["lite"], "dataset": {"name": "mosaics"}}) == line("lite")


@pytest.mark.parametrize("name", [path.stem for path in (hc.models.data_folder() / "results").glob("*.toml")])
def test_every_set_of_the_evidence_has_its_line(name):
    assert beside(from_toml(hc.models.data_folder() / "results" / f"{name}.toml").plain())


def test_nearly_always_is_not_always():
    one = enlarged.Enlarged("one", "w", 224, "single", 200, (1, 2, 3), (1.0, 0.995, 0.984), (0.9, 0.9, 0.9))
    assert one.numbers.startswith("one right 100, 99, 98 %")


@pytest.mark.parametrize("asked", [{"size": 96}, {"pictures": "scene"}])
def test_what_is_not_stored_is_named(few, asked):
    with pytest.raises(ValueError, match="nothing is stored of one at .* but of one at 224 px, single; two at"):
        line("one", **asked)


def manifest(dataset, preset="", **weights):
    return {"config": {"dataset": dataset}, "weights": weights, "preset": preset}


def test_a_run_hears_of_its_own_networks(few):
    toyland, unknown = {"name": "toyland"}, "Not stored: how well one knows images of this size"
    assert of_run(manifest(toyland, one="w")) == f"{SAID} one right 98, 50 %, p 0.94, 0.10."
    assert "n = 200 scenes" in of_run(manifest(toyland | {"size": 112, "subset": "scene"}, one="w"))
    assert "n = 200 photographs" in of_run(manifest({"name": "folder"}, "Preset(size=224)", lite="w"))
    assert "n = 200 photographs" in of_run(manifest({"name": "mosaics"}, "Preset(size=None)", lite="w"))
    for other in (
        manifest(toyland, one="other weights"),
        manifest(toyland | {"size": 96}, one="w"),
        manifest({"name": "folder"}, "Preset(size=224)", one="w"),
    ):
        assert of_run(other).startswith(unknown) and "confidence_by_scale" in of_run(other)
    some = of_run(manifest(toyland, one="w", two="w", three="w", four="w"))
    assert "two right" in some and "how well three and four know images" in some
    assert "how well lite knows" in of_run(manifest({"name": "folder"}, "Preset(size=448)", lite="w"))
