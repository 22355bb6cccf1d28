"""Average drop and increase: what the score does when the map is laid over the image.

With M in [0, 1] the stretched map and p the class score,

    drop       max(0, p(x) - p(x M)) / p(x)
    increase   1 where p(x M) > p(x), else 0

Means over images are the "average drop %" and "increase in confidence" of Grad-CAM++ (Chattopadhay
et al., WACV 2018). A pixel of weight 0 shows the mean colour, because images are normalised. Poly-CAM's
published code has a drop of another mask, S - min S / max S - min S without the parentheses of a stretch;
that paper's tables print no drop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.batched import check_chunk, stream
from ..core.capture import check_call
from ..core.guard import guarded
from ..core.ops import Target, normalise, one_of
from .protocols import Protocol, check_target, protocol_of
from .ranking import DEGENERATE, Ids, check_maps, rank


@dataclass(frozen=True, eq=False)
class Drop:
    """One run, each (B,): drop and increase, NaN where the map is degenerate (and drop where the
    image scores 0); clean, the score of the image; masked, that of the weighted image; target as
    resolved; degenerate as in `ranking.Ranking`.
    """

    drop: Tensor
    increase: Tensor
    clean: Tensor
    masked: Tensor
    target: Tensor | Callable[[Tensor], Tensor]
    degenerate: Tensor


@guarded
def confidence_drop(
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
    stretch: str = "minmax",
    chunk: int = 64,
    on_nan: str = "raise",
) -> Drop:
    """Both scores from two forwards an image.

    Args:
        images: (B, 3, H, W), normalised; maps: (B, H, W), any sign and scale.
        target: None (top-1 of each image), a class, one per image, or a callable.
        protocol: only its score and target are used.
        stretch: "minmax" stretches each map to [0, 1]; "none" takes maps that lie there.
        chunk: the largest model batch. on_nan: "raise" or "record" maps that are not finite.
        masks, boxes, recipes, explain, ids: not used; every metric takes them.

    Raises ValueError, TypeError, UnknownProtocolError. Built in chapter 17.
    """
    protocol = protocol_of(protocol)
    check_chunk(chunk)
    check_call(model, images)
    weights, degenerate = weights_of(maps, images, stretch, on_nan)
    check_target(protocol, target)

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        return (images[numbers] * weights[numbers, None]).to(images.dtype), numbers

    target, clean, masked = stream(model, images, build, len(images), target, score=protocol.score, chunk=chunk)
    unknown = unknown_maps(degenerate, stretch)
    drop = torch.where(clean > 0, (clean - masked).relu() / clean, torch.nan)
    return Drop(
        drop=drop.masked_fill(unknown, torch.nan),
        increase=(masked > clean).to(clean.dtype).masked_fill(unknown, torch.nan),
        clean=clean,
        masked=masked,
        target=target,
        degenerate=degenerate,
    )


def weights_of(maps: Tensor, images: Tensor, stretch: str, on_nan: str) -> tuple[Tensor, Tensor]:
    """Maps as weights in [0, 1], (B, H, W), zero where a map is not finite, and `degenerate`."""
    one_of("stretch", stretch, ("minmax", "none"))
    check_maps(maps, images)
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    broken = degenerate == DEGENERATE.index("nan")
    maps = torch.where(broken[:, None, None], torch.zeros_like(maps), maps).detach()
    if stretch == "minmax":
        return normalise(maps), degenerate
    if not bool(((maps >= 0) & (maps <= 1)).all()):
        raise ValueError(
            f'stretch="none" needs maps in [0, 1]; got values from {float(maps.min()):.3g} to {float(maps.max()):.3g}'
        )
    return maps, degenerate


def unknown_maps(degenerate: Tensor, stretch: str) -> Tensor:
    """(B,) bool: a constant map has no stretched form, one that is not finite has none at all."""
    if stretch == "minmax":
        return degenerate != DEGENERATE.index("none")
    return degenerate == DEGENERATE.index("nan")


def average_drop(model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object) -> Tensor:
    """(B,) the share of its score that an image loses, lower is better: `confidence_drop`.drop.

    Built in chapter 17.
    """
    return confidence_drop(model, images, maps, target, **options).drop


def average_increase(
    model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) 1 where the score rises, higher is better: `confidence_drop`.increase. Built in chapter 17."""
    return confidence_drop(model, images, maps, target, **options).increase
