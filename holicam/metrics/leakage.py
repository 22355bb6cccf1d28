"""Mass where it should not be: on clutter that knows nothing of the label, or on a shortcut.

    distractor-leakage   (share of M+ on the clutter) / (share of the image that is clutter):
                         1 for a map without any thought, 0 at best, above 1 drawn to it
    shortcut-contrast    (share of M+ on the shortcut) for a network that was trained on it, less
                         the same for a clean network: how much the map tells the two apart

Both read Toyland's recipes (spec: BAM's model contrast, Yang and Kim, 2019, for the second).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.hardware import moved
from ..toyland import Recipe
from .call import run
from .ranking import DEGENERATE, check_maps, rank
from .table import metric
from .truth import check_recipes, drawn, energy_share


@dataclass(frozen=True, eq=False)
class Leakage:
    """One run: how much of the map lies on the clutter, and whether that is more than chance.

    Each is (B,): share, that of the map's energy on the clutter; area, the clutter's share of the image; ratio, share
    divided by area. NaN where the map is degenerate or nowhere positive; ratio also where no clutter is seen.
    """

    ratio: Tensor
    share: Tensor
    area: Tensor
    degenerate: Tensor


@dataclass(frozen=True, eq=False)
class Contrast:
    """One run: how much more of the map than of the reference lies on the shortcut, and how much less on the object.

    Each is (B,): shortcut, the share on the shortcut less that of the reference; object, the reference's share on the
    object less the maps' own; own, reference: the two shares on the shortcut. NaN where a map is degenerate or nowhere
    positive, or no shortcut can be seen.
    """

    shortcut: Tensor
    object: Tensor
    own: Tensor
    reference: Tensor
    degenerate: Tensor


@run
def leakage(maps: Tensor, recipes: Sequence[Recipe] | None, *, on_nan: str) -> Leakage:
    """A map's mass on the clutter. It runs no network. Built in chapter 19.

    Args:
        maps: (B, S, S), any sign; what is positive counts.
        recipes: one `toyland.Recipe` per map.
        on_nan: "raise" or "record" maps that are not finite.

    Returns:
        The ratio, 0 at best and 1 for chance, with its two shares.

    Raises:
        ValueError: no recipes, or not one per map; maps that are not square.
        TypeError: something else than recipes.

    Example:
        >>> import torch, holicam as hc
        >>> batch = hc.toyland.batch(2, split="test", size=32)
        >>> hc.metrics.leakage(None, None, torch.ones(2, 32, 32), recipes=batch.recipes).degenerate
        tensor([1, 1], dtype=torch.int8)
    """
    masks = torch.cat([drawn(r).distractor_mask for r in check_recipes(recipes, maps)])
    degenerate = rank(maps, tie="raster", on_nan=on_nan).degenerate
    masks = moved(masks, maps.device)
    share = _known(energy_share(maps, masks), degenerate)
    area = masks.to(share.dtype).mean((1, 2))
    return Leakage(ratio=torch.where(area > 0, share / area, torch.nan), share=share, area=area, degenerate=degenerate)


@run
def contrast(
    maps: Tensor, recipes: Sequence[Recipe] | None, *, on_nan: str, reference: Tensor | None = None
) -> Contrast:
    """Two networks' maps of the same images, compared on the shortcut. It runs no network. Built in chapter 19.

    Args:
        maps: (B, S, S), of a network trained with the shortcut.
        recipes: one per map, of the subset "shortcut" or "cast".
        on_nan: "raise" or "record" maps that are not finite.
        reference: (B, S, S), the same explainer's maps of a clean network.

    Returns:
        The contrast, -1..1, with both networks' shares.

    Raises:
        ValueError: no reference, or one of another shape; no recipes, or not one per map.
        TypeError: something else than recipes, or no tensor of floats.

    Example:
        >>> import torch, holicam as hc
        >>> batch = hc.toyland.batch(2, split="test", subset="shortcut", size=32)
        >>> drawn_to_it = batch.shortcut_mask.float() + 0.1
        >>> clean = batch.object_mask.float() + 0.1
        >>> run = hc.metrics.contrast(None, None, drawn_to_it, recipes=batch.recipes, reference=clean)
        >>> bool((run.shortcut > 0).all())
        True
    """
    if reference is None:
        raise ValueError(
            "shortcut-contrast needs reference=, the maps (B, S, S) that the same "
            "explainer gives for a network trained without the shortcut"
        )
    check_maps(reference)
    if reference.shape != maps.shape:
        raise ValueError(f"reference must have the maps' shape {tuple(maps.shape)}; got {tuple(reference.shape)}")
    truths = [drawn(recipe) for recipe in check_recipes(recipes, maps)]
    mark = moved(torch.cat([t.shortcut_mask for t in truths]), maps.device)
    own = moved(torch.cat([t.object_mask for t in truths]), maps.device)
    kinds = [rank(m, tie="raster", on_nan=on_nan).degenerate for m in (maps, reference)]
    seen = mark.flatten(1).any(1)

    def shares(inside: Tensor) -> list[Tensor]:
        pairs = zip((maps, reference.to(maps.device)), kinds, strict=True)
        return [_known(energy_share(m, inside), kind) for m, kind in pairs]

    (with_mark, clean_mark), (with_object, clean_object) = shares(mark), shares(own)
    return Contrast(
        shortcut=torch.where(seen, with_mark - clean_mark, torch.nan),
        object=clean_object - with_object,
        own=with_mark,
        reference=clean_mark,
        degenerate=torch.maximum(*kinds),
    )


def _known(score: Tensor, degenerate: Tensor) -> Tensor:
    return score.masked_fill(degenerate != DEGENERATE.index("none"), torch.nan)


@metric("distractor-leakage", leakage, higher_is_better=False)
def distractor_leakage(run: Leakage) -> Tensor:
    """(B,) the share of the map's mass on clutter over the clutter's share of the image: 0 at best, 1 for chance.

    Built in chapter 19.
    """
    return run.ratio


@metric("shortcut-contrast", contrast, higher_is_better=True)
def shortcut_contrast(run: Contrast) -> Tensor:
    """(B,) -1..1, how much more of the map's mass lies on the shortcut than of a clean network's.

    Built in chapter 19.
    """
    return run.shortcut
