"""A data set of one's own: a function that returns an object with three things, or a `Dataset`.

    class Leaves:
        classes = ("oak", "birch")          # the names of the classes, () where there are no labels
        ids = ("leaf-1", "leaf-2")          # one name an image

        def read(self, name):               # what belongs to a name, see `Raw`
            return hc.datasets.Raw(Image.open(f"{name}.jpg").convert("RGB"), (0,))

It may also have `preset`, a name in `presets` or a `Preset`; without one images are prepared as their network wants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image
from torch import Tensor

from .items import Dataset, Raw
from .presets import preset_of

PARTS = "classes (names), ids (names) and read(name), which returns hc.datasets.Raw"


@dataclass(frozen=True)
class OwnReader:
    """Somebody's `read`, whose answer is looked at."""

    own: Callable[[str], object]

    def __call__(self, name: str) -> Raw:
        found = self.own(name)
        if not isinstance(found, Raw):
            raise ValueError(f"read must return hc.datasets.Raw(image, ...); got {type(found).__name__}")
        if not isinstance(found.image, Image) or found.image.mode != "RGB":
            got = f"mode {found.image.mode}" if isinstance(found.image, Image) else type(found.image).__name__
            raise ValueError(f"the image in Raw must be Pillow's, in RGB: convert('RGB'); got {got}")
        if isinstance(found.masks, Tensor) and 255 in (values := found.masks.unique().tolist()) and 1 not in values:
            raise ValueError("its masks are of 0 and 255, and 255 is what is not to be judged: divide by 255")
        return found


def dataset_of(made: Any, name: str) -> Dataset:
    """The data set that somebody's function returned. Raises TypeError, ValueError: what is missing or wrong."""
    if isinstance(made, Dataset):
        return made
    missing = [part for part in ("classes", "ids", "read") if not hasattr(made, part)]
    if missing:
        raise TypeError(
            f"{name} must return a Dataset, or an object with {PARTS}; got {type(made).__name__} without "
            f"{', '.join(missing)}"
        )
    names = {part: _names(getattr(made, part), f"{name}: {part}") for part in ("classes", "ids")}
    if not names["ids"]:
        raise ValueError(f"{name} has no ids: there must be one name for each image, and at least one image")
    if not callable(made.read):
        raise TypeError(f"{name}: read must be a function of one name; got {type(made.read).__name__}")
    preset = preset_of(getattr(made, "preset", "network"))
    return Dataset(name, names["classes"], names["ids"], OwnReader(made.read), preset)


def _names(said: object, what: str) -> tuple[str, ...]:
    if isinstance(said, str) or not isinstance(said, Sequence) or not all(isinstance(one, str) for one in said):
        raise TypeError(f"{what} must be a list of names; got {said!r}"[:300])
    return tuple(said)
