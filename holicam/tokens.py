"""Transformers: from a sequence of tokens to a grid of channels."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Reshape = Callable[[Tensor], Tensor]


def tokens_to_grid(grid: tuple[int, int] | None = None, skip: int = 1) -> Reshape:
    """A `reshape` for transformers: tokens (B, N, C) -> (B, C, h, w), row by row.

    Args: grid (h, w), None for a square one; skip: tokens before the grid (1 for a class token).
    Raises ValueError when the tokens do not fill the grid.
    """

    def reshape(tokens: Tensor) -> Tensor:
        count = tokens.shape[1] - skip if tokens.dim() == 3 else 0
        h, w = grid or (round(max(count, 0) ** 0.5),) * 2
        if h * w != count or count < 1:
            raise ValueError(f"tokens of shape {tuple(tokens.shape)} do not fill a grid of {h} x "
                             f"{w} after {skip} to skip: they must be (B, N, C); give grid=, skip=")
        return tokens[:, skip:].transpose(1, 2).unflatten(2, (h, w))

    return reshape
