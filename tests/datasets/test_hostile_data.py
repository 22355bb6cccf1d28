"""Every reader against files that lie: one sentence with the file, never a traceback, and the rest goes on."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from holicam.datasets import Item, MissingDataError, Skipped, image_folder
from tests.helpers import disk
from tests.helpers.readers import XML, folder, read, swap

VOC, PET, MURA = "VOCdevkit/VOC2007", "oxford-iiit-pet", "MURA-v1.1/valid_image_paths.csv"
COCO, TRIMAP = "annotations/instances_val2014.json", f"{PET}/annotations/trimaps/Abyssinian_201.png"
CALTECH = "caltech101/Annotations/Faces_2/annotation_0001.mat"
NAMES = [f"ILSVRC2012_val_{i + 1:08d}" for i in range(4)]


def write(name, text):
    """A change: this text in that file."""
    return lambda root: (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def cell(name, key, value):
    """A change: another array in a MATLAB file."""

    def change(root):
        from scipy.io import loadmat, savemat

        found = {k: v for k, v in loadmat(root / name).items() if not k.startswith("_")} | {key: value}
        savemat(root / name, {k: v for k, v in found.items() if v is not None})

    return change


def hdf5(name, make):
    """A change: another thing under that name in the HDF5 file; make: file -> what is assigned."""

    def change(root):
        import h5py

        with h5py.File(root / "gtsegs_ijcv.mat", "a") as file:
            new = make(file)
            del file[name]
            file[name] = new

    return change


def outside(root):
    """An HDF5 array that shows the bytes of another file."""
    import h5py

    (root / "secret").write_bytes(bytes(90 * 60 * 3))
    with h5py.File(root / "gtsegs_ijcv.mat", "a") as file:
        del file["#refs#/i0"]
        made = file.create_dataset("#refs#/i0", (3, 90, 60), "u1", external=[(str(root / "secret"), 0, 90 * 60 * 3)])
        file["value/img"][0, 0] = made.ref


def linked(root):
    """A list of images that lies in another file."""
    import h5py

    with h5py.File(root / "other.h5", "w") as other:
        other["img"] = np.zeros((2, 1))
    with h5py.File(root / "gtsegs_ijcv.mat", "a") as file:
        del file["value/img"]
        file["value/img"] = h5py.ExternalLink(str(root / "other.h5"), "img")


def another(name, size, mode="RGB"):
    """A change: another picture in that file."""
    return lambda root: Image.new(mode, size).save(root / name)


def twice(root):
    """One image in the folders of two classes."""
    disk.save(root / "val" / disk.WNIDS[8] / f"{NAMES[0]}.JPEG", disk.picture(30, 20))


def unknown_folder(root):
    """Not all thousand classes are there, and the list knows one of them not."""
    (root / "val" / disk.WNIDS[999]).rmdir()
    wnids = ["n99999999" if wnid == disk.WNIDS[3] else wnid for wnid in disk.WNIDS]
    (root / "synset_words.txt").write_text("\n".join(wnids))


HEADS = f"{PET}/annotations/xmls/Abyssinian_201.xml"
LIST = f"{VOC}/ImageSets/Main/test.txt"
PETS = f"{PET}/annotations/test.txt"

# set, what is changed, what the sentence says. The first item of the set is the one that suffers.
SKIPPED = {
    "voc other size": ("voc2007", swap(XML, "<width>120", "<width>800"), "000001.xml speaks of 800 x 80 pixels.*120 x"),
    "voc no size": ("voc2007", swap(XML, "<width>120</width>", ""), "000001.xml cannot be read as a box file"),
    "voc class": ("voc2007", swap(XML, "<name>dog", "<name>dgo"), "000001.xml: there is no class 'dgo'; close.* dog"),
    "voc no class": ("voc2007", swap(XML, "<name>dog</name>", ""), "there is no class ''"),
    "voc nan": ("voc2007", swap(XML, "<xmin>31", "<xmin>nan"), "000001.xml.*four finite numbers"),
    "voc huge": ("voc2007", swap(XML, "<xmax>80", "<xmax>1e300"), "000001.jpg.*four finite numbers"),
    "voc words": ("voc2007", swap(XML, "<xmin>31", "<xmin>left"), "000001.xml.*could not convert"),
    "voc no corner": ("voc2007", swap(XML, "<xmin>31</xmin>", ""), "000001.xml.*four finite numbers"),
    "voc shares": (
        "voc2007",
        write(
            XML,
            "<a><size><width>120</width><height>80</height></size><object><name>dog</name>"
            "<bndbox><xmin>.2</xmin><ymin>.1</ymin><xmax>.7</xmax><ymax>.9</ymax></bndbox>"
            "</object></a>",
        ),
        "000001.jpg.*run from 0 to 1",
    ),
    "voc difficult": ("voc2007", swap(XML, "<difficult>0", "<difficult>maybe"), "difficult must be 0 or 1"),
    "voc empty": ("voc2007", write(XML, ""), "000001.xml cannot be read as a box file"),
    "voc deep": ("voc2007", write(XML, "<a>" * 50_000), "000001.xml cannot be read as a box file"),
    "voc bytes": ("voc2007", write(XML, b"\xff\xfe\x00\xd8"), "000001.xml cannot be read as a box file"),
    "imagenet other class": (
        "imagenet",
        swap(f"bbox_val/{NAMES[0]}.xml", disk.WNIDS[3], disk.WNIDS[4]),
        "1.xml has a box of 'n10000068', class 4, but the label is 3",
    ),
    "imagenet no class": ("imagenet", swap(f"bbox_val/{NAMES[0]}.xml", disk.WNIDS[3], "dog"), "'dog', class unknown"),
    "imagenet nan": ("imagenet", swap(f"bbox_val/{NAMES[0]}.xml", "<xmin>60", "<xmin>inf"), "four finite numbers"),
    "pet mask size": ("oxford-pet", another(TRIMAP, (8, 6), "L"), "201.png.*8 x 6 pixels, the picture has 100 x 80"),
    "pet mask values": ("oxford-pet", another(TRIMAP, (100, 80), "L"), "201.png.*must hold 1, 2 and 3"),
    "pet colour mask": ("oxford-pet", another(TRIMAP, (100, 80)), "201.png.*must hold 1, 2 and 3"),
    "pet broken mask": ("oxford-pet", write(TRIMAP, "no picture"), "201.png cannot be read as a trimap"),
    "pet no mask": ("oxford-pet", lambda root: (root / TRIMAP).unlink(), "201.png is not there"),
    "pet other size": ("oxford-pet", swap(HEADS, "<height>80", "<height>8"), "201.xml speaks of 100 x 8 pixels"),
    "caltech no box": ("caltech101", cell(CALTECH, "box_coord", None), "0001.mat.*has no array box_coord"),
    "caltech short box": ("caltech101", cell(CALTECH, "box_coord", np.ones(3)), "0001.mat.*unpack"),
    "caltech nan": ("caltech101", cell(CALTECH, "box_coord", np.full(4, np.nan)), "0001.mat.*finite"),
    "caltech far": ("caltech101", cell(CALTECH, "obj_contour", np.full((2, 5), 1e9)), "0001.mat.*image sizes"),
    "caltech contour": ("caltech101", cell(CALTECH, "obj_contour", np.ones((2, 2))), r"two rows.*\(2, 2\)"),
    "caltech words": ("caltech101", cell(CALTECH, "obj_contour", np.array(["a"])), "0001.mat cannot be read"),
    "caltech broken": ("caltech101", write(CALTECH, "MATLAB 5.0 MAT-file"), "0001.mat cannot be read as an annotation"),
    "segmentation size": ("imagenet-segmentation", hdf5("#refs#/m0", lambda f: np.zeros((9, 6), "i1")), "gtsegs"),
    "segmentation values": ("imagenet-segmentation", hdf5("#refs#/m0", lambda f: np.full((90, 60), 7)), "gtsegs"),
    "segmentation grey": ("imagenet-segmentation", hdf5("#refs#/i0", lambda f: np.zeros((90, 60), "u1")), "gtsegs"),
    "segmentation float": ("imagenet-segmentation", hdf5("#refs#/i0", lambda f: np.zeros((3, 90, 60))), "gtsegs"),
    "segmentation elsewhere": ("imagenet-segmentation", outside, "is no array of this file"),
    "mura broken": (
        "mura",
        write("MURA-v1.1/valid/XR_WRIST/patient11185/study1_positive/image1.png", "no"),
        "image1.png cannot be read as a picture",
    ),
    "folder broken": ("folder", write("a/1.png", b"\x89PNG\r\n\x1a\n"), "1.png cannot be read as a picture"),
    "folder dangling": ("folder", lambda root: (root / "a/0.png").symlink_to(root / "no.png"), "0.png is not there"),
}

REFUSED = {
    "voc twice": ("voc2007", write(LIST, "000001\n000002\n\n000001 1\n"), "'000001' stands.*line 1.*again.*line 4"),
    "voc up": ("voc2007", write(LIST, "000001\n../../secret\n"), "line 2: '../../secret' lies outside"),
    "voc folder": ("voc2007", write(LIST, "sub/000001\n"), "line 1: 'sub/000001' must be an image's name without"),
    "voc absolute": ("voc2007", write(LIST, "/etc/passwd\n"), "line 1: '/etc/passwd' lies outside"),
    "voc backslash": ("voc2007", write(LIST, "..\\secret\n"), "line 1: .* lies outside"),
    "voc bytes": ("voc2007", write(LIST, b"\xff\xfe0\x00"), "test.txt is no text in UTF-8"),
    "voc empty": ("voc2007", write(LIST, "\n"), "test.txt holds none of the 4952"),
    "mura up": ("mura", write(MURA, "MURA-v1.1/valid/../../secret.jpg\n"), "line 1: .* lies outside"),
    "mura absolute": ("mura", write(MURA, "MURA-v1.1//etc/passwd\n"), "line 1: '/etc/passwd' lies outside"),
    "mura drive": ("mura", write(MURA, "C:\\secret.png\n"), "line 1: .* lies outside"),
    "mura nul": ("mura", write(MURA, "valid/\0.png\n"), "line 1: .* lies outside"),
    "mura twice": ("mura", lambda root: (root / MURA).write_text((root / MURA).read_text() * 2), "again.*line 4"),
    "mura label": ("mura", swap(MURA, "study1_positive", "study1"), "line 1: expected .* positive or negative"),
    "mura bytes": ("mura", write(MURA, b"\xff\xfe0\x00"), "paths.csv is no text in UTF-8"),
    "pet twice": ("oxford-pet", swap(PETS, "american_bulldog_203 2", "Abyssinian_201 1"), "line 1, and again.*line 2"),
    "pet up": ("oxford-pet", swap(PETS, "american", "../american"), "line 2: .* lies outside"),
    "pet folder": ("oxford-pet", swap(PETS, "american", "a/american"), "line 2: .* without a folder"),
    "pet no label": ("oxford-pet", swap(PETS, "203 2 2 1", "203"), "line 2: expected an image, its label"),
    "pet word": ("oxford-pet", swap(PETS, "203 2 ", "203 two "), "line 2: a label must be a whole number; got 'two'"),
    "pet zero": ("oxford-pet", swap(PETS, "_201 1 ", "_201 0 "), "test.txt: labels must run from 1.* got 0, 2"),
    "pet negative": ("oxford-pet", swap(PETS, "_203 2 ", "_203 -2 "), "labels must run from 1.* got -2, 1"),
    "pet gap": ("oxford-pet", swap(PETS, "_203 2 ", "_203 7 "), "labels must run from 1.* got 1, 7"),
    "pet two breeds": ("oxford-pet", swap(PETS, "_203 2 ", "_203 1 "), "line 2: label 1 belongs to Abyssinian"),
    "caltech file": ("caltech101", write("caltech101/101_ObjectCategories/notes.txt", "x"), "one folder a class"),
    "imagenet twice": ("imagenet", twice, "'ILSVRC2012_val_00000001' stands in .*n10000051.* and again in .*n10000136"),
    "imagenet folder": ("imagenet", unknown_folder, "n10000051: there is no wnid 'n10000051'; close names are"),
    "segmentation group": ("imagenet-segmentation", hdf5("value/img", lambda f: f.create_group("x")), "no array"),
    "segmentation scalar": ("imagenet-segmentation", hdf5("value/img", lambda f: 3), r"the shapes \(\) and \(2, 1\)"),
    "segmentation short": ("imagenet-segmentation", hdf5("value/gt", lambda f: np.zeros((1, 1))), "the shapes"),
    "segmentation link": ("imagenet-segmentation", linked, "no array of this file"),
    "segmentation text": ("imagenet-segmentation", write("gtsegs_ijcv.mat", "MATLAB 7.3"), "not the whole file"),
    **{
        f"coco {said}": ("coco2014", write(COCO, text), words)
        for said, text, words in (
            ("list", "[]", "it has no list `images`"),
            ("null", "null", "it has no list `images`"),
            ("number", "3", "it has no list `images`"),
            ("empty", "", "not the whole file"),
            ("object", "{}", "it has no list `images`"),
            ("word", '{"images": "x"}', "it has no list `images`"),
            ("deep", '{"images": ' + "[" * 100_000, "not the whole file"),
            ("long", "1" * 5000, "not the whole file"),
            ("bytes", b"\xff\xfe\x00", "not the whole file"),
            (
                "entry",
                '{"images": [3], "categories": [], "annotations": []}',
                r"images\[0\]: an entry must be an object",
            ),
        )
    },
    "coco up": ("coco2014", swap(COCO, '"COCO_val2014_000000000042', '"../../secret'), r"images\[0\]: .* lies outside"),
    "coco absolute": ("coco2014", swap(COCO, '"COCO_val2014_000000000042', '"/etc/passwd'), "lies outside"),
    "coco id twice": ("coco2014", swap(COCO, '"id": 73', '"id": 42'), r"'42' stands in .*\[0\], and again.*\[1\]"),
    "coco name twice": ("coco2014", swap(COCO, "_000000000073.", "_000000000042."), r"'COCO_val2014_000000000042' st"),
    "coco kind twice": ("coco2014", swap(COCO, '"id": 90', '"id": 1'), r"'1' stands in .*categories\[0\]"),
    "coco kind name": ("coco2014", swap(COCO, '"toothbrush"', '"dog"'), r"'dog' stands in .*categories\[0\]"),
    "coco no name": ("coco2014", swap(COCO, '"file_name"', '"name"'), r"images\[0\]: an entry must have 'file_name'"),
    "coco list id": ("coco2014", swap(COCO, '"id": 42', '"id": [42]'), r"images\[0\]: .* 'id', a value of type int"),
    "coco no box": ("coco2014", swap(COCO, '"bbox"', '"box"'), r"annotations\[0\]: an entry must have 'bbox'"),
    "coco image": ("coco2014", swap(COCO, '"image_id": 42', '"image_id": 7'), r"annotations\[0\]: image 7 is not"),
    "coco list image": ("coco2014", swap(COCO, '"image_id": 42', '"image_id": {}'), "'image_id', a value of type int"),
}

FLAT, WORDS, HEAD = "val.txt", "LOC_synset_mapping.txt", "ImageId,PredictionString\n"
LISTED = {
    "from one": (
        "flat",
        write(FLAT, "".join(f"{n}.JPEG {k}\n" for n, k in zip(NAMES, (1, 1000, 7, 8), strict=True))),
        r"val.txt counts its classes from 1 to 1000 \(line 2\)",
    ),
    "too large": ("flat", write(FLAT, f"{NAMES[0]}.JPEG 0\n{NAMES[1]}.JPEG 1000\n"), "line 2: label 1000 is none of"),
    "negative": ("flat", write(FLAT, f"{NAMES[0]}.JPEG -5\n"), "line 1: label -5 is none of"),
    "huge": ("flat", write(FLAT, f"{NAMES[0]}.JPEG {'9' * 5000}\n"), "line 1: a class must be a whole number"),
    "word": ("flat", write(FLAT, f"{NAMES[0]}.JPEG tench\n"), "line 1: a class must be a whole number; got 'tench'"),
    "fraction": ("flat", write(FLAT, f"{NAMES[0]}.JPEG 3.0\n"), "line 1: a class must be a whole number; got '3.0'"),
    "no number": ("flat", write(FLAT, f"{NAMES[0]}.JPEG\n"), "line 1: expected a file's name and its class"),
    "garbage": ("flat", write(FLAT, b"\xff\xfe\x00"), "val.txt is no text in UTF-8"),
    "up": ("flat", write(FLAT, f"\n../../{NAMES[0]}.JPEG 3\n"), "line 2: .* lies outside"),
    "absolute": ("flat", write(FLAT, f"/etc/{NAMES[0]}.JPEG 3\n"), "line 1: .* lies outside"),
    "twice": ("flat", write(FLAT, f"{NAMES[0]}.JPEG 3\n\n{NAMES[0]}.JPEG 4\n"), "line 1, and again .*line 3"),
    "others": ("flat", write(FLAT, "other.JPEG 3\n"), "holds none of the 50000 labelled"),
    "wnid": ("kaggle", swap("LOC_val_solution.csv", disk.WNIDS[5], "n01440764"), "line 3: there is no wnid 'n01"),
    "columns": ("kaggle", write("LOC_val_solution.csv", "a,b\n"), "line 1: the columns must be ImageId,Prediction"),
    "no table": ("kaggle", write("LOC_val_solution.csv", ""), "the columns must be"),
    "no wnid": ("kaggle", write("LOC_val_solution.csv", f"{HEAD}{NAMES[0]},\n"), "line 2: expected"),
    "row up": ("kaggle", write("LOC_val_solution.csv", f"{HEAD}../x,{disk.WNIDS[0]}\n"), "line 2: .* out"),
    "row twice": ("kaggle", swap("LOC_val_solution.csv", NAMES[1], NAMES[0]), "line 2, and again .*line 3"),
    "no wnids": ("kaggle", swap(WORDS, disk.WNIDS[5], "tench"), "line 6: a line must begin with a wnid"),
    "wnid twice": ("kaggle", swap(WORDS, disk.WNIDS[5], disk.WNIDS[4]), "line 5, and again .*line 6"),
    "more wnids": ("kaggle", lambda root: (root / WORDS).open("a").write("n99999999 x\n"), "lists 1001 wnids"),
    "fewer wnids": ("kaggle", swap(WORDS, f"{disk.WNIDS[5]} thing 5\n", ""), "holds 999 of the 1000"),
}


WRITERS = {**disk.WRITERS, "folder": folder}


@pytest.mark.parametrize("case", SKIPPED)
def test_one_item_that_lies_is_skipped_with_its_file(case, tmp_path):
    name, change, words = SKIPPED[case]
    WRITERS[name](tmp_path)
    change(tmp_path)
    first, *rest = read(name, tmp_path)
    assert isinstance(first, Skipped), first
    assert str(tmp_path) in first.reason and "\n" not in first.reason and len(first.reason) < 500
    assert re.search(words, first.reason), first.reason
    assert rest and all(isinstance(item, Item) for item in rest)


def refused(name, root, words):
    with pytest.raises(MissingDataError, match=words) as error:
        read(name, root)
    said = str(error.value)
    assert str(root) in said and "\n" not in said and len(said) < 600, said


@pytest.mark.parametrize("case", REFUSED)
def test_a_list_that_lies_is_refused_with_file_and_place(case, tmp_path):
    name, change, words = REFUSED[case]
    WRITERS[name](tmp_path)
    change(tmp_path)
    refused(name, tmp_path, words)


@pytest.mark.parametrize("case", LISTED)
def test_imagenet_s_lists_are_refused_with_file_and_line(case, tmp_path):
    layout, change, words = LISTED[case]
    disk.imagenet(tmp_path, layout)
    change(tmp_path)
    refused("imagenet", tmp_path, words)


def test_linked_folders_are_classes_and_a_circle_ends(tmp_path):
    """As ImageNet is laid out in many places: folders of links. One to a folder around it leads nowhere."""
    for name in ("store/one", "store/two/deep", "set"):
        (tmp_path / name).mkdir(parents=True)
    for place in ("store/one/a.png", "store/two/deep/b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / place)
    for label, target in (("cat", "store/one"), ("dog", "store/one"), ("bird", "store/two/deep")):
        (tmp_path / "set" / label).symlink_to(tmp_path / target)
    (tmp_path / "store/one/round").symlink_to(tmp_path / "set")
    (tmp_path / "store/one/up").symlink_to(tmp_path / "store")
    found = image_folder(tmp_path / "set")
    assert {"bird/b.png", "cat/a.png", "dog/a.png"} <= set(found.ids) and len(found.ids) < 20
    (tmp_path / "store/one/round").unlink()
    (tmp_path / "store/one/up").unlink()
    found = image_folder(tmp_path / "set")
    assert found.ids == ("bird/b.png", "cat/a.png", "dog/a.png") and found.classes == ("bird", "cat", "dog")
    assert [item.targets for item in found] == [(0,), (1,), (2,)]
