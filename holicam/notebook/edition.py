"""The reader's own network and photographs, for chapters that run unchanged with any.

Four environment variables choose; where one is not set, the book's own world takes its place:

    HOLICAM_MODEL    a name that `load_model` knows            (else the chapter's default)
    HOLICAM_PHOTOS   a folder of JPEG and PNG files            (else the public samples of `hc.photos`; "toyland", or
                                                               a network of Toyland's, means Toyland's images)
    HOLICAM_DEVICE   where the network is put: cpu, cuda, ...  (else cuda where there is one)
    HOLICAM_PENDING  "refuse": a network without weights is an error (else the default stands in and says so)

`make execute MODEL=resnet50 PHOTOS=folder` sets them and writes a second edition. Only the book imports this file.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import toyland
from ..core.device import find_device
from ..core.outputs import class_logits
from ..datasets import photos
from ..models import WeightsNotFoundError, class_names, load_model

DEFAULT = "efficientnet-lite0"  # the network of the sections on photographs
SUFFIXES = (".jpg", ".jpeg", ".png")
# The public samples in the order in which a chapter gets them: the surest first.
ORDER = ("photographer", "coffee", "cat", "rocket", "palace", "officer", "clock", "astronaut")
_kept: list[tempfile.TemporaryDirectory] = []  # folders of files made here, removed when Python ends


@dataclass(frozen=True, eq=False)
class Asked(photos.Sample):
    """A photograph whose label is a class of this edition's network, ImageNet's or not."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of `labels`."""
        return tuple(class_names(_wanted())[k] for k in self.labels)


@dataclass(frozen=True, eq=False)
class Yours(Asked):
    """A photograph of the reader's that stands where the book has a public one: nobody has outlined it."""

    @property
    def mask(self) -> Tensor:
        """Raises ValueError: there is no outline, so neither mask, box nor picture with both."""
        raise ValueError(f"{self.name} has no outline: only the public photographs of hc.photos.samples() have one.")


def device() -> torch.device:
    """HOLICAM_DEVICE, or a CUDA device where there is one, or the CPU. ValueError: no such device."""
    return find_device(os.environ.get("HOLICAM_DEVICE", ""), "HOLICAM_DEVICE", empty=True)


_place = device  # under a name that `network`'s argument leaves free


def network(default: str, device: str | torch.device | None = None) -> tuple[nn.Module, str, str]:
    """The network of this edition, its name, and one line that says what it is.

    Args:
        default: the name of a network that comes with the book, for readers who chose none and for those whose
            choice has no weights on this machine; the line then says what is pending.
        device: where to put it, for chapters that keep their images there; None is `device()`.

    Raises:
        ValueError: a network that nobody knows, or weights that are damaged.
        WeightsNotFoundError: weights are missing and HOLICAM_PENDING is "refuse".
        ImportError: a package of the extra "photos" is missing.
    """
    wanted = _wanted(default)
    place = _place() if device is None else device
    try:
        model, name, line = load_model(wanted, place), wanted, ""
    except WeightsNotFoundError as error:
        if os.environ.get("HOLICAM_PENDING") == "refuse":
            raise
        model, name = load_model(default, place), default
        line = f"pending: {error} Until then: "
    return model, name, f"{line}network {name}, {len(class_names(name))} classes"


def photographs(most: int = 4) -> tuple[list[Path], str]:
    """At most `most` files that can be read as photographs, and one line that says which.

    In a folder they are taken by name. Without one, public samples, or Toyland's images, are saved as PNG files named
    after what they show, in a folder that lasts as long as Python does: a file of yours will go the same way.

    Raises:
        ValueError: `most` is below 1.
        PhotoError: no such folder, or nothing in it can be read.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1; got {most}.")
    if _toy():
        return _toyland(most), f"photographs: {most} images of Toyland, saved as PNG"
    folder = os.environ.get("HOLICAM_PHOTOS")
    if not folder:
        files = _saved({name: s.picture for name, s in photos.samples(*ORDER[:most]).items()})
        return files, f"photographs: {len(files)} public samples, saved as PNG"
    if not Path(folder).is_dir():
        raise photos.PhotoError(f"HOLICAM_PHOTOS is {folder!r}, and there is no such folder.")
    found = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in SUFFIXES)
    good: list[Path] = []
    bad: list[Path] = []
    for file in found:
        if len(good) < most:
            (good if _readable(file) else bad).append(file)
    if not good:
        raise photos.PhotoError(f"HOLICAM_PHOTOS is {folder!r}, which holds no JPEG or PNG file that can be read.")
    line = f"photographs: {len(good)} of {len(found)} in {Path(folder).resolve().name}"
    return good, line + (f"; cannot be read: {', '.join(p.name for p in bad)}" if bad else "")


def samples(*names: str, model: nn.Module | None = None) -> dict[str, photos.Sample]:
    """What `hc.photos.samples` gives, with the reader's photographs in place of the public ones where there are any.

    The title of a reader's photograph is the name of its file. It has no outline: a section that measures against one
    asks `hc.photos.samples`. Its label is the first guess of `model`, and so is that of a public photograph where the
    network chosen does not know ImageNet's classes.

    Args:
        names: those of the public samples; all without any.
        model: the network of this edition; without it such labels are None, of which an explainer makes the first
            guess, too.

    Returns:
        {name: Sample}: under the names asked for, so that a chapter finds what it asked for.

    Raises:
        ValueError: there is no sample of that name.
        PhotoError: no such folder, or fewer photographs in it than are asked for.
    """
    public = photos.samples(*names)
    if not (_toy() or os.environ.get("HOLICAM_PHOTOS")):
        if class_names(_wanted()) == class_names(DEFAULT):
            return public
        return {name: _asked(sample, model) for name, sample in public.items()}
    files, line = photographs(len(public))
    if len(files) < len(public):
        raise photos.PhotoError(f"{len(public)} photographs are wanted here; {line.removeprefix('photographs: ')}.")
    return {name: _yours(file, model) for name, file in zip(public, files, strict=True)}


def _wanted(default: str = DEFAULT) -> str:
    return os.environ.get("HOLICAM_MODEL") or default


def _guess(picture: Tensor, model: nn.Module | None) -> tuple[int, ...]:
    """The network's first guess as labels; none without a network."""
    if model is None:
        return ()
    try:
        _, images = photos.prepare(picture, model)
    except (ValueError, TypeError):  # it does not say how: then as the edition's network
        _, images = photos.prepare(picture, _wanted())
    with torch.no_grad():
        logits = class_logits(model(images.to(next(model.parameters()).device)), 1)
    return (int(logits.argmax()),)


def _toy() -> bool:
    """True where Toyland's images take the place of photographs."""
    wanted = os.environ.get("HOLICAM_PHOTOS")
    return wanted == "toyland" or (not wanted and os.environ.get("HOLICAM_MODEL", "").startswith("toy-"))


def _readable(file: Path) -> bool:
    try:
        photos.read_photo(file)
    except photos.PhotoError:
        return False
    return True


def _asked(sample: photos.Sample, model: nn.Module | None) -> Asked:
    told = {field.name: getattr(sample, field.name) for field in fields(sample)}
    return Asked(**{**told, "labels": _guess(sample.picture, model)})


def _yours(file: Path, model: nn.Module | None) -> Yours:
    picture = photos.read_photo(file)
    credit = "a drawing of Toyland" if _toy() else "a photograph of yours"
    told = dict.fromkeys(("outlined", "licence", "source", "terms", "where"), "")
    return Yours(file.stem, file.stem, picture, _guess(picture, model), outline=(), credit=credit, **told)


def _toyland(count: int) -> list[Path]:
    """Toyland scenes as PNG files, 1-fish.png, 2-car.png, ..."""
    batch = toyland.batch(count, split="test", subset="scene")
    return _saved({f"{i}-{name}": rgb for i, (name, rgb) in enumerate(zip(batch.names, batch.rgb, strict=True), 1)})


def _saved(pictures: dict[str, Tensor]) -> list[Path]:
    """{name: (H, W, 3) uint8} -> PNG files of these names."""
    from PIL import Image

    _kept.append(tempfile.TemporaryDirectory(prefix="holicam-"))
    files = []
    for name, rgb in pictures.items():
        files.append(Path(_kept[-1].name) / f"{name}.png")
        Image.fromarray(rgb.numpy()).save(files[-1])
    return files
