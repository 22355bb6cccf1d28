"""Masks from channels again, one pixel and one forward at a time. Nothing of holicam is imported."""

from __future__ import annotations

import math

import numpy as np
import torch


def enlarge(m, size, align_corners=False):
    """Bilinear; corners stay corners, or pixel i sits at (i + 1/2) h / H - 1/2, held at the edge."""
    (h, w), (H, W) = m.shape, size
    out = np.zeros(size)
    for i, j in np.ndindex(*size):
        if align_corners:
            y = i * (h - 1) / (H - 1) if H > 1 else 0.0
            x = j * (w - 1) / (W - 1) if W > 1 else 0.0
        else:
            y, x = max((i + 0.5) * h / H - 0.5, 0.0), max((j + 0.5) * w / W - 0.5, 0.0)
        y, x = min(y, h - 1.0), min(x, w - 1.0)
        y0, x0 = int(y), int(x)
        y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
        top = m[y0, x0] * (1 - (x - x0)) + m[y0, x1] * (x - x0)
        bottom = m[y1, x0] * (1 - (x - x0)) + m[y1, x1] * (x - x0)
        out[i, j] = top * (1 - (y - y0)) + bottom * (y - y0)
    return out


def minmax(m):
    low, high = m.min(), m.max()
    return np.zeros_like(m) if high == low else (m - low) / (high - low)


def quantile(values, q):
    values = sorted(values)
    at = q * (len(values) - 1)
    below = math.floor(at)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (at - below)


def percentile(m):
    low, high = quantile(list(m.flat), 0.001), quantile(list(m.flat), 0.999)
    return np.array([[min(max((v - low) / max(high, 1e-12), 0.0), 1.0) for v in row] for row in m])


def soft_mask(m, size, stretch="after", align_corners=False):
    if m.max() == m.min():
        return np.zeros(size)
    if stretch == "after":
        return minmax(enlarge(m, size, align_corners))
    return enlarge(minmax(m) if stretch == "before" else percentile(m), size, align_corners)


def ask(net, x, c, kind="prob"):
    """f_c of one image (3, H, W)."""
    with torch.no_grad():
        logits = net(torch.as_tensor(x)[None])[0].numpy()
    if kind == "logit":
        return float(logits[c])
    powers = np.exp(logits - logits.max())
    return float(powers[c] / powers.sum())


def keep_drop(net, images, A, target, stretch="after", kind="prob"):
    """(B, C, 2): f_c(X u) and f_c(X (1 - u)), zeros for constant channels."""
    out = np.zeros((*A.shape[:2], 2))
    for b, k in np.ndindex(*A.shape[:2]):
        if A[b, k].max() > A[b, k].min():
            x = images[b].numpy()
            u = soft_mask(A[b, k], x.shape[1:], stretch)
            out[b, k] = ask(net, x * u, target[b], kind), ask(net, x * (1 - u), target[b], kind)
    return out
