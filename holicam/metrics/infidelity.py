"""Infidelity: does the map predict what happens to the score when squares of the image go?

    mean over draws of (beta I.M - (f(x) - f(x - I)))**2,  beta = sum(I.M change) / sum((I.M)**2)

where I is what a random square of x has beyond the baseline, so that x - I is x with that square
covered, and beta, the best factor, makes the score blind to a map's unit (Yeh et al., NeurIPS 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..core.batched import check_chunk, stream
from ..core.capture import check_call
from ..core.guard import guarded
from ..core.ops import Target, at_least_float32
from ..core.options import check_count, check_flag
from .draws import keys, uniform
from .protocols import Protocol, check_target, protocol_of
from .ranking import DEGENERATE, Ids, check_maps, rank


@dataclass(frozen=True, eq=False)
class Infidelity:
    """One run: error (B,), NaN where the map is degenerate; beta (B,); dot, change (B, draws)."""

    error: Tensor
    beta: Tensor
    dot: Tensor = field(repr=False)
    change: Tensor = field(repr=False)
    degenerate: Tensor


@guarded
def infidelity_scores(
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
    draws: int = 10,
    sides: tuple[int, int] = (16, 64),
    scale: bool = True,
    chunk: int = 64,
    on_nan: str = "raise",
) -> Infidelity:
    """How badly a map predicts what covering random squares does to the score.

    Args:
        images: (B, 3, H, W), normalised; maps: (B, H, W), whose values count for all channels.
        protocol: its deletion baseline covers a square; its score, target and seed are used.
        draws: squares an image; sides: their least and largest side in pixels.
        scale: multiply the map by the best factor first.
        ids: one per image, for the squares; without ids images share them.
        target, chunk, on_nan: as elsewhere. The rest is not used; every metric takes it.

    Costs draws + 1 forwards an image. Raises ValueError, TypeError. Built in chapter 17.
    """
    protocol = protocol_of(protocol)
    check_call(model, images)
    check_maps(maps, images)
    check_count("draws", draws)
    check_flag("scale", scale)
    check_chunk(chunk)
    check_target(protocol, target)
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    batch, (height, width) = len(images), maps.shape[1:]
    some = keys(ids, batch, "infidelity", draws, protocol.seed)
    covered = squares(uniform(some, 3, images), height, width, sides)  # (B draws, H, W)
    ground = protocol.deletion(images.clone())

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
    low, high = sides
    for side in sides:
        check_count("sides", side)
    if low > high:
        raise ValueError(f"sides must be the least and the largest side; got {sides!r}")
    most = min(high, height, width)
    least = min(low, most)
    side = least + (numbers[:, 0] * (most - least + 1)).long().clamp(max=most - least)
    top, left = ((numbers[:, k] * (n - side + 1)).long().minimum(n - side) for k, n in ((1, height), (2, width)))
    rows, columns = (torch.arange(n, device=numbers.device) for n in (height, width))
    down = (rows >= top[:, None]) & (rows < (top + side)[:, None])  # (n, H)
    across = (columns >= left[:, None]) & (columns < (left + side)[:, None])
    return down[:, :, None] & across[:, None]


def infidelity(model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object) -> Tensor:
    """(B,) the mean squared error of the prediction, lower is better: `infidelity_scores`.error.

    Built in chapter 17.
    """
    return infidelity_scores(model, images, maps, target, **options).error
