"""The pointing game: does the map's largest value lie on the object, or close to it?

    hit = 1 where some pixel of the region lies less than `tolerance` from the largest value

(Excitation Backprop, Zhang et al., IJCV 2018). The papers play it at the images' own size with a
tolerance of 15 pixels, once for every class in an image, take the share of hits in each class and
average over classes (`by_class`), again on a "difficult" subset (`difficult`). At fifteen pixels a
map without any thought, the centre of the image, hits 69.6 % on VOC07: read every number beside
that of `centre`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.floats import rounding
from ..core.ops import at_least_float32
from ..core.options import check_number
from .call import Boxes, run
from .energy import region_of
from .protocols import Protocol
from .ranking import Ids, rank
from .table import metric


@dataclass(frozen=True, eq=False)
class Pointing:
    """One run: whether the largest value of a map lies in the region, or how far from it.

    hit (B,) 1 or 0, NaN where the region is empty or the map not finite; distance (B,) in pixels from the point to the
    region, 0 inside; point (B, 2) its column and row; peaks (B,) how many pixels share the largest value, up to
    rounding; degenerate as in `ranking.Ranking`; region: "masks" or "boxes". A constant map points where the rule for
    ties says, and is recorded as degenerate.
    """

    hit: Tensor
    distance: Tensor
    point: Tensor
    peaks: Tensor
    degenerate: Tensor
    region: str


@run
def pointing_game(
    maps: Tensor,
    *,
    masks: Tensor | None,
    boxes: Boxes | None,
    ids: Ids,
    protocol: Protocol,
    on_nan: str,
    tolerance: float = 15,
) -> Pointing:
    """The pointing game. It runs no network. Built in chapter 16.

    Args:
        maps: (B, H, W); give images=None for maps that have been brought to the images' original size.
        masks: (B, H, W), bool or 0 and 1.
        boxes: where there are no masks: one (m, 4) per image, x0 y0 x1 y1 in pixels, whose union counts.
        ids: one per image, for the order among pixels that share the largest value.
        protocol: its rule for ties and its seed.
        on_nan: "raise" or "record" maps that are not finite.
        tolerance: in pixels of the maps; 0 asks for a point inside.

    Returns:
        Hit or miss, the point, and how far it lies from the region.

    Raises:
        ValueError: neither masks nor boxes, masks of another shape, boxes that are none, a negative tolerance.

    Example:
        >>> import torch, holicam as hc
        >>> masks = torch.zeros(1, 9, 9, dtype=torch.bool)
        >>> masks[:, :, 7:] = True
        >>> run = hc.metrics.pointing_game(None, None, hc.metrics.centre(masks), masks=masks, tolerance=2)
        >>> run.point.tolist(), run.distance.item(), run.hit.item()
        ([[4, 4]], 3.0, 0.0)
    """
    check_number("tolerance", tolerance)
    region, inside = region_of(maps, masks, boxes)
    values, width = at_least_float32(maps.detach()), maps.shape[-1]
    largest = values.amax((1, 2), True)
    # Enlarging repeats a value at the rim, but for rounding: which of its copies is larger says nothing.
    peak = values >= largest - rounding(values.dtype) * values.abs().amax((1, 2), True)
    ranking = rank(torch.where(peak, largest, values), ids=ids, tie=protocol.tie, seed=protocol.seed, on_nan=on_nan)
    first = ranking.ranks.flatten(1).argmin(1)  # (B,) the pixel of rank 0
    u, v = first % width, first // width
    rows, columns = (torch.arange(n, device=maps.device) for n in maps.shape[1:])
    squared = (rows[:, None] - v[:, None, None]) ** 2 + (columns - u[:, None, None]) ** 2
    far = maps.shape[1] ** 2 + maps.shape[2] ** 2
    nearest = torch.where(inside, squared, far).flatten(1).amin(1)  # (B,) squared, whole numbers
    unknown = ranking.broken | ~inside.flatten(1).any(1)
    hit = ((nearest == 0) | (nearest < tolerance**2)).to(values.dtype)
    return Pointing(
        hit=hit.masked_fill(unknown, torch.nan),
        distance=nearest.to(values.dtype).sqrt().masked_fill(unknown, torch.nan),
        point=torch.stack([u, v], 1),
        region=region,
        peaks=peak.sum((1, 2)),
        degenerate=ranking.degenerate,
    )


@metric("pointing-game", pointing_game, higher_is_better=True, protocols=("ucag",))
def pointing_hits(run: Pointing) -> Tensor:
    """(B,) 1 for a hit, 0 for a miss. Built in chapter 16."""
    return run.hit


def by_class(values: Tensor, classes: Tensor, count: int) -> Tensor:
    """The mean of the values of each class; the papers' number is `by_class(...).nanmean()`. Built in chapter 16.

    Args:
        values: (n,); NaN is left out.
        classes: (n,) in 0..count-1.
        count: of classes.

    Returns:
        (count,), NaN for a class without any value: classes that a subset lacks do not count.

    Example:
        >>> import torch, holicam as hc
        >>> hc.metrics.by_class(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0, 0, 2]), 3)
        tensor([0.5000,    nan, 1.0000])
    """
    for name, given in (("values", values), ("classes", classes)):
        if not isinstance(given, Tensor) or given.shape != (len(values),):
            raise ValueError(f"{name} must be a tensor of one number for each image; got {given!r}")
    if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < count:
        raise ValueError(
            f"classes must lie in 0..{count - 1}; got values from {int(classes.min())} to {int(classes.max())}"
        )
    known = ~values.isnan()
    zeros = at_least_float32(values).new_zeros(count)
    total = zeros.index_add(0, classes, torch.where(known, values, 0).to(zeros.dtype))
    return total / zeros.index_add(0, classes, known.to(zeros.dtype))


def difficult(class_masks: Tensor, target: Tensor) -> Tensor:
    """Whether a class covers less than a quarter of its image, where another class is too. Built in chapter 16.

    VOC and COCO come with lists of their own, which are the authority there.

    Args:
        class_masks: (B, K, H, W) bool, every class's region.
        target: (B,) the class in question.

    Returns:
        (B,) bool.

    Example:
        >>> import torch, holicam as hc
        >>> masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
        >>> masks[0, 0, 0, 0] = masks[0, 1, 2:] = True
        >>> [hc.metrics.difficult(masks, torch.tensor([k])).item() for k in (0, 1)]
        [True, False]
    """
    areas = class_masks.flatten(2).to(torch.float32).mean(2)  # (B, K)
    own = areas.gather(1, target[:, None])[:, 0]
    return (own < 0.25) & ((areas > 0).sum(1) > (own > 0).long())


def centre(maps: Tensor) -> Tensor:
    """Maps whose largest value is the image's middle: the control of the game. Built in chapter 16.

    Args:
        maps: (B, H, W), of which only the shape counts.

    Returns:
        (B, H, W), 1 in the middle and 0 elsewhere.

    Example:
        >>> import torch, holicam as hc
        >>> hc.metrics.centre(torch.zeros(1, 3, 3)).nonzero().tolist()
        [[0, 1, 1]]
    """
    if not isinstance(maps, Tensor) or maps.dim() != 3:
        raise ValueError(f"maps must be a tensor (B, H, W); got {maps!r}")
    height, width = maps.shape[1:]
    out = at_least_float32(maps).new_zeros(maps.shape)
    out[:, height // 2, width // 2] = 1
    return out
