"""The eight pictures of the wall: six photographs and two mosaics of four, from packages that are installed.

`hc.photos.samples` has them with credit and licence. A photograph is cropped to the square in its middle, as the
network sees it. None is a file of this repository.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch

import holicam as hc
from holicam.datasets.items import MissingDataError, WrongDataError
from holicam.datasets.samples import Sample

SIDE = 224  # pixels, as the network takes them
NOT_THERE = (ImportError, MissingDataError, WrongDataError)


class Picture(NamedTuple):
    """One picture of the wall: what it shows, the class that is asked for, and another one.

    parts: its photograph, or the four of a mosaic, row by row; names of `hc.photos.samples`. Classes are ImageNet's
    indices and names; of several that are right, the one that the network believes most.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    target: int
    label: str
    other: int
    other_label: str


CAT, CUP, TRIPOD = (285, "Egyptian cat"), (967, "espresso"), (872, "tripod")
ALL = (
    Picture("cat", "A cat", ("cat",), *CAT, *CUP),
    Picture("coffee", "A cup of espresso", ("coffee",), *CUP, *CAT),
    Picture("rocket", "A rocket", ("rocket",), 657, "missile", *CAT),
    Picture("officer", "An officer", ("officer",), 652, "military uniform", *CAT),
    Picture("palace", "A palace", ("palace",), 698, "palace", *CAT),
    Picture("photographer", "A photographer", ("photographer",), *TRIPOD, *CAT),
    Picture("mosaic-cat", "Four at once: the cat", ("photographer", "palace", "coffee", "cat"), *CAT, *CUP),
    Picture("mosaic-tripod", "Four at once: the tripod", ("cat", "rocket", "officer", "photographer"), *TRIPOD, *CAT),
)
PICTURES = {one.name: one for one in ALL}
PARTS = tuple(dict.fromkeys(part for one in ALL for part in one.parts))


@cache
def sample(part: str) -> Sample:
    """A photograph with its credit. Raises ImportError, MissingDataError, WrongDataError: a package is missing."""
    return hc.photos.samples(part)[part]


def pixels(name: str, side: int = SIDE) -> np.ndarray:
    """A picture, (side, side, 3) uint8; side is even. Raises as `sample` does."""
    found = [sample(part).picture for part in PICTURES[name].parts]
    if len(found) == 1:
        return square(found[0], side)
    return hc.photos.mosaic(found, side=side).picture.numpy()


def square(picture: torch.Tensor, side: int) -> np.ndarray:
    """The square in the middle of a photograph (H, W, 3) uint8, as the cells of a mosaic are made."""
    return hc.photos.fit(hc.photos.middle(picture), side, mode="bicubic").numpy()


def credit(name: str) -> str:
    """One line for below a picture: title, who made it, licence, what was changed. Raises as `sample` does."""
    parts = PICTURES[name].parts
    said = "; ".join(sample(part).caption("") for part in parts)
    return said + ("; cropped." if len(parts) == 1 else "; cropped and put together.")
