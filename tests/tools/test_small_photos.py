"""A clone's photographs become the study's: short side 256, their own names, and one sentence where one is missing."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from tests.helpers import disk
from tools import small_photos


@pytest.fixture
def clone(tmp_path):
    for name, size in (("n01440764_tench", (640, 400)), ("n02123045_tabby", (120, 300))):
        disk.save(tmp_path / "clone" / f"{name}.JPEG", disk.picture(*size, (4, 4, 60, 60), seed=1))
    return tmp_path / "clone"


def test_each_has_a_short_side_of_256_and_is_written_once(clone, tmp_path):
    names = ["n01440764_tench.jpg", "n02123045_tabby.jpg"]
    assert small_photos.make(clone, tmp_path / "photos", names) == 2
    sizes = [Image.open(tmp_path / "photos" / name).size for name in names]
    assert [min(size) for size in sizes] == [256, 256]
    for (width, height), (w, h) in zip(sizes, [Image.open(p).size for p in sorted(clone.iterdir())], strict=True):
        assert width / height == pytest.approx(w / h, rel=0.01)
    assert small_photos.make(clone, tmp_path / "photos", names) == 0


def test_a_photograph_that_was_cut_short_is_not_there(clone, tmp_path, monkeypatch):
    name = "n01440764_tench.jpg"
    with monkeypatch.context() as disk_full:
        disk_full.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match=f"no space left.*{name}"):
            small_photos.make(clone, tmp_path / "photos", [name])
    assert not (tmp_path / "photos" / name).exists()
    assert small_photos.make(clone, tmp_path / "photos", [name]) == 1


def test_what_is_missing_or_damaged_is_named_and_the_rest_stays(clone, tmp_path):
    with pytest.raises(FileNotFoundError, match="lacks 1 of 2 photographs, the first: n03445777_golf_ball.jpg"):
        small_photos.make(clone, tmp_path / "photos", ["n01440764_tench.jpg", "n03445777_golf_ball.jpg"])
    (clone / "n02123045_tabby.JPEG").write_bytes(b"no picture")
    with pytest.raises(FileNotFoundError, match="n02123045_tabby.JPEG cannot be read as a photograph"):
        small_photos.make(clone, tmp_path / "photos", ["n01440764_tench.jpg", "n02123045_tabby.jpg"])
    assert (tmp_path / "photos" / "n01440764_tench.jpg").exists()
