"""Infidelity: does the map predict what happens to the score when squares of the image go?

    mean over draws of (beta I.M - (f(x) - f(x - I)))**2,  beta = sum(I.M change) / sum((I.M)**2)

where I is what a random square of x has beyond the baseline, so that x - I is x with that square
covered, and beta, the best factor, makes the score blind to a map's unit (Yeh et al., NeurIPS 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..core.baselines import baseline_of
from ..core.batched import stream
from ..core.ops import Target, at_least_float32
from ..core.options import check_count, check_flag
from .call import run
from .draws import keys, uniform
from .protocols import Protocol
from .ranking import DEGENERATE, Ids, rank
from .table import metric


@dataclass(frozen=True, eq=False)
class Infidelity:
    """One run: error (B,), NaN where the map is degenerate; beta (B,); dot, change (B, draws)."""

    error: Tensor
    beta: Tensor
    dot: Tensor = field(repr=False)
    change: Tensor = field(repr=False)
    degenerate: Tensor


@run
def infidelity_scores(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target,
    *,
    ids: Ids,
    protocol: Protocol,
    chunk: int,
    on_nan: str,
    draws: int = 10,
    sides: tuple[int, int] = (16, 64),
    scale: bool = True,
) -> Infidelity:
    """How badly a map predicts what covering random squares does to the score: draws + 1 forwards an image.

    Built in chapter 17.

    Args:
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        maps: (B, H, W), whose values count for all channels.
        target: None (top-1 of each image), a class, one per image, or a callable.
        ids: one per image, for the squares; without ids images share them.
        protocol: its deletion baseline covers a square; its score, target and seed are used.
        chunk: the largest model batch.
        on_nan: "raise" or "record" maps that are not finite.
        draws: squares an image.
        sides: their least and largest side in pixels.
        scale: multiply the map by the best factor first.

    Returns:
        The mean squared error, 0 at best, and the factor.

    Raises:
        ValueError: a shape or an option that does not fit; it says which.
        UnknownProtocolError: no protocol of that name.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
        >>> images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> run = hc.metrics.infidelity_scores(model, images, images[:, 0], 0, sides=(2, 8))
        >>> run.change.shape, bool((run.error < 1e-4).all())
        (torch.Size([2, 10]), True)
    """
    check_count("draws", draws)
    check_flag("scale", scale)
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    images = images.detach()
    batch, (height, width) = len(images), maps.shape[1:]
    some = keys(ids, batch, "infidelity", draws, protocol.seed)
    covered = squares(uniform(some, 3, images), height, width, sides)  # (B draws, H, W)
    ground = baseline_of(protocol.deletion, images, "the deletion baseline")

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        owner = numbers // draws
        return torch.where(covered[numbers, None], ground[owner], images[owner]), owner

    _, clean, scores = stream(model, images, build, batch * draws, target, score=protocol.score, chunk=chunk)
    change = clean[:, None] - scores.view(batch, draws)
    weight = (at_least_float32(images) - ground).sum(1) * at_least_float32(maps.detach())  # I M
    dot = (covered.view(batch, draws, height, width) * weight[:, None]).sum((2, 3)).to(change.dtype)
    energy = dot.square().sum(1)
    beta = torch.where(energy > 0, (dot * change).sum(1) / energy, 0) if scale else (torch.ones_like(energy))
    error = (beta[:, None] * dot - change).square().mean(1)
    return Infidelity(
        error=error.masked_fill(degenerate != DEGENERATE.index("none"), torch.nan),
        beta=beta,
        dot=dot,
        change=change,
        degenerate=degenerate,
    )


def squares(numbers: Tensor, height: int, width: int, sides: tuple[int, int]) -> Tensor:
    """(n, height, width) bool: squares inside the image, from three numbers (n, 3) in 0..1 each.

    The first is the side, from sides[0] to sides[1], at most the image's; then row and column.
    """
    try:
        low, high = sides
    except (TypeError, ValueError):
        raise ValueError(f"sides must be the least and the largest side; got {sides!r}") from None
    for given in sides:
        check_count("sides", given)
    if low > high:
        raise ValueError(f"sides must be the least and the largest side; got {sides!r}")
    most = min(high, height, width)
    least = min(low, most)
    side = least + (numbers[:, 0] * (most - least + 1)).long().clamp(max=most - least)

    def covered(share: Tensor, pixels: int) -> Tensor:
        """(n, pixels) bool along one axis."""
        first = (share * (pixels - side + 1)).long().minimum(pixels - side)[:, None]
        at = torch.arange(pixels, device=numbers.device)
        return (at >= first) & (at < first + side[:, None])

    down, across = covered(numbers[:, 1], height), covered(numbers[:, 2], width)
    return down[:, :, None] & across[:, None]


@metric("infidelity", infidelity_scores, higher_is_better=False, forwards=11)
def infidelity(run: Infidelity) -> Tensor:
    """(B,) the mean squared error of the map's prediction, 0 at best. Built in chapter 17."""
    return run.error
