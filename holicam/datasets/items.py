"""What a data set gives: items, one an image, all of the same kind whatever lies on the disk.

A data set is a list of ids and a reader; the reader finds what belongs to an id, the preset turns
image, boxes and masks by one transform into what a network sees. A picture that cannot be read is
handed out as a `Skipped` with the reason, so that a long run records it and goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import ParseError

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision import tv_tensors

from .presets import Preset, apply


class MissingDataError(FileNotFoundError):
    """A data set is not there, or not whole: what was looked for, where, and how to get it."""


class UnreadableError(ValueError):
    """One item cannot be read; the message says why."""


@dataclass(frozen=True, eq=False)
class Raw:
    """What a reader finds: the image, and truth in its pixels.

    image: RGB. targets: classes in the image, its label first. boxes (n, 4) x0 y0 x1 y1, half open:
    a box of one pixel is one wide. box_targets (n,): the class of each. masks (t, H, W) uint8, one
    for each target: 1 inside, 0 outside, 255 not to be judged. difficult: one bool for each target.
    """

    image: Image
    targets: tuple[int, ...] = ()
    boxes: Tensor | None = None
    box_targets: Tensor | None = None
    masks: Tensor | None = None
    difficult: tuple[bool, ...] = ()
    recipe: object = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Item:
    """One image as the network sees it, with its truth in the same pixels.

    image (3, H, W) float32, normalised. targets, boxes, box_targets, masks, difficult, recipe: as in
    `Raw`, after the transform; boxes that it cut away are gone. size: (H, W) of the file. notes:
    what was odd about it.
    """

    image: Tensor
    targets: tuple[int, ...]
    boxes: tv_tensors.BoundingBoxes
    box_targets: Tensor
    masks: tv_tensors.Mask | None
    id: str
    size: tuple[int, int]
    difficult: tuple[bool, ...] = ()
    recipe: object = None
    notes: tuple[str, ...] = ()

    def region(self, target: int) -> Tensor | None:
        """(H, W) bool, where the class is: its mask, else all of its boxes, from floor(x0) up to
        and without ceil(x1); None where neither is known."""
        if self.masks is not None:
            return self.masks[self.targets.index(target)].as_subclass(Tensor) == 1
        own = self.boxes.as_subclass(Tensor)[self.box_targets == target]
        if not len(own):
            return None
        inside = torch.zeros(self.image.shape[-2:], dtype=torch.bool)
        for x0, y0, x1, y1 in torch.cat([own[:, :2].floor(), own[:, 2:].ceil()], 1).long().tolist():
            inside[y0:y1, x0:x1] = True
        return inside

    def unjudged(self, target: int) -> Tensor | None:
        """(H, W) bool, pixels that the annotators left open; None where there are no masks."""
        if self.masks is None:
            return None
        return self.masks[self.targets.index(target)].as_subclass(Tensor) == 255


@dataclass(frozen=True)
class Skipped:
    """An item that could not be read, and why. It keeps its place in the data set."""

    id: str
    reason: str


Reader = Callable[[str], Raw]
# What broken files raise: Pillow's kinds, our own, XML, HDF5 and arrays of a wrong shape.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, ParseError, KeyError, IndexError, TypeError)


@dataclass(frozen=True, eq=False)
class Dataset(torch.utils.data.Dataset):
    """A list of images with their truth; `dataset[i]` is an `Item`, or `Skipped` with the reason.

    classes: their names, in the order of the targets. ids: one name an image, unique. read: finds
    what belongs to an id. preset: how images become what the network sees.
    """

    name: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    read: Reader
    preset: Preset

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Item | Skipped:
        name = self.ids[index]
        try:
            return finish(name, self.read(name), self.preset)
        except BROKEN as error:
            said = str(error) or type(error).__name__
            return Skipped(name, said if isinstance(error, UnreadableError) else f"{name} cannot be read ({said})")

    def __iter__(self) -> Iterator[Item | Skipped]:
        return (self[i] for i in range(len(self)))

    def select(self, ids: Sequence[str]) -> Dataset:
        """The same data set with these images only, in this order. Raises KeyError for others."""
        unknown = sorted(set(ids) - set(self.ids))
        if unknown:
            raise KeyError(f"{self.name} has no image {unknown[0]!r} ({len(unknown)} such names)")
        return replace(self, ids=tuple(ids))

    def sample(self, n: int, seed: int = 0) -> Dataset:
        """`n` images that follow from the ids and the seed alone, in the data set's order."""
        if not 1 <= n <= len(self):
            raise ValueError(f"{self.name} has {len(self)} images: n must lie in 1..{len(self)}, got {n}")
        def drawn(i):
            return hashlib.sha256(f"{seed}/{self.ids[i]}".encode()).digest()
        chosen = sorted(sorted(range(len(self)), key=drawn)[:n])
        return replace(self, ids=tuple(self.ids[i] for i in chosen))

    @property
    def split_hash(self) -> str:
        """Twelve hex digits of the list of ids, for result rows."""
        return hashlib.sha256("\n".join(self.ids).encode()).hexdigest()[:12]


def finish(name: str, raw: Raw, preset: Preset) -> Item:
    """Raw -> Item: image, boxes and masks through the preset's one transform."""
    width, height = raw.image.size
    boxes = torch.zeros(0, 4) if raw.boxes is None else raw.boxes.float().reshape(-1, 4)
    kinds = torch.zeros(len(boxes), dtype=torch.long) if raw.box_targets is None else raw.box_targets
    image, boxes, masks = apply(preset, raw.image, boxes, raw.masks)
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    notes = raw.notes
    if not bool(kept.all()):
        notes += (f"{int((~kept).sum())} of {len(kept)} boxes lie outside the picture",)
    boxes = tv_tensors.BoundingBoxes(boxes[kept], format="XYXY", canvas_size=tuple(image.shape[-2:]))
    return Item(image, raw.targets, boxes, kinds[kept], masks, name, (height, width),
                raw.difficult or (False,) * len(raw.targets), raw.recipe, notes)
