"""Mosaics: four pictures in one, and a folder of labelled photographs as a data set of questions."""

import pickle
import re
from collections import Counter

import pytest
import torch

import holicam as hc
from holicam.datasets import Item, MissingDataError, Skipped, WrongDataError, batches, load
from tests.helpers import disk
from tests.helpers.nets import random_images

SYNSETS = {"n01440764": 0, "n02123045": 281, "n02123394": 283, "n02708093": 409, "n04548280": 892}
NAMES = ["ant", "bee", "cat", "dog", "eel"]


def pictures(n=4):
    return [(255 * random_images(1, 3, 20 + 4 * k, 31)[0]).byte().permute(1, 2, 0) for k in range(n)]


# --- four in one ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3])
def test_each_picture_stands_in_its_cell(n):
    colours = [torch.tensor([10 * k, 255 - 10 * k, 7]).byte().expand(30, 41 + k, 3) for k in range(n * n)]
    made = hc.photos.mosaic(colours, side=12 * n)
    assert made.picture.shape == (12 * n, 12 * n, 3) and made.picture.dtype == torch.uint8
    assert (made.masks.sum(0) == 1).all()  # the cells tile the picture
    for k, mask in enumerate(made.masks):
        assert (made.picture[mask] == colours[k][0, 0]).all()
        x0, y0, x1, y1 = made.boxes[k].long().tolist()
        assert mask[y0:y1, x0:x1].all() and mask.sum() == 144


def test_it_is_the_middle_that_is_shown_and_nothing_is_changed():
    wide = torch.zeros(20, 60, 3, dtype=torch.uint8)
    wide[:, 20:40] = 200
    before = wide.clone()
    made = hc.photos.mosaic([wide] * 4, side=40)
    assert (made.picture == 200).all() and torch.equal(wide, before)


def test_shrinking_is_pillow_s():
    from PIL import Image

    one = pictures(1)[0][:, 5:25]  # a square of 20
    made = hc.photos.mosaic([one] * 4, side=20).picture[:10, :10].int()
    theirs = torch.from_numpy(__import__("numpy").array(Image.fromarray(one.numpy()).resize((10, 10), Image.BICUBIC)))
    assert (made - theirs.int()).abs().max() <= 1


def test_what_is_no_mosaic_is_said():
    four = pictures()
    for wrong, says in ((four[:3], "takes 4 pictures, or 9.*got 3"), (four[:1], "got 1"), ([], "got 0")):
        with pytest.raises(ValueError, match=says):
            hc.photos.mosaic(wrong)
    for side in (0, 7, -2, 2.0, True, None):
        with pytest.raises(ValueError, match="side must be a multiple of 2"):
            hc.photos.mosaic(four, side)
    for wrong, says in ((four[0].float(), "torch.float32"), (four[0][..., 0], r"\(20, 31\)"), ("a.jpg", "got str")):
        with pytest.raises(TypeError, match=f"picture 2 of a mosaic must be a tensor.*{says}"):
            hc.photos.mosaic([four[0], four[1], wrong, four[3]])


# --- the data set ---------------------------------------------------------------------------------


def folder(root, each=2):
    """`each` pictures of five synsets, by file name."""
    for k, synset in enumerate(SYNSETS):
        for i in range(each):
            disk.save(root / f"{synset}_thing{i}.png", disk.picture(40 + i, 30, (5, 5, 20, 20), seed=10 * k + i))
    return root


def named(root, each=1):
    for k, name in enumerate(NAMES):
        for i in range(each):
            disk.save(root / name / f"{i}.png", disk.picture(30, 30 + i, seed=10 * k + i))
    return root


def files_of(name):
    return name.partition("/")[2].rpartition("/")[0].split("+")


def test_questions_are_about_their_cell(tmp_path):
    data = load("mosaics", folder(tmp_path), questions=4, side=64)
    assert len(data.classes) == 1000 and len(data) == 8  # ten pictures make two mosaics, and two are left out
    for item in data:
        assert isinstance(item, Item) and item.image.shape == (3, 64, 64)
        files, cell = files_of(item.id), int(item.id[-1])
        assert item.targets == (SYNSETS[files[cell][:9]],)
        top, left = (32 * v for v in divmod(cell, 2))
        want = torch.zeros(64, 64, dtype=torch.bool)
        want[top : top + 32, left : left + 32] = True
        assert torch.equal(item.region(item.targets[0]), want)
        assert item.boxes.tolist() == [[left, top, left + 32, top + 32]]
        shown = hc.photos.mosaic([hc.photos.read_photo(tmp_path / file) for file in files], 64).picture
        torch.testing.assert_close(item.image, hc.photos.to_images(shown)[0], atol=1e-5, rtol=0)


def test_four_classes_meet_and_every_picture_stands_in_as_many_mosaics_as_asked(tmp_path):
    for k in range(8):
        for i in range(3):
            disk.save(tmp_path / f"{k}" / f"{i}.png", disk.picture(12, 12, seed=k))
    data = load("mosaics", tmp_path, each=5, questions=1, side=8)
    assert len(data) == 5 * 24 / 4
    stands = Counter(file for name in data.ids for file in files_of(name))
    assert set(stands.values()) == {5} and len(stands) == 24
    for name in data.ids:
        assert len({file.partition("/")[0] for file in files_of(name)}) == 4
    # No place and no partner is preferred: all four cells are asked about, and pairs of classes vary.
    assert {name[-1] for name in data.ids} == set("0123")
    assert len({tuple(sorted(f[0] for f in files_of(name))) for name in data.ids}) > 10


def test_as_few_as_can_be_are_left_out_of_unequal_classes(tmp_path):
    for k, count in enumerate((5, 2, 2, 2, 2, 1)):
        for i in range(count):
            disk.save(tmp_path / f"{k}" / f"{i}.png", disk.picture(12, 12))
    data = load("mosaics", tmp_path, questions=1, side=8)
    assert len(data) == 3  # 14 pictures; a fourth mosaic would need 16


def test_all_follows_from_names_and_seed(tmp_path):
    folder(tmp_path / "a"), folder(tmp_path / "b")
    a, b = (load("mosaics", tmp_path / place, each=3, side=16) for place in "ab")
    assert a.ids == b.ids and all(torch.equal(x.image, y.image) for x, y in zip(a, b, strict=True))
    other = load("mosaics", tmp_path / "a", each=3, side=16, seed=1)
    assert other.ids != a.ids and len(other) == len(a)
    more = load("mosaics", tmp_path / "a", each=3, side=16, questions=4)
    assert set(a.ids) < set(more.ids) and len(more) == 2 * len(a)


@pytest.mark.parametrize("spelt", [{"Cardigan": 264}, {"cardigan": 474}])  # a dog and a garment
def test_labels_by_folder_name_number_and_synset(tmp_path, spelt):
    kinds = {**spelt, "n01440764": 0, "tiger_cat": 282, "Persian Cat": 283, "892": 892}
    for name in kinds:
        disk.save(tmp_path / name / "a.png", disk.picture(12, 12))
    data = load("mosaics", tmp_path, each=6, questions=4, side=8)
    found = {(files_of(i.id)[int(i.id[-1])].partition("/")[0], i.targets[0]) for i in data}
    assert found == set(kinds.items())


def test_a_network_of_ones_own(tmp_path):
    data = load("mosaics", named(tmp_path), questions=4, side=8, classes=NAMES)
    assert data.classes == tuple(NAMES)
    for item in data:
        assert files_of(item.id)[int(item.id[-1])].startswith(NAMES[item.targets[0]])
    hc.datasets.check_labels(data, 5)
    with pytest.raises(ValueError, match="has 10 classes and mosaics has 5"):
        hc.datasets.check_labels(data, 10)


def test_a_class_called_by_a_number_is_meant_before_the_class_of_that_number(tmp_path):
    classes = ["7", "2", "0", "nine", "1"]
    for k, name in enumerate(classes):
        disk.save(tmp_path / name / "a.png", disk.picture(30, 30, seed=k))
    data = load("mosaics", tmp_path, questions=4, side=8, classes=classes)
    for item in data:
        folder_name = files_of(item.id)[int(item.id[-1])].partition("/")[0]
        assert data.classes[item.targets[0]] == folder_name


def test_workers_and_presets(tmp_path):
    data = load("mosaics", folder(tmp_path), "std", side=64)
    batch = next(batches(data, 4, workers=1))
    assert batch.images.shape == (4, 3, 224, 224) and (batch.masks.flatten(1).sum(1) == 112 * 112).all()
    assert pickle.loads(pickle.dumps(data.read)).asked == data.read.asked
    maps = torch.ones(4, 224, 224)
    assert (hc.metrics.grid_pointing(None, batch.images, maps, masks=batch.masks) == 0.25).all()


def test_a_damaged_photograph_skips_its_mosaics_with_its_name(tmp_path):
    folder(tmp_path)
    data = load("mosaics", tmp_path, each=2, questions=4, side=16)
    bad = files_of(data.ids[0])[3]
    (tmp_path / bad).write_bytes(b"\x89PNG\r\n\x1a\n")
    for item in data:
        assert isinstance(item, Skipped) == (bad in files_of(item.id))
        if isinstance(item, Skipped):
            assert str(tmp_path / bad) in item.reason and "\n" not in item.reason


REFUSED = {
    "nothing": (lambda root: None, "Photographs were not found: looked for .jpg"),
    "three classes": (
        lambda root: [p.unlink() for p in root.glob("n0[24]*")],
        "photographs of 1 classes: a mosaic takes four",
    ),
    "synset": (
        lambda root: disk.save(root / "n99999999_x.png", disk.picture(9, 9)),
        "n99999999_x.png: there is no synset",
    ),
    "synset folder": (
        lambda root: disk.save(root / "n00000001" / "x.png", disk.picture(9, 9)),
        "x.png: there is no synset",
    ),
    "no class": (
        lambda root: disk.save(root / "holiday.png", disk.picture(9, 9)),
        "holiday.png has no class: begin its",
    ),
    "not at the start": (lambda root: disk.save(root / "an02123045.png", disk.picture(9, 9)), "has no class"),
    "too long": (lambda root: disk.save(root / "n021230456.png", disk.picture(9, 9)), "has no class"),
    "word": (
        lambda root: disk.save(root / "taby" / "x.png", disk.picture(9, 9)),
        "there is no class 'taby'; close.*tabby",
    ),
    "number": (lambda root: disk.save(root / "1000" / "x.png", disk.picture(9, 9)), "there is no class '1000'"),
    "two of a name": (
        lambda root: disk.save(root / "CARDIGAN" / "x.png", disk.picture(9, 9)),
        "classes 264 and 474 are both called 'CARDIGAN'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_folder_that_lies_is_refused_in_one_sentence(case, tmp_path):
    change, says = REFUSED[case]
    if case != "nothing":
        folder(tmp_path)
    change(tmp_path)
    with pytest.raises(MissingDataError, match=says) as error:
        load("mosaics", tmp_path)
    said = str(error.value)
    assert str(tmp_path) in said and "\n" not in said and len(said) < 500
    assert isinstance(error.value, WrongDataError) == (case != "nothing")


def test_options_that_cannot_be(tmp_path):
    folder(tmp_path)
    wrong = ({"each": 0}, {"questions": 5}, {"questions": 0}, {"side": 7}, {"seed": -1}, {"each": 1.5}, {"side": "a"})
    for options in wrong:
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
            load("mosaics", tmp_path, **options)
    with pytest.raises(TypeError, match="classes must be a list of names; got 'ant'"):
        load("mosaics", tmp_path, classes="ant")
    with pytest.raises(ValueError, match="classes must have each name once"):
        load("mosaics", tmp_path, classes=["ant", "bee", "ant"])


def test_synsets_need_timm_and_names_do_not(tmp_path, monkeypatch):
    import sys

    folder(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "timm.data", None)
    with pytest.raises(ImportError, match=re.escape("Reading classes from synsets needs timm, which is not installed")):
        load("mosaics", tmp_path / "a")
    assert len(load("mosaics", named(tmp_path / "b"), classes=NAMES)) == 2
