"""Measures of likeness: by order, by structure, by the directions of edges.

All take maps (B, H, W) twice and return (B,), NaN where a map is constant or not finite.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.floats import is_constant
from ...core.hardware import wide
from ...core.ops import normalise
from ..correlation import average_ranks, pearson


@wide
def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Correlation of average ranks: `scipy.stats.spearmanr` of the flattened maps. Built in chapter 18.

    Args:
        a: (B, H, W).
        b: (B, H, W).

    Returns:
        (B,) float64, -1..1; NaN where a map is constant or not finite.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.rand(2, 8, 8)
        >>> hc.sanity.spearman(maps, maps.exp()).tolist()
        [1.0, 1.0]
    """
    _alike(a, b)
    return _where_defined(a, b, pearson(average_ranks(a.flatten(1)), average_ranks(b.flatten(1))))


@wide
def ssim(a: Tensor, b: Tensor, *, data_range: float = 1.0, sample: bool = False) -> Tensor:
    """Structural similarity, mean over all 11 x 11 windows that lie inside (Wang et al., IEEE TIP 2004).

    Gaussian weights with deviation 1.5, K1 = 0.01, K2 = 0.03; both maps are stretched to [0, 1].

    Args:
        a: (B, H, W), 11 x 11 pixels at least.
        b: (B, H, W).
        data_range: with `sample=True`, 2 is what the call of Adebayo et al. amounted to: floats were taken to
            span -1 to 1; its values are higher.
        sample: covariances are those of samples.

    Returns:
        (B,) float64, at most 1; NaN where a map is constant or not finite.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.rand(1, 16, 16)
        >>> round(hc.sanity.ssim(maps, 3 * maps + 1).item(), 4)
        1.0
    """
    _alike(a, b)
    _at_least(a, 11, "SSIM")
    x, y = (normalise(m).double()[:, None] for m in (a, b))  # (B, 1, H, W)
    steps = torch.arange(-5, 6, device=x.device, dtype=x.dtype)
    line = torch.exp(-steps.square() / (2 * 1.5**2))
    line = line / line.sum()

    def blur(v: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(v, line[None, None, None]), line[None, None, :, None])

    mean_x, mean_y = blur(x), blur(y)
    scale = 121 / 120 if sample else 1.0
    var_x, var_y = scale * (blur(x * x) - mean_x**2), scale * (blur(y * y) - mean_y**2)
    both = scale * (blur(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    alike = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    alike = alike / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return _where_defined(a, b, alike.mean((1, 2, 3)))


def _alike(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"two lots of maps must have the same shape (B, H, W); got {(*a.shape,)} and {(*b.shape,)}")


def hog(maps: Tensor, *, bins: int = 9, cell: int = 16, block: int = 3) -> Tensor:
    """Histograms of oriented gradients of maps stretched to [0, 1] (Dalal and Triggs, CVPR 2005).

    Magnitudes of central differences are summed over cells in directions from 0 to 180 degrees; blocks of cells,
    one cell apart, are set to length 1, cut at 0.2 and set to length 1 again.

    Args:
        maps: (B, H, W), `cell * block` pixels a side at least.
        bins: directions.
        cell: pixels a side.
        block: cells a side.

    Returns:
        (B, blocks * block * block * bins); 11,664 numbers at 224 x 224.

    Example:
        >>> import torch, holicam as hc
        >>> hc.sanity.hog(torch.rand(2, 48, 64)).shape
        torch.Size([2, 162])
    """
    _at_least(maps, cell * block, "HOG")
    x = normalise(maps)
    across, down = torch.zeros_like(x), torch.zeros_like(x)  # no change is known at the border
    across[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
    down[:, 1:-1] = x[:, 2:] - x[:, :-2]
    degrees = torch.rad2deg(torch.atan2(down, across)) % 180
    which = (degrees * (bins / 180)).long().clamp(max=bins - 1)  # (B, H, W)
    votes = torch.hypot(across, down)[:, None] * (which[:, None] == torch.arange(bins, device=x.device)[:, None, None])
    cells = F.avg_pool2d(votes, cell)  # (B, bins, h, w); pixels beyond the last whole cell count nowhere
    blocks = cells.unfold(2, block, 1).unfold(3, block, 1)  # (B, bins, h', w', block, block)
    blocks = blocks.permute(0, 2, 3, 4, 5, 1).flatten(3)  # (B, h', w', block * block * bins)
    blocks = (blocks / (blocks.square().sum(-1, keepdim=True) + 1e-10).sqrt()).clamp(max=0.2)
    return (blocks / (blocks.square().sum(-1, keepdim=True) + 1e-10).sqrt()).flatten(1)


@wide
def hog_pearson(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of the two maps' `hog`, as the text of Adebayo et al. (NeurIPS 2018) says.

    Args:
        a: (B, H, W), 48 x 48 pixels at least.
        b: (B, H, W).

    Returns:
        (B,) float64, -1..1; NaN where a map is constant or not finite.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.rand(1, 48, 48)
        >>> round(hc.sanity.hog_pearson(maps, maps).item(), 4)
        1.0
    """
    return _where_defined(a, b, pearson(hog(a), hog(b)))


@wide
def hog_spearman(a: Tensor, b: Tensor) -> Tensor:
    """Rank correlation of the two maps' `hog`, as the code of Adebayo et al. (NeurIPS 2018) does.

    Args:
        a: (B, H, W), 48 x 48 pixels at least.
        b: (B, H, W).

    Returns:
        (B,) float64, -1..1; NaN where a map is constant or not finite.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.rand(1, 48, 48)
        >>> round(hc.sanity.hog_spearman(maps, maps).item(), 4)
        1.0
    """
    return _where_defined(a, b, pearson(average_ranks(hog(a)), average_ranks(hog(b))))


def degenerate(maps: Tensor) -> Tensor:
    """Which maps say nothing about places.

    Args:
        maps: (B, H, W).

    Returns:
        (B,) bool: constant up to rounding, or not finite.

    Example:
        >>> import torch, holicam as hc
        >>> hc.sanity.degenerate(torch.ones(1, 2, 2)).item()
        True
    """
    return is_constant(maps) | ~maps.flatten(1).isfinite().all(1)


def _where_defined(a: Tensor, b: Tensor, value: Tensor) -> Tensor:
    return torch.where(degenerate(a) | degenerate(b), torch.nan, value)


def _at_least(maps: Tensor, pixels: int, name: str) -> None:
    if min(maps.shape[-2:]) < pixels:
        raise ValueError(f"{name} needs maps of at least {pixels} x {pixels} pixels; got {tuple(maps.shape[-2:])}")
