"""Edges of images, which no network sees: what explanations are compared with (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .floats import at_least_float32, levelled
from .hardware import moved

# Shares of red, green and blue (ITU-R BT.601), times the ImageNet deviations that normalising takes out.
LUMINANCE = (0.299 * 0.229, 0.587 * 0.224, 0.114 * 0.225)


def sobel(images: Tensor) -> Tensor:
    """How fast the luminance changes, a pixel on: sqrt(L_x^2 + L_y^2) with Sobel's 3 x 3 differences.

    Args:
        images: (B, C, H, W), normalised. L is 0.299 R + 0.587 G + 0.114 B of the image before that, from 0 to 1;
            of images that have not three channels, their mean as they are. Borders are repeated.

    Returns:
        (B, H, W), 0 or more, float32 or float64.
    """
    images = at_least_float32(images)
    shares = LUMINANCE if images.shape[1] == 3 else (1 / images.shape[1],) * images.shape[1]
    weights = moved(torch.tensor(shares, dtype=images.dtype), images.device)
    luminance = levelled(torch.einsum("bchw,c->bhw", images, weights))
    L = F.pad(luminance[:, None], (1, 1, 1, 1), "replicate")[:, 0]  # (B, H + 2, W + 2)
    across, down = L[..., 2:] - L[..., :-2], L[:, 2:] - L[:, :-2]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return torch.hypot(across, down) / 8
