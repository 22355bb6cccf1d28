"""A map read as a segmentation: accuracy, average precision, IoU, and outside against inside.

With y the object's mask, yhat = (M > threshold) and a the share of pixels where both agree,

    segmentation-accuracy   a
    map                     a**2 + (1 - a) / 2
    iou                     |yhat and y| / |yhat or y|
    outside-inside          mean of M+ outside y / mean of M+ inside y, lower is better

The second is what papers print as mAP: the average precision of the *binary* maps of background
and foreground, 2 H W answers of which H W are right. With one threshold that can pass, precision
and recall are both a, and 1/2 and 1 below it: mAP says nothing that a does not. `ap_soft` is the
average precision of the map itself, without a threshold. UCAG, table 4, with the protocol of
Gur et al. (AAAI 2021); outside-inside: Lapuschkin et al. (CVPR 2016) turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.floats import is_constant, levelled, positive_part, rounding
from ..core.guard import guarded
from ..core.ops import Target, at_least_float32
from .energy import region_of
from .protocols import Protocol
from .ranking import DEGENERATE, Ids, check_maps, rank


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One run, each (B,): accuracy, ap_hard, ap_soft, iou; outside_inside, infinite where the map
    has nothing inside, NaN where it is nowhere positive or the region is all; predicted, the share
    of pixels above the threshold; degenerate as in `ranking.Ranking`. All are NaN where the map is
    degenerate or the region empty. region: "masks" or "boxes".
    """

    accuracy: Tensor
    ap_hard: Tensor
    ap_soft: Tensor
    iou: Tensor
    outside_inside: Tensor
    predicted: Tensor
    degenerate: Tensor
    region: str

    @property
    def bounded(self) -> Tensor:
        """(B,) mu / (1 + mu) for the ratio mu, in 0..1: an infinite ratio is 1."""
        return 1 - 1 / (1 + self.outside_inside)


@guarded
def segmentation_scores(
    model: nn.Module | None,
    images: Tensor | None,
    maps: Tensor,
    target: Target = None,
    *,
    masks: Tensor | None = None,
    boxes: Sequence[Tensor] | Tensor | None = None,
    recipes: object = None,
    explain: object = None,
    ids: Ids = None,
    protocol: str | Protocol = "holistic-cam",
    threshold: str | float = "zero",
    chunk: object = None,
    on_nan: str = "raise",
) -> Segmentation:
    """All five scores. It runs no network.

    Args:
        images: (B, 3, H, W), only checked against the maps; None is allowed.
        maps: (B, H, W).
        masks: (B, H, W), bool or 0 and 1; boxes, where there are no masks.
        threshold: "zero", which calls every pixel of a CAM foreground that its ReLU left alone;
            "mean", each map's own; or a number.
        on_nan: "raise" or "record" maps that are not finite.
        model, target, recipes, explain, ids, protocol, chunk: not used; every metric takes them.

    Raises ValueError, TypeError. Built in chapter 16.
    """
    number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not number and threshold not in ("zero", "mean"):
        raise ValueError(f"threshold must be 'zero', 'mean' or a number; got {threshold!r}")
    check_maps(maps, images)
    region, inside = region_of(maps, masks, boxes)
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    values, inside = levelled(at_least_float32(maps.detach())).flatten(1), inside.flatten(1)  # (B, N)
    cut = _mean(values) if threshold == "mean" else threshold if number else 0
    above = values > cut
    unknown = (degenerate != DEGENERATE.index("none")) | ~inside.any(1)

    def known(score: Tensor) -> Tensor:
        return score.masked_fill(unknown, torch.nan)

    accuracy = (above == inside).to(values.dtype).mean(1)
    both, either = (above & inside).sum(1), (above | inside).sum(1)
    return Segmentation(
        accuracy=known(accuracy),
        ap_hard=known(accuracy**2 + (1 - accuracy) / 2),
        ap_soft=known(average_precision(values, inside)),
        iou=known(both.to(values.dtype) / either),
        outside_inside=known(_ratio(values, inside)),
        predicted=above.to(values.dtype).mean(1),
        degenerate=degenerate,
        region=region,
    )


def _mean(values: Tensor) -> Tensor:
    """(B, 1); of a constant map its value, which a sum over its pixels would miss by some rounding."""
    return torch.where(is_constant(values, 1, True), values[:, :1], values.mean(1, keepdim=True))


def average_precision(values: Tensor, inside: Tensor) -> Tensor:
    """(B,): the mean, over the region's pixels, of the precision at their value.

    Equal values are one threshold, as in scikit-learn. Args: values (B, N), inside (B, N) bool. Built in chapter 16.
    """
    values, order = values.sort(dim=1, descending=True)
    right = inside.gather(1, order)
    place = torch.arange(values.shape[1], device=values.device)
    last = torch.ones_like(right)
    last[:, :-1] = values[:, 1:] != values[:, :-1]  # the last of its equals
    end = torch.where(last, place, values.shape[1]).flip(1).cummin(1)[0].flip(1)
    found = right.cumsum(1).gather(1, end).to(values.dtype)  # inside at this value or above
    return (right * found / (end + 1)).sum(1) / right.sum(1)


def _ratio(values: Tensor, inside: Tensor) -> Tensor:
    """(B,) mean of the positive part outside over inside; x / 0 is infinite, 0 / 0 NaN."""
    energy = positive_part(values, 1)
    within, without = (energy * inside).sum(1), (energy * ~inside).sum(1)
    nothing = (energy * inside).amax(1) <= rounding(values.dtype) * energy.amax(1)
    within = within.masked_fill(nothing, 0)
    return (without / (~inside).sum(1)) / (within / inside.sum(1))


def segmentation_accuracy(
    model: nn.Module | None, images: Tensor | None, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) the share of pixels that agree, higher is better: `segmentation_scores`.accuracy. Built in chapter 16."""
    return segmentation_scores(model, images, maps, target, **options).accuracy


def mean_average_precision(
    model: nn.Module | None, images: Tensor | None, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) what papers print as mAP, higher is better: `segmentation_scores`.ap_hard. Built in chapter 16."""
    return segmentation_scores(model, images, maps, target, **options).ap_hard


def iou(
    model: nn.Module | None, images: Tensor | None, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) overlap over union, higher is better: `segmentation_scores`.iou. Built in chapter 16."""
    return segmentation_scores(model, images, maps, target, **options).iou


def outside_inside(
    model: nn.Module | None, images: Tensor | None, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) outside over inside, lower is better: `segmentation_scores`.outside_inside. Built in chapter 16."""
    return segmentation_scores(model, images, maps, target, **options).outside_inside
