"""Two small sets that torchvision fetches, and that may be passed on: Caltech-101 and Oxford-IIIT Pet.

caltech101/{101_ObjectCategories,Annotations}
oxford-iiit-pet/{images,annotations/{test.txt,trimaps,xmls}}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from .checks import check_size
from .files import each_once, folder_of, lines, plain, read_picture, reading, whole, whole_number
from .items import Dataset, MissingDataError, Raw, WrongDataError
from .matlab import read_arrays
from .outlines import FEW
from .pascal import check_file_size, read_boxes
from .presets import Preset, preset_of

HOW_CALTECH = "torchvision.datasets.Caltech101(root, target_type='annotation', download=True) fetches it"
HOW_PET = "torchvision.datasets.OxfordIIITPet(root, split='test', download=True) fetches it"


@dataclass(frozen=True, eq=False)
class CaltechReader:
    """Reads one image, its box and its contour; corners count from 1, the contour from the box's corner."""

    files: dict[str, tuple[Path, Path]]  # image: picture, annotation
    labels: dict[str, int]
    decoder: str

    def place(self, name: str) -> Path:
        """The picture's file."""
        return self.files[name][0]

    def __call__(self, name: str) -> Raw:
        (picture, annotation), label = self.files[name], self.labels[name]
        image = read_picture(picture, self.decoder)
        with reading(annotation, "an annotation"):
            told = read_arrays(annotation)
            if missing := {"box_coord", "obj_contour"} - told.keys():
                raise ValueError(f"it has no array {min(missing)} of numbers")
            y0, y1, x0, x1 = _near(told["box_coord"], image.size).ravel()
            contour = _near(told["obj_contour"], image.size)  # (2, n), x above y
            if contour.ndim != 2 or len(contour) != 2 or contour.shape[1] < 3:
                raise ValueError(f"a contour has two rows of three numbers or more; got the shape {contour.shape}")
        contour = contour + np.array([[x0], [y0]]) - 1
        drawn = Image.new("L", image.size)
        ImageDraw.Draw(drawn).polygon([tuple(p) for p in contour.T], fill=1)
        box = torch.tensor([[x0 - 1, y0 - 1, x1, y1]], dtype=torch.float32)
        return Raw(image, (label,), box, torch.tensor([label]), torch.from_numpy(np.array(drawn))[None])


def _near(values: object, size: tuple[int, int]) -> np.ndarray:
    """The values, which must be numbers within a few image sizes. Raises ValueError."""
    values = np.asarray(values, float)
    if not (np.abs(values) <= FEW * max(size)).all():
        raise ValueError(f"corners must be finite and lie within {FEW} image sizes")
    return values


def caltech101(root: str | Path, preset: str | Preset = "std", *, partial: bool = False) -> Dataset:
    """Caltech-101: 8,677 images of 101 kinds of objects (without the clutter), each with box and outline.

    An image is skipped where its annotation is not a box and a contour of finite numbers within a few
    image sizes.

    Raises MissingDataError.
    """
    from torchvision.datasets import Caltech101

    chosen, base = preset_of(preset), folder_of(root) / "caltech101"
    for folder in ("101_ObjectCategories", "Annotations"):
        if not (base / folder).is_dir():
            raise MissingDataError(f"Caltech-101 was not found: looked for {base / folder}; {HOW_CALTECH}.")
    try:
        lists = Caltech101(str(base.parent), target_type=["category", "annotation"])
    except ValueError:  # it takes BACKGROUND_Google off the list, and stumbles where it is not there
        raise MissingDataError(
            f"{base / '101_ObjectCategories'} has no BACKGROUND_Google, so it is only half unpacked: {HOW_CALTECH}."
        ) from None
    except OSError as error:  # a file, or no folder, where it looks for a folder of pictures
        raise MissingDataError(
            f"{base / '101_ObjectCategories'} must hold one folder a class and no files ({error}): {HOW_CALTECH}."
        ) from None
    files, labels = {}, {}
    for number, label in zip(lists.index, lists.y, strict=True):
        kind = lists.categories[label]
        files[f"{kind}/image_{number:04d}"] = (
            base / "101_ObjectCategories" / kind / f"image_{number:04d}.jpg",
            base / "Annotations" / lists.annotation_categories[label] / f"annotation_{number:04d}.mat",
        )
        labels[f"{kind}/image_{number:04d}"] = label
    whole(len(files), 8677, "images", base / "101_ObjectCategories", HOW_CALTECH, partial)
    whole(
        sum(a.is_file() for _, a in files.values()),
        len(files),
        "annotations",
        base / "Annotations",
        HOW_CALTECH,
        partial,
    )
    return Dataset(
        "caltech101", tuple(lists.categories), tuple(files), CaltechReader(files, labels, chosen.decoder), chosen
    )


@dataclass(frozen=True, eq=False)
class PetReader:
    """Reads one image and its trimap: 1 the animal, 2 the rest, 3 the border, which nobody judges."""

    base: Path
    labels: dict[str, int]
    decoder: str

    def place(self, name: str) -> Path:
        """The picture's file."""
        return self.base / "images" / f"{name}.jpg"

    def __call__(self, name: str) -> Raw:
        image, label = read_picture(self.place(name), self.decoder), self.labels[name]
        path = self.base / "annotations" / "trimaps" / f"{name}.png"
        with reading(path, "a trimap"):
            with Image.open(path) as file:
                check_size(file.size, image.size, "it")
                trimap = torch.from_numpy(np.array(file))
            if trimap.dim() != 2 or not bool(torch.isin(trimap, torch.tensor((1, 2, 3))).all()):
                raise ValueError("it must hold 1, 2 and 3 alone")
        mask = torch.where(trimap == 3, 255, (trimap == 1).byte()).byte()
        heads, boxes = self.base / "annotations" / "xmls" / f"{name}.xml", []
        if heads.is_file():
            size, things = read_boxes(heads)
            check_file_size(heads, size, self.place(name), image)
            boxes = [thing.corners for thing in things]
        return Raw(image, (label,), torch.tensor(boxes).reshape(-1, 4), torch.full((len(boxes),), label), mask[None])


def oxford_pet(
    root: str | Path, preset: str | Preset = "std", *, split: str = "test", partial: bool = False
) -> Dataset:
    """Oxford-IIIT Pet: 37 breeds of cats and dogs with masks (border pixels open), and boxes of the heads.

    An image is skipped where its trimap is of another size or holds other numbers than 1, 2 and 3, or
    its box file speaks of another size.

    Args: split: "test" (3,669 images; few have a box) or "trainval" (3,680).
    Raises MissingDataError, ValueError; WrongDataError, which is both, with file and line: an image
    listed twice or by a path, a line without a label, labels that do not run from 1.
    """
    counts, chosen = {"test": 3669, "trainval": 3680}, preset_of(preset)
    if split not in counts:
        raise ValueError(f"split must be 'test' or 'trainval', got {split!r}")
    base = folder_of(root) / "oxford-iiit-pet"
    for part in ("images", f"annotations/{split}.txt", "annotations/trimaps"):
        if not (base / part).exists():
            raise MissingDataError(f"Oxford-IIIT Pet was not found: looked for {base / part}; {HOW_PET}.")
    labels, classes = _breeds(base / "annotations" / f"{split}.txt")
    names = list(labels)
    whole(len(names), counts[split], f"listed images ({split}.txt)", base / "annotations", HOW_PET, partial)
    there = {p.stem for p in (base / "images").glob("*.jpg")}
    whole(sum(n in there for n in names), len(names), "listed images (*.jpg)", base / "images", HOW_PET, partial)
    return Dataset("oxford-pet", classes, tuple(names), PetReader(base, labels, chosen.decoder), chosen)


def _breeds(path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """{image: label from 0} and the breeds' names, from lines of image, label from 1, species, breed."""
    breeds: dict[int, str] = {}
    labels, places = {}, []
    for place, line in lines(path):
        if len(words := line.split()) != 4:
            raise WrongDataError(f"{place}: expected an image, its label and two more numbers; got {line[:60]!r}")
        name, label = plain(words[0], place), whole_number(words[1], place, "a label")
        breed = breeds.setdefault(label, name.rpartition("_")[0])
        if breed != name.rpartition("_")[0]:
            raise WrongDataError(f"{place}: label {label} belongs to {breed}, not to {name}")
        places.append((place, name))
        labels[name] = label - 1
    each_once(places)
    if sorted(breeds) != list(range(1, len(breeds) + 1)):
        raise WrongDataError(f"{path}: labels must run from 1 without a gap; got {', '.join(map(str, sorted(breeds)))}")
    return labels, tuple(breeds[k].replace("_", " ").title() for k in sorted(breeds))
