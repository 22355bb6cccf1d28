"""ImageNet's 50,000 validation images, with boxes.

    val/<wnid>/ILSVRC2012_val_00000001.JPEG   or all in one folder, with val.txt or LOC_val_solution.csv
    bbox_val/ILSVRC2012_val_00000001.xml      (ILSVRC2012_bbox_val_v3.tgz)

A class's number is its place in the alphabetical list of wnids, as torchvision's weights have it;
the numbers of the development kit are others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import torch

from .checks import check_label
from .files import below, each_once, first, folder_of, known, lines, plain, read_picture, whole, whole_number
from .items import Dataset, MissingDataError, Raw, UnreadableError, WrongDataError
from .pascal import read_boxes
from .presets import Preset, preset_of

IMAGES = ("val", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val", ".")
BOXES = (
    "bbox_val",
    "ILSVRC2012_bbox_val_v3",
    "ILSVRC2012_bbox_val_v3/val",
    "ILSVRC/Annotations/CLS-LOC/val",
    "Annotations/CLS-LOC/val",
    "bbox/val",
    "val",
)
HOW_IMAGES = (
    "after registering at image-net.org unpack ILSVRC2012_img_val.tar there, one folder a wnid, or all "
    "in one folder beside val.txt or LOC_val_solution.csv"
)
HOW_BOXES = "unpack ILSVRC2012_bbox_val_v3.tgz (image-net.org) into bbox_val, or pass boxes=False"
HOW_ORDER = (
    "all 1,000 wnid folders must be there, or a file LOC_synset_mapping.txt or synset_words.txt whose lines "
    "begin with the wnids in alphabetical order"
)
WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True, eq=False)
class ImageNetReader:
    """Reads one image and its boxes; all of them are of the label's class."""

    files: dict[str, Path]
    labels: dict[str, int]
    order: dict[str, int]  # {wnid: number}; empty where nothing tells
    boxes: Path | None
    decoder: str

    def place(self, name: str) -> Path:
        """The picture's file."""
        return self.files[name]

    def __call__(self, name: str) -> Raw:
        image, label = read_picture(self.files[name], self.decoder), self.labels[name]
        if self.boxes is None:
            return Raw(image, (label,))
        path = self.boxes / f"{name}.xml"
        size, things = read_boxes(path)
        for wnid in {thing.name for thing in things} if self.order else ():
            if self.order.get(wnid) != label:
                raise UnreadableError(
                    f"{path} has a box of {wnid!r}, class {self.order.get(wnid, 'unknown')}, but the label is {label}"
                )
        notes = (
            ()
            if size == image.size
            else (
                f"its box file speaks of {size[0]} x {size[1]} pixels, "
                f"the picture has {image.size[0]} x {image.size[1]}",
            )
        )
        corners = torch.tensor([thing.corners for thing in things]).reshape(-1, 4)
        return Raw(image, (label,), corners, torch.full((len(corners),), label), notes=notes)


def imagenet(root: str | Path, preset: str | Preset = "std", *, boxes: bool = True, partial: bool = False) -> Dataset:
    """ImageNet-1k val: one label an image, boxes of the label's class.

    Args:
        root: the folder that holds `val` (or its older names), `bbox_val`, and where the images lie in
            one folder `val.txt` (lines: file, number) or Kaggle's `LOC_val_solution.csv`.
        boxes: False reads none. partial: also take a part of the 50,000 images.

    An image is skipped where its box file names another class than its label; a box file that speaks
    of another size than the picture has is noted, as ImageNet has some.

    Raises MissingDataError, and as one of these WrongDataError with file and line: a class that is
    not one of 0 to 999, a list that counts from 1, an unknown wnid, an image listed twice or by a
    path that leads out of the folder, a line that cannot be understood.
    """
    if not isinstance(boxes, bool):
        raise TypeError(f"boxes must be True or False; got {boxes!r}")
    chosen, root = preset_of(preset), folder_of(root)
    folder = first(root, IMAGES, "ImageNet's validation images", HOW_IMAGES, "[nI]*")
    order = _order(root, folder)
    files, wnids = _by_folder(folder)
    labels = {name: known(wnid, order, files[name].parent, "wnid") for name, wnid in wnids.items()}
    if not files:
        files = {path.stem: path for path in sorted(folder.glob("ILSVRC2012_val_*.JPEG"))}
        labels = _listed(root, folder, order)
    ids = tuple(sorted(name for name in files if name in labels))
    whole(len(ids), 50_000, "labelled validation images", folder, HOW_IMAGES, partial)
    found = first(root, BOXES, "ImageNet's boxes", HOW_BOXES, "*.xml") if boxes else None
    if found is not None:
        there = {path.stem for path in found.glob("*.xml")}
        whole(sum(name in there for name in ids), len(ids), "box files", found, HOW_BOXES, partial)
    return Dataset("imagenet", _names(), ids, ImageNetReader(files, labels, order, found, chosen.decoder), chosen)


def _names() -> tuple[str, ...]:
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def _by_folder(folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """{image: file} and {image: wnid} of folders named by wnid."""
    found = [path for path in sorted(folder.glob("n????????/*.JPEG")) if WNID.fullmatch(path.parent.name)]
    each_once((str(path), path.stem) for path in found)
    files = {path.stem: path for path in found}
    return files, {name: path.parent.name for name, path in files.items()}


def _order(root: Path, folder: Path) -> dict[str, int]:
    """{wnid: number}, from a thousand folders or from a list; empty where neither is there and none is needed."""
    wnids = sorted(p.name for p in folder.iterdir() if WNID.fullmatch(p.name) and p.is_dir())
    if len(wnids) != 1000:
        for name in ("LOC_synset_mapping.txt", "synset_words.txt"):
            for place in (root, folder):
                if (place / name).is_file():
                    return _synsets(place / name)
        if wnids:
            raise MissingDataError(
                f"The order of ImageNet's classes is not known: looked for wnid folders in {folder} "
                f"and found {len(wnids)}; {HOW_ORDER}."
            )
    return {wnid: i for i, wnid in enumerate(wnids)}


def _synsets(path: Path) -> dict[str, int]:
    """{wnid: number} of a list whose lines begin with the wnids."""
    listed = [(place, line.split()[0]) for place, line in lines(path)]
    for place, wnid in listed:
        if not WNID.fullmatch(wnid):
            raise WrongDataError(f"{place}: a line must begin with a wnid, such as n01440764; got {wnid[:40]!r}")
    whole(len(each_once(listed)), 1000, "wnids", path, "fetch the whole file", False)
    if len(listed) > 1000:
        raise WrongDataError(f"{path} lists {len(listed)} wnids: ImageNet-1k has 1000.")
    return {wnid: i for i, (_, wnid) in enumerate(sorted(listed, key=itemgetter(1)))}


def _listed(root: Path, folder: Path, order: dict[str, int]) -> dict[str, int]:
    """{image: class} from val.txt (file, number) or Kaggle's table (image, wnid and boxes)."""
    for place in (root, folder, root / "ILSVRC"):
        if (path := place / "val.txt").is_file():
            return _numbered(path)
        if (path := place / "LOC_val_solution.csv").is_file():
            if not order:
                raise MissingDataError(f"The order of ImageNet's classes is not known: looked in {root}; {HOW_ORDER}.")
            return _kaggle(path, order)
    raise MissingDataError(
        f"Labels of ImageNet's validation images were not found: looked for val.txt and "
        f"LOC_val_solution.csv in {root} and {folder}; {HOW_IMAGES}."
    )


def _numbered(path: Path) -> dict[str, int]:
    """{image: class} of lines of a file's name and a number."""
    rows = []
    for place, line in lines(path):
        if len(words := line.split()) != 2:
            raise WrongDataError(f"{place}: expected a file's name and its class, 0 to 999; got {line[:60]!r}")
        rows.append((place, Path(below(words[0], place)).stem, whole_number(words[1], place, "a class")))
    each_once((place, name) for place, name, _ in rows)
    if rows and min(k for *_, k in rows) >= 1 and max(k for *_, k in rows) == 1000:
        place = next(place for place, _, k in rows if k == 1000)
        raise WrongDataError(
            f"{path} counts its classes from 1 to 1000 ({place.rpartition(', ')[2]}): they must run "
            "from 0 to 999 in the order of the wnids, which is not that of the development kit."
        )
    return {name: check_label(k, 1000, place, WrongDataError) for place, name, k in rows}


def _kaggle(path: Path, order: dict[str, int]) -> dict[str, int]:
    """{image: class} of a table of images and wnids with boxes."""
    head, *rest = lines(path) or [(str(path), "")]
    if [cell.strip() for cell in head[1].split(",")] != ["ImageId", "PredictionString"]:
        raise WrongDataError(f"{head[0]}: the columns must be ImageId,PredictionString; got {head[1][:60]!r}")
    rows = []
    for place, line in rest:
        name, _, said = line.replace('"', "").partition(",")
        if not (words := said.split()):
            raise WrongDataError(f"{place}: expected an image, a comma, its wnid and boxes; got {line[:60]!r}")
        rows.append((place, plain(name, place), known(words[0], order, place, "wnid")))
    each_once((place, name) for place, name, _ in rows)
    return {name: k for _, name, k in rows}
