"""The reader's own network and photographs, for chapters that run unchanged with any.

Three environment variables choose; where one is not set, the book's own world takes its place:

    HOLICAM_MODEL    a name that `load_model` knows            (else the chapter's default)
    HOLICAM_PHOTOS   a folder of JPEG and PNG files            (else Toyland images, saved as PNG)
    HOLICAM_DEVICE   where the network is put: cpu, cuda, ...  (else cuda where there is one)

`make execute MODEL=resnet50 PHOTOS=folder` sets the first two and writes a second edition.
Only the book imports this file.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import torch
from torch import nn

from .. import toyland
from ..core.device import find_device
from ..datasets import photos
from ..models import WeightsNotFoundError, class_names, load_model

SUFFIXES = (".jpg", ".jpeg", ".png")
_kept: list[tempfile.TemporaryDirectory] = []  # Toyland's folders, removed when Python ends


def device() -> torch.device:
    """HOLICAM_DEVICE, or a CUDA device where there is one, or the CPU. ValueError: no such device."""
    return find_device(os.environ.get("HOLICAM_DEVICE", ""), "HOLICAM_DEVICE", empty=True)


def network(default: str) -> tuple[nn.Module, str, str]:
    """The network of this edition, on `device()`, its name, and one line that says what it is.

    Args:
        default: the name of a shipped network, for readers who chose none and for those whose
            choice has no weights on this machine; the line then says what is pending.

    Raises:
        ValueError: a network that nobody knows, or weights that are damaged.
    """
    wanted, place = os.environ.get("HOLICAM_MODEL") or default, device()
    try:
        model, name, line = load_model(wanted, place), wanted, ""
    except WeightsNotFoundError as error:
        model, name = load_model(default, place), default
        line = f"pending: {error} Until then: "
    return model, name, f"{line}network {name}, {len(class_names(name))} classes"


def photographs(most: int = 4) -> tuple[list[Path], str]:
    """At most `most` files that can be read as photographs, and one line that says which.

    In a folder they are taken by name. Without one, `most` Toyland images are saved as PNG files
    named after their class, in a folder that lasts as long as Python does: a file of yours will go
    the same way.

    Raises:
        ValueError: `most` is below 1.
        PhotoError: no such folder, or nothing in it can be read.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1; got {most}.")
    folder = os.environ.get("HOLICAM_PHOTOS")
    if not folder:
        return _toyland(most), f"photographs: {most} images of Toyland, saved as PNG"
    if not Path(folder).is_dir():
        raise photos.PhotoError(f"HOLICAM_PHOTOS is {folder!r}, and there is no such folder.")
    files = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in SUFFIXES)
    good: list[Path] = []
    bad: list[Path] = []
    for file in files:
        if len(good) < most:
            (good if _readable(file) else bad).append(file)
    if not good:
        raise photos.PhotoError(f"HOLICAM_PHOTOS is {folder!r}, which holds no JPEG or PNG file that can be read.")
    line = f"photographs: {len(good)} of {len(files)} in {Path(folder).resolve().name}"
    return good, line + (f"; cannot be read: {', '.join(p.name for p in bad)}" if bad else "")


def _readable(file: Path) -> bool:
    try:
        photos.read_photo(file)
    except photos.PhotoError:
        return False
    return True


def _toyland(count: int) -> list[Path]:
    """Toyland scenes as PNG files, 1-fish.png, 2-car.png, ..."""
    from PIL import Image

    _kept.append(tempfile.TemporaryDirectory(prefix="holicam-"))
    batch = toyland.batch(count, split="test", subset="scene")
    files = [Path(_kept[-1].name) / f"{i}-{name}.png" for i, name in enumerate(batch.names, 1)]
    for file, rgb in zip(files, batch.rgb, strict=True):
        Image.fromarray(rgb.numpy()).save(file)
    return files
