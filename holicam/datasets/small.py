"""Two small sets that torchvision reads, and that may be passed on: Caltech-101 and Oxford-IIIT Pet.

    caltech101/{101_ObjectCategories,Annotations}
    oxford-iiit-pet/{images,annotations/{test.txt,trimaps,xmls}}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from .files import needs, read_picture, whole
from .items import Dataset, MissingDataError, Raw, UnreadableError
from .pascal import read_boxes
from .presets import Preset, preset_of

HOW_CALTECH = "torchvision.datasets.Caltech101(root, target_type='annotation', download=True) fetches it"
HOW_PET = "torchvision.datasets.OxfordIIITPet(root, split='test', download=True) fetches it"


@dataclass(frozen=True, eq=False)
class CaltechReader:
    """Reads one image, its box and its contour; corners count from 1, the contour from the box's corner."""

    files: dict[str, tuple[Path, Path, int]]  # image: picture, annotation, class
    decoder: str

    def __call__(self, name: str) -> Raw:
        picture, annotation, label = self.files[name]
        image = read_picture(picture, self.decoder)
        try:
            told = needs("scipy.io", "Caltech-101").loadmat(annotation)
            y0, y1, x0, x1 = np.asarray(told["box_coord"], float).ravel()[:4]
        except ImportError:
            raise
        except Exception as error:  # SciPy raises many kinds for broken files
            raise UnreadableError(f"{annotation} cannot be read as an annotation ({error})") from None
        contour = np.asarray(told["obj_contour"], float) + np.array([[x0], [y0]]) - 1  # (2, n), x above y
        drawn = Image.new("L", image.size)
        ImageDraw.Draw(drawn).polygon([tuple(p) for p in contour.T], fill=1)
        box = torch.tensor([[x0 - 1, y0 - 1, x1, y1]], dtype=torch.float32)
        return Raw(image, (label,), box, torch.tensor([label]), torch.from_numpy(np.array(drawn))[None])


def caltech101(root: str | Path, preset: str | Preset = "std", *, partial: bool = False) -> Dataset:
    """Caltech-101: 8,677 images of 101 kinds of objects (without the clutter), each with box and outline.

    Raises MissingDataError; ImportError where SciPy is not installed.
    """
    from torchvision.datasets import Caltech101

    needs("scipy.io", "Caltech-101")
    chosen, base = preset_of(preset), Path(root).expanduser() / "caltech101"
    for folder in ("101_ObjectCategories", "Annotations"):
        if not (base / folder).is_dir():
            raise MissingDataError(f"Caltech-101 was not found: looked for {base / folder}; {HOW_CALTECH}.")
    try:
        lists = Caltech101(str(base.parent), target_type=["category", "annotation"])
    except ValueError:  # it takes BACKGROUND_Google off the list, and stumbles where it is not there
        raise MissingDataError(f"{base / '101_ObjectCategories'} has no BACKGROUND_Google, so it is only half "
                               f"unpacked: {HOW_CALTECH}.") from None
    files = {}
    for number, label in zip(lists.index, lists.y, strict=True):
        kind = lists.categories[label]
        files[f"{kind}/image_{number:04d}"] = (
            base / "101_ObjectCategories" / kind / f"image_{number:04d}.jpg",
            base / "Annotations" / lists.annotation_categories[label] / f"annotation_{number:04d}.mat", label)
    whole(len(files), 8677, "images", base / "101_ObjectCategories", HOW_CALTECH, partial)
    whole(sum(a.is_file() for _, a, _ in files.values()), len(files), "annotations", base / "Annotations",
          HOW_CALTECH, partial)
    return Dataset("caltech101", tuple(lists.categories), tuple(files), CaltechReader(files, chosen.decoder), chosen)


@dataclass(frozen=True, eq=False)
class PetReader:
    """Reads one image and its trimap: 1 the animal, 2 the rest, 3 the border, which nobody judges."""

    base: Path
    labels: dict[str, int]
    decoder: str

    def __call__(self, name: str) -> Raw:
        image, label = read_picture(self.base / "images" / f"{name}.jpg", self.decoder), self.labels[name]
        path = self.base / "annotations" / "trimaps" / f"{name}.png"
        if not path.is_file():
            raise UnreadableError(f"{path} is not there")
        with Image.open(path) as file:
            trimap = torch.from_numpy(np.array(file))
        mask = torch.where(trimap == 3, 255, (trimap == 1).byte()).byte()
        heads = self.base / "annotations" / "xmls" / f"{name}.xml"
        boxes = [thing.corners for thing in read_boxes(heads)[1]] if heads.is_file() else []
        return Raw(image, (label,), torch.tensor(boxes).reshape(-1, 4),
                   torch.full((len(boxes),), label), mask[None])


def oxford_pet(root: str | Path, preset: str | Preset = "std", *, split: str = "test",
               partial: bool = False) -> Dataset:
    """Oxford-IIIT Pet: 37 breeds of cats and dogs with masks (border pixels open), and boxes of the heads.

    Args: split: "test" (3,669 images; few have a box) or "trainval" (3,680).
    Raises MissingDataError, ValueError.
    """
    from torchvision.datasets import OxfordIIITPet

    counts, chosen = {"test": 3669, "trainval": 3680}, preset_of(preset)
    if split not in counts:
        raise ValueError(f"split must be 'test' or 'trainval', got {split!r}")
    base = Path(root).expanduser() / "oxford-iiit-pet"
    for part in ("images", f"annotations/{split}.txt", "annotations/trimaps"):
        if not (base / part).exists():
            raise MissingDataError(f"Oxford-IIIT Pet was not found: looked for {base / part}; {HOW_PET}.")
    lists = OxfordIIITPet(str(Path(root).expanduser()), split=split, target_types=["category", "segmentation"])
    names = [Path(p).stem for p in lists._images]
    labels = dict(zip(names, lists._labels, strict=True))
    whole(len(names), counts[split], f"listed images ({split}.txt)", base / "annotations", HOW_PET, partial)
    there = {p.stem for p in (base / "images").glob("*.jpg")}
    whole(sum(n in there for n in names), len(names), "listed images (*.jpg)", base / "images", HOW_PET, partial)
    return Dataset("oxford-pet", tuple(lists.classes), tuple(names), PetReader(base, labels, chosen.decoder), chosen)
