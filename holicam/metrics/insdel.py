"""Insertion and deletion: the class score while a map's pixels come, or go, largest value first.

With ranks r (0 first) and q_k the number of changed pixels at point k of n,

    insertion   x_k = x where r < q_k, else the insertion baseline
    deletion    x_k = the deletion baseline where r < q_k, else x

and the score's area over the changed share of the image is the metric; over-all is insertion minus
deletion. RISE, Petsiuk et al., BMVC 2018; over-all: Group-CAM, UCAG, Holistic-CAM.

Cost: the image itself is an end of both curves and scored once, each distinct baseline is an end
of one (of both where they share it), and each game has n - 1 points between. At n = 28 with two
baselines that is 1 + 2 + 2 x 27 = 57 forwards per image; Poly-CAM's protocol at 224 pixels takes
1 + 1 + 2 x 223 = 448, RISE's 449.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..core.baselines import baseline_of
from ..core.batched import stream
from ..core.hardware import moved
from ..core.ops import Target
from ..core.options import some_of
from .call import run
from .protocols import Protocol, protocol_of, protocols
from .ranking import Ids, rank
from .table import metric

GAMES = ("insertion", "deletion")


@dataclass(frozen=True, eq=False)
class InsertionDeletion:
    """One run: scores, curves and what to know about the maps. None for a game that was not run.

    insertion, deletion, over_all (B,), fractions, NaN for a map that is not finite;
    insertion_curve, deletion_curve (B, n + 1), the score at each point; fraction (n + 1,), the
    changed share of the image at each point, from 0 to 1; target as resolved; protocol;
    degenerate, tie_fraction, zero_fraction (B,), as in `ranking.Ranking`.
    """

    insertion: Tensor | None
    deletion: Tensor | None
    over_all: Tensor | None
    insertion_curve: Tensor | None = field(repr=False)
    deletion_curve: Tensor | None = field(repr=False)
    fraction: Tensor = field(repr=False)
    target: Tensor | Callable[[Tensor], Tensor]
    degenerate: Tensor
    tie_fraction: Tensor
    zero_fraction: Tensor
    protocol: Protocol


@run
def insertion_deletion(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target,
    *,
    ids: Ids,
    protocol: Protocol,
    chunk: int,
    on_nan: str,
    games: str | Sequence[str] = GAMES,
) -> InsertionDeletion:
    """Both games, or one, from one packed stream. Built in chapter 14.

    Args:
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        maps: (B, H, W) on the images' device; only the order of their values counts.
        target: None (top-1 of each image), a class, one class per image, or a callable (n, K) -> (n,) that
            treats each row alike.
        ids: one per image, for the order of ties; without ids the images share one order.
        protocol: everything else that the scores depend on.
        chunk: the largest model batch, which bounds memory.
        on_nan: "raise" or "record" maps that are not finite.
        games: "insertion", "deletion" or both.

    Returns:
        Scores (B,) and curves (B, n + 1).

    Raises:
        ValueError: a shape, a target or an option that does not fit; it says which.
        UnknownProtocolError: no protocol of that name.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
        >>> images = torch.zeros(1, 3, 28, 28)
        >>> images[:, 0, :14] = 4  # the upper half speaks for class 0
        >>> run = hc.metrics.insertion_deletion(model, images, images[:, 0], 0)
        >>> run.insertion_curve.shape, bool(run.over_all > 0)
        (torch.Size([1, 29]), True)
    """
    games = some_of("games", games, GAMES)
    ranking = rank(maps, ids=ids, tie=protocol.tie, seed=protocol.seed, on_nan=on_nan)
    counts = protocol.counts(*maps.shape[1:])
    kinds = list(dict.fromkeys(getattr(protocol, game) for game in games))  # distinct baselines
    with torch.no_grad():
        grounds = torch.stack([baseline_of(kind, images, "a baseline") for kind in kinds])  # (baselines, B, C, H, W)
    # Inputs of one image: each baseline bare, then the inner points of each game. Number j of them
    # keeps the pixels with (r < below[j]) == inserting[j] and fills the rest from ground[j].
    inner = counts[1:-1]
    plan = [(0, True, g) for g in range(len(kinds))]
    plan += [(q, game == "insertion", kinds.index(getattr(protocol, game))) for game in games for q in inner]
    below, inserting, ground = moved(torch.tensor(plan), images.device).unbind(1)
    inserting = inserting.bool()

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        image, j = numbers // len(plan), numbers % len(plan)  # (n,)
        first = ranking.ranks[image] < below[j, None, None]  # (n, H, W)
        keep = (first == inserting[j, None, None])[:, None]  # (n, 1, H, W)
        return torch.where(keep, images[image], grounds[ground[j], image]), image

    resolved, clean, scores = stream(
        model, images, build, len(images) * len(plan), target, score=protocol.score, chunk=chunk
    )
    scores = scores.view(len(images), len(plan))
    points = scores[:, len(kinds) :].unflatten(1, (len(games), len(inner)))
    fraction = moved(torch.tensor(counts, dtype=scores.dtype), scores.device) / counts[-1]
    curves, areas = {}, {}
    for g, game in enumerate(games):
        k = kinds.index(getattr(protocol, game))
        ends = scores[:, k : k + 1], clean[:, None]
        first, last = ends if game == "insertion" else ends[::-1]
        curves[game] = torch.cat([first, points[:, g], last], 1)  # (B, n + 1)
        areas[game] = area(curves[game], fraction, protocol).masked_fill(ranking.broken, torch.nan)
    both = len(areas) == 2
    return InsertionDeletion(
        insertion=areas.get("insertion"),
        deletion=areas.get("deletion"),
        over_all=areas["insertion"] - areas["deletion"] if both else None,
        insertion_curve=curves.get("insertion"),
        deletion_curve=curves.get("deletion"),
        fraction=fraction,
        target=resolved,
        degenerate=ranking.degenerate,
        tie_fraction=ranking.tie_fraction,
        zero_fraction=ranking.zero_fraction,
        protocol=protocol,
    )


def area(curve: Tensor, fraction: Tensor, protocol: str | Protocol = "holistic-cam") -> Tensor:
    """The area under curves by a protocol's rule. Built in chapter 14.

    Where all steps are equal, the two rules differ by (last - first point) / (2 n).

    Args:
        curve: (B, n + 1), scores.
        fraction: (n + 1,), the share of the image at each point, from 0 to 1.
        protocol: a name or a `Protocol`; its `auc` and `equal_spacing` are read.

    Returns:
        (B,).

    Example:
        >>> import torch, holicam as hc
        >>> curve, fraction = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([0.0, 0.5, 1.0])
        >>> [hc.metrics.area(curve, fraction, name).item() for name in ("rise", "poly-cam")]
        [0.5, 0.75]
    """
    protocol = protocol_of(protocol)
    if not isinstance(curve, Tensor) or not isinstance(fraction, Tensor) or curve.shape[1:] != fraction.shape:
        raise ValueError(f"curve must be a tensor (B, P) and fraction one (P,); got {curve!r} and {fraction!r}")
    if protocol.auc == "right":
        return curve[:, 1:].mean(1)
    if protocol.equal_spacing:
        fraction = torch.linspace(0, 1, len(fraction), dtype=fraction.dtype, device=fraction.device)
    return torch.trapezoid(curve, fraction, dim=1)


@metric("insertion", insertion_deletion, higher_is_better=True, protocols=protocols, forwards=29, games="insertion")
def insertion(run: InsertionDeletion) -> Tensor | None:
    """(B,) the area under the insertion curve, 0..1 for probabilities: one game alone. Built in chapter 14."""
    return run.insertion


@metric("deletion", insertion_deletion, higher_is_better=False, protocols=protocols, forwards=29, games="deletion")
def deletion(run: InsertionDeletion) -> Tensor | None:
    """(B,) the area under the deletion curve, 0..1 for probabilities: one game alone. Built in chapter 14."""
    return run.deletion


@metric("over-all", insertion_deletion, higher_is_better=True, protocols=protocols, forwards=57)
def over_all(run: InsertionDeletion) -> Tensor | None:
    """(B,) insertion minus deletion, from one run of both. Built in chapter 14."""
    return run.over_all
