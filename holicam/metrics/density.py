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

from ..core.batched import stream
from ..core.floats import rounding
from ..core.hardware import moved
from ..core.ops import Target
from ..core.options import some_of
from .call import run
from .drop import unknown_maps, weights_of
from .protocols import Protocol
from .table import metric

FLOOR = 1e-3  # of the mean in the denominator
SIDES = ("positive", "negative")


@dataclass(frozen=True, eq=False)
class Density:
    """One run: the densities of the map and of its complement, and what they are made of.

    Each is (B,), and None for a side that was not run: positive and negative, the two densities, NaN where the map is
    degenerate or the denominator 0; kept and left, their numerators; area, the mean of M; clamped, whether a
    denominator was lifted to 1e-3; target as resolved; degenerate as in `Ranking`.
    """

    positive: Tensor | None
    negative: Tensor | None
    kept: Tensor | None
    left: Tensor | None
    area: Tensor
    clamped: Tensor
    target: Tensor | Callable[[Tensor], Tensor]
    degenerate: Tensor


@run
def map_density(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target,
    *,
    protocol: Protocol,
    chunk: int,
    on_nan: str,
    sides: str | Sequence[str] = SIDES,
    stretch: str = "minmax",
) -> Density:
    """Both densities, or one. One forward an image and side, and one more where target is None.

    Built in chapter 17.

    Args:
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        maps: (B, H, W), any sign and scale.
        target: None (top-1 of each image), a class, one per image, or a callable.
        protocol: its score and target.
        chunk: the largest model batch.
        on_nan: "raise" or "record" maps that are not finite.
        sides: "positive", "negative" or both.
        stretch: "minmax" stretches each map to [0, 1]; "none" takes maps that lie there.

    Returns:
        The densities, 0 or more and without an upper bound, their numerators and the map's mean.

    Raises:
        ValueError: a shape or an option that does not fit, maps outside [0, 1] under stretch="none".
        UnknownProtocolError: no protocol of that name.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
        >>> half = torch.zeros(1, 4, 4)
        >>> half[:, :2] = 1
        >>> run = hc.metrics.map_density(model, torch.zeros(1, 3, 4, 4), half, 0)
        >>> run.area.item(), round(run.positive.item(), 4)
        (0.5, 0.6667)
    """
    sides = some_of("sides", sides, SIDES)
    weights, degenerate = weights_of(maps, stretch, on_nan)
    size = len(images)
    flip = moved(torch.tensor([side == "negative" for side in sides]), maps.device)

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        owner = numbers % size
        kept = weights[owner]
        kept = torch.where(flip[numbers // size][:, None, None], 1 - kept, kept)
        return (images[owner] * kept[:, None]).to(images.dtype), owner

    resolved, _, values = stream(
        model, images, build, len(sides) * size, target, score=protocol.score, chunk=chunk, clean=target is None
    )
    scores = dict(zip(sides, values.view(len(sides), size), strict=True))
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
        target=resolved,
        degenerate=degenerate,
    )


@metric("map-density+", map_density, higher_is_better=True, protocols=("ucag",), forwards=1, sides="positive")
def density_positive(run: Density) -> Tensor | None:
    """(B,) score kept per unit of area. Built in chapter 17."""
    return run.positive


@metric("map-density-", map_density, higher_is_better=False, protocols=("ucag",), forwards=1, sides="negative")
def density_negative(run: Density) -> Tensor | None:
    """(B,) the same of what the map leaves out. Built in chapter 17."""
    return run.negative
