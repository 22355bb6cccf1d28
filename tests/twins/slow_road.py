"""ROAD again: the sparse system written out and solved directly, one image and mask at a time."""

from __future__ import annotations

import numpy as np

WEIGHT = {
    (-1, -1): 1 / 12,
    (-1, 0): 1 / 6,
    (-1, 1): 1 / 12,
    (0, -1): 1 / 6,
    (0, 1): 1 / 6,
    (1, -1): 1 / 12,
    (1, 0): 1 / 6,
    (1, 1): 1 / 12,
}


def impute(x, removed):
    """x (C, H, W), removed (H, W) bool."""
    _, height, width = x.shape
    places = [tuple(p) for p in np.argwhere(removed)]
    number = {place: k for k, place in enumerate(places)}
    A, b = np.zeros((len(places), len(places))), np.zeros((len(places), len(x)))
    for k, (i, j) in enumerate(places):
        for (down, right), weight in WEIGHT.items():
            other = i + down, j + right
            if not (0 <= other[0] < height and 0 <= other[1] < width):
                continue
            A[k, k] += weight
            if removed[other]:
                A[k, number[other]] -= weight
            else:
                b[k] += weight * x[:, other[0], other[1]]
    out = x.copy()
    if len(places) == removed.size:
        out[:] = x.mean((1, 2), keepdims=True)
    elif places:
        for (i, j), value in zip(places, np.linalg.solve(A, b), strict=True):
            out[:, i, j] = value
    return out


def road(score, x, r, ratios):
    """half, diff, rel without noise; score(image) -> a number, r (H, W) ranks."""
    clean, gaps = score(x), []
    for t in ratios:
        m = int(t * r.size + 0.5)
        most, least = impute(x, r < m), impute(x, r >= r.size - m)
        gaps.append(score(least) - score(most))
    gap = sum(gaps) / len(gaps)
    return gap / 2, gap, gap / clean
