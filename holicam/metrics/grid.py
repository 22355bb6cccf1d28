"""The grid pointing game: of several photographs in a grid, how much of a map lies on the one asked about?

With the map's positive part M+ and the cell C of the asked photograph,

    share = sum of M+ in C / sum of M+ over all cells

(Böhle et al., CVPR 2021, their localisation metric; Rao et al., CVPR 2022, "GridPG"). It is the sum of the energy
pointing game over another region: an object's outline asks how tightly a map fits, a cell asks only whether
the map keeps to one photograph where three or eight others compete for it. So what the network makes of a photograph's
background costs nothing here, chance is known without looking, 1 / number of cells, and a constant map, which says
nothing about places, has that score as in the papers; in the energy pointing game it is NaN. A map without positive
evidence has no share; the papers state no rule: NaN, as there.

The papers' grids are made of photographs of full size that the network is sure of when it sees them alone, each of
another class, so that an image of 2 x 2 has twice the network's side; maps are enlarged to it bilinearly. Mosaics of
`hc.photos.mosaic` at the network's own side show everything at half the size, where a network is less sure:
values of the two do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.floats import positive_part
from ..core.ops import at_least_float32
from .call import Boxes, run
from .energy import region_of
from .ranking import rank
from .table import metric


@dataclass(frozen=True, eq=False)
class GridPointing:
    """One run, each (B,): the share of positive evidence in the cell, and what a uniform map scores there.

    share is NaN where the map has no positive value, up to rounding, or is not finite, and where the cell is empty;
    chance only for the last. degenerate as in `ranking.Ranking`; region: "masks" or "boxes".
    """

    share: Tensor
    chance: Tensor
    degenerate: Tensor
    region: str

    @property
    def corrected(self) -> Tensor:
        """(share - chance) / (1 - chance): 0 for chance, 1 at best; NaN if the cell is all."""
        room = 1 - self.chance
        return torch.where(room > 0, (self.share - self.chance) / room, torch.nan)


@run
def grid_pointing_game(maps: Tensor, *, masks: Tensor | None, boxes: Boxes | None, on_nan: str) -> GridPointing:
    """The grid pointing game. It runs no network. Built in chapter 07.

    Args:
        maps: (B, H, W), as large as the images.
        masks: (B, H, W), bool or 0 and 1: the cell of the photograph whose class was asked about.
        boxes: where there are no masks: one (m, 4) per image, x0 y0 x1 y1 in pixels: that cell.
        on_nan: "raise" or "record" maps that are not finite.

    Returns:
        The share in 0..1, and chance.

    Raises:
        ValueError: neither masks nor boxes, masks of another shape, boxes that are none.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.tensor([[[3.0, 1.0], [1.0, -4.0]]])
        >>> cell = torch.tensor([[[True, False], [False, False]]])
        >>> run = hc.metrics.grid_pointing_game(None, None, maps, masks=cell)
        >>> round(run.share.item(), 4), run.chance.item(), round(run.corrected.item(), 4)
        (0.6, 0.25, 0.4667)
    """
    if masks is None and boxes is None:
        raise ValueError(
            "the grid pointing game needs the cells of the photographs asked about: masks= (B, H, W), or boxes=, one "
            "(m, 4) per image"
        )
    region, inside = region_of(maps, masks, boxes)
    ranking = rank(maps, tie="raster", on_nan=on_nan)
    evidence = positive_part(at_least_float32(maps.detach())).flatten(1)  # (B, N)
    inside = inside.flatten(1)
    whole, part, empty = evidence.sum(1), (evidence * inside).sum(1), ~inside.any(1)
    known = (whole > 0) & ~ranking.broken & ~empty
    return GridPointing(
        share=torch.where(known, part / whole, torch.nan),
        chance=inside.to(evidence.dtype).mean(1).masked_fill(empty, torch.nan),
        degenerate=ranking.degenerate,
        region=region,
    )


@metric("grid-pointing", grid_pointing_game, higher_is_better=True)
def grid_pointing(run: GridPointing) -> Tensor:
    """(B,) the share of positive evidence in the cell of the asked photograph. Built in chapter 07."""
    return run.share
