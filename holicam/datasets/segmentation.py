"""ImageNet-Segmentation (Guillaumin, Küttel and Ferrari, IJCV 2014): 4,276 images with object masks.

    gtsegs_ijcv.mat   a MATLAB 7.3 file, which is HDF5: value/img and value/gt hold references

It carries no class numbers: protocols explain the class that the network sees.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import fromarray

from .checks import LARGEST, check_size
from .files import first_file, folder_of, needs, reading, whole
from .items import NOT_ITS_FAULT, Dataset, MissingDataError, Raw
from .presets import Preset, preset_of

HOW = "download gtsegs_ijcv.mat (calvin-vision.net, dataset ImageNet segmentation) into that folder"
OBJECT = 0  # the only target: the object, whatever it is


@dataclass(eq=False)
class SegmentationReader:
    """Reads image and mask by number; every process opens the file for itself, when it first reads."""

    path: Path
    _file: Any = field(default=None, repr=False)
    _process: int = 0  # HDF5 handles break when a process forks

    def place(self, name: str) -> str:
        """The file, and the image's number in it."""
        return f"{self.path}, image {int(name)}"

    def __call__(self, name: str) -> Raw:
        with reading(self.path, f"image {int(name)}"):
            if self._process != os.getpid():
                self._file, self._process = _open(self.path), os.getpid()
            index, file = int(name), self._file
            rgb = _array(file, file["value/img"][index, 0]).transpose(2, 1, 0)  # MATLAB stores (3, W, H)
            cell = _array(file, file["value/gt"][index, 0])  # (1, 1), a cell with one reference
            mask = _array(file, cell[0, 0]).T  # (H, W): 1, 0, and -1 where nobody judged
            if rgb.dtype != np.uint8 or rgb.shape[2] != 3:
                raise ValueError(f"it is {rgb.dtype} of shape {rgb.shape}, not 8 bits of red, green and blue")
            check_size(mask.shape[::-1], rgb.shape[1::-1], "its mask")
            if not np.isin(mask, (-1, 0, 1)).all():
                raise ValueError("its mask holds other numbers than 1, 0 and -1")
            mask = np.where(mask < 0, 255, mask).astype(np.uint8)
            return Raw(fromarray(np.ascontiguousarray(rgb)), (OBJECT,), masks=torch.from_numpy(mask)[None])

    def __getstate__(self) -> dict:
        return {"path": self.path, "_file": None, "_process": 0}  # an open file cannot travel to another process


def _open(path: Path):
    """The file, which must hold as many masks as images. Raises ValueError, OSError, KeyError."""
    file = needs("h5py", "ImageNet-Segmentation").File(path, "r")
    try:
        shapes = [_inside(file, f"value/{part}").shape for part in ("img", "gt")]
        if any(len(shape) != 2 or shape[1] != 1 for shape in shapes) or shapes[0] != shapes[1]:
            raise ValueError(f"value/img and value/gt have the shapes {shapes[0]} and {shapes[1]}, not (n, 1) both")
    except Exception:
        file.close()
        raise
    return file


def _array(file, reference: object) -> np.ndarray:
    """What a reference points to, as long as it lies in this file and is of a picture's size. Raises ValueError."""
    found = _inside(file, reference)
    if found.size > 3 * LARGEST:
        raise ValueError(f"it claims to be of shape {found.shape}")
    return np.array(found)


def _inside(file, name: object):
    """An array of this file; HDF5 can also show other files' bytes under a name. Raises ValueError, KeyError."""
    found = file[name]
    if not hasattr(found, "shape") or found.external or found.is_virtual or found.file.filename != file.filename:
        raise ValueError(f"{found.name} is no array of this file")
    return found


def imagenet_segmentation(root: str | Path, preset: str | Preset = "ucag", *, partial: bool = False) -> Dataset:
    """The masks of ImageNet-Segmentation. The one target says "object", not a class of a network.

    Args: root: the file gtsegs_ijcv.mat, or the folder that holds it.
    An image is skipped where its mask is of another size or holds other numbers than 1, 0 and -1.

    Raises MissingDataError; ImportError where h5py is not installed.
    """
    path = folder_of(root)
    if path.suffix != ".mat" or path.is_dir():
        path = first_file(path, ["gtsegs_ijcv.mat"], "ImageNet-Segmentation", HOW)
    elif not path.is_file():
        raise MissingDataError(f"ImageNet-Segmentation was not found: looked for {path}; {HOW}.")
    try:
        with _open(path) as file:
            count = len(file["value/img"])
    except NOT_ITS_FAULT:
        raise
    except Exception as error:  # HDF5 raises many kinds for broken files
        raise MissingDataError(f"{path} is not the whole file of ImageNet-Segmentation ({error}): {HOW}.") from None
    whole(count, 4276, "images", path, HOW, partial)
    return Dataset(
        "imagenet-segmentation",
        ("object",),
        tuple(f"{i:04d}" for i in range(count)),
        SegmentationReader(path),
        preset_of(preset),
    )
