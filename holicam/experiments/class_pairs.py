"""A data set with one item for each image and class in it, named id#class, as pointing games count.

    flagged     every object of the class is flagged difficult: left out of the papers' game
    difficult   the class covers less than a quarter of the image and another class is there, or the
                pair stands in a list (TorchRay's, for VOC07 and COCO14)
    easy        all others; the papers' "all" is easy and difficult together

A pair's item holds that class only: its boxes, its mask. Which of the three it is stands in its
notes, after `MARK`. Excitation Backprop, Zhang et al., IJCV 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from ..datasets import Dataset, Raw
from ..datasets.checks import check_raw
from ..datasets.items import NOT_ITS_FAULT, Reader
from ..metrics.energy import boxes_to_masks
from .config import ConfigError
from .pictures import files_of

SUBSETS = ("easy", "difficult", "flagged")
MARK = "subset: "


@dataclass(frozen=True, eq=False)
class PairReader:
    """Reads one class of one image; an id without a class is an image that could not be read."""

    read: Reader
    listed: Mapping[str, frozenset[int]] | None

    def __call__(self, name: str) -> Raw:
        image, _, said = name.rpartition("#")
        if not image:
            return self.read(name)
        raw, target = self.read(image), int(said)
        check_raw(raw, classes=0)  # how many there are is known where the pair is read
        k = raw.targets.index(target)
        own = None if raw.box_targets is None else raw.box_targets == target
        only = replace(
            raw,
            targets=(target,),
            difficult=tuple(raw.difficult[k : k + 1]),
            recipe=None,
            boxes=None if own is None else raw.boxes[own],
            box_targets=None if own is None else raw.box_targets[own],
            masks=None if raw.masks is None else raw.masks[k : k + 1],
        )
        return replace(only, notes=(*raw.notes, MARK + self._subset(image, only, len(raw.targets) > 1)))

    def place(self, name: str) -> object:
        """The picture's file, where the data set's reader tells it."""
        return self._reader().place(_image(name))

    def places(self, name: str) -> list[Path]:
        """All files of the picture, as far as they are told."""
        return files_of(self._reader(), _image(name))

    def _reader(self) -> Reader:
        return getattr(self.read, "__wrapped__", self.read)

    def _subset(self, image: str, only: Raw, others: bool) -> str:
        if any(only.difficult):
            return "flagged"
        if self.listed is not None:  # an image that the list lacks counts, as in TorchRay's code
            return "difficult" if only.targets[0] in self.listed.get(image, only.targets) else "easy"
        return "difficult" if others and float(region(only).float().mean()) < 0.25 else "easy"


def _image(name: str) -> str:
    return name.rpartition("#")[0] or name


def region(raw: Raw) -> torch.Tensor:
    """(H, W) bool, where a pair's class is in the file's pixels: its mask, else all of its boxes."""
    if raw.masks is not None:
        return raw.masks[0] == 1
    width, height = raw.image.size
    boxes = torch.zeros(0, 4) if raw.boxes is None else raw.boxes
    return boxes_to_masks([boxes], torch.zeros(1, height, width))[0]


def pairs_of(dataset: Dataset, difficult: str = "") -> Dataset:
    """The same images, once for each class in them; difficult: path of a list, see `listed_pairs`.

    Classes come from the annotations where a reader can tell them without the picture. An image
    that cannot be read keeps one item, so that it is recorded.
    Raises ConfigError: a preset that cuts pictures off, or a list that does not fit.
    """
    if dataset.preset.crop:
        raise ConfigError(
            f"pairs are scored at the picture's own size, of which the preset {dataset.preset.name!r} "
            "cuts a part off: choose torchray, ucag, poly-cam or holistic-cam"
        )
    listed = listed_pairs(Path(difficult), len(dataset.classes)) if difficult else None
    read = lru_cache(8)(dataset.read)  # neighbours show the same picture
    classes = getattr(dataset.read, "classes_in", None) or (lambda name: read(name).targets)
    ids = []
    for name in dataset.ids:
        try:
            ids += [f"{name}#{target}" for target in classes(name)]
        except NOT_ITS_FAULT:
            raise
        except Exception:  # what is wrong is said when the item is read
            ids.append(name)
    return replace(dataset, ids=tuple(ids), read=PairReader(read, listed))


def listed_pairs(path: Path, classes: int) -> dict[str, frozenset[int]]:
    """{image: its classes that are listed} from lines of an image's name and one 0 or 1 a class."""
    found = {}
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a mark before UTF-8
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8 ({error}): save it as UTF-8") from None
    for number, line in enumerate(text.splitlines(), 1):
        name, *flags = line.split() or [""]
        if name and (len(flags) != classes or not set(flags) <= {"0", "1"}):
            raise ConfigError(
                f"{path}, line {number}: expected an image's name and {classes} flags, 0 or 1; got {len(flags)}"
            )
        if name and name in found:
            raise ConfigError(f"{path}, line {number}: {name!r} is listed a second time: each image stands there once")
        found[name] = frozenset(k for k, flag in enumerate(flags) if flag == "1")
    found.pop("", None)
    return found
