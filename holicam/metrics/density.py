"""Map density: how much score a map keeps per unit of area, and how much its complement does.

With M in [0, 1] the stretched map, mean(M) its mean over the H W pixels and f the class score,

    density+   f(x M) / mean(M)               high: little area carries the score
    density-   f(x (1 - M)) / mean(1 - M)     low: what the map leaves out carries none

CAMERAS (Jalwana et al., CVPR 2021) and UCAG. UCAG prints the sum of M times H W in the
denominator's place; only the mean gives the sizes of its table. Both change when the map is
stretched otherwise, and density+ has no upper bound: a map of one pixel divides by almost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.batched import check_chunk, stream
from ..core.capture import check_call
from ..core.floats import rounding
from ..core.guard import guarded
from ..core.hardware import moved
from ..core.ops import Target, one_of
from .drop import unknown_maps, weights_of
from .protocols import Protocol, check_target, protocol_of
from .ranking import Ids

FLOOR = 1e-3  # of the mean in the denominator
SIDES = ("positive", "negative")


@dataclass(frozen=True, eq=False)
class Density:
    """One run, each (B,), None for a side that was not run: the two densities, NaN where the map is
    degenerate or the denominator 0; kept and left, their numerators; area, the mean of M; clamped
    (B,) bool, a denominator was lifted to 1e-3; target as resolved; degenerate as in `Ranking`.
    """

    positive: Tensor | None
    negative: Tensor | None
    kept: Tensor | None
    left: Tensor | None
    area: Tensor
    clamped: Tensor
    target: Tensor | Callable[[Tensor], Tensor]
    degenerate: Tensor


@guarded
def map_density(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target = None,
    *,
    masks: object = None,
    boxes: object = None,
    recipes: object = None,
    explain: object = None,
    ids: Ids = None,
    protocol: str | Protocol = "holistic-cam",
    sides: Sequence[str] = SIDES,
    stretch: str = "minmax",
    chunk: int = 64,
    on_nan: str = "raise",
) -> Density:
    """Both densities, or one. One forward an image and side, and one more where target is None.

    Args:
        images: (B, 3, H, W), normalised; maps: (B, H, W), any sign and scale.
        target: None (top-1 of each image), a class, one per image, or a callable.
        protocol: only its score and target are used. sides: "positive", "negative" or both.
        stretch: "minmax" stretches each map to [0, 1]; "none" takes maps that lie there.
        chunk: the largest model batch. on_nan: "raise" or "record" maps that are not finite.
        masks, boxes, recipes, explain, ids: not used; every metric takes them.

    Raises ValueError, TypeError, UnknownProtocolError. Built in chapter 17.
    """
    protocol = protocol_of(protocol)
    sides = (sides,) if isinstance(sides, str) else tuple(sides)
    for side in sides or (None,):
        one_of("sides", side, SIDES)
    check_chunk(chunk)
    check_call(model, images)
    weights, degenerate = weights_of(maps, images, stretch, on_nan)
    check_target(protocol, target)
    size = len(images)
    flip = moved(torch.tensor([side == "negative" for side in sides]), maps.device)

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        owner = numbers % size
        kept = weights[owner]
        kept = torch.where(flip[numbers // size][:, None, None], 1 - kept, kept)
        return (images[owner] * kept[:, None]).to(images.dtype), owner

    target, _, scores = stream(
        model, images, build, len(sides) * size, target, score=protocol.score, chunk=chunk, clean=target is None
    )
    scores = dict(zip(sides, scores.view(len(sides), size), strict=True))
    area, unknown = weights.mean((1, 2)).to(scores[sides[0]].dtype), unknown_maps(degenerate, stretch)
    # A map of ones leaves nothing out, whatever its mean rounds to.
    rest = (1 - area).masked_fill(weights.amin((1, 2)) >= 1 - rounding(weights.dtype), 0)
    below = {"positive": area, "negative": rest}
    found = {
        side: torch.where((below[side] > 0) & ~unknown, score / below[side].clamp(min=FLOOR), torch.nan)
        for side, score in scores.items()
    }
    lifted = [(below[side] > 0) & (below[side] < FLOOR) for side in sides]
    return Density(
        positive=found.get("positive"),
        negative=found.get("negative"),
        kept=scores.get("positive"),
        left=scores.get("negative"),
        area=area,
        clamped=torch.stack(lifted).any(0),
        target=target,
        degenerate=degenerate,
    )


def density_positive(
    model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) score kept per unit of area, higher is better: `map_density`.positive. Built in chapter 17."""
    return map_density(model, images, maps, target, sides="positive", **options).positive


def density_negative(
    model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) the same of what the map leaves out, lower is better: `map_density`.negative. Built in chapter 17."""
    return map_density(model, images, maps, target, sides="negative", **options).negative
