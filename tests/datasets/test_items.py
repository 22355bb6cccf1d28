"""What holds for every reader: one item that fails is skipped, truth fits its picture, labels fit their network."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
import torch
from PIL import Image

import holicam as hc
from holicam import datasets
from holicam.datasets import Dataset, Item, MissingDataError, Raw, Skipped, WrongDataError, check_labels, load
from holicam.datasets.files import read_picture
from holicam.datasets.presets import preset_of
from holicam.experiments.class_pairs import listed_pairs, pairs_of
from holicam.experiments.config import ConfigError
from tests.helpers import disk
from tests.helpers.readers import XML, folder, read, swap


class Broken:
    """Reads nothing, in a way of one's choice."""

    def __init__(self, error):
        self.error = error

    def place(self, name):
        return f"/somewhere/{name}.png"

    def __call__(self, name):
        if name == "good":
            return Raw(Image.new("RGB", (8, 6)))
        raise self.error


class Odd(Exception):
    pass


@pytest.mark.parametrize(
    "error",
    [
        Odd("out of the ordinary"),
        RuntimeError("out"),
        OverflowError("out"),
        RecursionError("out"),
        AssertionError(),
        OSError(5, "out"),
        AttributeError("out"),
        ZeroDivisionError("out"),
        StopIteration(),
        UnicodeDecodeError("utf-8", b"", 0, 1, "out"),
        NotImplementedError(),
        EOFError(),
        KeyError("out"),
        ValueError("out"),
        ValueError(),
        SystemError("out"),
        SystemExit(0),  # or a run would end there, and say that all is well
    ],
    ids=lambda e: type(e).__name__,
)
def test_whatever_a_reader_raises_skips_one_item(error):
    data = Dataset("own", (), ("bad", "good"), Broken(error), preset_of("as-is"))
    bad, good = data
    assert isinstance(good, Item) and isinstance(bad, Skipped) and bad.id == "bad"
    assert bad.reason.startswith("/somewhere/bad.png cannot be used: ") and not bad.reason.endswith((": ", "used"))
    assert str(error) in bad.reason or not str(error)
    (batch,) = datasets.batches(data, 2)
    assert batch.ids == ["good"] and batch.skipped == [bad]


def test_a_reason_is_one_line_of_bounded_length():
    data = Dataset("own", (), ("bad",), Broken(datasets.UnreadableError("no\nway " + "x" * 10_000)), preset_of("as-is"))
    assert data[0].reason.startswith("no way xxx") and len(data[0].reason) == 501


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ImportError])
def test_what_no_item_is_to_blame_for_is_raised(error):
    with pytest.raises(error):
        Dataset("own", (), ("bad",), Broken(error()), preset_of("as-is"))[0]


@pytest.mark.parametrize(
    "raw, words",
    [
        ({"targets": (3,)}, "label 3 is none of the classes, which are numbered 0 to 2: does the list count from 1"),
        ({"targets": (-1,)}, "label -1 is none"),
        ({"targets": (1, 1)}, "each target stands there once"),
        ({"targets": (1,), "difficult": (True, False)}, "2 flags"),
        (
            {"targets": (1,), "masks": torch.zeros(1, 8, 6).byte()},
            "its mask is for 6 x 8 pixels, the picture has 8 x 6",
        ),
        ({"targets": (1,), "masks": torch.zeros(1, 600, 800).byte()}, "its mask is for 800 x 600"),
        ({"targets": (1,), "masks": torch.zeros(2, 6, 8).byte()}, r"\(2, 6, 8\): there must be one for each"),
        ({"targets": (1,), "masks": torch.zeros(6, 8).byte()}, r"\(6, 8\)"),
        ({"boxes": torch.full((1, 4), torch.nan)}, "four finite numbers"),
        ({"boxes": torch.ones(4)}, "four finite numbers"),
        ({"boxes": torch.tensor([[0.0, 0.0, 1e39, 5.0]])}, "four finite numbers"),
        ({"boxes": torch.tensor([[0.1, 0.2, 0.6, 0.9]])}, "run from 0 to 1: they must be in pixels"),
        ({"boxes": torch.tensor([[1.0, 1, 5, 5]]), "box_targets": torch.tensor([0, 1])}, "1 boxes of 2 classes"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_truth_that_does_not_fit_skips_the_item(raw, words):
    read = {"a": Raw(Image.new("RGB", (8, 6)), **raw), "b": Raw(Image.new("RGB", (8, 6)))}.__getitem__
    bad, good = Dataset("own", ("x", "y", "z"), ("a", "b"), read, preset_of("as-is"))
    assert isinstance(good, Item) and re.search(words, bad.reason) and bad.reason.startswith("a cannot be used: ")


def test_boxes_that_are_inverted_are_told_from_those_outside():
    boxes = torch.tensor([[5.0, 1, 2, 4], [1, 4, 5, 2], [20, 1, 30, 4], [3, 3, 3, 5], [1, 1, 5, 5]])
    read = {"a": Raw(Image.new("RGB", (8, 6)), boxes=boxes)}.__getitem__
    item = Dataset("own", (), ("a",), read, preset_of("as-is"))[0]
    assert item.notes == ("3 of 5 boxes are inverted or empty", "1 of 5 boxes lie outside the picture")
    assert item.boxes.tolist() == [[1, 1, 5, 5]]


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("<xmin>31", "<xmin>90", "inverted"),
        ("<ymin>21", "<ymin>70", "inverted"),
        ("<xmax>80", "<xmax>30", "inverted"),
        ("<xmin>31", "<xmin>500", "inverted"),
        ("<xmin>31</xmin><ymin>21</ymin><xmax>80", "<xmin>310</xmin><ymin>21</ymin><xmax>800", "outside"),
    ],
)
def test_voc_s_boxes_that_are_inverted_or_outside_are_noted(old, new, words, tmp_path):
    disk.voc(tmp_path)
    swap(XML, old, new)(tmp_path)
    item = read("voc2007", tmp_path)[0]
    assert len(item.notes) == 1 and words in item.notes[0] and len(item.boxes) == 2


def test_an_id_stands_in_a_data_set_once():
    with pytest.raises(ValueError, match="own has the image 'b' twice"):
        Dataset("own", (), ("a", "b", "c", "b"), Broken(None), preset_of("as-is"))
    with pytest.raises(ValueError, match="'good' twice"):
        Dataset("own", (), ("a", "good"), Broken(None), preset_of("as-is")).select(["good", "good"])
    with pytest.raises(ValueError, match=r"not UTF-8, '\\udcff.png'"):
        Dataset("own", (), (os.fsdecode(b"\xff.png"),), Broken(None), preset_of("as-is"))


def test_a_picture_that_would_become_huge_is_skipped(tmp_path):
    disk.save(tmp_path / "a/long.png", Image.new("RGB", (4096, 1)))
    data = load("folder", tmp_path, "std")
    assert "long.png" in data[0].reason and "4096 x 1 pixels would become one of" in data[0].reason
    assert load("folder", tmp_path, "ucag")[0].image.shape == (3, 224, 224)


def test_deep_pictures_keep_their_grey_values(tmp_path):
    disk.mura(tmp_path)
    first, second, third = (tmp_path / "MURA-v1.1" / name for name in read("mura", tmp_path).ids)
    ramp = np.tile(np.linspace(0, 65535, 256).round().astype(np.uint16), (4, 1))
    Image.fromarray(ramp).save(first)
    Image.fromarray(ramp.astype(np.int32) * 9).save(second, "TIFF")
    for decoder in ("pillow", "opencv"):
        item = read_picture(first, decoder)
        assert np.abs(np.asarray(item)[0, :, 1].astype(int) - np.arange(256)).max() <= 1
    assert np.asarray(read_picture(third)).max() > 200
    data = read("mura", tmp_path)
    assert "image1.png has values up to 589815" in data[1].reason and isinstance(data[0], Item)


def test_links_are_followed_wherever_they_lead(tmp_path):
    disk.save(tmp_path / "store/1.png", disk.picture(30, 20))
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/a/x.png").symlink_to(tmp_path / "store/1.png")
    (tmp_path / "data/a/loop.png").symlink_to(tmp_path / "data/a/loop.png")
    loop, item = load("folder", tmp_path / "data", "as-is")
    assert isinstance(item, Item) and "loop.png is not there" in loop.reason


def test_options_that_are_no_options(tmp_path):
    folder(tmp_path)
    with pytest.raises(ValueError, match="classes has 'a' twice"):
        load("folder", tmp_path, classes=["a", "b", "a"])
    with pytest.raises(TypeError, match="list of names; got 'ab'"):
        load("folder", tmp_path, classes="ab")
    disk.save(tmp_path / "loose.png", disk.picture(30, 20))
    with pytest.raises(ValueError, match="loose.png does not lie in the folder of one of the 2 classes"):
        load("folder", tmp_path, classes=["a", "b"])
    disk.voc(tmp_path)
    with pytest.raises(TypeError, match="partial must be True or False; got 'no'"):
        load("voc2007", tmp_path, partial="no")
    with pytest.raises(TypeError, match="boxes must be True or False"):
        load("imagenet", tmp_path, boxes="no")
    with pytest.raises(MissingDataError, match="~nobody-of-that-name/x was not found"):
        load("voc2007", "~nobody-of-that-name/x")


# ---------------------------------------------------------------- labels that meet a network


def test_labels_must_be_classes_of_the_network(tmp_path):
    disk.voc(tmp_path)
    data = read("voc2007", tmp_path)
    check_labels(data, 20)
    with pytest.raises(ValueError, match="toy has 10 classes and voc2007 has 20, so a label is no class"):
        check_labels(data, 10, "toy")
    disk.pet(tmp_path)
    pets = read("oxford-pet", tmp_path)
    check_labels(pets, 2)
    pets.read.labels[pets.ids[1]] = 2
    with pytest.raises(ValueError, match="oxford-pet, image american_bulldog_203: label 2 is none.* from 1"):
        check_labels(pets, 2)
    assert "203.jpg cannot be used: its annotation: label 2" in pets[1].reason
    with pytest.raises(ValueError, match="images without a label"):
        check_labels(Dataset("own", (), ("a",), Broken(None), preset_of("as-is")), 10)


def test_folders_must_be_numbered_as_the_network_is(tmp_path):
    """By the alphabet 0 is the butterfly; of the network it is the fish."""
    names = hc.class_names("toy-resnet50")
    for name in names:
        disk.save(tmp_path / name.replace(" ", "_").title() / "0.png", disk.picture(8, 8))
    data = load("folder", tmp_path)
    said = "numbers the classes of toy-resnet50 in another order, in which 0 is 'Butterfly' and not 'fish'; give it cl"
    for given in (10, names):
        with pytest.raises(WrongDataError, match=said):
            check_labels(data, given, "toy-resnet50")
    check_labels(data, 10, "my own network")
    check_labels(data, [f"output {k}" for k in range(10)], "toy-resnet50")
    ordered = [name.replace(" ", "_").title() for name in names]
    check_labels(load("folder", tmp_path, classes=ordered), 10, "toy-resnet50")
    with pytest.raises(ValueError, match="toy has 9 classes and folder has 10"):
        check_labels(data, names[:9], "toy")


def test_a_run_that_asks_for_labels_is_refused_before_it_begins(tmp_path):
    from holicam.experiments.config import Config
    from holicam.experiments.plan import Plan

    disk.voc(tmp_path)
    config = Config(
        {"name": "voc2007", "root": str(tmp_path), "partial": True}, ["toy-resnet50"], ["grad-cam"], target="label"
    )
    with pytest.raises(ConfigError, match="toy-resnet50 has 10 classes and voc2007 has 20.*: give target"):
        Plan.of(config)


def test_a_list_of_pairs_names_each_image_once(tmp_path):
    path = tmp_path / "difficult.txt"
    path.write_text("000001 0 1\n000002 1 0\n000001 1 1\n")
    with pytest.raises(ConfigError, match="line 3: '000001' is listed a second time"):
        listed_pairs(path, 2)


# ---------------------------------------------------------------- truth that somebody gives by hand


def own(raw, preset="as-is"):
    return Dataset("own", ("x", "y", "z"), tuple(raw), raw.__getitem__, preset_of(preset))


def picture():
    return Image.new("RGB", (8, 6))


BOX = torch.tensor([[1.0, 1, 5, 5]])


@pytest.mark.parametrize(
    "raw, words",
    [
        ({"targets": (True,)}, "targets must be a tuple of whole numbers, such as (3,); got (True,)"),
        ({"targets": (0.0,)}, "tuple of whole numbers"),
        ({"targets": torch.tensor([0])}, "tuple of whole numbers"),
        ({"targets": (1,), "masks": np.zeros((1, 6, 8), np.uint8)}, "masks must be a torch.Tensor; got ndarray"),
        ({"targets": (1,), "boxes": np.ones((1, 4))}, "boxes must be a torch.Tensor; got ndarray"),
        ({"targets": (1,), "masks": torch.full((1, 6, 8), 2).byte()}, "got torch.uint8 from 2 to 2"),
        ({"targets": (1,), "masks": torch.full((1, 6, 8), -1.0)}, "got torch.float32 from -1 to -1"),
        ({"targets": (1,), "masks": torch.ones(1, 6, 8).long()}, "its masks must be uint8 of 1 inside"),
        ({"targets": (1, 2), "boxes": BOX}, "box_targets must name each box's class"),
        ({"targets": (1,), "boxes": BOX, "box_targets": torch.tensor([3])}, "its box_targets: label 3 is none"),
        ({"targets": (1,), "boxes": BOX, "box_targets": torch.tensor([1.0])}, "box_targets must hold whole numbers"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_truth_of_another_kind_is_said(raw, words):
    (bad,) = own({"a": Raw(picture(), **raw)})
    assert isinstance(bad, Skipped) and words in bad.reason


def test_boxes_are_of_the_only_class():
    data = own({"a": Raw(picture(), (1,), BOX), "b": Raw(picture(), (), BOX)})
    assert data[0].box_targets.tolist() == [1] and data[0].region(1).sum() == 16 and data[0].region(0) is None
    assert data[1].box_targets.tolist() == [-1] and len(datasets.collate(data).boxes[1]) == 1
    pairs = pairs_of(own({"a": Raw(picture(), (1,), BOX), "b": Raw(picture(), (1, 2), BOX)}))
    assert pairs[0].boxes.tolist() == BOX.tolist()
    assert "box_targets must name each box's class" in pairs[1].reason


def test_masks_may_be_bool():
    mask = torch.zeros(1, 6, 8, dtype=torch.bool)
    mask[0, :3] = True
    assert own({"a": Raw(picture(), (1,), masks=mask)}, "ucag")[0].region(1)[:112].all()


def test_masks_do_not_depend_on_who_shares_the_batch():
    mask = torch.zeros(1, 6, 8).byte()
    mask[0, 0], mask[0, 1] = 1, 255
    data = own({"m": Raw(picture(), (1,), masks=mask), "b": Raw(picture(), (2,), BOX), "n": Raw(picture())})
    batch = datasets.collate(data)
    assert batch.masks.flatten(1).sum(1).tolist() == [8, 16, 0] and batch.masks[1, 1:5, 1:5].all()
    assert batch.unjudged.flatten(1).sum(1).tolist() == [8, 0, 0] and batch.unjudged[0, 1].all()
    assert datasets.collate([data[1], data[2]]).masks is None
    assert torch.equal(batch.masks[:1], datasets.collate([data[0]]).masks)


def test_a_class_that_is_not_there_has_no_region():
    mask = torch.ones(1, 6, 8).byte()
    item = own({"m": Raw(picture(), (1,), masks=mask)})[0]
    assert item.region(99) is None and item.unjudged(99) is None and item.unjudged(1) is not None


def test_several_items_are_selected():
    data = own({name: Raw(picture()) for name in "abc"})
    with pytest.raises(TypeError, match=r"select\(ids\)"):
        data[0:2]
    with pytest.raises(TypeError, match="ids must be a list of names; got 'ab'"):
        data.select("ab")
    assert data.select(name for name in "ca").ids == ("c", "a")


def test_batches_leave_the_random_numbers_alone_and_drop_nothing():
    data = own({"a": Raw(picture()), "b": Raw(picture(), (1,))})
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    (batch,) = datasets.batches(data, 2, pairs=True)
    assert torch.equal(torch.rand(3), expected)
    assert batch.ids == ["b#1"] and batch.skipped == [Skipped("a", "has no class, so it makes no pair")]


def test_what_programs_leave_behind_is_no_class(tmp_path):
    folder(tmp_path)
    for name in ("a/.ipynb_checkpoints/1.png", ".hidden/1.png", "__MACOSX/a/1.png", "b/._2.png"):
        disk.save(tmp_path / name, disk.picture(30, 20))
    data = load("folder", tmp_path)
    assert data.ids == ("a/1.png", "b/2.png") and data.classes == ("a", "b")


@pytest.mark.parametrize(
    "given, error, words",
    [
        ({"kernel": "cv2"}, ValueError, "kernel must be one of 'pillow', 'opencv', 'tensor'; got 'cv2'"),
        ({"decoder": "OpenCV"}, ValueError, "decoder must be one of"),
        ({"size": "224"}, TypeError, "size must be a whole number"),
        ({"size": 0}, ValueError, "size must be at least 1"),
        ({"size": None, "crop": True}, ValueError, "a preset that crops needs a size"),
        ({"mean": (123.7, 116.8, 103.9)}, ValueError, "white is 1 and not 255"),
        ({"mean": (0.5, 0.5), "std": (0.5, 0.5)}, ValueError, "3 numbers"),
    ],
)
def test_a_preset_that_is_none(given, error, words):
    with pytest.raises(error, match=words):
        datasets.Preset("own", **given)


def test_a_preset_may_be_given_lists():
    mean, std = list(preset_of("std").mean), list(preset_of("std").std)
    assert datasets.Preset("std", squash=False, crop=True, mean=mean, std=std) == preset_of("std")
    for wrong in (None, 224, ("birch", "oak")):
        with pytest.raises(TypeError, match="preset must be a name"):
            preset_of(wrong)
