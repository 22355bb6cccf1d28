"""A verdict with its numbers: does a method's map need the network's weights?

The whole network is randomised with several seeds, and four similarities are taken:

    original   the trained map and a random network's, of the same image
    others     the trained map and a random network's, of different images: what is left when neither weights
               nor image agree, only habits of the method such as a bright middle
    null       two random networks' maps of the same image
    edges      a random network's map and Sobel's edges of its image

With the means of the first two,

    kept = (original - others) / (1 - others)

is 0 where a random network's map of the image is no better than one of another image, 1 where the weights do not
matter. A method passes where kept <= `LIMIT`. `null` cannot judge: an edge detector never reads the network, so
its `original` is 1 and its `null` too; its `kept` is 1. A map that is the same for everything has `others` of 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.edges import sobel
from ...core.guard import guarded
from ...core.ops import Target, one_of, resolve_target
from ...core.options import check_count
from ...models.preprocessing import IMAGENET, carried
from .cascade import Explain, check_asked, logits_of, maps_of
from .measures import degenerate
from .network_units import units
from .randomise import BN, kept, recalibrate, reinitialise
from .similarity import similarity

LIMIT = 1 / 3  # of the likeness above chance may survive; a choice, so every verdict shows its number
SAME = 0.95  # maps of different images and networks that are as alike as this are one map
SHARE = 0.95  # of the values of a band lie below its upper end


@dataclass(frozen=True)
class Band:
    """Similarities in three numbers: mean, and the 5th and 95th of a hundred; NaN where none is defined."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Verdict:
    """passed: None where too few maps are defined to say, or none of random networks. reasons: in words, for no pass.

    kept: as above, NaN where `others` leaves no room; error: its standard error over images. degenerate: share of
    the random networks' maps that are constant or not finite. sees: how much more alike random networks' maps are
    of one image than of two; near 0 they no longer show the image, and a method passes because the random network
    is blind, not because the method is honest. NaN: they show nothing at all.
    """

    passed: bool | None
    reasons: tuple[str, ...]
    measure: str
    bn: str
    kept: float
    error: float
    original: Band
    others: Band
    null: Band
    edges: Band
    sees: float
    degenerate: float

    def __str__(self) -> str:
        word = {True: "passes", False: "fails", None: "cannot be judged"}[self.passed]
        numbers = (
            f"{self.kept:.2f} ± {self.error:.2f} of the likeness is kept, original {self.original.mean:.2f}, "
            f"other images {self.others.mean:.2f}"
        )
        return "; ".join([f"{word} ({self.measure}): {numbers}", *self.reasons])

    @property
    def within_null(self) -> bool:
        """Whether `original` is no higher than two random networks' maps are to each other."""
        return self.original.mean <= self.null.high


@guarded
def verdict(
    explain: Explain,
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    measure: str = "spearman-abs",
    seeds: int = 4,
    bn: str = "reset",
) -> Verdict:
    """Pass or fail, and why.

    Costs seeds + 1 explanations. The model is as it was at the end. Built in chapter 18.

    Args:
        explain: called as explain(model, images, target=target), returns maps (B, H, W).
        model: changed in place, and as it was at the end.
        images: (B, 3, H, W), at least two.
        target: as for explainers; the class explained is that of the trained network.
        measure: of `MEASURES`.
        seeds: networks that are drawn, at least two.
        bn: with "reset" deep random networks hardly see their image (`Verdict.sees`); "recalibrate" is the
            harder test.

    Returns:
        The verdict with its numbers; printed, it is a sentence.

    Raises:
        ValueError: one image or one seed only, an option that is none.

    Example:
        >>> import functools, torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> model, images = model.eval(), torch.rand(2, 3, 12, 12)
        >>> hc.sanity.verdict(hc.SobelMap(), model, images).passed  # an edge detector never asks the network
        False
    """
    check_count("seeds", seeds, 2)
    one_of("bn", bn, BN)
    check_asked(explain, model, images)
    if len(images) < 2:
        raise ValueError("a verdict compares maps of different images: give at least two")
    chosen = resolve_target(logits_of(model, images), target)
    steps = units(model, images)
    trained_maps = maps_of(explain, model, images, chosen)
    edges = sobel(images, (carried(model) or IMAGENET).std)
    drawn = []
    with kept(model):
        for seed in range(seeds):
            for unit in steps:
                reinitialise(model, unit, seed, bn)
            if bn == "recalibrate":
                recalibrate(model, steps, images)
            drawn.append(maps_of(explain, model, images, chosen))
    return _judge(trained_maps, drawn, edges, measure, bn)


def _judge(trained: Tensor, drawn: list[Tensor], edges: Tensor, measure: str, bn: str) -> Verdict:
    def alike(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.stack([similarity(measure, a, b) for a, b in pairs])  # (pairs, B)

    rolls = range(1, min(len(trained), 4))  # image i beside image i - 1, i - 2, i - 3
    couples = list(itertools.combinations(drawn, 2))
    original = alike((trained, r) for r in drawn)
    others = alike((trained, r.roll(k, 0)) for r in drawn for k in rolls)
    null = _band(alike(couples))
    across = _band(alike((a, b.roll(k, 0)) for a, b in couples for k in rolls))
    chance = float(others.nanmean())
    each = original.nanmean(0) - others.nanmean(0)  # (B,)
    each = each[~each.isnan()]
    room = 1 - chance if chance <= SAME else float("nan")
    share = float(original.nanmean() - chance) / room
    error = float(each.std() / len(each) ** 0.5) / room if len(each) > 1 else float("nan")
    sees = null.mean - across.mean
    reasons = []
    if not len(each):
        reasons.append("too few maps are defined")
    elif math.isnan(sees):
        reasons.append("random networks see nothing: hardly one of their maps is defined")
    elif chance > SAME:
        reasons.append("the maps are the same for all images and networks")
    elif share > LIMIT:
        reasons.append("without the weights the maps still show the image")
    return Verdict(
        None if math.isnan(sees) or not len(each) else not reasons,
        tuple(reasons),
        measure,
        bn,
        share,
        error,
        _band(original),
        _band(others),
        null,
        _band(alike((r, edges) for r in drawn)),
        sees,
        float(torch.stack([degenerate(r) for r in drawn]).float().mean()),
    )


def _band(values: Tensor) -> Band:
    known = values[~values.isnan()]
    if not len(known):
        return Band(*(float("nan"),) * 3, 0)
    low, high = known.quantile(known.new_tensor([1 - SHARE, SHARE])).tolist()
    return Band(float(known.mean()), low, high, len(known))
