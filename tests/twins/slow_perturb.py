"""RISE and Occlusion again, one pixel and one forward at a time. Nothing of holicam is imported."""

from __future__ import annotations

import math

import numpy as np

from tests.twins.slow_masks import ask


def enlarged(bits, size, border="reflect"):
    """Bilinear with half-pixel centres; cells beyond the border are mirrored or repeated."""
    s, out = len(bits), np.zeros(size)

    def cell(i):
        if border == "clamp":
            return min(max(i, 0), s - 1)
        return 0 if s == 1 else -i if i < 0 else 2 * (s - 1) - i if i > s - 1 else i

    for i, j in np.ndindex(*size):
        y, x = (i + 0.5) * s / size[0] - 0.5, (j + 0.5) * s / size[1] - 0.5
        y0, x0 = math.floor(y), math.floor(x)
        for yy, wy in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
            for xx, wx in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
                out[i, j] += wy * wx * bits[cell(yy), cell(xx)]
    return out


def rise_mask(bits, shift, size, border="reflect", margin="grid"):
    cell = [math.ceil(n / len(bits)) for n in size]
    whole = [(len(bits) + 1) * c if margin == "grid" else n + c for n, c in zip(size, cell, strict=True)]
    (y, x), (H, W) = shift, size
    return enlarged(bits, whole, border)[y : y + H, x : x + W]


def rise(net, x, c, masks, keep, kind="prob", divide=True, subtract_mean=False, baseline=0.0):
    kind, sigmoid = ("logit", True) if kind == "sigmoid" else (kind, False)
    scores = [ask(net, x * m + baseline * (1 - m), c, kind) for m in masks]
    scores = [1 / (1 + math.exp(-f)) for f in scores] if sigmoid else scores
    mean = sum(scores) / len(scores) if subtract_mean else 0.0
    total = sum((f - mean) * m for f, m in zip(scores, masks, strict=True)) / len(masks)
    return total / keep if divide else total


def occlusion(net, x, c, window, stride, baseline=0.0, kind="logit"):
    """(H, W); windows start every stride until all pixels are covered."""
    _, H, W = x.shape
    lost, covered, clean = np.zeros((H, W)), np.zeros((H, W)), ask(net, x, c, kind)
    y = 0
    while True:
        left = 0
        while True:
            hidden = x.copy()
            hidden[:, y : y + window[0], left : left + window[1]] = baseline
            lost[y : y + window[0], left : left + window[1]] += clean - ask(net, hidden, c, kind)
            covered[y : y + window[0], left : left + window[1]] += 1
            if left + window[1] >= W:
                break
            left += stride[1]
        if y + window[0] >= H:
            break
        y += stride[0]
    return lost / covered
