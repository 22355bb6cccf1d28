"""UCAG again, patch by patch and pixel by pixel, in float64 numpy, from eqs. 1-6 of the paper.

`explain` is E: it takes one patch (3, h, w) and returns its signed map (h', w') and its p_c.
Nothing of holicam is imported here.
"""

from __future__ import annotations

import math

import numpy as np
from slow_twins import normalise, upsample


def cubic(t, a=-0.75):
    """The kernel of bicubic resizing."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def bicubic(image, size):
    """(C, h, w) at another size: half-pixel centres, places outside take the border's value."""
    h, w = image.shape[1:]
    out = np.zeros((len(image), *size))
    for i, j in np.ndindex(*size):
        y, x = (i + 0.5) * h / size[0] - 0.5, (j + 0.5) * w / size[1] - 0.5
        for dy in range(math.floor(y) - 1, math.floor(y) + 3):
            for dx in range(math.floor(x) - 1, math.floor(x) + 3):
                weight = cubic(y - dy) * cubic(x - dx)
                out[:, i, j] += weight * image[:, min(max(dy, 0), h - 1), min(max(dx, 0), w - 1)]
    return out


def origins(length, piece, n):
    """Evenly spread; the second half mirrors the first, which matters for ties only."""
    at = [round(i * (length - piece) / (n - 1)) for i in range(n)]
    return [at[i] if i <= n - 1 - i else length - piece - at[n - 1 - i] for i in range(n)]


def ucag(image, explain, n=6, rho=0.555, alpha=2.6):
    """The signed map (H, W) of eq. 6."""
    H, W = image.shape[1:]
    h, w = round(rho * H), round(rho * W)
    total, count = np.zeros((H, W)), np.zeros((H, W))
    for top in origins(H, h, n):
        for left in origins(W, w, n):
            patch = image[:, top:top + h, left:left + w]
            E, p = explain(bicubic(patch, (int(alpha * h), int(alpha * w))))
            M = upsample((E * math.exp(p))[None], (h, w))[0]
            for i, j in np.ndindex(h, w):
                total[top + i, left + j] += M[i, j]
                count[top + i, left + j] += 1
    return total / count


def ucag_reference(image, explain, n=6, alpha=2.6):
    """The authors' code for CAMs, as far as it is known: [0, 1] and blurred."""
    H, W = image.shape[1:]
    h, w = int(124 * H / 224), int(124 * W / 224)
    down, across = (H - h + 2) // (n - 1), (W - w + 2) // (n - 1)
    canvas = h + (n - 1) * down, w + (n - 1) * across
    found = []
    for a in range(n):
        for b in range(n):
            patch = np.zeros((3, h, w))
            for i, j in np.ndindex(h, w):
                patch[:, i, j] = image[:, min(a * down + i, H - 1), min(b * across + j, W - 1)]
            found.append(explain(bicubic(patch, (int(alpha * h), int(alpha * w)))))
    best = max(math.exp(p) for _, p in found)
    total, count = np.zeros(canvas), np.ones(canvas)  # counted from one
    for at, (E, p) in enumerate(found):
        M = upsample((E * math.exp(p) / best)[None], (h, w))[0]
        for i, j in np.ndindex(h, w):
            total[at // n * down + i, at % n * across + j] += M[i, j]
            count[at // n * down + i, at % n * across + j] += 1
    M = upsample((total / count)[None], (H, W))
    return gaussian(normalise(np.maximum(M, 0))[0])


def gaussian(M, sigma=3.0):
    """5 x 5, borders mirrored without repeating the edge."""
    H, W = M.shape
    taps = {d: math.exp(-(d**2) / (2 * sigma**2)) for d in range(-2, 3)}
    whole = sum(taps.values()) ** 2

    def mirrored(at, n):
        at = abs(at)
        return at if at < n else 2 * n - 2 - at

    out = np.zeros((H, W))
    for i, j in np.ndindex(H, W):
        for dy, a in taps.items():
            for dx, b in taps.items():
                out[i, j] += a * b / whole * M[mirrored(i + dy, H), mirrored(j + dx, W)]
    return out
