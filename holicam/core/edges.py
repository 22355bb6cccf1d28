"""Edges of images, which no network sees: what explanations are compared with (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..toyland import STD
from .floats import at_least_float32, levelled
from .hardware import moved

LUMINANCE = (0.299, 0.587, 0.114)  # shares of red, green and blue (ITU-R BT.601)


def sobel(images: Tensor, deviation: Sequence[float] = STD) -> Tensor:
    """How fast the luminance changes, a pixel on: sqrt(L_x^2 + L_y^2) with Sobel's 3 x 3 differences.

    Args:
        images: (B, C, H, W), normalised. L is 0.299 R + 0.587 G + 0.114 B of the image before that, from 0 to 1;
            of images that have not three channels, their mean as they are. Borders are repeated.
        deviation: by which red, green and blue were divided, as `models.preprocessing` says of a network. ImageNet's
            by default: where another one is right that is the same for all colours, as usual, the map is off by a
            factor, which no order notices, and the colours' shares by 2 %.

    Returns:
        (B, H, W), 0 or more, float32 or float64.
    """
    images = at_least_float32(images)
    known = images.shape[1] == len(deviation) == 3
    grey = (1 / images.shape[1],) * images.shape[1]
    shares = tuple(s * d for s, d in zip(LUMINANCE, deviation, strict=True)) if known else grey
    weights = moved(torch.tensor(shares, dtype=images.dtype), images.device)
    luminance = levelled(torch.einsum("bchw,c->bhw", images, weights))
    L = F.pad(luminance[:, None], (1, 1, 1, 1), "replicate")[:, 0]  # (B, H + 2, W + 2)
    across, down = L[..., 2:] - L[..., :-2], L[:, 2:] - L[:, :-2]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return torch.hypot(across, down) / 8
