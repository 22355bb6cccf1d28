"""The energy pointing game: how much of a map lies inside the object.

With the map's positive part M+, a region Omega and the K largest pixels T,

    epg           sum of M+ in Omega / sum of M+ (Score-CAM, Wang et al., CVPRW 2020)
    epg-top100    the same over T only
    epg-count     the share of T that lies in Omega

Holistic-CAM prints the first as eq. 18 and says in words that 100 points are taken, not which of
the other two; so all three are here, each by name. Its Omega is the object's box, which holds background too:
`epg-box` and `epg-box-count` read boxes alone, where the three above prefer a mask. A map that says
nothing scores the region's share of the image: `uniform`, to be read beside every value. A map that
is 0 everywhere has no share: NaN here, where UCAG's published code counts 0.0, so averages over a
data set may differ.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.floats import positive_part
from ..core.ops import at_least_float32, normalise, one_of
from ..datasets.boxes import check_boxes, with_area
from .call import Boxes, run
from .protocols import Protocol
from .ranking import DEGENERATE, Ids, rank
from .table import metric


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


@run
def energy_pointing(
    maps: Tensor,
    *,
    masks: Tensor | None,
    boxes: Boxes | None,
    ids: Ids,
    protocol: Protocol,
    on_nan: str,
    positive: str = "relu",
    top: int = 100,
) -> Energy:
    """The energy pointing game in three forms. It runs no network. Built in chapter 16.

    Args:
        maps: (B, H, W), as large as the images.
        masks: (B, H, W), bool or 0 and 1.
        boxes: where there are no masks: one (m, 4) per image, x0 y0 x1 y1 in pixels, whose union counts, from
            floor(x0) up to and without ceil(x1).
        ids: one per image, for the order of ties among the top pixels.
        protocol: its rule for ties and its seed; nothing else of it is read.
        on_nan: "raise" or "record" maps that are not finite.
        positive: "relu" cuts negative values off; "minmax" stretches the map to [0, 1], which lifts the
            background and draws every score towards `uniform`.
        top: K, at most all pixels.

    Returns:
        Three scores in 0..1, and a uniform map's.

    Raises:
        ValueError: neither masks nor boxes, masks of another shape, boxes that are none, a `top` below 1.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.tensor([[[3.0, 1.0], [0.0, -4.0]]])
        >>> masks = torch.tensor([[[True, False], [False, False]]])
        >>> run = hc.metrics.energy_pointing(None, None, maps, masks=masks)
        >>> run.full.item(), run.uniform.item()
        (0.75, 0.25)
    """
    one_of("positive", positive, ("relu", "minmax"))
    region, inside = region_of(maps, masks, boxes)
    return _energy(maps, region, inside, ids=ids, protocol=protocol, on_nan=on_nan, positive=positive, top=top)


@run
def box_pointing(
    maps: Tensor, *, boxes: Boxes | None, ids: Ids, protocol: Protocol, on_nan: str, top: int = 100
) -> Energy:
    """The same in boxes, whether there are masks or not: Holistic-CAM's region. Built in chapter 16.

    Args:
        maps: (B, H, W), as large as the images.
        boxes: one (m, 4) per image, x0 y0 x1 y1 in pixels, whose union counts.
        ids: one per image, for the order of ties among the top pixels.
        protocol: its rule for ties and its seed; nothing else of it is read.
        on_nan: "raise" or "record" maps that are not finite.
        top: K, at most all pixels.

    Returns:
        Three scores in 0..1, and a uniform map's.

    Raises:
        ValueError: no boxes, boxes that are none, a `top` below 1.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.tensor([[[3.0, 1.0], [0.0, -4.0]]])
        >>> run = hc.metrics.box_pointing(None, None, maps, boxes=[torch.tensor([0.0, 0.0, 2.0, 1.0])], top=1)
        >>> run.full.item(), run.top_count.item(), run.uniform.item()
        (1.0, 1.0, 0.5)
    """
    if boxes is None:
        raise ValueError("the energy pointing game in boxes needs boxes=, one (m, 4) per image")
    region, inside = region_of(maps, None, boxes)
    return _energy(maps, region, inside, ids=ids, protocol=protocol, on_nan=on_nan, positive="relu", top=top)


def _energy(
    maps: Tensor, region: str, inside: Tensor, *, ids: Ids, protocol: Protocol, on_nan: str, positive: str, top: int
) -> Energy:
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ValueError(f"top must be a positive number of pixels; got {top!r}")
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


def region_of(maps: Tensor, masks: Tensor | None, boxes: Boxes | None) -> tuple[str, Tensor]:
    """ "masks" or "boxes" and the region (B, H, W) bool; masks are taken where both are given.

    Raises ValueError, TypeError: masks of another shape or kind, boxes that are not finite, inverted, or
    shares of the image instead of pixels.
    """
    if masks is None:
        if boxes is None:
            raise ValueError("the energy pointing game needs masks= (B, H, W) or boxes=, one (m, 4) per image")
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


def boxes_to_masks(boxes: Boxes, maps: Tensor) -> Tensor:
    """The union of each image's boxes; a box without area is none.

    Args:
        boxes: one (m, 4) per image, x0 y0 x1 y1 in pixels.
        maps: (B, H, W), whose size and device count.

    Returns:
        (B, H, W) bool.

    Raises:
        ValueError: not one (m, 4) per image.

    Example:
        >>> import torch
        >>> from holicam.metrics.energy import boxes_to_masks
        >>> boxes_to_masks([torch.tensor([0.5, 0, 2, 1])], torch.zeros(1, 2, 3)).int().tolist()
        [[[1, 1, 0], [0, 0, 0]]]
    """
    rows = _rows(boxes, maps)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(maps.device)  # (B, m, 4)
    low, high = padded[..., :2].floor(), padded[..., 2:].ceil()
    real = with_area(padded)  # padding is not
    x, y = (torch.arange(n, device=maps.device) for n in (maps.shape[2], maps.shape[1]))
    across = (x >= low[..., :1]) & (x < high[..., :1])  # (B, m, W)
    down = (y >= low[..., 1:]) & (y < high[..., 1:]) & real[..., None]  # (B, m, H)
    return (down[..., None] & across[:, :, None]).any(1)


def _rows(boxes: Boxes, maps: Tensor) -> list[Tensor]:
    """One (m, 4) per image. Raises ValueError for other shapes."""
    try:
        rows = [torch.as_tensor(b, dtype=torch.float32) for b in boxes]
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"boxes must hold one (m, 4) per image, x0 y0 x1 y1, for {len(maps)} images; got {reprlib.repr(boxes)}"
        ) from None
    rows = [b.view(1, 4) if b.shape == (4,) else b for b in rows]
    if len(rows) != len(maps) or any(b.dim() != 2 or b.shape[1] != 4 for b in rows):
        raise ValueError(
            f"boxes must hold one (m, 4) per image, x0 y0 x1 y1, for {len(maps)} "
            f"images; got shapes {[tuple(b.shape) for b in rows]}"
        )
    return rows


@metric("epg", energy_pointing, higher_is_better=True, protocols=("ucag", "holistic-cam"))
def epg(run: Energy) -> Tensor:
    """(B,) the share of the map's energy inside the region. Built in chapter 16."""
    return run.full


@metric("epg-top100", energy_pointing, higher_is_better=True, protocols=("holistic-cam",))
def epg_top100(run: Energy) -> Tensor:
    """(B,) the same among the 100 largest pixels. Built in chapter 16."""
    return run.top_energy


@metric("epg-count", energy_pointing, higher_is_better=True, protocols=("holistic-cam",))
def epg_count(run: Energy) -> Tensor:
    """(B,) the share of the 100 largest pixels that lie inside. Built in chapter 16."""
    return run.top_count


@metric("epg-box", box_pointing, higher_is_better=True, protocols=("holistic-cam",))
def epg_box(run: Energy) -> Tensor:
    """(B,) the share of the map's energy inside the boxes. Built in chapter 16."""
    return run.full


@metric("epg-box-count", box_pointing, higher_is_better=True, protocols=("holistic-cam",))
def epg_box_count(run: Energy) -> Tensor:
    """(B,) the share of the 100 largest pixels that lie in the boxes. Built in chapter 16."""
    return run.top_count
