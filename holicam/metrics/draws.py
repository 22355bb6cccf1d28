"""Random numbers that belong to an image: from its id, a name and a seed, never from its place.

They are hashes (`ranking.pixel_hash`), so a batch equals its singles, and every device and every
worker draws the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.ops import at_least_float32
from .ranking import Ids, id_words, pixel_hash

Key = tuple[int, int]


def keys(ids: Ids, batch: int, name: str, count: int, seed: int = 0) -> list[Key]:
    """batch x count keys, those of one image together; without ids all images share theirs."""
    id_words(ids, batch, seed)  # raises for what is no sequence of ids
    ids = [""] * batch if ids is None else ids.tolist() if isinstance(ids, Tensor) else ids
    names = [f"{i}/{name}/{k}" for i in ids for k in range(count)]
    return id_words(names, len(names), seed)


def uniform(some: list[Key], count: int, like: Tensor) -> Tensor:
    """(len(some), count) in 0..1, on the device of `like`, float32 or float64."""
    return (pixel_hash(some, count, like.device).to(at_least_float32(like[:0]).dtype) + 0.5) / 2**32


def normal(some: list[Key], count: int, like: Tensor) -> Tensor:
    """(len(some), count) standard normal: two from each pair of uniform ones (Box and Muller)."""
    pairs = -(-count // 2)
    radius, turn = uniform(some, 2 * pairs, like).split(pairs, 1)
    radius, turn = (-2 * radius.log()).sqrt(), 2 * torch.pi * turn
    return torch.cat([radius * turn.cos(), radius * turn.sin()], 1)[:, :count]
