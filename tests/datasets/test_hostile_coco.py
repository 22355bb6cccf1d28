"""COCO's annotations, which compiled code would trust: each that lies skips its image, and none ends the process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from holicam.datasets import Item, load
from holicam.datasets.outlines import mask_of
from holicam.experiments.class_pairs import pairs_of
from tests.helpers import disk

pytest.importorskip("pycocotools")
COCO = "annotations/instances_val2014.json"


def swap(root, old, new):
    """Other words in the file of annotations."""
    text = (root / COCO).read_text()
    assert old in text
    (root / COCO).write_text(text.replace(old, new, 1))


def read(root):
    return load("coco2014", root, preset="as-is", partial=True)


SQUARE, RUNS = [20, 10, 60, 10, 60, 40, 20, 40], [3005, 10, 2985]
BOX = [20, 10, 40, 30]
FAR = [20, 10, 1e8, 10, 60, 40]
HOSTILE = [  # segmentation, box, what the sentence says
    *(
        (value, BOX, words)
        for value, words in (
            ([], "must be a list of polygons"),
            ([[]], "three corners or more; got 0"),
            ([[1, 1]], "got 2 numbers"),
            ([[1, 1, 5, 5]], "got 4 numbers"),
            ([SQUARE, [1, 1, 5, 5]], "got 4 numbers"),
            ([SQUARE[:7]], "got 7 numbers"),
            (SQUARE, "must be a list of numbers; got 20"),
            ([SQUARE, None], "list of numbers; got None"),
            ([[float("nan")] * 6], "within 4 image sizes, 400 pixels; got nan"),
            ([FAR], "got 100000000.0"),
            ([[float("inf")] * 6], "got inf"),
            ([[-1e8, *SQUARE[1:]]], "got -100000000.0"),
            ([[1e300] * 6], r"got 1e\+300"),
            ([[10**400] * 6], "got a huge number"),
            ([["1"] * 6], "got '1'"),
            ([[None] * 6], "got None"),
            ([[True] * 6], "got True"),
            ([[[1]] * 6], "got list of 1"),
            ([[{}] * 6], "got dict of 0"),
            ("x" * 99, "got 'xxx"),
            (None, "got None"),
            (3, "got 3"),
            (1e8, "got 1000"),
            ([{"counts": RUNS, "size": [60, 100]}], "got dict of 2"),
            ([[0, 0, 399, 399] * 20_000], "pixels long: that is no outline"),
        )
    ),
    *(
        (value, BOX, words)
        for value, words in (
            ({}, r"must have the size \[height, width\]; got None"),
            ({"size": [60, 100]}, "COCO's letters; got None"),
            ({"counts": RUNS}, "got None"),
            ({"counts": RUNS, "size": 6000}, "got 6000"),
            ({"counts": RUNS, "size": [60]}, "got list of 1"),
            ({"counts": RUNS, "size": ["60", "100"]}, "got list of 2"),
            ({"counts": RUNS, "size": [100, 60]}, "is for 60 x 100 pixels, the picture has 100 x 60"),
            ({"counts": [0, 100], "size": [10, 10]}, "is for 10 x 10 pixels, the picture has 100 x 60"),
            ({"counts": [10**10], "size": [10**5, 10**5]}, "is for 100000 x 100000 pixels"),
            ({"counts": [10**400], "size": [10**400, 1]}, "got list of 2"),
            ({"counts": [-5, 6005], "size": [60, 100]}, "go down to -5"),
            ({"counts": [3005, 10, 2986], "size": [60, 100]}, "add up to 6000 pixels; .* add up to 6001"),
            ({"counts": [10**400, 2], "size": [60, 100]}, "add up to a huge number"),
            ({"counts": [5, 5], "size": [60, 100]}, "add up to 10"),
            ({"counts": [], "size": [60, 100]}, "add up to 0"),
            ({"counts": [3005.0, 2995], "size": [60, 100]}, "whole numbers"),
            ({"counts": [None, 6000], "size": [60, 100]}, "whole numbers"),
            ({"counts": [True, 5999], "size": [60, 100]}, "whole numbers"),
            ({"counts": {"a": 1}, "size": [60, 100]}, "whole numbers or COCO's letters; got dict"),
            ({"counts": "", "size": [60, 100]}, "add up to 0"),
            ({"counts": "]", "size": [60, 100]}, "middle of a number"),
            ({"counts": "o" * 50, "size": [60, 100]}, "run lengths hold"),
            ({"counts": "\0\x01", "size": [60, 100]}, "which COCO's letters do not"),
            ({"counts": "\U0001f600", "size": [60, 100]}, "which COCO's letters do not"),
            ({"counts": "O5", "size": [60, 100]}, "go down to -1"),
        )
    ),
    *(
        ([SQUARE], value, words)
        for value, words in (
            ([10, 10], "x, y, width, height; got 2"),
            ([], "got 0 numbers"),
            ([1] * 5, "got 5 numbers"),
            (None, "got None"),
            ("1234", "got '1234'"),
            ({}, "got dict of 0"),
            ([float("nan")] * 4, "got nan"),
            ([0, 0, 1e9, 5], "got 1000000000"),
            ([0, 0, 10**400, 5], "huge number"),
            (["0", "0", "5", "5"], "got '0'"),
            ([9, 9, -5, 5], "inverted or empty"),
            ([9, 9, 5, -5], "inverted or empty"),
            ([9, 9, 0, 0], "inverted or empty"),
            ([0.1, 0.1, 0.5, 0.4], "0 to 1"),
        )
    ),
]

SCRIPT = """
import json, sys
from holicam.datasets import load
data = load("coco2014", sys.argv[1], preset="as-is", partial=True)
print(json.dumps([getattr(item, "reason", "read") for item in data]))
"""


def test_no_annotation_of_coco_s_ends_the_process(tmp_path):
    """In a process of its own, as a segmentation fault would end this one."""
    good = ({"counts": RUNS, "size": [60, 100]}, BOX, "read")
    cases = [([SQUARE], BOX, "read"), *HOSTILE, good]
    shown = tmp_path / "val2014"
    disk.save(shown / "0000.jpg", disk.picture(100, 60))
    for i in range(1, len(cases)):
        os.link(shown / "0000.jpg", shown / f"{i:04d}.jpg")
    (tmp_path / "instances_val2014.json").write_text(
        json.dumps(
            {
                "images": [{"id": i, "file_name": f"{i:04d}.jpg"} for i in range(len(cases))],
                "categories": [{"id": 1, "name": "person"}],
                "annotations": [
                    {"image_id": i, "category_id": 1, "bbox": box, "segmentation": segmentation}
                    for i, (segmentation, box, _) in enumerate(cases)
                ],
            }
        )
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for i, ((*_, words), said) in enumerate(zip(cases, json.loads(done.stdout), strict=True)):
        assert re.search(words, said), (words, said)
        assert words == "read" or (f"{i:04d}.jpg" in said and "\n" not in said and len(said) < 400), said


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda t: t.update(category_id=7), "category 7, which is not listed"),
        (lambda t: t.update(category_id=[18]), r"category \[18\], which is not"),
        (lambda t: t.update(category_id=True), "category True, which is not"),
    ],
)
def test_a_category_of_coco_s_that_is_none(change, words, tmp_path):
    disk.coco(tmp_path)
    listed = json.loads((tmp_path / COCO).read_text())
    change(listed["annotations"][0])
    (tmp_path / COCO).write_text(json.dumps(listed))
    data = read(tmp_path)
    assert re.search(words, data[0].reason) and "0042.jpg" in data[0].reason and isinstance(data[1], Item)
    pairs = pairs_of(data)
    assert pairs.ids == (data.ids[0], f"{data.ids[1]}#2") and pairs[0].reason == data[0].reason


def test_coco_s_annotations_for_another_picture(tmp_path):
    disk.coco(tmp_path)
    swap(tmp_path, '"width": 100', '"width": 640')
    assert "its entry is for 640 x 60 pixels, the picture has 100 x 60" in read(tmp_path)[0].reason


def test_what_is_odd_about_coco_s_annotations_is_noted(tmp_path):
    disk.coco(tmp_path)
    swap(tmp_path, "[20, 10, 40, 30]", "[20, 10, 0, 30]")
    swap(tmp_path, "2985", "2950")
    item = read(tmp_path)[0]
    assert item.notes == (
        "run lengths stop 35 pixels before the picture's end, which count as outside",
        "1 of 2 boxes are inverted or empty",
    )
    assert item.boxes.tolist() == [[50, 5, 51, 15]]


@pytest.mark.parametrize("seed", range(6))
def test_runs_and_letters_are_read_as_pycocotools_does(seed):
    from pycocotools import mask as coder

    rng = np.random.default_rng(seed)
    height, width = (int(n) for n in rng.integers(1, 60, 2))
    inside = rng.random((height, width)) > rng.random()
    if seed == 5:
        height, width, inside = 3, 50_000, np.ones((3, 50_000), bool)
    code = coder.encode(np.asfortranarray(inside.astype(np.uint8)))
    told = {"size": [height, width], "counts": code["counts"].decode()}
    assert np.array_equal(mask_of(told, (width, height)), inside)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.T.ravel(), [0]]))) if inside.any() else []
    counts = np.diff([0, *edges, height * width]).tolist()
    assert np.array_equal(mask_of({"size": [height, width], "counts": counts}, (width, height)), inside)
    x, y = rng.uniform(-width, 2 * width, 7), rng.uniform(-height, 2 * height, 7)
    polygon = np.stack([x, y], 1).ravel().tolist()
    wanted = coder.decode(coder.merge(coder.frPyObjects([polygon], height, width))).astype(bool)
    assert np.array_equal(mask_of([polygon], (width, height)), wanted)
