"""What a data set gives: items, one an image, all of the same kind whatever lies on the disk.

A data set is a list of ids and a reader; the reader finds what belongs to an id, the preset turns
image, boxes and masks by one transform into what a network sees. An item that cannot be read, or
whose truth does not fit its picture, is handed out as a `Skipped` with file and reason, so that a
long run records it and goes on. What is wrong with a whole data set is said when it is loaded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torchvision import tv_tensors

from ..models.preprocessing import Preprocessing, preprocessing
from .boxes import enclosed, with_area
from .checks import are_whole, check_raw
from .presets import Preset, apply


class MissingDataError(FileNotFoundError):
    """A data set is not there, or not whole: what was looked for, where, and how to get it."""


class WrongDataError(MissingDataError, ValueError):
    """A data set's list or table says what cannot be: file and line, and what would be right."""


class UnreadableError(ValueError):
    """One item cannot be read; the message names the file and says why."""


@dataclass(frozen=True, eq=False)
class Raw:
    """What a reader finds: the image, and truth in its pixels.

    image: RGB. targets: classes in the image, its label first. boxes (n, 4) x0 y0 x1 y1, half open:
    a box of one pixel is one wide. box_targets (n,): the class of each, needed where there are several
    targets; boxes of an image without targets are of no class, -1. masks (t, H, W) uint8 or bool, one
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

    def __post_init__(self) -> None:
        """Fill in what can only be meant; `check_raw` says what is wrong, so that one item is skipped for it."""
        if isinstance(self.masks, Tensor) and self.masks.dtype == torch.bool:
            object.__setattr__(self, "masks", self.masks.byte())
        if isinstance(self.boxes, Tensor) and self.box_targets is None and are_whole(self.targets, most=1):
            only = int(self.targets[0]) if self.targets else -1
            object.__setattr__(self, "box_targets", torch.full(self.boxes.shape[:1], only))


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
        """(H, W) bool, where the class is; None where that is not known.

        Its mask, else all of its boxes, from floor(x0) up to and without ceil(x1).
        """
        if self.masks is not None:
            return self.masks[self.targets.index(target)].as_subclass(Tensor) == 1 if target in self.targets else None
        own = self.boxes.as_subclass(Tensor)[self.box_targets == target]
        return enclosed(own, *self.image.shape[-2:]) if len(own) else None

    def unjudged(self, target: int) -> Tensor | None:
        """(H, W) bool, pixels that the annotators left open; None where there is no mask of the class."""
        if self.masks is None or target not in self.targets:
            return None
        return self.masks[self.targets.index(target)].as_subclass(Tensor) == 255


@dataclass(frozen=True)
class Skipped:
    """An item that could not be read, and why. It keeps its place in the data set."""

    id: str
    reason: str


Reader = Callable[[str], Raw]
NOT_ITS_FAULT = (MemoryError, ImportError)  # no item is to blame for these, so they are raised


@dataclass(frozen=True, eq=False)
class Dataset(torch.utils.data.Dataset):
    """A list of images with their truth; `dataset[i]` is an `Item`, or `Skipped` with the reason.

    classes: their names, in the order of the targets. ids: one name an image, unique, else ValueError.
    read: finds what belongs to an id; with a method `place(id)` it tells which file a reason must
    name, and with `places(id)` all files where there are several. preset: how images become what
    the network sees; `for_network` adapts it.

    Whatever a reader raises makes its item a `Skipped`, and so does truth that does not fit: a target
    that is no class, a mask of another size than the picture, boxes that are not finite or run from
    0 to 1. Boxes that are inverted or lie outside the picture are left out, with a note. Only
    MemoryError and ImportError are raised.
    """

    name: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    read: Reader
    preset: Preset

    def __post_init__(self) -> None:
        for name in self.ids:
            try:
                name.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{self.name} has a file whose name is not UTF-8, {name!r}: rename it") from None
        if len(set(self.ids)) < len(self.ids):
            twice = next(name for name, count in Counter(self.ids).items() if count > 1)
            raise ValueError(f"{self.name} has the image {twice!r} twice: every image must have a name of its own")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Item | Skipped:
        if isinstance(index, slice):
            raise TypeError(
                f"{self.name} gives one item by its number: for several use select(ids), such as data.ids[:2]"
            )
        name = self.ids[index]
        self.preset.check()
        try:
            raw = self.read(name)
            check_raw(raw, len(self.classes))
            return finish(name, raw, self.preset)
        except UnreadableError as error:
            return Skipped(name, _sentence(str(error)))
        except NOT_ITS_FAULT:
            raise
        except (Exception, SystemExit) as error:  # a run of days must not end at one image
            kind = "" if isinstance(error, ValueError) and str(error) else type(error).__name__
            said = ": ".join(filter(None, [kind, str(error)]))
            return Skipped(name, _sentence(f"{self._place(name)} cannot be used: {said}"))

    def _place(self, name: str) -> object:
        """The file of an item where the reader knows it, else its name."""
        try:
            return self.read.place(name)  # type: ignore[attr-defined]  # a reader need not have it
        except Exception:  # what went wrong is being told already
            return name

    def __iter__(self) -> Iterator[Item | Skipped]:
        return (self[i] for i in range(len(self)))

    def for_network(self, network: str | nn.Module | Preprocessing) -> Dataset:
        """The same images as a network wants them: with its mean and deviation, see `presets`.

        Raises ValueError and TypeError as `models.preprocessing`.
        """
        return replace(self, preset=self.preset.for_network(preprocessing(network)))

    def select(self, ids: Iterable[str]) -> Dataset:
        """The same data set with these images only, in this order. Raises KeyError for others, TypeError for a str."""
        if isinstance(ids, str):
            raise TypeError(f"ids must be a list of names; got {ids!r}")
        ids = tuple(ids)
        unknown = sorted(set(ids) - set(self.ids))
        if unknown:
            raise KeyError(f"{self.name} has no image {unknown[0]!r} ({len(unknown)} such names)")
        return replace(self, ids=ids)

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
    real = with_area(boxes)
    image, boxes, masks = apply(preset, raw.image, boxes, raw.masks)
    kept, notes = with_area(boxes), raw.notes
    if empty := int((~real).sum()):
        notes += (f"{empty} of {len(real)} boxes are inverted or empty",)
    if lost := int((real & ~kept).sum()):
        notes += (f"{lost} of {len(real)} boxes lie outside the picture",)
    boxes = tv_tensors.BoundingBoxes(boxes[kept], format="XYXY", canvas_size=tuple(image.shape[-2:]))
    return Item(
        image,
        raw.targets,
        boxes,
        kinds[kept],
        masks,
        name,
        (height, width),
        raw.difficult or (False,) * len(raw.targets),
        raw.recipe,
        notes,
    )


def _sentence(text: str, longest: int = 500) -> str:
    """One line of bounded length: a reason stands in every row of its image."""
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[:longest]}…"
