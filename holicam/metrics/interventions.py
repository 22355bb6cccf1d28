"""Does a map's mass lie where the network's decision does? Asked by redrawing, not by erasing.

Toyland draws any image again without one of its parts: what was behind it appears, nothing else
changes, and the network sees an image like those it was trained on. With f the class score,

    true change of part k      f(x) - f(x redrawn without k)
    Shapley value of part k    its mean contribution f(S and k) - f(S) over all orders in which
                               the parts S could have appeared (Shapley, 1953), from 2 ** parts
                               redrawn images, exactly

    part-faithfulness          Spearman's rank correlation, over the parts of one image, of the
                               map's sum on each part with the true change
    shapley-faithfulness       the same with the Shapley values

One part's change says too little where parts are redundant: either of two wheels may be enough,
and removing one changes nothing. The Shapley value shares the credit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import comb

import torch
from torch import Tensor, nn

from .. import toyland
from ..core.batched import stream
from ..core.floats import score_rounding
from ..core.hardware import moved
from ..core.ops import Target, at_least_float32, one_of
from .call import run
from .correlation import spearman
from .protocols import Protocol
from .ranking import DEGENERATE, rank
from .table import metric
from .truth import as_seen, check_images, check_recipes, regions

TRUTHS = ("change", "shapley")


@dataclass(frozen=True, eq=False)
class Interventions:
    """One run: faithfulness, and the masses and changes of score behind it; None for what was not run.

    part and shapley (B,), faithfulness to the change and to the Shapley values, NaN where the map is degenerate, fewer
    than two parts can be seen, or all masses or truths are equal up to rounding; parts, per image its regions' names;
    mass, change, values (B, R), NaN beyond an image's own regions; still (B,) bool, no part alone changes the score;
    target as resolved; degenerate as in `ranking.Ranking`.
    """

    part: Tensor | None
    shapley: Tensor | None
    parts: list[list[str]]
    mass: Tensor = field(repr=False)
    change: Tensor | None = field(repr=False)
    values: Tensor | None = field(repr=False)
    still: Tensor
    target: Tensor | Callable[[Tensor], Tensor]
    degenerate: Tensor


@run
def interventions(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target,
    *,
    recipes: Sequence[toyland.Recipe] | None,
    protocol: Protocol,
    chunk: int,
    on_nan: str,
    truths: str | Sequence[str] = TRUTHS,
) -> Interventions:
    """Both faithfulness scores, or one. Built in chapter 19.

    Costs 1 + R forwards an image with R parts for the change, 2 ** R for the Shapley values, which contain it.

    Args:
        model: in eval mode.
        images: (B, 3, S, S), as `toyland.batch` draws them from the recipes, normalised as the network expects.
        maps: (B, S, S), any sign: a part's mass is the map's sum over its visible pixels.
        target: None (top-1 of each image), a class, one per image, or a callable.
        recipes: one `toyland.Recipe` per image, of any size.
        protocol: its score and target.
        chunk: the largest model batch.
        on_nan: "raise" or "record" maps that are not finite.
        truths: "change", "shapley" or both.

    Returns:
        Correlations (B,) in -1..1, with the masses and truths of every part.

    Raises:
        ValueError: images that are not what the recipes draw, no recipes, an option that does not fit.
        TypeError: something else than recipes.
        UnknownProtocolError: no protocol of that name.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> run = hc.metrics.interventions(
        ...     model, batch.images, batch.images[:, 0], 0, recipes=batch.recipes, truths="change"
        ... )
        >>> run.change.shape == run.mass.shape == (1, len(run.parts[0]))
        True
    """
    truths = (truths,) if isinstance(truths, str) else tuple(truths)
    for kind in truths or (None,):
        one_of("truths", kind, TRUTHS)
    drawings = check_recipes(recipes, maps)
    found = [regions(truth) for truth in check_images(images, drawings, model)]
    parts, exact = [list(one) for one in found], "shapley" in truths
    # Bit k of a job's number says that part k is left out; 0 is the image itself.
    jobs = [
        (b, absent)
        for b, names in enumerate(parts)
        for absent in range(1, 1 << len(names))
        if exact or absent.bit_count() == 1
    ]

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        chosen = [jobs[n] for n in numbers.tolist()]  # the pictures are drawn by the CPU
        without = [[p for k, p in enumerate(parts[b]) if absent >> k & 1] for b, absent in chosen]
        rgb = torch.stack([toyland.render(drawings[b], names) for (b, _), names in zip(chosen, without, strict=True)])
        drawn = moved(as_seen(rgb, model), images.device, images.dtype)
        return drawn, moved(torch.tensor([b for b, _ in chosen]), images.device)

    resolved, clean, scores = stream(
        model, images, build, len(jobs), target, score=protocol.score, chunk=chunk, numbers="cpu"
    )
    most = max(len(names) for names in parts)
    value = clean.new_full((len(images), 1 << most), torch.nan)  # (B, 2 ** R), by what is absent
    value[:, 0] = clean
    if jobs:
        at = moved(torch.tensor(jobs), clean.device)
        value[at[:, 0], at[:, 1]] = scores
    alone = 2 ** torch.arange(most, device=clean.device)
    change = clean[:, None] - value[:, alone]  # (B, R)
    counts = [len(names) for names in parts]
    values = moved(_shapley(value.cpu(), counts, most), clean.device) if exact else None  # few and small numbers
    mass = _mass(maps, found, most)
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    unknown = degenerate != DEGENERATE.index("none")
    still = _is_rounding(change, value, protocol)

    def faithfulness(truth: Tensor, no_truth: Tensor) -> Tensor:
        found = spearman(mass, truth).to(torch.result_type(mass, truth))
        return found.masked_fill(unknown | no_truth, torch.nan)

    return Interventions(
        part=faithfulness(change, still) if "change" in truths else None,
        shapley=None if values is None else faithfulness(values, _is_rounding(values, value, protocol)),
        parts=parts,
        mass=mass,
        change=change,
        values=values,
        still=still,
        target=resolved,
        degenerate=degenerate,
    )


def _is_rounding(truth: Tensor, value: Tensor, protocol: Protocol) -> Tensor:
    """(B,): no truth (B, R) is more than the rounding of the scores (B, 2 ** R) it is a difference of.

    Ranks of such truths would be ranks of rounding.
    """
    most = truth.nan_to_num().abs().amax(1) if truth.shape[1] else truth.new_full((len(truth),), torch.nan)
    return most <= score_rounding(value, protocol.score)


def _shapley(value: Tensor, counts: Sequence[int], most: int) -> Tensor:
    """(B, R) from the scores (B, 2 ** R) by what is absent; image b has counts[b] parts."""
    out = value.new_full((len(value), most), torch.nan)
    for b, count in enumerate(counts):
        absent = torch.arange(1 << count, device=value.device)
        size = torch.zeros_like(absent)
        for k in range(count):
            size += absent >> k & 1
        for k in range(count):
            here = absent[absent >> k & 1 == 0]  # k is present in these and absent in here + bit
            weights = value.new_tensor([1 / (count * comb(count - 1, s)) for s in range(count)])[size[here]]
            out[b, k] = (weights * (value[b, here] - value[b, here + (1 << k)])).sum()
    return out


def _mass(maps: Tensor, found: list[dict[str, Tensor]], most: int) -> Tensor:
    """(B, R): the map's sum over each region, NaN beyond an image's own."""
    values = at_least_float32(maps.detach())
    out = values.new_full((len(maps), most), torch.nan)
    for b, masks in enumerate(found):
        if masks:
            inside = moved(torch.stack(list(masks.values())), values.device, values.dtype)  # (R, H, W)
            out[b, : len(masks)] = (inside * values[b]).sum((1, 2))
    return out


@metric("part-faithfulness", interventions, higher_is_better=True, forwards=9, truths="change")
def part_faithfulness(run: Interventions) -> Tensor | None:
    """(B,) -1..1, rank correlation of the parts' masses with their true changes. Built in chapter 19."""
    return run.part


@metric("shapley-faithfulness", interventions, higher_is_better=True, forwards=256, truths="shapley")
def shapley_faithfulness(run: Interventions) -> Tensor | None:
    """(B,) -1..1, the same with their Shapley values. Built in chapter 19."""
    return run.shapley
