"""MS-COCO's validation images of 2014, 80 classes, with boxes and instance masks.

val2014/COCO_val2014_000000000042.jpg   annotations/instances_val2014.json
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .checks import check_size
from .files import below, each_once, first_file, folder_of, needs, read_picture, whole
from .items import Dataset, MissingDataError, Raw, UnreadableError, WrongDataError
from .outlines import mask_of, numbers_near
from .presets import Preset, preset_of

HOW = "unpack val2014.zip and annotations_trainval2014.zip from cocodataset.org there"


@dataclass(frozen=True, eq=False)
class CocoReader:
    """Reads one image; the mask of a class is the union of its instances, crowds among them."""

    folder: Path
    things: dict[str, list[dict]]  # image: its annotations, in the file's order
    sizes: dict[str, tuple[object, object]]  # image: width and height, where the file tells them
    classes: dict[int, int]  # category id (1 to 90, with gaps) -> 0 ... 79
    decoder: str

    def place(self, name: str) -> Path:
        """The picture's file."""
        return self.folder / f"{name}.jpg"

    def _kind(self, name: str, thing: dict) -> int:
        if type(kind := thing["category_id"]) is not int or kind not in self.classes:
            raise UnreadableError(f"{self.place(name)} has an annotation of category {kind!r}, which is not listed")
        return self.classes[kind]

    def classes_in(self, name: str) -> tuple[int, ...]:
        """The classes in an image, without reading the picture. Raises UnreadableError."""
        return tuple(sorted({self._kind(name, thing) for thing in self.things[name]}))

    def __call__(self, name: str) -> Raw:
        image, things = read_picture(self.place(name), self.decoder), self.things[name]
        kinds = [self._kind(name, thing) for thing in things]
        targets = tuple(sorted(set(kinds)))
        width, height = image.size
        masks = np.zeros((len(targets), height, width), dtype=np.uint8)
        corners: list[list[float]] = []
        notes: list[str] = []
        try:
            if None not in (told := self.sizes[name]):
                check_size(told, image.size, "its entry")
            for thing, kind in zip(things, kinds, strict=True):
                corners.append(_corners(thing["bbox"], image.size))
                masks[targets.index(kind)] |= mask_of(thing["segmentation"], image.size, notes)
        except ValueError as error:
            raise UnreadableError(f"{self.place(name)} has an annotation that does not fit: {error}") from None
        return Raw(
            image,
            targets,
            torch.tensor(corners, dtype=torch.float32),
            torch.tensor(kinds),
            torch.from_numpy(masks),
            notes=tuple(notes),
        )


def _corners(box: object, size: tuple[int, int]) -> list[float]:
    """x0 y0 x1 y1 of COCO's x, y, width, height. A line, which COCO has, is left out later."""
    values = numbers_near(box, size, "a box")
    if len(values) != 4:
        raise ValueError(f"a box must be x, y, width, height; got {len(values)} numbers")
    x, y, width, height = values
    if min(width, height) < 0 or not max(width, height):
        raise ValueError(f"a box of {width} x {height} pixels is inverted or empty")
    return [x, y, x + width, y + height]


def coco2014(root: str | Path, preset: str | Preset = "torchray", *, partial: bool = False) -> Dataset:
    """The images of COCO 2014 val that have annotations: classes 0 to 79, boxes, masks.

    An image is skipped where one of its annotations has an unlisted category, a box that is not four
    numbers with an extent, a polygon of less than three corners, corners more than a few image sizes
    away, or run lengths that do not fill the picture; or where the annotations are for another size
    than the picture has.

    Raises MissingDataError, and as one of these WrongDataError: entries that miss something, an image
    listed twice, or by a path that leads out of the folder; ImportError where pycocotools is not
    installed.
    """
    needs("pycocotools.mask", "MS-COCO")
    chosen, root = preset_of(preset), folder_of(root)
    path = first_file(
        root, ["annotations/instances_val2014.json", "instances_val2014.json"], "the annotations of COCO 2014 val", HOW
    )
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise MissingDataError(f"{path} is not the whole file of COCO's annotations ({error}): {HOW}.") from None
    keys: dict[str, dict[str, type | None]] = {
        "images": {"id": int, "file_name": str},
        "categories": {"id": int, "name": str},
        "annotations": {"image_id": int, "category_id": None, "bbox": None, "segmentation": None},
    }
    images, categories, annotations = (list(_entries(listed, path, part, keys[part])) for part in keys)
    names = {entry["id"]: Path(below(entry["file_name"], place)).stem for place, entry in images}
    for entries, key in ((images, "id"), (categories, "id"), (categories, "name")):
        each_once((place, str(entry[key])) for place, entry in entries)
    each_once((place, names[entry["id"]]) for place, entry in images)
    sizes = {names[entry["id"]]: (entry.get("width"), entry.get("height")) for _, entry in images}
    things: dict[str, list[dict]] = {}
    for place, entry in annotations:
        if entry["image_id"] not in names:
            raise WrongDataError(f"{place}: image {entry['image_id']} is not listed in `images`.")
        kept = {key: entry[key] for key in ("category_id", "bbox", "segmentation")}
        things.setdefault(names[entry["image_id"]], []).append(kept)
    whole(len(names), 40_504, "listed images", path, HOW, partial)
    folder = root / "val2014"
    there = {p.stem for p in folder.glob("*.jpg")}
    whole(sum(name in there for name in things), len(things), "annotated images (*.jpg)", folder, HOW, partial)
    kinds = sorted((entry["id"], entry["name"]) for _, entry in categories)
    reader = CocoReader(folder, things, sizes, {kind: i for i, (kind, _) in enumerate(kinds)}, chosen.decoder)
    return Dataset("coco2014", tuple(name for _, name in kinds), tuple(sorted(things)), reader, chosen)


def _entries(listed: object, path: Path, part: str, keys: dict[str, type | None]) -> Iterator[tuple[str, dict]]:
    """(place, entry) of one of the file's lists, whose entries have these keys. Raises MissingDataError."""
    if not isinstance(listed, dict) or not isinstance(listed.get(part), list):
        raise MissingDataError(f"{path} is not the whole file of COCO's annotations (it has no list `{part}`): {HOW}.")
    for number, entry in enumerate(listed[part]):
        place = f"{path}, {part}[{number}]"
        if not isinstance(entry, dict):
            raise WrongDataError(f"{place}: an entry must be an object; got {type(entry).__name__}.")
        for key, kind in keys.items():
            if key not in entry or (kind and type(entry[key]) is not kind):
                what = f"{key!r}, a value of type {kind.__name__}" if kind else repr(key)
                raise WrongDataError(f"{place}: an entry must have {what}.")
        yield place, entry
