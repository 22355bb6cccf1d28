"""A picture that was replaced since its rows were made: its unit is computed again, and a user hears of it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from holicam.datasets import Raw, image_folder, load
from holicam.experiments.class_pairs import pairs_of
from holicam.experiments.part_file import about, keys_of, read_rows
from holicam.experiments.pictures import hashes, other
from tests.helpers.runs import parts_of, planned, run


def painted(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, compress_level=0)  # the same size in bytes whatever is painted


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        painted(folder / name, seed)
    return folder


@pytest.fixture
def plan(photos):
    def plan(**more):
        given = {"dataset": {"name": "folder", "root": str(photos)}, "target": "top-1", "metrics": ["deletion"]}
        return planned(explainers=["grad-cam"], **{**given, **more})

    return plan


def values(out):
    return {row["image"]: row["value"] for path in parts_of(out) for row in read_rows(path).to_pylist()}


def test_a_replaced_picture_is_explained_again(plan, photos, tmp_path):
    out = tmp_path / "run"
    assert run(plan(), out)[0] == 2 and run(plan(), out)[0] == 0
    was = values(out)
    painted(photos / "c.png", 7)
    done, heard = run(plan(), out)
    assert done == 1 and len(heard.said) == 1
    assert "c.png is another picture than when its rows were made" in heard.said[0] and "aside" in heard.said[0]
    now = values(out)
    assert [name for name in was if was[name] != now[name]] == ["c.png"]
    assert run(plan(), out)[0] == 0


def test_a_mended_picture_is_read_and_one_that_went_keeps_its_rows(plan, photos, tmp_path):
    out = tmp_path / "run"
    (photos / "c.png").rename(tmp_path / "c.png")
    (photos / "c.png").symlink_to(tmp_path / "gone.png")
    run(plan(), out)
    assert values(out)["c.png"] is None or values(out)["c.png"] != values(out)["c.png"]
    (photos / "c.png").unlink()
    (tmp_path / "c.png").rename(photos / "c.png")
    assert run(plan(), out)[0] == 1
    there = values(out)
    (photos / "c.png").unlink()
    (photos / "c.png").symlink_to(tmp_path / "gone.png")
    assert run(plan(), out)[0] == 0 and values(out) == there


def test_parts_say_whose_rows_they_are(plan, photos, tmp_path):
    run(plan(), tmp_path / "run")
    for path in parts_of(tmp_path / "run"):
        ids = {key[1] for key in keys_of(read_rows(path))}
        assert about(path)["pictures"] == hashes(image_folder(photos), sorted(ids)) and len(ids) in (1, 2)


def test_a_drawn_image_has_no_file(tmp_path):
    plan = planned(explainers=["grad-cam"])
    assert hashes(plan.dataset, plan.dataset.ids) == {}
    run(plan, tmp_path)
    assert all("pictures" not in about(path) for path in parts_of(tmp_path))


@pytest.mark.parametrize("pairs", [False, True])
def test_a_mosaic_is_made_of_four_files(tmp_path, monkeypatch, pairs):
    """Whichever photograph is replaced, also one that is not asked about; parts of before knew the asked one alone."""
    for seed, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        painted(tmp_path / name / "x.png", seed)
    data = load("mosaics", tmp_path, "poly-cam", classes=list("abcd"), questions=1, side=32)
    (asked,) = (data.read.place(name) for name in data.ids)
    data = pairs_of(data) if pairs else data
    (name,), was = data.ids, hashes(data, data.ids)
    (alone,) = hashes(image_folder(tmp_path), [asked.relative_to(tmp_path).as_posix()]).values()
    assert was[name].count("+") == 3 and alone in was[name].split("+")

    def said(of_part):
        monkeypatch.setattr("holicam.experiments.pictures.about", lambda part: {"pictures": of_part})
        return other(data, tmp_path)

    before = {name: alone}
    assert said(was) == said(before) == []
    painted(next(file for file in tmp_path.glob("*/x.png") if file != asked), 7)
    assert said(was) == [name] and said(before) == []
    painted(asked, 8)
    assert said(was) == said(before) == [name]
    asked.unlink()
    assert hashes(data, data.ids) == {name: ""} and said(was) == []


def test_a_reader_may_tell_files_or_not(photos):
    class Told:
        def __call__(self, name):
            return Raw(Image.new("RGB", (8, 8)))

        def places(self, name):
            return {"two": [photos / "a.png", photos / "b.png"], "none": [], "word": ["a.png"]}[name]

    data = image_folder(photos)
    one = hashes(data, data.ids)
    object.__setattr__(data, "read", Told())
    assert hashes(data, ["two", "none", "word", "unknown"]) == {"two": f"{one['a.png']}+{one['b.png']}"}
