"""ImageNet-Segmentation (Guillaumin, Küttel and Ferrari, IJCV 2014): 4,276 images with object masks.

    gtsegs_ijcv.mat   a MATLAB 7.3 file, which is HDF5: value/img and value/gt hold references

It carries no class numbers: protocols explain the class that the network sees.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL.Image import fromarray

from .files import first_file, needs, whole
from .items import Dataset, MissingDataError, Raw
from .presets import Preset, preset_of

HOW = "download gtsegs_ijcv.mat (calvin-vision.net, dataset ImageNet segmentation) into that folder"
OBJECT = 0  # the only target: the object, whatever it is


@dataclass(eq=False)
class SegmentationReader:
    """Reads image and mask by number; every process opens the file for itself, when it first reads."""

    path: Path
    _file: object = field(default=None, repr=False)
    _process: int = 0  # HDF5 handles break when a process forks

    def __call__(self, name: str) -> Raw:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._file = needs("h5py", "ImageNet-Segmentation").File(self.path, "r")
        index, file = int(name), self._file
        rgb = np.array(file[file["value/img"][index, 0]]).transpose(2, 1, 0)  # MATLAB stores (3, W, H)
        cell = file[file["value/gt"][index, 0]]  # (1, 1), a cell with one reference
        mask = np.array(file[cell[0, 0]]).T.astype(np.int16)  # (H, W): 1, 0, and -1 where nobody judged
        mask = np.where(mask < 0, 255, mask).astype(np.uint8)
        return Raw(fromarray(np.ascontiguousarray(rgb)), (OBJECT,), masks=torch.from_numpy(mask)[None])

    def __getstate__(self) -> dict:
        return {"path": self.path, "_file": None, "_process": 0}  # an open file cannot travel to another process


def imagenet_segmentation(root: str | Path, preset: str | Preset = "ucag", *, partial: bool = False) -> Dataset:
    """The masks of ImageNet-Segmentation. The one target says "object", not a class of a network.

    Args: root: the file gtsegs_ijcv.mat, or the folder that holds it.
    Raises MissingDataError; ImportError where h5py is not installed.
    """
    path = Path(root).expanduser()
    if path.suffix != ".mat" or path.is_dir():
        path = first_file(path, ["gtsegs_ijcv.mat"], "ImageNet-Segmentation", HOW)
    elif not path.is_file():
        raise MissingDataError(f"ImageNet-Segmentation was not found: looked for {path}; {HOW}.")
    try:
        with needs("h5py", "ImageNet-Segmentation").File(path, "r") as file:
            count = len(file["value/img"])
    except (OSError, KeyError) as error:
        raise MissingDataError(f"{path} is not the whole file of ImageNet-Segmentation ({error}): {HOW}.") from None
    whole(count, 4276, "images", path, HOW, partial)
    return Dataset("imagenet-segmentation", ("object",), tuple(f"{i:04d}" for i in range(count)),
                   SegmentationReader(path), preset_of(preset))
