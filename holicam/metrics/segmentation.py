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

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.floats import is_constant, levelled, positive_part, rounding
from ..core.ops import at_least_float32
from .call import Boxes, run
from .energy import region_of
from .ranking import DEGENERATE, rank
from .table import metric


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One run: how well a map, read as a segmentation, agrees with the region.

    Each is (B,): accuracy, ap_hard, ap_soft, iou; outside_inside, infinite where the map has nothing inside, NaN where
    it is nowhere positive or the region is all; predicted, the share of pixels above the threshold; degenerate as in
    `ranking.Ranking`. All are NaN where the map is degenerate or the region empty. region: "masks" or "boxes".
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


@run
def segmentation_scores(
    maps: Tensor, *, masks: Tensor | None, boxes: Boxes | None, on_nan: str, threshold: str | float = "zero"
) -> Segmentation:
    """All five scores. It runs no network. Built in chapter 16.

    Args:
        maps: (B, H, W).
        masks: (B, H, W), bool or 0 and 1.
        boxes: where there are no masks: one (m, 4) per image, x0 y0 x1 y1 in pixels.
        on_nan: "raise" or "record" maps that are not finite.
        threshold: "zero", which calls every pixel of a CAM foreground that its ReLU left alone; "mean", each
            map's own; or a number.

    Returns:
        Five scores, all in 0..1 but outside_inside, which is 0 or more.

    Raises:
        ValueError: neither masks nor boxes, masks of another shape, a threshold that is none.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.tensor([[[2.0, 1.0], [0.0, 0.0]]])
        >>> masks = torch.tensor([[[True, False], [False, False]]])
        >>> run = hc.metrics.segmentation_scores(None, None, maps, masks=masks)
        >>> run.accuracy.item(), run.iou.item(), run.ap_soft.item()
        (0.75, 0.5, 1.0)
    """
    number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool) and not math.isnan(threshold)
    if threshold not in ("zero", "mean") and not number:
        raise ValueError(f"threshold must be 'zero', 'mean' or a number; got {threshold!r}")
    region, inside = region_of(maps, masks, boxes)
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    values, inside = levelled(at_least_float32(maps.detach())).flatten(1), inside.flatten(1)  # (B, N)
    above = values > _cut(values, threshold)
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


def _cut(values: Tensor, threshold: str | float) -> Tensor | float:
    """What values (B, N) must exceed: a number, or (B, 1)."""
    if threshold == "mean":
        return _mean(values)
    return threshold if isinstance(threshold, (int, float)) else 0


def _mean(values: Tensor) -> Tensor:
    """(B, 1); of a constant map its value, which a sum over its pixels would miss by some rounding."""
    return torch.where(is_constant(values, 1, True), values[:, :1], values.mean(1, keepdim=True))


def average_precision(values: Tensor, inside: Tensor) -> Tensor:
    """The mean, over the region's pixels, of the precision at their value. Built in chapter 16.

    Equal values are one threshold, as in scikit-learn.

    Args:
        values: (B, N).
        inside: (B, N) bool, the region.

    Returns:
        (B,) 0..1.

    Example:
        >>> import torch, holicam as hc
        >>> values, inside = torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[True, False, True]])
        >>> round(hc.metrics.average_precision(values, inside).item(), 4)
        0.8333
    """
    if inside.dtype != torch.bool:
        raise TypeError(f"inside must be a region of bools, such as mask == 1; got {inside.dtype}")
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


@metric("segmentation-accuracy", segmentation_scores, higher_is_better=True, protocols=("ucag",))
def segmentation_accuracy(run: Segmentation) -> Tensor:
    """(B,) the share of pixels that agree. Built in chapter 16."""
    return run.accuracy


@metric("map", segmentation_scores, higher_is_better=True, protocols=("ucag",))
def mean_average_precision(run: Segmentation) -> Tensor:
    """(B,) what papers print as mAP. Built in chapter 16."""
    return run.ap_hard


@metric("iou", segmentation_scores, higher_is_better=True)
def iou(run: Segmentation) -> Tensor:
    """(B,) overlap over union. Built in chapter 16."""
    return run.iou


@metric("outside-inside", segmentation_scores, higher_is_better=False)
def outside_inside(run: Segmentation) -> Tensor:
    """(B,) mean evidence outside over mean evidence inside, 0 at best. Built in chapter 16."""
    return run.outside_inside
