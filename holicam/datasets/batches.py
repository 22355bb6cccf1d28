"""From items to batches: rows a network takes, and beside them what was skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from .boxes import enclosed
from .items import Dataset, Item, Skipped


@dataclass(frozen=True, eq=False)
class Batch:
    """B rows and what could not be read.

    images (B, 3, H, W) · target (B,) int64, -1 where a file has no label · targets: all classes of
    each image · boxes: per row (m, 4), those of its target (of any class without one) · masks
    (B, H, W) bool, where the target is; a row without a mask has there what its boxes enclose, which
    may be nothing; None where no row has a mask · unjudged (B, H, W) bool, pixels left open by the
    annotators, or None as masks · difficult (B,) bool · ids, recipes, notes:
    one a row · skipped: items that could not be read.
    """

    images: Tensor
    target: Tensor
    targets: list[tuple[int, ...]]
    boxes: list[Tensor]
    masks: Tensor | None
    unjudged: Tensor | None
    difficult: Tensor
    ids: list[str]
    recipes: list[object]
    notes: list[tuple[str, ...]]
    skipped: list[Skipped]

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: str | torch.device) -> Batch:
        """The same batch with its tensors there."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: value.to(device) for name, value in held.items() if isinstance(value, Tensor)}
        return replace(self, boxes=[b.to(device) for b in self.boxes], **moved)


def collate(items: Iterable[Item | Skipped], *, pairs: bool = False) -> Batch:
    """Items -> Batch; those skipped are listed apart.

    pairs: one row for each image and class, named id#class, as pointing games count, and an image without a class is
    listed as skipped; else one row an image, for its first target.

    Raises ValueError where images differ in size: presets that keep the aspect go one at a time.
    """
    items = list(items)
    rows = [
        (item, target)
        for item in items
        if isinstance(item, Item)
        for target in (item.targets if pairs else (*item.targets, -1)[:1])
    ]
    sizes = {tuple(item.image.shape[-2:]) for item, _ in rows}
    if len(sizes) > 1:
        raise ValueError(
            f"images of {sorted(sizes)} cannot share a batch: batch one image at a time, or choose a preset of one size"
        )
    masked = any(item.masks is not None and t >= 0 for item, t in rows)  # of one row: the others keep theirs
    chosen = [item.box_targets == t if t >= 0 else item.box_targets == item.box_targets for item, t in rows]
    boxes = [item.boxes.as_subclass(Tensor)[mine] for (item, _), mine in zip(rows, chosen, strict=True)]
    return Batch(
        images=torch.stack([item.image for item, _ in rows]) if rows else torch.zeros(0, 3, 0, 0),
        target=torch.tensor([t for _, t in rows], dtype=torch.long),
        targets=[item.targets for item, _ in rows],
        boxes=boxes,
        masks=torch.stack([_inside(*row, own) for row, own in zip(rows, boxes, strict=True)]) if masked else None,
        unjudged=torch.stack([_unjudged(item, t) for item, t in rows]) if masked else None,
        difficult=torch.tensor(
            [t >= 0 and item.difficult[item.targets.index(t)] for item, t in rows], dtype=torch.bool
        ),
        ids=[f"{item.id}#{t}" if pairs else item.id for item, t in rows],
        recipes=[item.recipe for item, _ in rows],
        notes=[item.notes for item, _ in rows],
        skipped=[
            item if isinstance(item, Skipped) else Skipped(item.id, "has no class, so it makes no pair")
            for item in items
            if isinstance(item, Skipped) or (pairs and not item.targets)
        ],
    )


def _inside(item: Item, target: int, boxes: Tensor) -> Tensor:
    """The mask of a row, else what its boxes enclose, else nothing."""
    mask = item.region(target) if item.masks is not None else None
    return enclosed(boxes, *item.image.shape[-2:]) if mask is None else mask


def _unjudged(item: Item, target: int) -> Tensor:
    found = item.unjudged(target)
    return torch.zeros(item.image.shape[-2:], dtype=torch.bool) if found is None else found


def collate_pairs(items: Iterable[Item | Skipped]) -> Batch:
    """`collate` with one row for each image and class."""
    return collate(items, pairs=True)


def batches(dataset: Dataset, size: int = 32, *, pairs: bool = False, workers: int = 0) -> Iterator[Batch]:
    """The whole data set in order, `size` images a batch, nothing dropped; `workers` processes read ahead."""
    loader = torch.utils.data.DataLoader(
        dataset,
        size,
        num_workers=workers,
        pin_memory=False,
        collate_fn=collate_pairs if pairs else collate,
        generator=torch.Generator(),  # it draws a number for each worker, which must not be the caller's next
    )
    return iter(loader)
