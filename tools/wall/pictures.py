"""The eight pictures of the wall: six photographs and two mosaics of four, from packages that are installed.

A photograph is cropped to the square in its middle, as the network sees it. None is a file of this repository.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = 224  # pixels, as the network takes them


class MissingPackageError(ImportError):
    """The package that has a photograph is not installed."""


class Source(NamedTuple):
    """Where a photograph lies, who made it and how it may be used."""

    package: str  # as pip has it
    file: str  # below the package's folder
    title: str
    credit: str
    licence: str


class Picture(NamedTuple):
    """One picture of the wall: what it shows, the class that is asked for, and another one.

    parts: its photograph, or the four of a mosaic, row by row. Classes are ImageNet's indices and names.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    target: int
    label: str
    other: int
    other_label: str


SOURCES = {
    "cat": Source("scikit-image", "skimage/data/chelsea.png", "Chelsea the cat", "Stéfan van der Walt", "CC0"),
    "espresso": Source("scikit-image", "skimage/data/coffee.png", "Coffee cup", "Rachel Michetti", "CC0"),
    "rocket": Source("scikit-image", "skimage/data/rocket.jpg", "Launch of DSCOVR", "SpaceX", "CC0"),
    "motorcycle": Source(
        "scikit-image", "skimage/data/motorcycle_left.png", "Motorcycle, left view",
        "Scharstein et al., Middlebury Stereo Benchmark 2014", "CC0"),
    "officer": Source(
        "matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg", "Commodore Grace M. Hopper",
        "James S. Davis, United States Navy", "public domain"),
    "palace": Source(
        "scikit-learn", "sklearn/datasets/images/china.jpg", "Summer Palace, Beijing", "Daniel Buechele", "CC BY 2.0"),
}  # fmt: skip

CAT, CUP = (285, "Egyptian cat"), (967, "espresso")
ALL = (
    Picture("cat", "A cat", ("cat",), *CAT, *CUP),
    Picture("espresso", "An espresso", ("espresso",), *CUP, *CAT),
    Picture("rocket", "A rocket", ("rocket",), 657, "missile", *CAT),
    Picture("motorcycle", "A motorcycle", ("motorcycle",), 665, "moped", *CAT),
    Picture("officer", "An officer", ("officer",), 652, "military uniform", *CAT),
    Picture("palace", "A palace", ("palace",), 698, "palace", *CAT),
    Picture("mosaic-cat", "Four at once, asked for the cat", ("espresso", "officer", "motorcycle", "cat"), *CAT, *CUP),
    Picture("mosaic-espresso", "Four at once, asked for the espresso", ("cat", "palace", "espresso", "rocket"),
        *CUP, *CAT),
)  # fmt: skip
PICTURES = {one.name: one for one in ALL}


@cache
def photograph(part: str) -> np.ndarray:
    """(S, S, 3) uint8, the square in a photograph's middle. Raises MissingPackageError."""
    source = SOURCES[part]
    folder, _, rest = source.file.partition("/")
    found = importlib.util.find_spec(folder)
    path = Path(found.origin).parent / rest if found and found.origin else None
    if path is None or not path.exists():
        raise MissingPackageError(f"“{source.title}” comes with the package {source.package}, which is not installed.")
    whole = Image.open(path).convert("RGB")
    side, (width, height) = min(whole.size), whole.size
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(whole.crop((left, top, left + side, top + side)))


def pixels(name: str, side: int = SIDE) -> np.ndarray:
    """A picture, (side, side, 3) uint8; side is even. Raises MissingPackageError."""
    parts = PICTURES[name].parts
    if len(parts) == 1:
        return resized(photograph(parts[0]), side)
    four = [resized(photograph(part), side // 2) for part in parts]
    return np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """Brought to a square of this side, bicubic and smoothed as torchvision and timm do it for a PIL image."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def credit(name: str) -> str:
    """One line for below a picture: title, who made it, licence, what was changed."""
    parts = PICTURES[name].parts
    said = "; ".join(f"“{s.title}”, {s.credit}, {s.licence}" for s in map(SOURCES.get, parts))
    return said + ("; cropped." if len(parts) == 1 else "; cropped and put together.")
