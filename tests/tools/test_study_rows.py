"""The rows of a study: a run that was stopped, or is taken up elsewhere, ends as one that was not."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from PIL import Image

import holicam as hc
from holicam.datasets import image_folder
from holicam.experiments import results
from holicam.experiments.part_file import read_rows
from tools.study import kept, made, sanity, sets, structure, worlds
from tools.study.__main__ import main

RESULTS = hc.models.data_folder() / "results"


@pytest.fixture
def world():
    return worlds.drawings(size=32, n=4)


def counted(calls: list[str]) -> made.Study:
    """A study of two cells a picture, which writes down whom it was asked about."""

    def begin(world):
        def measure(picture, p):
            calls.append(picture.id)
            mean = float(picture.x.mean())
            return {("pixels", "", "mean"): mean, ("pixels", "layer1", "odd"): math.nan}

        return measure

    return made.Study("counted", {"pixels": "their mean"}, begin, ("mean", "odd"), ("made",))


def stored(folder) -> tuple[bytes, dict]:
    return (folder / "set.parquet").read_bytes(), json.loads((folder / "set.json").read_text())


def folders(tmp_path, name: str):
    (tmp_path / name).mkdir()
    return tmp_path / name / "run", tmp_path / name / "set"


def test_rows_say_what_they_are(tmp_path, world):
    out, place = folders(tmp_path, "a")
    assert made.run(counted([]), world, 2, out, place) == 2
    rows = read_rows(place.with_suffix(".parquet")).to_pylist()
    assert [row["image"] for row in rows] == sorted(world.ids[:2] * 2)
    p = made.probabilities(world, world.picture(rows[0]["image"]))
    assert (rows[0]["target"], rows[0]["probability"]) == (int(p.argmax()), float(p.max()))
    assert {(row["network"], row["weights"]) for row in rows} == {("toy-resnet50", world.weights())}
    load = results.load("set", place.parent)
    assert load.values["toy-resnet50", "", "pixels", "mean"].shape == (2,)
    assert load.images == tuple(sorted(world.ids[:2], key=lambda id: (len(id), id)))


def test_a_stopped_run_ends_as_an_unbroken_one(tmp_path, world):
    calls: list[str] = []
    (one, first), (other, second) = folders(tmp_path, "a"), folders(tmp_path, "b")
    assert made.run(counted(calls), world, 3, one, first) == 3
    assert made.run(counted([]), world, 3, other, second, limit=-1) == 0 and not second.with_suffix(".json").exists()
    assert made.run(counted([]), world, 1, other, second) == 1
    again: list[str] = []
    assert made.run(counted(again), world, 3, other, second) == 3
    assert calls == list(world.ids[:3]) and again == calls[1:]
    assert stored(first.parent) == stored(second.parent)


def test_a_run_is_taken_up_from_the_stored_rows(tmp_path, world):
    (one, first), (other, second) = folders(tmp_path, "a"), folders(tmp_path, "b")
    made.run(counted([]), world, 3, one, first)
    made.run(counted([]), world, 2, other, second)
    calls: list[str] = []
    assert made.run(counted(calls), world, 3, tmp_path / "elsewhere", second) == 3
    assert calls == [world.ids[2]] and stored(first.parent) == stored(second.parent)


def test_who_made_rows_first_is_not_forgotten(tmp_path, world):
    out, place = folders(tmp_path, "a")
    made.run(counted([]), world, 1, out, place)
    manifest = json.loads(place.with_suffix(".json").read_text())
    manifest["code"] |= {"made": "f" * 64, "close": 0.002}
    place.with_suffix(".json").write_text(json.dumps(manifest))
    made.run(counted([]), world, 2, tmp_path / "elsewhere", place)
    assert stored(place.parent)[1]["code"].items() >= {"made": "f" * 64, "close": 0.002}.items()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["code"]["files"].update({"core/ops.py": "0" * 12}), "made by other code.*tools.restamp"),
        (lambda m: m["config"].update(study="another"), "other settings.*another.*move it away"),
    ],
)
def test_rows_that_are_others_are_not_taken_up(tmp_path, world, change, words):
    out, place = folders(tmp_path, "a")
    made.run(counted([]), world, 1, out, place)
    manifest = json.loads(place.with_suffix(".json").read_text())
    change(manifest)
    place.with_suffix(".json").write_text(json.dumps(manifest))
    before = place.with_suffix(".parquet").read_bytes()
    with pytest.raises(ValueError, match=f"(?s){words}"):
        made.run(counted([]), world, 2, tmp_path / "elsewhere", place)
    assert place.with_suffix(".parquet").read_bytes() == before


def test_parts_of_other_cells_are_noticed(tmp_path, world):
    out, place = folders(tmp_path, "a")
    made.run(counted([]), world, 2, out, place)
    short = replace(counted([]), begin=lambda world: lambda picture, p: {("pixels", "", "mean"): 0.0})
    with pytest.raises(ValueError, match="has other rows than"):
        made.run(short, world, 3, out, place)


QUICK = sanity.beginning({"Layer-CAM": hc.LayerCAM(), "Sobel": hc.SobelMap()}, ("head", "all-recalibrated"))


@pytest.mark.parametrize("begin", [structure.STUDY.begin, QUICK], ids=["structure", "sanity"])
def test_a_picture_s_values_are_its_own(begin):
    """Whatever was measured before it: a part may be made in any run."""
    world = worlds.drawings(size=32, n=2)
    measure, (first, second) = begin(world), map(world.picture, world.ids)
    said = [made.probabilities(world, picture) for picture in (first, second)]
    alone = begin(worlds.drawings(size=32, n=2))(second, said[1])
    measure(first, said[0])
    after = measure(second, said[1])
    assert after.keys() == alone.keys()
    assert all(after[cell] == alone[cell] or math.isnan(after[cell] + alone[cell]) for cell in alone)


def test_photographs_go_by_their_file_s_name(tmp_path):
    noise = torch.randint(0, 255, (3, 300, 400, 3), generator=torch.Generator().manual_seed(0)).byte()
    names = ["n01440764_tench.jpg", "n01443537_goldfish.jpg", "n02123045_tabby.jpg"]
    for name, rgb in zip(names, noise, strict=True):
        Image.fromarray(rgb.numpy()).save(tmp_path / name)
    world = worlds.world_of("photographs", tmp_path)
    assert sorted(world.ids) == names and len(world.stages) == 4
    assert set(world.ids[:2]) == set(image_folder(tmp_path, "network").sample(2).ids)  # as a run draws them
    picture = world.picture(names[0])
    assert picture.x.shape == (1, 3, 224, 224) and picture.mask is None and picture.label is None
    near = hc.photos.prepare(hc.photos.read_photo(tmp_path / names[0]), "efficientnet-lite0")[1]
    assert (picture.x - near).abs().mean() < 0.01


def test_public_photographs_are_the_book_s():
    world = worlds.world_of("samples")
    assert set(world.ids) == set(hc.photos.samples())
    near = hc.photos.prepare(hc.photos.samples()["cat"].picture, "efficientnet-lite0")[1]
    assert (world.picture("cat").x - near).abs().mean() < 0.01


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("structure --world photographs", "say where they lie with --photos FOLDER"),
        ("structure --world photographs --photos {0}/nowhere", "Pictures were not found"),
        ("structure --world photographs --photos {0}", "Pictures were not found"),
        ("sanity --world toyland --n 0", "--n must lie in 1..600, got 0"),
        ("pcam --world toyland", "no set is of the study pcam in the world toyland"),
    ],
)
def test_what_cannot_be_measured_gets_one_sentence(tmp_path, capsys, words, said):
    assert main([*words.format(tmp_path).split(), "--out", str(tmp_path / "run")], tmp_path) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_place_for_every_picture(tmp_path):
    assert kept.place(tmp_path, "toyland/test/single/0/5").name == "toyland-test-single-0-5.parquet"


@pytest.mark.parametrize("name", sets.SETS)
def test_stored_sets_are_of_today_s_studies(name):
    """Where they are stored: of the settings that a study has, and of its formulas or looked at since."""
    if not (RESULTS / f"{name}.json").exists():
        pytest.skip("not stored")
    manifest, study = results.read(name, RESULTS), sets.study_of(sets.SETS[name][0])
    assert sets.other_formulas(name, manifest) == [], f"run `python -m tools.restamp {name}`"
    said = {label: words for label, (words, _) in manifest["config"]["explainers"].items()}
    assert said.items() >= study.explainers.items() and manifest["config"]["metrics"] == list(study.metrics)
