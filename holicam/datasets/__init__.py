"""Data sets: images with classes, boxes and masks, read from where they lie.

    data = hc.datasets.load("voc2007", "/data/voc", preset="torchray")
    for batch in hc.datasets.batches(data.sample(500, seed=0), 16):
        batch.images, batch.target, batch.boxes, batch.masks, batch.skipped

Nothing is downloaded: a set that is missing says what was looked for, where, and how to get it. A
list that cannot be right (an image twice, a path out of the folder, a label that is no class) is
refused with file and line; one image that cannot be used is skipped with file and reason. Links that
lie in the folder are followed wherever they point.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from ..models.alike import close_names
from .batches import Batch, batches, collate
from .items import Dataset, Item, MissingDataError, Raw, Skipped, UnreadableError, WrongDataError
from .label_check import check_labels
from .presets import Preset, preset_of, presets

if TYPE_CHECKING:
    from .coco import coco2014
    from .folders import image_folder, mura
    from .ilsvrc import imagenet
    from .mosaic_set import mosaics
    from .pascal import voc2007
    from .segmentation import imagenet_segmentation
    from .small import caltech101, oxford_pet
    from .worlds import toyland

__all__ = [
    "Batch",
    "Dataset",
    "Item",
    "MissingDataError",
    "Preset",
    "Raw",
    "Skipped",
    "UnreadableError",
    "WrongDataError",
    "batches",
    "caltech101",
    "check_labels",
    "coco2014",
    "collate",
    "image_folder",
    "imagenet",
    "imagenet_segmentation",
    "load",
    "mosaics",
    "mura",
    "oxford_pet",
    "preset_of",
    "presets",
    "registry",
    "toyland",
    "voc2007",
]

# Name of a set: file and function of its reader. A reader is imported when it is asked for.
_READERS = {
    "toyland": "worlds:toyland",
    "imagenet": "ilsvrc:imagenet",
    "imagenet-segmentation": "segmentation:imagenet_segmentation",
    "voc2007": "pascal:voc2007",
    "coco2014": "coco:coco2014",
    "mura": "folders:mura",
    "caltech101": "small:caltech101",
    "oxford-pet": "small:oxford_pet",
    "folder": "folders:image_folder",
    "masked-folder": "masked:masked_folder",
    "mosaics": "mosaic_set:mosaics",
    "samples": "public:public_samples",
}


class _Readers(Mapping):
    """Names -> functions."""

    def __getitem__(self, name: str) -> Callable[..., Dataset]:
        file, function = _READERS[name].split(":")
        return getattr(importlib.import_module(f".{file}", __name__), function)

    def __iter__(self) -> Iterator[str]:
        return iter(_READERS)

    def __len__(self) -> int:
        return len(_READERS)

    def __contains__(self, name: object) -> bool:
        return name in _READERS


registry: Mapping[str, Callable[..., Dataset]] = _Readers()


def __getattr__(name: str) -> object:
    for known, place in _READERS.items():
        if place.endswith(f":{name}"):
            return registry[known]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(name: str, *args: object, **options: object) -> Dataset:
    """A data set by its name in `registry`; the rest goes to its function.

    Raises ValueError for an unknown name, TypeError for one that is no string.
    """
    if not isinstance(name, str):
        raise TypeError(f"a data set is named by a string such as 'toyland'; got {name!r}"[:300])
    if name not in registry:
        close = close_names(name.lower(), registry)
        raise ValueError(f"there is no data set {name!r}; close names are {close}")
    return registry[name](*args, **options)
