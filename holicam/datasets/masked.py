"""Photographs with masks of one's own: a folder of pictures, and a folder of masks with the same names.

photographs/cat.jpg          masks/cat.png              where the object is
photographs/<class>/cat.jpg  masks/<class>/cat.png      with labels by folder
labels.csv                   file,class                 or labels by a table, a line for each photograph

A mask is a PNG file of the photograph's size, upright as the photograph is shown. What is not 0 in it is the object;
of a palette that is the colour's number, and an alpha channel does not count.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .checks import check_size
from .depth import Stored
from .files import each_once, folder_of, known, reading
from .folders import FolderReader, _class_names, image_folder
from .items import Dataset, MissingDataError, Raw, WrongDataError
from .photos import LONGEST, upright_size
from .presets import Preset

OBJECT = "object"  # the only class where there are no labels: the object, whatever it is
HEAD = ["file", "class"]


@dataclass(frozen=True, eq=False)
class MaskedReader:
    """Reads one photograph and its mask."""

    photographs: FolderReader
    masks: Path
    labels: dict[str, int]

    def place(self, name: str) -> Path:
        """The photograph's file."""
        return self.photographs.place(name)

    def __call__(self, name: str) -> Raw:
        image = self.photographs(name).image
        full = upright_size(self.place(name)) if max(image.size) >= LONGEST else image.size
        mask = read_mask(mask_file(self.masks, name), image.size, full)
        return Raw(image, (self.labels.get(name, 0),), masks=mask[None])


def mask_file(masks: Path, name: str) -> Path:
    """Where the mask of a photograph lies: the same name below the folder of masks, ending in .png."""
    return masks / Path(name).with_suffix(".png")


def read_mask(path: Path, size: tuple[int, int], full: tuple[int, int] | None = None) -> Tensor:
    """(H, W) uint8, 1 on the object, for a picture of size (width, height). Raises UnreadableError, ValueError.

    full: the size in its file of a picture that was reduced to `size` while it was read; its mask is reduced as well.
    """
    with reading(path, "a mask"), Image.open(path) as stored:
        check_size(stored.size, size if stored.size == size else full or size, f"the mask {path}")
        bands = [band for band in stored.getbands() if band not in "Aa"]
        if len(stored.getbands()) > 1 and Stored.of(stored).deep:  # Pillow keeps the upper byte, in which 1 is 0
            raise ValueError("it has colours of 16 bits, of which the lower half is not read: save it with 8 bits")
        inside = np.zeros(stored.size[::-1], bool)
        for band in bands:
            inside |= np.asarray(stored if len(stored.getbands()) == 1 else stored.getchannel(band)) != 0
    drawn = Image.fromarray(inside.astype(np.uint8))
    return torch.from_numpy(np.array(drawn.resize(size, Image.Resampling.NEAREST) if drawn.size != size else drawn))


def masked_folder(
    root: str | Path,
    masks: str | Path,
    preset: str | Preset = "network",
    *,
    labels: str | Path | None = None,
    classes: Sequence[str] | None = None,
    partial: bool = False,
) -> Dataset:
    """Photographs with masks of your own, for metrics that ask where the object is.

    Args:
        root: folder of the photographs, as for `image_folder`.
        masks: folder of the masks. The mask of cat.jpg is cat.png, that of oak/leaf.jpg is oak/leaf.png. Any value
            but 0 is the object.
        preset: how images are prepared; by default as the network wants.
        labels: a CSV file with the heads file,class and a line for each photograph. Without it a photograph's folder
            is its class where every one lies one folder deep; else there are no labels, and the one class "object"
            is no class of a network: explain the top-1.
        classes: give the classes their numbers, else they are numbered by the alphabet. A network's labels are the
            numbers of its outputs: give all its names, `hc.class_names(name)`, to use them.
        partial: leave out photographs without a mask.

    A mask of another size than its photograph, or one that cannot be read, makes the image a `Skipped` that says so.

    Raises MissingDataError: no photographs, no folder of masks, a photograph without a mask; WrongDataError: two
    photographs with one mask, and with file and line a table of labels that is none; ValueError as `image_folder`.
    """
    if not isinstance(partial, bool):
        raise TypeError(f"partial must be True or False; got {partial!r}")
    found, folder = image_folder(root, preset, classes=None if labels is not None else classes), folder_of(masks)
    if not folder.is_dir():
        raise MissingDataError(f"Masks were not found: {folder} is no folder; name the folder of the masks.")
    if folder.resolve().is_relative_to(folder_of(root).resolve()):
        raise ValueError(f"{folder} lies in {root}, so masks would count as photographs: put the two side by side")
    there = [name for name in found.ids if mask_file(folder, name).is_file()]
    without = sorted(set(found.ids) - set(there))
    if without and (not there or not partial):
        raise MissingDataError(
            f"{len(without)} of {len(found.ids)} photographs have no mask, the first: {without[0]} needs "
            f"{mask_file(folder, without[0])}; draw it, or pass partial=True to use those that have one."
        )
    _check_apart(folder, there)
    reader = cast(FolderReader, found.read)
    names, numbers = found.classes, reader.labels
    if labels is not None:
        names, numbers = _labels(folder_of(labels), there, classes)
    own = MaskedReader(reader, folder, numbers)
    return Dataset("masked-folder", names or (OBJECT,), tuple(there), own, found.preset)


def _check_apart(masks: Path, ids: Sequence[str]) -> None:
    """Raise WrongDataError where two photographs have one mask: cat.jpg and cat.png, of which it fits one at most."""
    seen: dict[Path, str] = {}
    for name in ids:
        mask = mask_file(masks, name)
        if mask in seen:
            raise WrongDataError(f"{seen[mask]} and {name} would share the mask {mask}: give one of them another name.")
        seen[mask] = name


def _labels(path: Path, ids: Sequence[str], classes: Sequence[str] | None) -> tuple[tuple[str, ...], dict[str, int]]:
    """(names of the classes, {photograph: number of its class}) of a table of labels."""
    if not path.is_file():
        raise MissingDataError(f"Labels were not found: {path} is no file; name a CSV file with the heads file,class.")
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (ValueError, csv.Error) as error:
        raise WrongDataError(f"{path} is no CSV file in UTF-8 ({error}): save it as one.") from None
    if not rows or [head.strip() for head in rows[0]] != HEAD:
        raise WrongDataError(f"{path}, line 1: the heads must be file,class; got {','.join(rows[0] if rows else [])!r}")
    said: dict[str, tuple[str, str]] = {}
    lines = [(f"{path}, line {n}", [cell.strip() for cell in row]) for n, row in enumerate(rows[1:], 2) if any(row)]
    for place, row in lines:
        if len(row) != 2 or not all(row):
            raise WrongDataError(f"{place}: expected a photograph and its class, such as cat.jpg,cat; got {row}")
    each_once((place, row[0]) for place, row in lines)
    said = {row[0]: (place, row[1]) for place, row in lines}
    if unlabelled := [name for name in ids if name not in said]:
        raise WrongDataError(f"{path} has no line for {unlabelled[0]} ({len(unlabelled)} such photographs).")
    names = _class_names(classes) or tuple(sorted({kind for _, kind in said.values()}))
    numbers = {name: number for number, name in enumerate(names)}
    return names, {name: known(said[name][1], numbers, said[name][0], "class") for name in ids}
