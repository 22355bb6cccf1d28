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

from ..core.batched import check_chunk, stream
from ..core.capture import check_call
from ..core.guard import guarded
from ..core.hardware import moved
from ..core.ops import Target, one_of
from .protocols import Protocol, check_target, protocol_of
from .ranking import Ids, check_maps, rank

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


@guarded
def insertion_deletion(
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
    games: Sequence[str] = GAMES,
    chunk: int = 64,
    on_nan: str = "raise",
) -> InsertionDeletion:
    """Both games, or one, from one packed stream.

    Args:
        images: (B, 3, H, W), normalised as the network expects.
        maps: (B, H, W) on the images' device; only the order of their values counts.
        target: None (top-1 of each image), a class, one class per image, or a callable
            (n, K) -> (n,) that treats each row alike.
        ids: one id per image, for the order of ties; without ids the images share one order.
        protocol: a name in `protocols`, or a Protocol.
        games: "insertion", "deletion" or both.
        chunk: the largest model batch, which bounds memory.
        on_nan: "raise" or "record" maps that are not finite.
        masks, boxes, recipes, explain: not used; every metric takes them.

    Raises ValueError, TypeError, UnknownProtocolError, each naming what was wrong.
    Built in chapter 14.
    """
    protocol = protocol_of(protocol)
    games = (games,) if isinstance(games, str) else tuple(games)
    for game in games or (None,):
        one_of("games", game, GAMES)
    check_chunk(chunk)
    check_call(model, images)
    check_maps(maps, images)
    check_target(protocol, target)
    ranking = rank(maps, ids=ids, tie=protocol.tie, seed=protocol.seed, on_nan=on_nan)
    counts = protocol.counts(*maps.shape[1:])
    kinds = list(dict.fromkeys(getattr(protocol, game) for game in games))  # distinct baselines
    with torch.no_grad():
        grounds = torch.stack([kind(images.clone()) for kind in kinds])  # (baselines, B, C, H, W)
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

    target, clean, scores = stream(
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
        target=target,
        degenerate=ranking.degenerate,
        tie_fraction=ranking.tie_fraction,
        zero_fraction=ranking.zero_fraction,
        protocol=protocol,
    )


def area(curve: Tensor, fraction: Tensor, protocol: str | Protocol = "holistic-cam") -> Tensor:
    """The area under curves (B, n + 1) at shares (n + 1,) by a protocol's rule: (B,).

    Where all steps are equal, the two rules differ by (last - first point) / (2 n). Built in chapter 14.
    """
    protocol = protocol_of(protocol)
    if protocol.auc == "right":
        return curve[:, 1:].mean(1)
    if protocol.equal_spacing:
        fraction = torch.linspace(0, 1, len(fraction), dtype=fraction.dtype, device=fraction.device)
    return torch.trapezoid(curve, fraction, dim=1)


def insertion(model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object) -> Tensor:
    """(B,) the area under the insertion curve, higher is better: `insertion_deletion`, one game.

    Built in chapter 14.
    """
    return insertion_deletion(model, images, maps, target, games="insertion", **options).insertion


def deletion(model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object) -> Tensor:
    """(B,) the area under the deletion curve, lower is better: `insertion_deletion`, one game. Built in chapter 14."""
    return insertion_deletion(model, images, maps, target, games="deletion", **options).deletion


def over_all(model: nn.Module, images: Tensor, maps: Tensor, target: Target = None, **options: object) -> Tensor:
    """(B,) insertion minus deletion, higher is better, from one `insertion_deletion`. Built in chapter 14."""
    return insertion_deletion(model, images, maps, target, **options).over_all
