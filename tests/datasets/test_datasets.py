"""Data sets: fixtures in the real layout, one transform for all, presets, and what is said when something is amiss."""

from __future__ import annotations

import functools
import pickle
import shutil

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms as v1

import holicam as hc
from holicam.datasets import Item, MissingDataError, Skipped, batches, collate, load, presets
from holicam.datasets.presets import Preset, apply, preset_of
from tests.helpers import disk

MEAN, STD = torch.tensor(hc.toyland.MEAN)[:, None, None], torch.tensor(hc.toyland.STD)[:, None, None]
AS_IS = {"preset": "as-is"}


@pytest.fixture
def root(tmp_path):
    return tmp_path


def rgb(item: Item) -> torch.Tensor:
    """(3, H, W) from 0 to 255, as it was before it was normalised."""
    return (item.image * STD + MEAN) * 255


def iou(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


def white(item: Item) -> torch.Tensor:
    return rgb(item).mean(0) > 140


# ---------------------------------------------------------------- the loaders, in their real layout


def test_toyland_gives_masks_boxes_and_recipes():
    data = load("toyland", 5, subset="scene", size=64, start=3)
    drawn = hc.toyland.batch(5, split="test", subset="scene", size=64, start=3)
    assert data.ids == tuple(drawn.ids) and data.classes == tuple(hc.toyland.CLASSES)
    batch = collate(list(data))
    torch.testing.assert_close(batch.images, drawn.images, atol=1e-5, rtol=0)
    assert torch.equal(batch.target, drawn.target) and torch.equal(batch.masks, drawn.object_mask)
    assert batch.recipes == drawn.recipes
    assert all(torch.equal(a, b) for a, b in zip(batch.boxes, drawn.boxes, strict=True))
    assert any(len(targets) > 1 for targets in batch.targets)
    pairs = collate(list(data), pairs=True)
    assert len(pairs) == sum(len(t) for t in batch.targets) and pairs.ids[0] == f"{data.ids[0]}#{drawn.target[0]}"
    both = pairs.masks[[i for i, name in enumerate(pairs.ids) if name.startswith(data.ids[1] + "#")]]
    assert torch.equal(both[0], drawn.object_mask[1])
    for wrong in ({"n": 0}, {"size": 4}, {"subset": "nothing"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            load("toyland", **wrong)


@pytest.mark.parametrize("layout", ["folders", "flat", "kaggle"])
def test_imagenet(root, layout):
    names = disk.imagenet(root, layout)
    data = load("imagenet", root, partial=True, **AS_IS)
    assert list(data.ids) == names and len(data.classes) == 1000
    items = list(data)
    assert [item.targets for item in items] == [(3,), (5,), (7,), (9,)]
    assert items[0].boxes.tolist() == [[60, 50, 180, 170]] and len(items[2].boxes) == 2
    assert items[0].size == (260, 300) and items[0].masks is None
    assert iou(items[0].region(3), white(items[0])) > 0.98
    assert load("imagenet", root, partial=True, boxes=False)[0].region(3) is None


def test_imagenet_notes_a_box_file_of_another_size(root):
    names = disk.imagenet(root)
    disk.box_file(root / "bbox_val" / f"{names[0]}.xml", (150, 130), [(disk.WNIDS[3], 60, 50, 400, 170)])
    item = load("imagenet", root, partial=True, **AS_IS)[0]
    assert "150 x 130" in item.notes[0] and item.boxes.tolist() == [[60, 50, 300, 170]]


def test_imagenet_segmentation(root):
    pytest.importorskip("h5py")
    disk.imagenet_segmentation(root)
    data = load("imagenet-segmentation", root, partial=True, **AS_IS)
    assert data.ids == ("0000", "0001")
    assert pickle.loads(pickle.dumps(data))[1].id == "0001"
    item = data[0]
    assert item.size == (60, 90) and item.targets == (0,)
    assert torch.equal(item.region(0), white(item))
    assert torch.equal(item.unjudged(0), torch.arange(60)[:, None].expand(60, 90) == 0)
    batch = next(batches(data, 2, workers=1))  # another process opens the file for itself
    assert batch.masks.shape == batch.unjudged.shape == (2, 60, 90) and batch.masks.dtype == torch.bool


def test_voc2007(root):
    names = disk.voc(root)
    data = load("voc2007", root, partial=True, **AS_IS)
    assert list(data.ids) == names and len(data.classes) == 20
    dog, cat = data.classes.index("dog"), data.classes.index("cat")
    item = data[0]
    assert item.targets == (dog, cat) and item.difficult == (False, False)  # one of the cats is easy
    assert item.boxes.tolist() == [[30, 20, 80, 60], [0, 0, 10, 10], [100, 60, 120, 80]]
    assert iou(item.region(dog), white(item)) > 0.97
    assert int(item.region(cat).sum()) == 10 * 10 + 20 * 20  # the difficult one belongs to the region
    batch = collate(list(data), pairs=True)
    assert batch.difficult.tolist() == [False, False, True, False] and batch.masks is None
    assert [len(b) for b in batch.boxes] == [1, 2, 1, 1]


def test_coco2014(root):
    pytest.importorskip("pycocotools")
    names = disk.coco(root)
    data = load("coco2014", root, partial=True, **AS_IS)
    assert list(data.ids) == names and data.classes == ("person", "dog", "toothbrush")
    item = data[0]
    assert item.targets == (0, 1) and item.boxes.tolist() == [[20, 10, 60, 40], [50, 5, 51, 15]]
    assert iou(item.region(1), white(item)) > 0.95
    crowd = torch.zeros(60, 100, dtype=torch.bool)
    crowd[5:15, 50] = True
    assert torch.equal(item.region(0), crowd)
    assert data[1].targets == (2,)


def test_mura(root):
    paths = disk.mura(root)
    data = load("mura", root, partial=True, **AS_IS)
    assert list(data.ids) == paths and [i.targets for i in data] == [(1,), (0,), (0,)]
    assert torch.allclose(rgb(data[0])[0], rgb(data[0])[2], atol=1e-2)
    assert load("mura", root, partial=True, part="wrist").ids == tuple(paths[:2])
    with pytest.raises(ValueError, match="ELBOW, WRIST"):
        load("mura", root, partial=True, part="nose")


def test_caltech101(root):
    disk.caltech(root)
    data = load("caltech101", root, partial=True, **AS_IS)
    assert data.classes == ("Faces", "accordion") and data.ids[0] == "Faces/image_0001"
    item = data[0]
    assert item.targets == (0,) and item.boxes.tolist() == [[20, 10, 60, 50]]
    assert iou(item.region(0), white(item)) > 0.97


def test_oxford_pet(root):
    names = disk.pet(root)
    data = load("oxford-pet", root, partial=True, **AS_IS)
    assert list(data.ids) == names and data.classes == ("Abyssinian", "American Bulldog")
    item = data[0]
    assert item.boxes.tolist() == [[25, 15, 45, 30]] and len(data[1].boxes) == 0
    assert int(item.region(0).sum()) == 38 * 38 and int(item.unjudged(0).sum()) == 42 * 42 - 38 * 38


def test_any_folder(root):
    for i, name in enumerate(("b/2.png", "a/1.jpg", "a/notes.txt")):
        if name.endswith("txt"):
            (root / name).write_text("not a picture")
        else:
            disk.save(root / name, disk.picture(40 + i, 30))
    data = load("folder", root, **AS_IS)
    assert data.ids == ("a/1.jpg", "b/2.png") and [i.targets for i in data] == [(0,), (1,)]
    assert [i.targets for i in load("folder", root, classes=["c", "b", "a"])] == [(2,), (1,)]
    with pytest.raises(ValueError, match="'a', which is not among"):
        load("folder", root, classes=["b"])
    disk.save(root / "loose.png", disk.picture(40, 30))
    unlabelled = collate(list(load("folder", root)))
    assert unlabelled.target.tolist() == [-1, -1, -1] and unlabelled.masks is None


def test_a_turned_photograph_stands_upright_in_a_folder_and_lies_in_imagenet(root):
    names = disk.imagenet(root)
    path = root / "val" / disk.WNIDS[3] / f"{names[0]}.JPEG"
    exif = Image.Exif()
    exif[274] = 6
    disk.picture(300, 260).save(path, exif=exif)
    assert load("imagenet", root, partial=True, **AS_IS)[0].size == (260, 300)
    assert load("imagenet", root, partial=True, preset=Preset("x", None, decoder="opencv"))[0].size == (260, 300)
    assert load("folder", path.parent, **AS_IS)[0].size == (300, 260)


# ---------------------------------------------------------------- one transform; presets


@pytest.mark.parametrize("name", presets)
@pytest.mark.parametrize("size", [(500, 375), (333, 500), (90, 70)])
def test_image_box_and_mask_stay_together(name, size):
    width, height = size
    box = (round(0.3 * width), round(0.25 * height), round(0.7 * width), round(0.8 * height))
    drawn = np.zeros((height, width, 3), np.uint8)
    drawn[box[1] : box[3], box[0] : box[2]] = 255
    mask = torch.from_numpy(drawn[..., 0] > 0).byte()[None]
    preset = preset_of(name)
    image, boxes, masks = apply(preset, Image.fromarray(drawn), torch.tensor([box]).float(), mask)
    mean, std = (torch.tensor(v)[:, None, None] for v in (preset.mean, preset.std))
    seen, inside = (image * std + mean).mean(0) > 0.5, torch.zeros(image.shape[1:], dtype=torch.bool)
    x0, y0, x1, y1 = boxes[0].round().int().tolist()
    inside[y0:y1, x0:x1] = True
    assert iou(seen, inside) >= 0.97 and iou(masks[0] > 0, inside) >= 0.97 and iou(masks[0] > 0, seen) >= 0.97


def test_masks_are_resized_as_pillow_does():
    rng = np.random.default_rng(0)
    for width, height in ((500, 333), (224, 100), (77, 301)):
        mask = rng.integers(0, 3, (height, width)).astype(np.uint8)
        _, _, ours = apply(
            preset_of("ucag"), Image.new("RGB", (width, height)), torch.zeros(0, 4), torch.from_numpy(mask)[None]
        )
        theirs = np.array(Image.fromarray(mask).resize((224, 224), Image.Resampling.NEAREST))
        assert (ours[0].numpy() != theirs).mean() < 0.002


def test_presets_are_the_pipelines_of_the_papers():
    """Each against the same written with other means: torchvision's first transforms, OpenCV, torch."""
    picture = disk.picture(300, 200, (50, 40, 220, 150))
    normal = v1.Normalize(hc.toyland.MEAN, hc.toyland.STD)
    plain = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255

    close = functools.partial(torch.testing.assert_close, atol=1e-5, rtol=0)

    def ours(name, **options):
        return apply(preset_of(name, **options), picture, torch.zeros(0, 4), None)[0]

    std = v1.Compose([v1.Resize(256), v1.CenterCrop(224), v1.ToTensor(), normal])
    close(ours("std"), std(picture))
    ucag = v1.Compose([v1.Resize((299, 299)), v1.ToTensor(), normal])
    close(ours("ucag", size=299), ucag(picture))
    squashed = F.interpolate(plain[None], (224, 224), mode="bilinear", align_corners=False)[0]
    close(ours("poly-cam"), normal(squashed))
    resized = cv2.resize(np.array(picture), (224, 224), interpolation=cv2.INTER_LINEAR)
    close(ours("holistic-cam"), normal(torch.from_numpy(resized).permute(2, 0, 1) / 255))
    short = F.interpolate(plain[None], (224, 336), mode="bilinear", align_corners=False)[0]
    caffe = short * 255 - torch.tensor([123.68, 116.779, 103.939])[:, None, None]
    torch.testing.assert_close(ours("torchray"), caffe, atol=1e-3, rtol=0)
    assert ours("as-is").shape == (3, 200, 300)
    with pytest.raises(ValueError, match="poly-cam"):
        preset_of("polycam")


def test_the_middle_crop_cuts_boxes_and_drops_those_outside(root):
    names = disk.imagenet(root)
    disk.box_file(
        root / "bbox_val" / f"{names[0]}.xml",
        (300, 260),
        [(disk.WNIDS[3], 0, 0, 5, 260), (disk.WNIDS[3], 0, 0, 300, 260)],
    )
    item = load("imagenet", root, partial=True)[0]
    assert item.image.shape == (3, 224, 224) and item.boxes.tolist() == [[0, 0, 224, 224]]
    assert item.notes == ("1 of 2 boxes lie outside the picture",)


def test_sizes_that_differ_cannot_share_a_batch(root):
    for i in range(2):
        disk.save(root / f"{i}.png", disk.picture(40 + 30 * i, 30))
    with pytest.raises(ValueError, match="one image at a time"):
        collate(list(load("folder", root, preset="torchray")))


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("decoder", ["std", "holistic-cam"])
def test_a_broken_picture_is_skipped_with_a_reason_and_the_rest_goes_on(root, decoder):
    names = disk.imagenet(root)
    folder = root / "val"
    disk.break_off(folder / disk.WNIDS[5] / f"{names[1]}.JPEG")
    (folder / disk.WNIDS[7] / f"{names[2]}.JPEG").write_bytes(b"not a picture")
    data = load("imagenet", root, decoder, partial=True)
    (folder / disk.WNIDS[9] / f"{names[3]}.JPEG").unlink()  # after the list was made
    got = list(data)
    assert [type(item) for item in got] == [Item, Skipped, Skipped, Skipped]
    assert "truncated" in got[1].reason and "cannot be read as a picture" in got[2].reason
    assert got[3].reason.endswith("is not there") and got[1].id == names[1]
    (batch,) = batches(data, 4)
    assert batch.ids == names[:1] and [s.id for s in batch.skipped] == names[1:]
    (broken,) = batches(data.select(names[1:]), 4)
    assert len(broken) == 0 and len(broken.skipped) == 3


def test_broken_annotations_are_skipped_too(root):
    disk.voc(root)
    (root / "VOCdevkit/VOC2007/Annotations/000002.xml").write_text("<annotation><object>")
    first, second, third = load("voc2007", root, partial=True)
    assert isinstance(second, Skipped) and "cannot be read as a box file" in second.reason
    assert isinstance(first, Item) and isinstance(third, Item)


@pytest.mark.parametrize("name", [*disk.WRITERS, "folder"])
def test_a_missing_set_says_what_where_and_how(root, name):
    if name in ("imagenet-segmentation", "coco2014"):
        pytest.importorskip("h5py" if "seg" in name else "pycocotools")
    with pytest.raises(MissingDataError) as error:
        load(name, root / "nowhere")
    said = str(error.value)
    assert "looked for" in said and str(root / "nowhere") in said and said.endswith(".")
    assert any(word in said for word in ("unpack", "download", "fetches", "name a folder"))


@pytest.mark.parametrize("name", disk.WRITERS)
def test_a_half_unpacked_set_says_so_unless_told_that_it_is_partial(root, name):
    if name in ("imagenet-segmentation", "coco2014"):
        pytest.importorskip("h5py" if "seg" in name else "pycocotools")
    disk.WRITERS[name](root)
    with pytest.raises(MissingDataError, match="half unpacked.*partial=True"):
        load(name, root)
    assert len(load(name, root, partial=True)) >= 2


def test_half_a_set(root):
    pytest.importorskip("h5py")
    disk.imagenet(root / "i")
    shutil.rmtree(root / "i" / "bbox_val")
    with pytest.raises(MissingDataError, match="ILSVRC2012_bbox_val_v3.tgz"):
        load("imagenet", root / "i", partial=True)
    shutil.rmtree(root / "i" / "val" / disk.WNIDS[999])
    with pytest.raises(MissingDataError, match="found 999; all 1,000 wnid folders"):
        load("imagenet", root / "i", partial=True, boxes=False)
    disk.imagenet_segmentation(root / "s")
    disk.break_off(root / "s" / "gtsegs_ijcv.mat")
    with pytest.raises(MissingDataError, match="not the whole file"):
        load("imagenet-segmentation", root / "s")
    disk.coco(root / "c")
    disk.break_off(root / "c" / "annotations" / "instances_val2014.json")
    with pytest.raises(MissingDataError, match="not the whole file"):
        load("coco2014", root / "c")
    disk.caltech(root / "k")
    shutil.rmtree(root / "k" / "caltech101" / "101_ObjectCategories" / "BACKGROUND_Google")
    with pytest.raises(MissingDataError, match="half unpacked"):
        load("caltech101", root / "k", partial=True)


def test_unknown_names_list_close_ones(root):
    with pytest.raises(ValueError, match="voc2007"):
        load("voc07", root)


# ---------------------------------------------------------------- choosing images


def test_samples_follow_from_ids_and_seed():
    data = load("toyland", 40, size=16)
    some = data.sample(10, seed=1)
    assert some.ids == data.sample(10, seed=1).ids != data.sample(10, seed=2).ids
    assert list(some.ids) == sorted(some.ids, key=data.ids.index)
    assert some.split_hash == data.select(some.ids).split_hash != data.split_hash
    with pytest.raises(KeyError, match="nothing"):
        data.select(["nothing"])
    with pytest.raises(ValueError, match="1..40"):
        data.sample(41)


def test_batches_keep_the_order_and_drop_nothing():
    data = load("toyland", 5, size=16)
    for workers in (0, 2):
        assert [len(b) for b in batches(data, 2, workers=workers)] == [2, 2, 1]
        assert [name for b in batches(data, 2, workers=workers) for name in b.ids] == list(data.ids)
    moved = next(batches(data, 2)).to("cpu")
    assert moved.images.shape == (2, 3, 16, 16) and len(moved.boxes) == 2
