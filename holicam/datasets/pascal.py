"""PASCAL's box files, and the test images of VOC 2007.

VOCdevkit/VOC2007/{JPEGImages,Annotations,ImageSets/Main/test.txt}
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from PIL.Image import Image

from .files import each_once, first_file, known, lines, plain, read_picture, reading, whole
from .items import Dataset, Raw, UnreadableError
from .presets import Preset, preset_of

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
VOC_NUMBERS = {name: number for number, name in enumerate(VOC_CLASSES)}
CORNERS = ("xmin", "ymin", "xmax", "ymax")
HOW_VOC = (
    "unpack VOCtest_06-Nov-2007.tar from host.robots.ox.ac.uk/pascal/VOC/voc2007 there, which makes VOCdevkit/VOC2007"
)


@dataclass(frozen=True)
class Boxed:
    """One object of a box file: its class's name, corners as written, and whether it is difficult."""

    name: str
    corners: tuple[float, float, float, float]
    difficult: bool


def read_boxes(path: Path) -> tuple[tuple[int, int], list[Boxed]]:
    """((width, height), objects) of a box file. Raises UnreadableError."""
    with reading(path, "a box file"):
        tree = ElementTree.parse(path).getroot()
        size = _number(tree, "size/width"), _number(tree, "size/height")
        return size, [_boxed(thing) for thing in tree.iter("object")]


def _number(tree: ElementTree.Element, place: str) -> int:
    """The whole number that stands there. Raises ValueError."""
    if (text := tree.findtext(place)) is None:
        raise ValueError(f"it has no <{place}>")
    return int(text)


def _boxed(thing: ElementTree.Element) -> Boxed:
    """One <object>. Raises ValueError."""
    found = [thing.findtext(f"bndbox/{corner}") for corner in CORNERS]
    corners = [float(corner) for corner in found if corner is not None]
    if len(corners) < 4 or not all(map(math.isfinite, corners)):
        raise ValueError(f"an object has the corners {found}: four finite numbers are needed")
    difficult = thing.findtext("difficult", "").strip() or "0"
    if difficult not in ("0", "1"):
        raise ValueError(f"difficult must be 0 or 1; got {difficult!r}")
    x0, y0, x1, y1 = corners
    return Boxed((thing.findtext("name") or "").strip(), (x0, y0, x1, y1), difficult == "1")


def check_file_size(path: Path, size: tuple[int, int], picture: Path, image: Image) -> None:
    """Raise UnreadableError where a box file speaks of another size than its picture has."""
    if size != image.size:
        raise UnreadableError(
            f"{path} speaks of {size[0]} x {size[1]} pixels, {picture} has {image.size[0]} x "
            f"{image.size[1]}, so its boxes do not fit"
        )


def _kinds(path: Path, things: list[Boxed]) -> list[int]:
    """The class of each object. Raises UnreadableError for one that is none of VOC's."""
    return [known(thing.name, VOC_NUMBERS, path, "class", UnreadableError) for thing in things]


@dataclass(frozen=True)
class VOCReader:
    """Reads one image and its objects; corners in the files count from 1 and include their end."""

    root: Path
    decoder: str

    def place(self, name: str) -> Path:
        """The picture's file."""
        return self.root / "JPEGImages" / f"{name}.jpg"

    def classes_in(self, name: str) -> tuple[int, ...]:
        """The classes in an image, without reading the picture. Raises UnreadableError."""
        path = self.root / "Annotations" / f"{name}.xml"
        return tuple(dict.fromkeys(_kinds(path, read_boxes(path)[1])))

    def __call__(self, name: str) -> Raw:
        image, path = read_picture(self.place(name), self.decoder), self.root / "Annotations" / f"{name}.xml"
        size, things = read_boxes(path)
        check_file_size(path, size, self.place(name), image)
        kinds = _kinds(path, things)
        targets = tuple(dict.fromkeys(kinds))
        easy = {kind for kind, thing in zip(kinds, things, strict=True) if not thing.difficult}
        boxes = torch.tensor([thing.corners for thing in things]).reshape(-1, 4)
        boxes[:, :2] -= 1
        return Raw(
            image,
            targets,
            boxes,
            torch.tensor(kinds, dtype=torch.long),
            difficult=tuple(t not in easy for t in targets),
        )


def voc2007(root: str | Path, preset: str | Preset = "torchray", *, partial: bool = False) -> Dataset:
    """The 4,952 test images of PASCAL VOC 2007: 20 classes, boxes, no masks.

    A target is `difficult` where every object of its class is flagged so; such pairs are left out of
    the pointing game, but a target's region is the union of all its boxes, difficult or not. An image
    is skipped where its box file speaks of another size or of a class that is none of the 20.

    Raises MissingDataError, and as one of these WrongDataError: an image listed twice, or by a path.
    """
    chosen = preset_of(preset)
    names = first_file(
        root,
        [f"{p}ImageSets/Main/test.txt" for p in ("VOCdevkit/VOC2007/", "VOC2007/", "")],
        "the list of VOC 2007's test images",
        HOW_VOC,
    )
    base = names.parents[2]
    ids = list(each_once((place, plain(line.split()[0], place)) for place, line in lines(names)))
    whole(len(ids), 4952, "names of test images", names, HOW_VOC, partial)
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        there = {p.stem for p in (base / folder).glob(f"*.{suffix}")}
        whole(sum(i in there for i in ids), len(ids), f"test files (*.{suffix})", base / folder, HOW_VOC, partial)
    return Dataset("voc2007", VOC_CLASSES, tuple(ids), VOCReader(base, chosen.decoder), chosen)
