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

from ..core.batched import stream
from ..core.ops import Target, at_least_float32, normalise, one_of
from .call import run
from .protocols import Protocol
from .ranking import DEGENERATE, rank
from .table import metric


@dataclass(frozen=True, eq=False)
class Drop:
    """One run: drop and increase, and the scores that they compare.

    Each is (B,): drop and increase, NaN where the map is degenerate (and drop where the image scores 0); clean, the
    score of the image; masked, that of the weighted image; target as resolved; degenerate as in `ranking.Ranking`.
    """

    drop: Tensor
    increase: Tensor
    clean: Tensor
    masked: Tensor
    target: Tensor | Callable[[Tensor], Tensor]
    degenerate: Tensor


@run
def confidence_drop(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target,
    *,
    protocol: Protocol,
    chunk: int,
    on_nan: str,
    stretch: str = "minmax",
) -> Drop:
    """Both scores from two forwards an image. Built in chapter 17.

    Args:
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        maps: (B, H, W), any sign and scale.
        target: None (top-1 of each image), a class, one per image, or a callable.
        protocol: its score and target.
        chunk: the largest model batch.
        on_nan: "raise" or "record" maps that are not finite.
        stretch: "minmax" stretches each map to [0, 1]; "none" takes maps that lie there.

    Returns:
        Both scores, and what the network said of the image and of the weighted one.

    Raises:
        ValueError: a shape that does not fit, or maps outside [0, 1] under stretch="none".
        UnknownProtocolError: no protocol of that name.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
        >>> images = torch.tensor([2.0, 0.0, 0.0]).view(1, 3, 1, 1).repeat(1, 1, 4, 4)
        >>> half = torch.zeros(1, 4, 4)
        >>> half[:, :2] = 1
        >>> run = hc.metrics.confidence_drop(model, images, half, 0)
        >>> round(run.clean.item(), 3), round(run.masked.item(), 3), round(run.drop.item(), 3)
        (0.787, 0.576, 0.268)
    """
    weights, degenerate = weights_of(maps, stretch, on_nan)

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


def weights_of(maps: Tensor, stretch: str, on_nan: str) -> tuple[Tensor, Tensor]:
    """Maps as weights in [0, 1], (B, H, W), zero where a map is not finite, and `degenerate`."""
    one_of("stretch", stretch, ("minmax", "none"))
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    broken = degenerate == DEGENERATE.index("nan")
    maps = at_least_float32(torch.where(broken[:, None, None], torch.zeros_like(maps), maps).detach())
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


@metric("average-drop", confidence_drop, higher_is_better=False, forwards=2)
def average_drop(run: Drop) -> Tensor:
    """(B,) the share of its score that an image loses, 0..1. Built in chapter 17."""
    return run.drop


@metric("average-increase", confidence_drop, higher_is_better=True, forwards=2)
def average_increase(run: Drop) -> Tensor:
    """(B,) 1 where the score rises, else 0. Built in chapter 17."""
    return run.increase
