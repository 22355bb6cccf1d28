"""Photographs with masks of one's own, and data sets that a function returns."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import holicam as hc
from holicam.datasets.own import dataset_of
from tests.helpers.commands import photo


def mask(path, size, mode="L", value=7):
    """A PNG whose upper half is the object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new(mode, size)
    picture.paste(value, (0, 0, size[0], size[1] // 2))
    picture.save(path)


@pytest.fixture
def folders(tmp_path):
    for name in ("cat", "dog"):
        photo(tmp_path / "photos" / f"{name}.jpg", (60, 40))
        mask(tmp_path / "masks" / f"{name}.png", (60, 40))
    return tmp_path


def load(folder, **options):
    return hc.datasets.load("masked-folder", folder / "photos", folder / "masks", "as-is", **options)


def test_a_photograph_and_where_its_object_is(folders):
    data = load(folders)
    assert data.ids == ("cat.jpg", "dog.jpg") and data.classes == ("object",)
    item = data[0]
    assert item.targets == (0,) and item.region(0)[:20].all() and not item.region(0)[20:].any()


@pytest.mark.parametrize(
    ("mode", "value"),
    [("1", 1), ("L", 1), ("P", 3), ("I;16", 9), ("RGB", (0, 0, 1)), ("RGBA", (0, 9, 0, 255)), ("LA", (3, 255))],
)
def test_anything_but_zero_is_the_object(folders, mode, value):
    mask(folders / "masks" / "cat.png", (60, 40), mode, value)
    item = load(folders)[0]
    assert isinstance(item, hc.datasets.Item), item
    assert item.region(0).float().mean() == 0.5


def test_alpha_alone_is_no_object(folders):
    Image.new("RGBA", (60, 40), (0, 0, 0, 255)).save(folders / "masks" / "cat.png")
    assert not load(folders)[0].region(0).any()


def test_a_mask_of_another_size_is_said_and_passed_over(folders):
    mask(folders / "masks" / "cat.png", (30, 20))
    skipped, good = load(folders)
    assert "cat.png is for 30 x 20 pixels, the picture has 60 x 40" in skipped.reason
    assert isinstance(good, hc.datasets.Item)
    (folders / "masks" / "dog.png").write_text("no picture")
    assert "dog.png cannot be read as a mask" in load(folders)[1].reason


def test_labels_by_folder_and_by_table(tmp_path):
    for name in ("b/one", "a/two"):
        photo(tmp_path / "photos" / f"{name}.jpg", (60, 40))
        mask(tmp_path / "masks" / f"{name}.png", (60, 40))
    data = load(tmp_path)
    assert data.classes == ("a", "b") and [item.targets for item in data] == [(0,), (1,)]
    table = tmp_path / "labels.csv"
    table.write_text("file,class\nb/one.jpg,owl\na/two.jpg,fox\n")
    data = load(tmp_path, labels=table)
    assert data.classes == ("fox", "owl") and [item.targets for item in data] == [(0,), (1,)]
    assert load(tmp_path, labels=table, classes=["owl", "x", "fox"])[0].targets == (2,)
    for text, said in {
        "photo,label\n": "line 1: the heads must be file,class; got 'photo,label'",
        "file,class\nb/one.jpg\n": "line 2: expected a photograph and its class",
        "file,class\nb/one.jpg,owl\n": "has no line for a/two.jpg",
        "file,class\nb/one.jpg,owl\nb/one.jpg,fox\n": "each must be listed once",
    }.items():
        table.write_text(text)
        with pytest.raises(hc.datasets.WrongDataError, match=said):
            load(tmp_path, labels=table)
    table.write_text("file,class\nb/one.jpg,owl\na/two.jpg,fax\n")
    with pytest.raises(hc.datasets.WrongDataError, match="line 3: there is no class 'fax'"):
        load(tmp_path, labels=table, classes=["owl", "fox"])


def test_masks_that_are_missing(folders):
    (folders / "masks" / "dog.png").unlink()
    with pytest.raises(hc.datasets.MissingDataError, match="1 of 2 photographs have no mask, the first: dog.jpg"):
        load(folders)
    assert load(folders, partial=True).ids == ("cat.jpg",)
    with pytest.raises(hc.datasets.MissingDataError, match="is no folder"):
        hc.datasets.load("masked-folder", folders / "photos", folders / "gone")
    with pytest.raises(ValueError, match="masks would count as photographs"):
        hc.datasets.load("masked-folder", folders, folders / "masks")


class Mine:
    classes = ("stripes",)
    ids = ("one", "two")

    def read(self, name):
        if name == "two":
            return np.zeros((4, 4, 3))
        return hc.datasets.Raw(Image.new("RGB", (8, 8)), (0,))


def test_an_object_with_three_things_is_a_data_set():
    data = dataset_of(Mine(), "my_data:make").for_network("toy-resnet50")
    assert data.name == "my_data:make" and data[0].targets == (0,)
    assert "read must return hc.datasets.Raw(image, ...); got ndarray" in data[1].reason


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "an object with classes .names., ids .names. and read.*; got Other without classes, ids, read"),
        ({"classes": (), "ids": "cat", "read": print}, "ids must be a list of names; got 'cat'"),
        ({"classes": (), "ids": [], "read": print}, "has no ids"),
        ({"classes": (), "ids": ["a"], "read": 3}, "read must be a function of one name; got int"),
    ],
)
def test_an_object_that_is_no_data_set(parts, said):
    with pytest.raises((TypeError, ValueError), match=said):
        dataset_of(type("Other", (), parts)(), "my_data:make")


def test_the_mask_of_a_photograph_that_is_reduced(tmp_path):
    photo(tmp_path / "photos" / "long.jpg", (5000, 60))
    mask(tmp_path / "masks" / "long.png", (5000, 60))
    item = load(tmp_path)[0]
    assert isinstance(item, hc.datasets.Item), item
    assert item.image.shape[-2:] == (49, 4096) and abs(item.region(0).float().mean() - 0.5) < 0.02
    mask(tmp_path / "masks" / "long.png", (60, 5000))
    assert "is for 60 x 5000 pixels, the picture has 5000 x 60" in load(tmp_path)[0].reason


def test_the_size_that_is_reduced_is_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (5000, 60)).save(tmp_path / "photos" / "turned.jpg", exif=exif)
    mask(tmp_path / "masks" / "turned.png", (60, 5000))
    item = load(tmp_path)[0]
    assert isinstance(item, hc.datasets.Item) and item.region(0)[:2000].all(), item


def test_a_mask_of_deep_colours_is_refused(folders):
    import cv2

    cv2.imwrite(str(folders / "masks" / "cat.png"), np.ones((40, 60, 3), np.uint16))
    assert "it has colours of 16 bits" in load(folders)[0].reason


@pytest.mark.parametrize(
    ("classes", "error", "said"),
    [
        (["owl", "owl"], ValueError, "classes has 'owl' twice"),
        ("owl", TypeError, "classes must be a list of names; got 'owl'"),
        (5, TypeError, "classes must be a list of names; got 5"),
        ([1, 2], TypeError, r"classes must be a list of names; got \[1, 2\]"),
    ],
)
def test_classes_are_names_each_once(folders, classes, error, said):
    table = folders / "labels.csv"
    table.write_text("file,class\ncat.jpg,owl\ndog.jpg,owl\n")
    with pytest.raises(error, match=said):
        load(folders, labels=table, classes=classes)
    with pytest.raises(error, match=said):
        load(folders, classes=classes)


def test_a_mask_of_0_and_255_is_told():
    import torch

    class Half(Mine):
        def read(self, name):
            masks = torch.zeros(1, 8, 8, dtype=torch.uint8)
            masks[0, :4] = 255
            return hc.datasets.Raw(Image.new("RGB", (8, 8)), (0,), masks=masks)

    data = dataset_of(Half(), "my_data:make").for_network("toy-resnet50")
    assert "divide by 255" in data[0].reason


def test_two_photographs_do_not_share_a_mask(folders):
    photo(folders / "photos" / "cat.PNG", (60, 40))
    with pytest.raises(hc.datasets.WrongDataError, match=r"cat.PNG and cat.jpg would share the mask .*masks.cat.png: "):
        load(folders)
    (folders / "masks" / "cat.png").unlink()
    assert load(folders, partial=True).ids == ("dog.jpg",)
