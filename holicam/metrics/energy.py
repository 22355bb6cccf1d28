"""The energy pointing game: how much of a map lies inside the object.

With the map's positive part M+, a region Omega and the K largest pixels T,

    epg           sum of M+ in Omega / sum of M+ (Score-CAM, Wang et al., CVPRW 2020)
    epg-top100    the same over T only
    epg-count     the share of T that lies in Omega

Holistic-CAM prints the first as eq. 18 and says in words that 100 points are taken, not which of
the other two; so all three are here, each by name. A map that says nothing scores the region's
share of the image: `uniform`, to be read beside every value. A map that is 0 everywhere has no share:
NaN here, where UCAG's published code counts 0.0, so averages over a data set may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.floats import positive_part
from ..core.guard import guarded
from ..core.ops import Target, at_least_float32, normalise, one_of
from ..datasets.boxes import check_boxes, with_area
from .protocols import Protocol, protocol_of
from .ranking import DEGENERATE, Ids, check_maps, rank


@dataclass(frozen=True, eq=False)
class Energy:
    """One run, each (B,): three scores, a uniform map's score, and what to know about the maps.

    full and top_energy are NaN where the map is degenerate or has no positive value (among the K);
    top_count is NaN only where the map is not finite: a constant map is ranked by the rule for
    ties. All four are NaN where the region is empty. region: "masks" or "boxes".
    """

    full: Tensor
    top_energy: Tensor
    top_count: Tensor
    uniform: Tensor
    degenerate: Tensor
    tie_fraction: Tensor
    zero_fraction: Tensor
    region: str

    def corrected(self, form: str = "full") -> Tensor:
        """(score - uniform) / (1 - uniform): 0 for chance, 1 at best; NaN if the region is all."""
        one_of("form", form, ("full", "top_energy", "top_count"))
        room = 1 - self.uniform
        return torch.where(room > 0, (getattr(self, form) - self.uniform) / room, torch.nan)


@guarded
def energy_pointing(
    model: nn.Module | None,
    images: Tensor | None,
    maps: Tensor,
    target: Target = None,
    *,
    masks: Tensor | None = None,
    boxes: Sequence[Tensor] | Tensor | None = None,
    recipes: object = None,
    explain: object = None,
    ids: Ids = None,
    protocol: str | Protocol = "holistic-cam",
    positive: str = "relu",
    top: int = 100,
    chunk: object = None,
    on_nan: str = "raise",
) -> Energy:
    """The energy pointing game in three forms. It runs no network.

    Args:
        images: (B, 3, H, W), only checked against the maps; None is allowed.
        maps: (B, H, W), as large as the images.
        masks: (B, H, W), bool or 0 and 1; boxes, where there are no masks: one (m, 4) per image,
            x0 y0 x1 y1 in pixels, whose union counts, from floor(x0) up to and without ceil(x1).
        ids, protocol: for the order of ties among the top pixels; nothing else of it is used.
        positive: "relu" cuts negative values off, "minmax" stretches the map to [0, 1], which
            lifts the background and draws every score towards `uniform`.
        top: K, at most all pixels. on_nan: "raise" or "record" maps that are not finite.
        model, target, recipes, explain, chunk: not used; every metric takes them.

    Raises ValueError, TypeError, UnknownProtocolError. Built in chapter 16.
    """
    one_of("positive", positive, ("relu", "minmax"))
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ValueError(f"top must be a positive number of pixels; got {top!r}")
    check_maps(maps, images)
    protocol = protocol_of(protocol)
    region, inside = region_of(maps, masks, boxes)
    ranking = rank(maps, ids=ids, tie=protocol.tie, seed=protocol.seed, on_nan=on_nan)
    values = at_least_float32(maps.detach())
    values = (normalise(values) if positive == "minmax" else positive_part(values)).flatten(1)  # (B, N)
    inside, best = inside.flatten(1), ranking.ranks.flatten(1) < top
    empty = ~inside.any(1)
    flat = ranking.degenerate != DEGENERATE.index("none")

    def share(counted: Tensor, weights: Tensor, unknown: Tensor) -> Tensor:
        whole = (weights * counted).sum(1)
        part = (weights * (counted & inside)).sum(1)
        return torch.where((whole > 0) & ~unknown, part / whole, torch.nan)

    everywhere, ones = torch.ones_like(best), torch.ones_like(values)
    return Energy(
        full=share(everywhere, values, flat | empty),
        top_energy=share(best, values, flat | empty),
        top_count=share(best, ones, ranking.broken | empty),
        uniform=share(everywhere, ones, empty),
        degenerate=ranking.degenerate,
        tie_fraction=ranking.tie_fraction,
        zero_fraction=ranking.zero_fraction,
        region=region,
    )


def region_of(maps: Tensor, masks: Tensor | None, boxes: Sequence[Tensor] | Tensor | None) -> tuple[str, Tensor]:
    """ "masks" or "boxes" and the region (B, H, W) bool; masks are taken where both are given.

    Raises ValueError, TypeError: masks of another shape or kind, boxes that are not finite, inverted, or
    shares of the image instead of pixels.
    """
    if masks is None and boxes is None:
        raise ValueError("the energy pointing game needs masks= (B, H, W) or boxes=, one (m, 4) per image")
    if masks is None:
        check_boxes(_rows(boxes, maps), *maps.shape[1:])
        return "boxes", boxes_to_masks(boxes, maps)
    if not isinstance(masks, Tensor) or masks.shape != maps.shape:
        got = tuple(masks.shape) if isinstance(masks, Tensor) else type(masks).__name__
        raise ValueError(f"masks must be a tensor of the maps' shape {tuple(maps.shape)}; got {got}")
    if masks.dtype != torch.bool:
        if not bool(((masks == 0) | (masks == 1)).all()):
            raise ValueError("masks must be bool or hold only 0 and 1")
        masks = masks == 1
    return "masks", masks.to(maps.device)


def boxes_to_masks(boxes: Sequence[Tensor] | Tensor, maps: Tensor) -> Tensor:
    """(B, H, W) bool: the union of each image's boxes, x0 y0 x1 y1; a box without area is none."""
    rows = _rows(boxes, maps)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(maps.device)  # (B, m, 4)
    low, high = padded[..., :2].floor(), padded[..., 2:].ceil()
    real = with_area(padded)  # padding is not
    x, y = (torch.arange(n, device=maps.device) for n in (maps.shape[2], maps.shape[1]))
    across = (x >= low[..., :1]) & (x < high[..., :1])  # (B, m, W)
    down = (y >= low[..., 1:]) & (y < high[..., 1:]) & real[..., None]  # (B, m, H)
    return (down[..., None] & across[:, :, None]).any(1)


def _rows(boxes: Sequence[Tensor] | Tensor, maps: Tensor) -> list[Tensor]:
    """One (m, 4) per image. Raises ValueError for other shapes."""
    rows = [torch.as_tensor(b, dtype=torch.float32) for b in boxes]
    rows = [b.view(1, 4) if b.shape == (4,) else b for b in rows]
    if len(rows) != len(maps) or any(b.dim() != 2 or b.shape[1] != 4 for b in rows):
        raise ValueError(
            f"boxes must hold one (m, 4) per image, x0 y0 x1 y1, for {len(maps)} "
            f"images; got shapes {[tuple(b.shape) for b in rows]}"
        )
    return rows


def epg(
    model: nn.Module | None, images: Tensor | None, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) the share of the map's energy inside, higher is better: `energy_pointing`.full. Built in chapter 16."""
    return energy_pointing(model, images, maps, target, **options).full


def epg_top100(
    model: nn.Module | None, images: Tensor | None, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) the same among the 100 largest pixels: `energy_pointing`.top_energy. Built in chapter 16."""
    return energy_pointing(model, images, maps, target, **options).top_energy


def epg_count(
    model: nn.Module | None, images: Tensor | None, maps: Tensor, target: Target = None, **options: object
) -> Tensor:
    """(B,) the share of the 100 largest pixels inside: `energy_pointing`.top_count. Built in chapter 16."""
    return energy_pointing(model, images, maps, target, **options).top_count
