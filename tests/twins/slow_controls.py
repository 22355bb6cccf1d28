"""The control maps again, pixel by pixel. Nothing of holicam is imported here."""

from __future__ import annotations

import math

import numpy as np


def center(H, W):
    out = np.zeros((H, W))
    for i, j in np.ndindex(H, W):
        out[i, j] = -math.hypot(i - (H - 1) / 2, j - (W - 1) / 2)
    return out


def sobel(image):
    """image (3, H, W), normalised with the ImageNet mean and deviation."""
    H, W = image.shape[1:]
    mean, std, share = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (0.299, 0.587, 0.114)

    def luminance(i, j):
        i, j = min(max(i, 0), H - 1), min(max(j, 0), W - 1)
        return sum(s * (image[k, i, j] * d + m) for k, (s, d, m) in enumerate(zip(share, std, mean, strict=True)))

    out = np.zeros((H, W))
    for i, j in np.ndindex(H, W):
        x = sum(
            w * (luminance(i + d, j + 1) - luminance(i + d, j - 1)) for d, w in zip((-1, 0, 1), (1, 2, 1), strict=True)
        )
        y = sum(
            w * (luminance(i + 1, j + d) - luminance(i - 1, j + d)) for d, w in zip((-1, 0, 1), (1, 2, 1), strict=True)
        )
        out[i, j] = math.hypot(x, y) / 8
    return out
