"""A verdict with its numbers: does a method's map need the network's weights?

The whole network is randomised with several seeds, and four similarities are taken:

    original   the trained map and a random network's, of the same image
    null       two random networks' maps of the same image
    others     the trained map and a random network's, of different images: what is left when neither weights
               nor image agree, only habits of the method such as a bright middle
    edges      a random network's map and Sobel's edges of its image

A method passes where `original`, on average, is no higher than 95 % of the values of `others`, and below `SAME`.
`null` alone cannot judge: an edge detector never reads the network, so its `original` is 1 and its `null` too. Of
`others` it is not, so the edge detector fails; a bright middle on every image fails by `SAME`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..controls import SobelMap
from ..ops import Target, one_of, resolve_target
from ..settings import check_count
from .alike import degenerate, similarity
from .cascade import Explain, logits_of, maps_of
from .weights import BN, kept, recalibrate, reinitialise, units

SHARE = 0.95  # of the values of a band lie below its upper end
SAME = 0.9  # from here on the maps are taken to be what they were


@dataclass(frozen=True)
class Band:
    """Similarities in three numbers: mean, and the 5th and 95th of a hundred; NaN where none is defined."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Verdict:
    """passed: None where too few maps are defined to say. reasons: what it failed by, in words.

    degenerate: share of the random networks' maps that are constant or not finite. sees: how much more alike
    random networks' maps are of one image than of two; near 0 they no longer show the image, and a method
    passes because the random network is blind, not because the method is honest.
    """

    passed: bool | None
    reasons: tuple[str, ...]
    measure: str
    bn: str
    original: Band
    null: Band
    others: Band
    edges: Band
    sees: float
    degenerate: float

    def __str__(self) -> str:
        word = {True: "passes", False: "fails", None: "cannot be judged"}[self.passed]
        return (f"{word} ({self.measure}): original {self.original.mean:.2f}, other images up to "
                f"{self.others.high:.2f}, null up to {self.null.high:.2f}" + "".join(f"; {r}" for r in self.reasons))

    @property
    def within_null(self) -> bool:
        """Whether `original` is no higher than two random networks' maps are to each other."""
        return self.original.mean <= self.null.high


def verdict(explain: Explain, model: nn.Module, images: Tensor, target: Target = None, *,
            measure: str = "spearman-abs", seeds: int = 4, bn: str = "reset") -> Verdict:
    """Pass or fail, and why.

    Args: as for `randomise`. images: at least two. seeds: networks that are drawn, at least two. The class
    explained is that of the trained network. bn: with "reset" deep random networks hardly see their image
    (`Verdict.sees`); "recalibrate" is the harder test.

    Costs seeds + 1 explanations. The model is as it was at the end. Raises ValueError. Built in chapter 18.
    """
    check_count("seeds", seeds, 2)
    one_of("bn", bn, BN)
    if len(images) < 2:
        raise ValueError("a verdict compares maps of different images: give at least two")
    chosen = resolve_target(logits_of(model, images), target)
    steps = units(model, images)
    trained_maps = maps_of(explain, model, images, chosen)
    edges = maps_of(SobelMap(), model, images, chosen)
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
    def band(pairs: Iterable[tuple[Tensor, Tensor]]) -> Band:
        return _band(torch.cat([similarity(measure, a, b) for a, b in pairs]))

    rolls = range(1, min(len(trained), 4))  # image i beside image i - 1, i - 2, i - 3
    couples = list(itertools.combinations(drawn, 2))
    original, null = band((trained, r) for r in drawn), band(couples)
    others = band((trained, r.roll(k, 0)) for r in drawn for k in rolls)
    across = band((a, b.roll(k, 0)) for a, b in couples for k in rolls)
    broken = float(torch.stack([degenerate(r) for r in drawn]).float().mean())
    reasons = []
    if original.mean > SAME:
        reasons.append("the maps stay what they were")
    if original.mean > others.high + 1e-6:  # up to rounding
        reasons.append("without the weights the maps still show the image")
    judged = original.count > 0 and null.count > 0 and others.count > 0
    return Verdict(not reasons if judged else None, tuple(reasons), measure, bn, original, null, others,
                   band((r, edges) for r in drawn), null.mean - across.mean, broken)


def _band(values: Tensor) -> Band:
    known = values[~values.isnan()]
    if not len(known):
        return Band(*(float("nan"),) * 3, 0)
    low, high = known.quantile(known.new_tensor([1 - SHARE, SHARE])).tolist()
    return Band(float(known.mean()), low, high, len(known))
