"""PASCAL's box files, and the test images of VOC 2007.

    VOCdevkit/VOC2007/{JPEGImages,Annotations,ImageSets/Main/test.txt}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch

from .files import first_file, read_picture, whole
from .items import Dataset, Raw, UnreadableError
from .presets import Preset, preset_of

VOC_CLASSES = ("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
               "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor")  # fmt: skip
CORNERS = ("xmin", "ymin", "xmax", "ymax")
HOW_VOC = ("unpack VOCtest_06-Nov-2007.tar from host.robots.ox.ac.uk/pascal/VOC/voc2007 there, "
           "which makes VOCdevkit/VOC2007")


@dataclass(frozen=True)
class Boxed:
    """One object of a box file: its class's name, corners as written, and whether it is difficult."""

    name: str
    corners: tuple[float, float, float, float]
    difficult: bool


def read_boxes(path: Path) -> tuple[tuple[int, int], list[Boxed]]:
    """((width, height), objects) of a box file. Raises UnreadableError."""
    if not path.is_file():
        raise UnreadableError(f"{path} is not there")
    try:
        tree = ElementTree.parse(path).getroot()
        size = int(tree.findtext("size/width")), int(tree.findtext("size/height"))
        return size, [Boxed(thing.findtext("name"), tuple(float(thing.findtext(f"bndbox/{c}")) for c in CORNERS),
                            thing.findtext("difficult", "0").strip() == "1") for thing in tree.iter("object")]
    except (ElementTree.ParseError, TypeError, ValueError) as error:
        raise UnreadableError(f"{path} cannot be read as a box file ({error})") from None


@dataclass(frozen=True)
class VOCReader:
    """Reads one image and its objects; corners in the files count from 1 and include their end."""

    root: Path
    decoder: str

    def classes_in(self, name: str) -> tuple[int, ...]:
        """The classes in an image, without reading the picture. Raises UnreadableError."""
        _, things = read_boxes(self.root / "Annotations" / f"{name}.xml")
        return tuple(dict.fromkeys(VOC_CLASSES.index(thing.name) for thing in things))

    def __call__(self, name: str) -> Raw:
        image = read_picture(self.root / "JPEGImages" / f"{name}.jpg", self.decoder)
        _, things = read_boxes(self.root / "Annotations" / f"{name}.xml")
        kinds = [VOC_CLASSES.index(thing.name) for thing in things]
        targets = tuple(dict.fromkeys(kinds))
        easy = {kind for kind, thing in zip(kinds, things, strict=True) if not thing.difficult}
        boxes = torch.tensor([thing.corners for thing in things]).reshape(-1, 4)
        boxes[:, :2] -= 1
        return Raw(image, targets, boxes, torch.tensor(kinds, dtype=torch.long),
                   difficult=tuple(t not in easy for t in targets))


def voc2007(root: str | Path, preset: str | Preset = "torchray", *, partial: bool = False) -> Dataset:
    """The 4,952 test images of PASCAL VOC 2007: 20 classes, boxes, no masks.

    A target is `difficult` where every object of its class is flagged so; such pairs are left out of
    the pointing game, but a target's region is the union of all its boxes, difficult or not.

    Raises MissingDataError.
    """
    chosen = preset_of(preset)
    names = first_file(root, [f"{p}ImageSets/Main/test.txt" for p in ("VOCdevkit/VOC2007/", "VOC2007/", "")],
                       "the list of VOC 2007's test images", HOW_VOC)
    base = names.parents[2]
    ids = [line.split()[0] for line in names.read_text().splitlines() if line.strip()]
    whole(len(ids), 4952, "names of test images", names, HOW_VOC, partial)
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        there = {p.stem for p in (base / folder).glob(f"*.{suffix}")}
        whole(sum(i in there for i in ids), len(ids), f"test files (*.{suffix})", base / folder, HOW_VOC, partial)
    return Dataset("voc2007", VOC_CLASSES, tuple(ids), VOCReader(base, chosen.decoder), chosen)
