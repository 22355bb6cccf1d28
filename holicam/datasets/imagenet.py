"""ImageNet's 50,000 validation images, with boxes.

    val/<wnid>/ILSVRC2012_val_00000001.JPEG   or all in one folder, with val.txt or LOC_val_solution.csv
    bbox_val/ILSVRC2012_val_00000001.xml      (ILSVRC2012_bbox_val_v3.tgz)

A class's number is its place in the alphabetical list of wnids, as torchvision's weights have it;
the numbers of the development kit are others.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from .files import first, read_picture, whole
from .items import Dataset, MissingDataError, Raw
from .pascal import read_boxes
from .presets import Preset, preset_of

IMAGES = ("val", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val", ".")
BOXES = ("bbox_val", "ILSVRC2012_bbox_val_v3", "ILSVRC2012_bbox_val_v3/val", "ILSVRC/Annotations/CLS-LOC/val",
         "Annotations/CLS-LOC/val", "bbox/val", "val")  # fmt: skip
HOW_IMAGES = ("after registering at image-net.org unpack ILSVRC2012_img_val.tar there, one folder a wnid, or all "
              "in one folder beside val.txt or LOC_val_solution.csv")
HOW_BOXES = "unpack ILSVRC2012_bbox_val_v3.tgz (image-net.org) into bbox_val, or pass boxes=False"
HOW_ORDER = ("all 1,000 wnid folders must be there, or a file LOC_synset_mapping.txt or synset_words.txt whose lines "
             "begin with the wnids in alphabetical order")
WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True, eq=False)
class ImageNetReader:
    """Reads one image and its boxes; all of them are of the label's class."""

    files: dict[str, Path]
    labels: dict[str, int]
    boxes: Path | None
    decoder: str

    def __call__(self, name: str) -> Raw:
        image, label = read_picture(self.files[name], self.decoder), self.labels[name]
        if self.boxes is None:
            return Raw(image, (label,))
        size, things = read_boxes(self.boxes / f"{name}.xml")
        notes = () if size == image.size else (f"its box file speaks of {size[0]} x {size[1]} pixels, "
                                               f"the picture has {image.size[0]} x {image.size[1]}",)
        corners = torch.tensor([thing.corners for thing in things]).reshape(-1, 4)
        return Raw(image, (label,), corners, torch.full((len(corners),), label), notes=notes)


def imagenet(root: str | Path, preset: str | Preset = "std", *, boxes: bool = True, partial: bool = False) -> Dataset:
    """ImageNet-1k val: one label an image, boxes of the label's class.

    Args:
        root: the folder that holds `val` (or its older names), `bbox_val`, and where the images lie in
            one folder `val.txt` (lines: file, number) or Kaggle's `LOC_val_solution.csv`.
        boxes: False reads none. partial: also take a part of the 50,000 images.

    Raises MissingDataError.
    """
    chosen, root = preset_of(preset), Path(root).expanduser()
    folder = first(root, IMAGES, "ImageNet's validation images", HOW_IMAGES, "[nI]*")
    order = _order(root, folder)
    files, wnids = _by_folder(folder)
    labels = {name: order[wnid] for name, wnid in wnids.items()}
    if not files:
        files = {path.stem: path for path in sorted(folder.glob("ILSVRC2012_val_*.JPEG"))}
        labels = _listed(root, folder, order)
    ids = tuple(sorted(name for name in files if name in labels))
    whole(len(ids), 50_000, "labelled validation images", folder, HOW_IMAGES, partial)
    found = first(root, BOXES, "ImageNet's boxes", HOW_BOXES, "*.xml") if boxes else None
    if found is not None:
        there = {path.stem for path in found.glob("*.xml")}
        whole(sum(name in there for name in ids), len(ids), "box files", found, HOW_BOXES, partial)
    return Dataset("imagenet", _names(), ids, ImageNetReader(files, labels, found, chosen.decoder), chosen)


def _names() -> tuple[str, ...]:
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def _by_folder(folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """{image: file} and {image: wnid} of folders named by wnid."""
    files = {path.stem: path for path in sorted(folder.glob("n????????/*.JPEG")) if WNID.fullmatch(path.parent.name)}
    return files, {name: path.parent.name for name, path in files.items()}


def _order(root: Path, folder: Path) -> dict[str, int]:
    """{wnid: number}, from a thousand folders or from a list; empty where neither is there and none is needed."""
    wnids = sorted(p.name for p in folder.iterdir() if WNID.fullmatch(p.name) and p.is_dir())
    if len(wnids) != 1000:
        for name in ("LOC_synset_mapping.txt", "synset_words.txt"):
            for place in {root, folder}:
                if (place / name).is_file():
                    listed = [line.split()[0] for line in (place / name).read_text().splitlines() if line.strip()]
                    whole(len(listed), 1000, "wnids", place / name, "fetch the whole file", False)
                    return {wnid: i for i, wnid in enumerate(sorted(listed))}
        if wnids:
            raise MissingDataError(f"The order of ImageNet's classes is not known: looked for wnid folders in {folder} "
                                   f"and found {len(wnids)}; {HOW_ORDER}.")
    return {wnid: i for i, wnid in enumerate(wnids)}


def _listed(root: Path, folder: Path, order: dict[str, int]) -> dict[str, int]:
    """{image: class} from val.txt (file, number) or Kaggle's table (image, wnid and boxes)."""
    for place in {root, folder, root / "ILSVRC"}:
        if (path := place / "val.txt").is_file():
            rows = (line.split() for line in path.read_text().splitlines() if line.strip())
            return {Path(row[0]).stem: int(row[1]) for row in rows}
        if (path := place / "LOC_val_solution.csv").is_file():
            if not order:
                raise MissingDataError(f"The order of ImageNet's classes is not known: looked in {root}; {HOW_ORDER}.")
            with path.open(newline="") as table:
                return {row["ImageId"]: order[row["PredictionString"].split()[0]] for row in csv.DictReader(table)}
    raise MissingDataError(f"Labels of ImageNet's validation images were not found: looked for val.txt and "
                           f"LOC_val_solution.csv in {root} and {folder}; {HOW_IMAGES}.")
