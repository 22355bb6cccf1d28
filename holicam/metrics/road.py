"""ROAD: remove the most, or the least, relevant pixels, without leaving a hole that shows.

A black or blurred patch is itself a picture that the network may answer to. ROAD (remove and
debias, Rong et al., ICML 2022) fills removed pixels from their neighbours (`impute`) and adds a
little noise, so that hardly anything betrays the mask. With m = t H W pixels removed,

    MoRF_t   the class score with the m most relevant pixels removed (ranks < m): should fall
    LeRF_t   with the m least relevant removed (ranks >= H W - m): should hold

    half     mean over t of (LeRF_t - MoRF_t) / 2, in -1/2 .. 1/2
    diff     twice that
    rel      mean over t of (LeRF_t - MoRF_t) / score of the image itself

Holistic-CAM prints LeRF_t + MoRF_t with both signs such that a map and its reverse score alike;
with the sign of MoRF turned it is `rel`, while the size of its numbers fits `half`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..core.batched import stream
from ..core.floats import levelled
from ..core.hardware import moved
from ..core.ops import Target, at_least_float32, one_of
from ..core.options import check_number
from ..models.preprocessing import preprocessing
from .call import run
from .draws import keys, normal
from .impute import impute
from .protocols import Protocol
from .ranking import Ids, rank
from .table import metric

RATIOS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, eq=False)
class Road:
    """One run: ROAD in three numbers, and the scores at each ratio.

    half, diff, rel (B,), fractions, NaN for a map that is not finite; morf, lerf (B, T) scores at each ratio;
    clean (B,) the images' own; removed_morf, removed_lerf (B, T) the shares that were removed, equal to the ratios but
    for rounding unless counts="percentile"; target as resolved; degenerate, tie_fraction, zero_fraction (B,), as in
    `ranking.Ranking`.
    """

    half: Tensor
    diff: Tensor
    rel: Tensor
    morf: Tensor = field(repr=False)
    lerf: Tensor = field(repr=False)
    clean: Tensor
    ratios: tuple[float, ...]
    removed_morf: Tensor = field(repr=False)
    removed_lerf: Tensor = field(repr=False)
    target: Tensor | Callable[[Tensor], Tensor]
    degenerate: Tensor
    tie_fraction: Tensor
    zero_fraction: Tensor
    protocol: Protocol


@run
def remove_and_debias(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target,
    *,
    ids: Ids,
    protocol: Protocol,
    chunk: int,
    on_nan: str,
    ratios: Sequence[float] = RATIOS,
    noise: float = 0.01,
    space: str = "normalised",
    counts: str = "exact",
    tolerance: float = 1e-6,
) -> Road:
    """MoRF and LeRF scores at several ratios, from one packed stream: 2 T + 1 forwards an image.

    The noise depends on image id, ratio and order alone, so two maps with the same ranks score the same.
    Built in chapter 15.

    Args:
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        maps: (B, H, W) on the images' device; only the order of their values counts.
        target: None (top-1 of each image), a class, one class per image, or a callable (n, K) -> (n,) that
            treats each row alike.
        ids: one per image, for the order of ties and the noise; without ids images share both.
        protocol: its score, target, rule for ties and seed.
        chunk: the largest model batch, which bounds memory.
        on_nan: "raise" or "record" maps that are not finite.
        ratios: shares of the pixels that are removed, each in (0, 1).
        noise: deviation of the noise on removed pixels.
        space: where the noise is added: "normalised"; or "rgb", for images of three colours and a network that says
            by what they were divided (`models.preprocessing`): 0.01 of the range [0, 1], with ImageNet's deviations
            about 0.044 after normalisation. The filling itself is the same in both.
        counts: "exact" removes round(t H W) pixels by rank; "percentile" all whose value reaches the percentile,
            as pytorch-grad-cam does: where values are tied it may remove all.
        tolerance: of `impute`.

    Returns:
        Three summaries (B,), and both scores at each ratio.

    Raises:
        ValueError: a shape or an option that does not fit; it says which.
        UnknownProtocolError: no protocol of that name.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
        >>> images = torch.zeros(1, 3, 16, 16)
        >>> images[:, 0, :8] = 4  # the upper half speaks for class 0
        >>> run = hc.metrics.remove_and_debias(model, images, images[:, 0], 0, ratios=(0.25,), noise=0)
        >>> run.removed_morf.item(), bool(run.lerf > run.morf)
        (0.25, True)
    """
    one_of("space", space, ("normalised", "rgb"))
    one_of("counts", counts, ("exact", "percentile"))
    check_number("noise", noise)
    ratios = _checked(ratios)
    ranking = rank(maps, ids=ids, tie=protocol.tie, seed=protocol.seed, on_nan=on_nan)
    batch, kinds = len(images), 2 * len(ratios)  # input k of an image: MoRF at each t, then LeRF
    pixels = maps[0].numel()
    gone = moved(torch.tensor([int(t * pixels + 0.5) for t in ratios] * 2), maps.device)
    level = levelled(at_least_float32(maps.detach()))
    cut = _cuts(level, ratios) if counts == "percentile" else None  # (B, 2 T)
    noises = keys(ids, batch, "road", kinds, protocol.seed)  # B 2 T
    amount = moved(torch.tensor(_amounts(noise, space, images.shape[1], model), dtype=images.dtype), images.device)
    share = at_least_float32(maps.new_zeros(batch * kinds))

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        some = noises[int(numbers[0]) : int(numbers[-1]) + 1]
        numbers = moved(numbers, images.device)
        owner, kind = numbers // kinds, numbers % kinds
        least = kind >= len(ratios)
        if cut is None:
            order = ranking.ranks[owner]
            order = torch.where(least[:, None, None], pixels - 1 - order, order)
            removed = order < gone[kind][:, None, None]  # (n, H, W)
        else:
            value = torch.where(least[:, None, None], -level[owner], level[owner])
            removed = value >= cut[owner, kind][:, None, None]
        share[numbers] = removed.flatten(1).to(share.dtype).mean(1)
        filled = impute(images[owner], removed, tolerance=tolerance)
        dirt = normal(some, filled[0].numel(), filled).view(filled.shape).to(filled.dtype)
        return filled + removed[:, None] * dirt * amount[:, None, None], owner

    resolved, clean, scores = stream(
        model, images, build, batch * kinds, target, score=protocol.score, chunk=chunk, numbers="cpu"
    )
    morf, lerf = scores.view(batch, 2, -1).unbind(1)  # (B, T) each
    morf, lerf = (s.masked_fill(ranking.broken[:, None], torch.nan) for s in (morf, lerf))
    diff = (lerf - morf).mean(1)
    removed_morf, removed_lerf = share.view(batch, 2, -1).unbind(1)
    return Road(
        half=diff / 2,
        diff=diff,
        rel=torch.where(clean != 0, diff / clean, torch.nan),
        morf=morf,
        lerf=lerf,
        clean=clean,
        ratios=ratios,
        removed_morf=removed_morf,
        removed_lerf=removed_lerf,
        target=resolved,
        degenerate=ranking.degenerate,
        tie_fraction=ranking.tie_fraction,
        zero_fraction=ranking.zero_fraction,
        protocol=protocol,
    )


@metric("road", remove_and_debias, higher_is_better=True, protocols=("holistic-cam",), forwards=9)
def road(run: Road) -> Tensor:
    """(B,) half of LeRF less MoRF, -1/2..1/2 for probabilities. Built in chapter 15."""
    return run.half


def _amounts(noise: float, space: str, channels: int, model: nn.Module) -> list[float]:
    """The noise's deviation in each channel. Raises ValueError for a network that does not say by what it divided."""
    if space == "normalised":
        return [noise] * channels
    if channels != 3:
        raise ValueError(
            'space="rgb" knows the deviations of red, green and blue; for images of '
            f'{channels} channels give space="normalised"'
        )
    return [noise / d for d in preprocessing(model).std]


def _cuts(maps: Tensor, ratios: tuple[float, ...]) -> Tensor:
    """(B, 2 T): the percentile that a value must reach to be removed, of the map and its mirror."""
    values = maps.flatten(1)
    at = torch.tensor([1 - t for t in ratios], dtype=values.dtype, device=values.device)
    return torch.cat([values.quantile(at, 1).T, (-values).quantile(at, 1).T], 1)


def _checked(ratios: Sequence[float]) -> tuple[float, ...]:
    try:
        ratios = tuple(ratios)
    except TypeError:
        raise ValueError(f"ratios must be several shares of the pixels between 0 and 1; got {ratios!r}") from None
    for ratio in ratios or (None,):
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 < ratio < 1:
            raise ValueError(f"ratios must be shares of the pixels between 0 and 1; got {ratios}")
    return ratios
