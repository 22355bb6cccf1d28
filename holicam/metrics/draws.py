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
    """Keys for `uniform` and `normal`, those of one image together; without ids all images share theirs.

    Args:
        ids: one per image, or None.
        batch: how many images.
        name: of what is drawn; other names, other numbers.
        count: keys for each image.
        seed: other seeds, other numbers.

    Returns:
        batch * count keys.

    Raises:
        ValueError: not one id per image.
        TypeError: ids that are no sequence.

    Example:
        >>> from holicam.metrics import draws
        >>> draws.keys(["a", "b"], 2, "noise", 1)[1] == draws.keys(["b"], 1, "noise", 1)[0]
        True
    """
    id_words(ids, batch, seed)  # raises for what is no sequence of ids
    ids = [""] * batch if ids is None else ids.tolist() if isinstance(ids, Tensor) else ids
    names = [f"{i}/{name}/{k}" for i in ids for k in range(count)]
    return id_words(names, len(names), seed)


def uniform(some: list[Key], count: int, like: Tensor) -> Tensor:
    """Numbers in 0..1, evenly drawn.

    Args:
        some: keys, one a row.
        count: of numbers for each key.
        like: on its device and in its precision, at least float32.

    Returns:
        (len(some), count).

    Example:
        >>> import torch
        >>> from holicam.metrics import draws
        >>> draws.uniform(draws.keys(None, 1, "noise", 1), 1000, torch.zeros(1)).mean().round(decimals=1)
        tensor(0.5000)
    """
    return (pixel_hash(some, count, like.device).to(at_least_float32(like[:0]).dtype) + 0.5) / 2**32


def normal(some: list[Key], count: int, like: Tensor) -> Tensor:
    """Standard normal numbers: two from each pair of uniform ones (Box and Muller, 1958).

    Args:
        some: keys, one a row.
        count: of numbers for each key.
        like: on its device and in its precision, at least float32.

    Returns:
        (len(some), count).

    Example:
        >>> import torch
        >>> from holicam.metrics import draws
        >>> draws.normal(draws.keys(None, 1, "noise", 1), 1000, torch.zeros(1)).std().round(decimals=1)
        tensor(1.)
    """
    pairs = -(-count // 2)
    radius, turn = uniform(some, 2 * pairs, like).split(pairs, 1)
    radius, turn = (-2 * radius.log()).sqrt(), 2 * torch.pi * turn
    return torch.cat([radius * turn.cos(), radius * turn.sin()], 1)[:, :count]
