"""What must hold of truth before it is used: labels that are classes, boxes and masks that fit their picture."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Protocol

import torch
from PIL.Image import Image
from torch import Tensor

from .boxes import are_shares

LARGEST = 2**27  # pixels of a picture or mask; a few bytes on the disk can claim any number


class Truth(Protocol):
    """What is looked at here of an `items.Raw`."""

    @property
    def image(self) -> Image: ...
    @property
    def targets(self) -> tuple[int, ...]: ...
    @property
    def boxes(self) -> Tensor | None: ...
    @property
    def box_targets(self) -> Tensor | None: ...
    @property
    def masks(self) -> Tensor | None: ...
    @property
    def difficult(self) -> tuple[bool, ...]: ...


def check_label(label: int, classes: int, place: str, error: type = ValueError) -> int:
    """The label, which must be one of 0 to classes - 1. Raises `error` that names the place."""
    if not 0 <= label < classes:
        hint = ": does the list count from 1?" if label == classes else ""
        raise error(f"{place}: label {label} is none of the classes, which are numbered 0 to {classes - 1}{hint}")
    return label


def check_size(size: tuple[object, object], picture: tuple[int, int], what: str) -> None:
    """Raise ValueError where something was made for a picture of another size; sizes are (width, height)."""
    if tuple(size) != tuple(picture):
        raise ValueError(f"{what} is for {size[0]} x {size[1]} pixels, the picture has {picture[0]} x {picture[1]}")


def check_raw(raw: Truth, classes: int) -> None:
    """Raise ValueError where a reader's truth does not fit its picture, or its classes the data set.

    Targets are different classes of the data set; there is one mask a target, of the picture's size,
    uint8 of 0, 1 and 255; boxes are finite, four numbers each, in pixels, each of a class. A box that is
    inverted or lies outside the picture is not looked at here: `finish` leaves it out and says so.
    """
    width, height = raw.image.size
    _check_kinds(raw)
    for target in raw.targets:
        if classes or target < 0:
            check_label(target, classes, "its annotation")
    if len(set(raw.targets)) != len(raw.targets) or len(raw.difficult) not in (0, len(raw.targets)):
        raise ValueError(
            f"it has the targets {raw.targets} and {len(raw.difficult)} flags: each target stands there "
            "once, with its flag"
        )
    if raw.masks is not None:
        if raw.masks.dim() != 3 or len(raw.masks) != len(raw.targets):
            raise ValueError(
                f"its masks have the shape {tuple(raw.masks.shape)}: there must be one for each of its "
                f"{len(raw.targets)} classes"
            )
        check_size((raw.masks.shape[2], raw.masks.shape[1]), (width, height), "its mask")
        if raw.masks.dtype != torch.uint8 or bool(((raw.masks > 1) & (raw.masks != 255)).any()):
            low, high = (raw.masks.min().item(), raw.masks.max().item()) if raw.masks.numel() else (0, 0)
            raise ValueError(
                "its masks must be uint8 of 1 inside, 0 outside and 255 not to be judged, or bool; got "
                f"{raw.masks.dtype} from {low:g} to {high:g}"
            )
    if raw.boxes is not None:
        if raw.boxes.dim() != 2 or raw.boxes.shape[1] != 4 or not bool(raw.boxes.isfinite().all()):
            raise ValueError("a box must be four finite numbers")
        if raw.box_targets is None and len(raw.boxes):
            raise ValueError(f"box_targets must name each box's class, as it has the targets {raw.targets}")
        if raw.box_targets is not None and raw.box_targets.shape != raw.boxes.shape[:1]:
            raise ValueError(f"it has {len(raw.boxes)} boxes of {len(raw.box_targets)} classes")
        for kind in set(() if raw.box_targets is None else raw.box_targets.tolist()):
            if (classes or kind < 0) and (raw.targets or kind != -1):
                check_label(kind, classes, "its box_targets")
        if max(width, height) > 1 and are_shares(raw.boxes):
            raise ValueError("its boxes run from 0 to 1: they must be in pixels of the picture")


def _check_kinds(raw: Truth) -> None:
    """Raise ValueError where a field holds another kind of thing than tensors and whole numbers."""
    if not are_whole(raw.targets):
        raise ValueError(f"targets must be a tuple of whole numbers, such as (3,); got {str(raw.targets)[:80]}")
    for name in ("boxes", "box_targets", "masks"):
        given: object = getattr(raw, name)
        if given is not None and not isinstance(given, Tensor):
            raise ValueError(f"{name} must be a torch.Tensor; got {type(given).__name__}")
    if raw.box_targets is not None and (raw.box_targets.is_floating_point() or raw.box_targets.dtype == torch.bool):
        raise ValueError(f"box_targets must hold whole numbers; got {raw.box_targets.dtype}")


def are_whole(values: object, most: float = math.inf) -> bool:
    """Whether these are whole numbers in a tuple or list, no more than `most` of them."""
    if not isinstance(values, (tuple, list)) or len(values) > most:
        return False
    return all(isinstance(one, Integral) and not isinstance(one, bool) for one in values)
