"""Which pixel comes first: ranks of a map, with the rule for ties written down.

A map after a ReLU is zero over large areas, and maps from a coarse layer have plateaus. A sort
puts equal values in some order, and that order decides the tail of every insertion and deletion
curve. So the order is a rule here, never an accident of a library:

hash (default)    equal values in an order from a hash of image id, pixel and seed: unbiased, and
                  the same on every device
raster            row by row from the top left, as torchcam does
reverse_raster    row by row from the bottom right, near to what NumPy's argsort, flipped, does
noise             ROAD's rule: stretch to [0, 1], add 1e-4 times one fixed field of normal noise,
                  which also shuffles values that are nearly equal
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.floats import levelled
from ..core.hardware import moved
from ..core.ops import at_least_float32, normalise, one_of

TIES = ("hash", "raster", "reverse_raster", "noise")
DEGENERATE = ("none", "constant", "zero", "nan")
Ids = Sequence[str | int] | Tensor | None


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranks of a batch of maps, and what a reader should know about the maps.

    ranks (B, H, W) int32, 0 for the most relevant pixel; degenerate (B,) int8, a place in
    DEGENERATE; tie_fraction (B,), the share of pixels whose value occurs more than once;
    zero_fraction (B,), the share of exact zeros. A map that is constant up to rounding (`floats`) is
    ranked as a constant one, and so is one that holds NaN or infinite values; the fractions of the
    latter are NaN.
    """

    ranks: Tensor
    degenerate: Tensor
    tie_fraction: Tensor
    zero_fraction: Tensor

    @property
    def broken(self) -> Tensor:
        """(B,) bool: the map holds NaN or infinite values."""
        return self.degenerate == DEGENERATE.index("nan")


def rank(maps: Tensor, *, ids: Ids = None, tie: str = "hash", seed: int = 0, on_nan: str = "raise") -> Ranking:
    """Rank the pixels of each map, the largest value first. Built in chapter 14.

    Args:
        maps: (B, H, W), any sign and scale.
        ids: one id per map, for tie="hash"; without ids all maps share one order of ties.
        tie: "hash", "raster", "reverse_raster" or "noise".
        seed: of the hash and the noise.
        on_nan: "raise" or "record" maps that are not finite.

    Returns:
        The ranks, and which maps are degenerate.

    Raises:
        ValueError: a shape or ids that do not fit, values that are not finite.
        TypeError: no tensor of floats, or ids that are no sequence.

    Example:
        >>> import torch, holicam as hc
        >>> hc.metrics.rank(torch.tensor([[[5.0, 7.0], [7.0, 6.0]]]), tie="raster").ranks.tolist()
        [[[3, 0], [1, 2]]]
    """
    one_of("tie", tie, TIES)
    one_of("on_nan", on_nan, ("raise", "record"))
    check_maps(maps)
    flat = at_least_float32(maps.detach()).flatten(1) + 0.0  # (B, N); a negative zero is a zero
    words = id_words(ids, len(maps), seed)
    finite = flat.isfinite().all(1)  # (B,)
    if on_nan == "raise" and not bool(finite.all()):
        first = int(finite.logical_not().nonzero()[0])
        raise ValueError(
            f"map {first} holds NaN or infinite values: mend it, or give "
            "on_nan='record' to have it recorded as degenerate"
        )
    flat = levelled(torch.where(finite[:, None], flat, torch.zeros_like(flat)), 1)
    values, order = _sort(flat, maps, words, tie, seed)
    places = torch.arange(flat.shape[1], device=flat.device, dtype=torch.int32)
    ranks = torch.empty_like(order, dtype=torch.int32).scatter_(1, order, places.expand_as(order))
    constant, zero = values[:, 0] == values[:, -1], (flat == 0).all(1)
    kind = torch.where(~finite, 3, torch.where(zero, 2, constant.long()))
    equal = values[:, 1:] == values[:, :-1]
    edge = equal.new_zeros(len(equal), 1)
    tied = (torch.cat([equal, edge], 1) | torch.cat([edge, equal], 1)).to(flat.dtype).mean(1)
    zeros = (flat == 0).to(flat.dtype).mean(1)
    return Ranking(
        ranks=ranks.view(maps.shape),
        degenerate=kind.to(torch.int8),
        tie_fraction=tied.masked_fill(~finite, torch.nan),
        zero_fraction=zeros.masked_fill(~finite, torch.nan),
    )


def _sort(flat: Tensor, maps: Tensor, words: list[tuple[int, int]], tie: str, seed: int) -> tuple[Tensor, Tensor]:
    """The map's own values (B, N), largest first, and the pixels (B, N) in the order of the rule.

    Every rule is a first order for equal values, which a stable sort then keeps.
    """
    if tie == "noise":
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(flat.shape[1], generator=generator, dtype=torch.float32, device="cpu")
        shaken = normalise(flat.view(maps.shape)).flatten(1) + 1e-4 * noise.to(flat)
        order = shaken.argsort(dim=1, descending=True, stable=True)
        return flat.sort(dim=1, descending=True)[0], order
    if tie == "hash":
        first = pixel_hash(words, flat.shape[1], flat.device).argsort(dim=1, stable=True)
    else:
        first = torch.arange(flat.shape[1], device=flat.device)[None]
        first = first.flip(1) if tie == "reverse_raster" else first
    first = first.expand_as(flat)  # (B, N), from (1, N) where all maps share it
    values, then = flat.gather(1, first).sort(dim=1, descending=True, stable=True)
    return values, first.gather(1, then)


def id_words(ids: Ids, batch: int, seed: int = 0) -> list[tuple[int, int]]:
    """Two 32-bit words per image from its id and the seed; one pair for all without ids."""
    if ids is None:
        ids = ("",)
    else:
        if isinstance(ids, str) or not isinstance(ids, (Sequence, Tensor)):
            raise TypeError(f"ids must be a sequence of one id per image; got {ids!r}")
        ids = ids.tolist() if isinstance(ids, Tensor) else ids
        if len(ids) != batch:
            raise ValueError(f"ids must hold one id per image: expected {batch}, got {len(ids)}")
    digests = (hashlib.blake2b(f"{seed}/{i}".encode(), digest_size=8).digest() for i in ids)
    return [(int.from_bytes(d[:4], "big"), int.from_bytes(d[4:], "big")) for d in digests]


def pixel_hash(words: list[tuple[int, int]], count: int, device: torch.device) -> Tensor:
    """(len(words), count) int64 in 0..2**32-1: a hash of the words and the pixel's number.

    Integers only, so every device gives the same numbers.
    """
    key = moved(torch.tensor(words, dtype=torch.int64), device)  # (B, 2)
    pixel = torch.arange(count, dtype=torch.int64, device=device)
    return _mix(_mix(pixel ^ key[:, :1]) ^ key[:, 1:])


def _mix(h: Tensor) -> Tensor:
    """The 32-bit finaliser of MurmurHash3, which is in the public domain, held in int64.

    Its factors 0x85ebca6b and 0xc2b2ae35 are taken less 2**32: the same modulo 2**32, and small
    enough that no product leaves int64.
    """
    h = ((h ^ (h >> 16)) * (0x85EBCA6B - (1 << 32))) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * (0xC2B2AE35 - (1 << 32))) & 0xFFFFFFFF
    return h ^ (h >> 16)


def check_maps(maps: Tensor, images: Tensor | None = None) -> None:
    """Raise unless maps are floats (B, H, W), as many and as large as the images, on one device."""
    if not isinstance(maps, Tensor) or not maps.is_floating_point():
        got = maps.dtype if isinstance(maps, Tensor) else type(maps).__name__
        raise TypeError(f"maps must be a tensor of floats (B, H, W); got {got}")
    if maps.dim() != 3 or 0 in maps.shape:
        raise ValueError(f"maps must be (B, H, W), none of them 0; got {tuple(maps.shape)}")
    if images is None:
        return
    if maps.shape != (len(images), *images.shape[-2:]):
        raise ValueError(
            f"maps must have one map of the images' size per image: expected "
            f"{(len(images), *images.shape[-2:])}, got {tuple(maps.shape)}; see "
            "holicam.core.ops.upsample"
        )
    if maps.device != images.device:
        raise ValueError(f"maps lie on {maps.device} and images on {images.device}: move one")
