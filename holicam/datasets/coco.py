"""MS-COCO's validation images of 2014, 80 classes, with boxes and instance masks.

    val2014/COCO_val2014_000000000042.jpg   annotations/instances_val2014.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .files import first_file, needs, read_picture, whole
from .items import Dataset, MissingDataError, Raw
from .presets import Preset, preset_of

HOW = "unpack val2014.zip and annotations_trainval2014.zip from cocodataset.org there"


@dataclass(frozen=True, eq=False)
class CocoReader:
    """Reads one image; the mask of a class is the union of its instances, crowds among them."""

    folder: Path
    things: dict[str, list[dict]]  # image: its annotations, in the file's order
    classes: dict[int, int]  # category id (1 to 90, with gaps) -> 0 ... 79
    decoder: str

    def classes_in(self, name: str) -> tuple[int, ...]:
        """The classes in an image, without reading the picture."""
        return tuple(sorted({self.classes[thing["category_id"]] for thing in self.things[name]}))

    def __call__(self, name: str) -> Raw:
        image = read_picture(self.folder / f"{name}.jpg", self.decoder)
        things = self.things[name]
        kinds = torch.tensor([self.classes[t["category_id"]] for t in things])
        targets = tuple(sorted(set(kinds.tolist())))
        corners = torch.tensor([t["bbox"] for t in things], dtype=torch.float32)  # x, y, width, height
        corners[:, 2:] += corners[:, :2]
        each = np.stack([_mask(t["segmentation"], image.size) for t in things])  # (n, H, W)
        masks = torch.from_numpy(np.stack([each[kinds.numpy() == t].any(0) for t in targets]))
        return Raw(image, targets, corners, kinds, masks.byte())


def _mask(segmentation, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of one instance: polygons, or run lengths for a crowd."""
    coder = needs("pycocotools.mask", "MS-COCO")
    width, height = size
    if isinstance(segmentation, list):
        code = coder.merge(coder.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        code = coder.frPyObjects(segmentation, height, width)
    else:
        code = segmentation
    return coder.decode(code).astype(bool)


def coco2014(root: str | Path, preset: str | Preset = "torchray", *, partial: bool = False) -> Dataset:
    """The images of COCO 2014 val that have annotations: classes 0 to 79, boxes, masks.

    Raises MissingDataError; ImportError where pycocotools is not installed.
    """
    needs("pycocotools.mask", "MS-COCO")
    chosen, root = preset_of(preset), Path(root).expanduser()
    path = first_file(root, ["annotations/instances_val2014.json", "instances_val2014.json"],
                      "the annotations of COCO 2014 val", HOW)
    try:
        listed = json.loads(path.read_text())
        names = {image["id"]: Path(image["file_name"]).stem for image in listed["images"]}
        kinds = sorted(listed["categories"], key=lambda kind: kind["id"])
        things: dict[str, list[dict]] = {}
        for thing in listed["annotations"]:
            kept = {key: thing[key] for key in ("category_id", "bbox", "segmentation")}
            things.setdefault(names[thing["image_id"]], []).append(kept)
    except (ValueError, KeyError) as error:
        raise MissingDataError(f"{path} is not the whole file of COCO's annotations ({error}): {HOW}.") from None
    whole(len(names), 40_504, "listed images", path, HOW, partial)
    folder = root / "val2014"
    there = {p.stem for p in folder.glob("*.jpg")}
    whole(sum(name in there for name in things), len(things), "annotated images (*.jpg)", folder, HOW, partial)
    reader = CocoReader(folder, things, {kind["id"]: i for i, kind in enumerate(kinds)}, chosen.decoder)
    return Dataset("coco2014", tuple(kind["name"] for kind in kinds), tuple(sorted(things)), reader, chosen)
