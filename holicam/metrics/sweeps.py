"""Three curves of the papers that are no score of a map: about gradients, about enlarged images.

gradient_variance     the spread of each channel's gradient over places (Holistic-CAM, fig. 2)
confidence_by_scale   the class score of the enlarged image (Holistic-CAM, fig. 3)
resolution_sweep      insertion and deletion of maps made from the enlarged image (UCAG, fig. 2)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..core.batched import check_chunk
from ..core.capture import capture, check_call
from ..core.checks import apart
from ..core.guard import guarded
from ..core.network import forward, resized
from ..core.ops import Target, at_least_float32, normalise, one_of, resolve_target, select_score, upsample
from ..core.options import check_number
from ..core.outputs import class_logits, logits_of
from ..core.pyramid import rescale
from ..models.layers import Layer, Layers, is_single
from .insdel import GAMES
from .protocols import Protocol
from .ranking import Ids
from .table import measure

FACTORS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, eq=False)
class GradientVariance:
    """How much one layer's gradients differ from place to place.

    raw (B, C), the variance over places; relative (B, C), its share of the mean square, 0 where one number says it all
    and near 1 where the mean cancels; lost (B,), the share of the layer's whole gradient energy that averaging over
    places removes.
    """

    raw: Tensor = field(repr=False)
    relative: Tensor = field(repr=False)
    lost: Tensor


@guarded
def gradient_variance(
    model: nn.Module, images: Tensor, layers: Layers, target: Target = None, *, score: str = "logit"
) -> GradientVariance | dict[Layer, GradientVariance]:
    """The variance of the gradients at some layers, from one forward and one backward. Built in chapter 03.

    At the input of a global average and a linear layer all three are 0, whatever the network learned: an identity.

    Args:
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        layers: as for `capture`; a single one returns the record itself.
        target: as for `capture`.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Returns:
        The record, or {layer: record}.

    Example:
        >>> import torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
        >>> run = hc.metrics.gradient_variance(model, torch.rand(1, 3, 4, 4), "0", 1)
        >>> run.relative.round(decimals=3).tolist(), run.lost.tolist()
        ([[0.0, 0.0]], [0.0])
    """
    G = capture(model, images, layers, target, score=score).G

    def of(g: Tensor) -> GradientVariance:  # (B, C, h, w)
        square = g.square().mean((2, 3))
        # The mean square less the squared mean would round: about the mean instead.
        raw = (g - g.mean((2, 3), keepdim=True)).square().mean((2, 3))
        return GradientVariance(raw=raw, relative=raw / (square + 1e-20), lost=raw.sum(1) / (square.sum(1) + 1e-20))

    found = {name: of(g) for name, g in G.items()}
    return next(iter(found.values())) if is_single(layers) else found


def _listed(factors: Sequence[float]) -> list[float]:
    """Raises ValueError for no factor at all, and for one that is not positive."""
    given = [*factors] if isinstance(factors, Iterable) and not isinstance(factors, str) else []
    if not given:
        raise ValueError(f"factors must be one or more positive numbers, such as (1, 2, 3); got {factors!r}")
    for factor in given:
        check_number("factors", factor, above=True)
    return given


@guarded
def confidence_by_scale(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    factors: Sequence[float] = FACTORS,
    mode: str = "bilinear",
    score: str = "prob",
    chunk: int = 16,
) -> tuple[Tensor, Tensor]:
    """The class score, and whether the top class is still the target, at enlarged sizes. Built in chapter 05.

    Costs the sum of factors**2, in F.

    Args:
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        target: None (top-1 at the first factor), a class, or one per image.
        factors: of the side.
        mode: "bilinear" (the papers' text) or "bicubic" (their code).
        score: "prob", "logit" or "sigmoid".
        chunk: the largest model batch at the images' own size; it shrinks with the area.

    Returns:
        Score and agreement (bool), both (B, S).

    Raises:
        ValueError: a callable target, or an option that does not fit.

    Example:
        >>> import torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
        >>> sure, same = hc.metrics.confidence_by_scale(model, torch.rand(2, 3, 4, 4), factors=(1, 2))
        >>> sure.shape, same.all().item()
        (torch.Size([2, 2]), True)
    """
    check_call(model, images)
    check_chunk(chunk)
    one_of("mode", mode, ("bilinear", "bicubic"))
    if callable(target):
        raise ValueError(
            "target must be None, a class or one class per image, so that the top class can be compared with it"
        )
    scores, agree = [], []
    for factor in _listed(factors):
        rows = max(1, int(chunk / max(factor, 1) ** 2))
        with torch.no_grad(), resized(model, images, "give factors=(1,)"):
            logits = torch.cat(
                [class_logits(forward(model, rescale(part, factor, mode)), len(part)) for part in images.split(rows)]
            )
        target = classes = resolve_target(logits, target)
        scores.append(select_score(logits, classes, score))
        agree.append(logits.argmax(1).eq(target))
    return torch.stack(scores, 1), torch.stack(agree, 1)


@guarded
def resolution_sweep(
    explain: Callable[..., Tensor],
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    factors: Sequence[float] = FACTORS,
    mode: str = "bilinear",
    protocol: str | Protocol = "ucag",
    ids: Ids = None,
    chunk: int = 64,
) -> tuple[Tensor, Tensor]:
    """Insertion and deletion, on the images themselves, of maps made from enlarged images. Built in chapter 17.

    Args:
        explain: (images, target) -> maps (n, h, w) of any size; they are cut at 0, brought to the images' size
            and stretched.
        model: in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        target: a class or one per image; with None, the top-1 class of the images as they are.
        factors: of the side.
        mode: "bilinear" or "bicubic".
        protocol: as for `insertion_deletion`.
        ids: as for `insertion_deletion`.
        chunk: as for `insertion_deletion`.

    Returns:
        Insertion and deletion, both (B, S).

    Raises:
        ValueError: an option that does not fit.

    Example:
        >>> import torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
        >>> cam = lambda x, target: hc.GradCAM()(model, x, "0", target)
        >>> insertion, deletion = hc.metrics.resolution_sweep(cam, model, torch.rand(1, 3, 8, 8), 0, factors=(1, 2))
        >>> insertion.shape
        torch.Size([1, 2])
    """
    check_call(model, images)
    one_of("mode", mode, ("bilinear", "bicubic"))
    if target is None:
        with torch.no_grad():
            target = resolve_target(logits_of(forward(model, images), len(images)), None)
    insertions, deletions = [], []
    for factor in _listed(factors):
        with apart(), resized(model, images, "give factors=(1,)"):
            maps = explain(rescale(images.clone(), factor, mode), target)
        if not isinstance(maps, Tensor) or maps.dim() != 3 or len(maps) != len(images):
            got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(f"explain must return maps ({len(images)}, h, w); got {got}")
        maps = normalise(upsample(at_least_float32(maps.detach()).relu(), images.shape[-2:]))
        games = measure(GAMES, model, images, maps, target, protocol=protocol, ids=ids, chunk=chunk)
        insertions.append(games["insertion"])
        deletions.append(games["deletion"])
    return torch.stack(insertions, 1), torch.stack(deletions, 1)  # (B, S) each
