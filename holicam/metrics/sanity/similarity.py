"""How alike two maps are: by order, by structure, by the directions of their edges.

    spearman       correlation of ranks, ties sharing their average rank
    ssim           structural similarity (Wang et al., IEEE TIP 2004) of maps stretched to [0, 1]
    hog-pearson    correlation of histograms of oriented gradients (Dalal and Triggs, CVPR 2005)
    hog-spearman   the same by ranks, which is what the code of Adebayo et al. (NeurIPS 2018) does

Each also as `...-abs`, of the maps' magnitudes: a map and its negative are then the same. All take
maps (B, H, W) twice and return (B,), NaN where a map is constant or not finite. Built in chapter 18.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor

from ...core.ops import at_least_float32
from .measures import hog_pearson, hog_spearman, spearman, ssim

Measure = Callable[[Tensor, Tensor], Tensor]
_SIGNED: dict[str, Measure] = {
    "spearman": spearman,
    "ssim": ssim,
    "hog-pearson": hog_pearson,
    "hog-spearman": hog_spearman,
}
MEASURES: tuple[str, ...] = (*_SIGNED, *(f"{name}-abs" for name in _SIGNED))


def similarity(name: str, a: Tensor, b: Tensor) -> Tensor:
    """One of `MEASURES` by name.

    Args:
        name: such as "spearman", or "spearman-abs" of the maps' magnitudes.
        a: (B, H, W).
        b: (B, H, W).

    Returns:
        (B,) float64; NaN where a map is constant or not finite.

    Raises:
        ValueError: another name, or maps of different shapes or too small for the measure.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.rand(1, 8, 8)
        >>> [round(hc.sanity.similarity(name, maps, -maps).item(), 4) for name in ("spearman", "spearman-abs")]
        [-1.0, 1.0]
    """
    if name not in MEASURES:
        raise ValueError(f"there is no measure {name!r}; there are {', '.join(MEASURES)}")
    if a.shape != b.shape or a.dim() != 3:
        raise ValueError(f"maps must be (B, H, W) and of one shape; got {tuple(a.shape)} and {tuple(b.shape)}")
    a, b = at_least_float32(a.detach()), at_least_float32(b.detach())
    if name.endswith("-abs"):
        a, b = a.abs(), b.abs()
    return _SIGNED[name.removesuffix("-abs")](a, b)


def similarities(a: Tensor, b: Tensor, measures: Iterable[str] = MEASURES) -> dict[str, Tensor]:
    """Several of `MEASURES`. Maps without a negative value are compared once for both forms.

    Args:
        a: (B, H, W).
        b: (B, H, W).
        measures: names.

    Returns:
        {measure: (B,) float64}.

    Raises:
        ValueError: as `similarity`.

    Example:
        >>> import torch, holicam as hc
        >>> maps = torch.rand(1, 12, 12)
        >>> list(hc.sanity.similarities(maps, maps, ["spearman", "ssim"]))
        ['spearman', 'ssim']
    """
    found: dict[str, Tensor] = {}
    unsigned = bool((a >= 0).all()) and bool((b >= 0).all())
    for name in measures:
        twin = name.removesuffix("-abs") if name.endswith("-abs") else f"{name}-abs"
        found[name] = found[twin] if unsigned and twin in found else similarity(name, a, b)
    return found


def check_size(names: Iterable[str], maps: Tensor) -> None:
    """Raise ValueError where maps (B, H, W) are too small for one of the measures; it says which are not."""
    side = min(maps.shape[-2:])
    needs = {name: _SMALLEST.get(name.removesuffix("-abs"), 1) for name in names}
    if large := [name for name, pixels in needs.items() if pixels > side]:
        rest = [name for name in MEASURES if _SMALLEST.get(name.removesuffix("-abs"), 1) <= side]
        raise ValueError(
            f"{large[0]} needs maps of at least {needs[large[0]]} x {needs[large[0]]} pixels; got "
            f"{tuple(maps.shape[-2:])}: give measures={rest!r}, or some of them"
        )


_SMALLEST = {"ssim": 11, "hog-pearson": 48, "hog-spearman": 48}
