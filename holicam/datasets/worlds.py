"""Toyland as a data set: drawn when asked for, with masks, boxes and recipes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL.Image import fromarray

from .. import toyland as world
from .items import Dataset, Raw
from .presets import Preset, preset_of


@dataclass(frozen=True)
class ToylandReader:
    """Draws the image whose index an id names."""

    split: str
    subset: str
    seed: int
    size: int
    rho: float

    def recipe(self, index: int) -> world.Recipe:
        return world.Recipe(self.subset, self.split, self.seed, index, self.rho, self.size)

    def __call__(self, name: str) -> Raw:
        index = int(name.split("/")[4])
        one = world.batch(
            1, split=self.split, subset=self.subset, seed=self.seed, start=index, size=self.size, rho=self.rho
        )
        label = int(one.target)
        others = one.class_masks[0].flatten(1).any(1).nonzero().flatten().tolist()
        targets = (label, *(k for k in others if k != label))
        return Raw(
            fromarray(one.rgb[0].numpy()),
            targets,
            one.boxes[0],
            torch.full((len(one.boxes[0]),), label),
            one.class_masks[0, list(targets)].byte(),
            recipe=one.recipes[0],
        )


def toyland(
    n: int = 1000,
    *,
    split: str = "test",
    subset: str = "single",
    seed: int = 0,
    start: int = 0,
    size: int = 224,
    rho: float = 0.95,
    preset: str | Preset = "as-is",
) -> Dataset:
    """`n` images of Toyland; the label's mask and boxes, masks of all classes in sight, recipes.

    Args: as for `holicam.toyland.batch`, which says what it raises. Boxes are those of the label.
    """
    world.batch(min(n, 1), split=split, subset=subset, seed=seed, start=start, size=size, rho=rho)  # speaks up now
    reader = ToylandReader(split, subset, seed, size, rho)
    ids = tuple(reader.recipe(i).id for i in range(start, start + n))
    return Dataset("toyland", tuple(world.CLASSES), ids, reader, preset_of(preset))
