"""UCAG again, patch by patch and pixel by pixel, in float64 numpy, from eqs. 1-6 of the paper.

`explain` is E: it takes one patch (3, h, w) and returns its signed map (h', w') and its p_c.
Nothing of holicam is imported here.
"""

from __future__ import annotations

import math

import numpy as np

from tests.twins.slow_twins import normalise, upsample


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
            patch = image[:, top : top + h, left : left + w]
            E, p = explain(bicubic(patch, (int(alpha * h), int(alpha * w))))
            M = upsample((E * math.exp(p))[None], (h, w))[0]
            for i, j in np.ndindex(h, w):
                total[top + i, left + j] += M[i, j]
                count[top + i, left + j] += 1
    return total / count


def axis(old, new, kernel, reach):
    """(new, old): what each place of a resized axis takes from each old place."""
    weights = np.zeros((new, old))
    for i in range(new):
        at = (i + 0.5) * old / new - 0.5
        for k in range(math.floor(at) - reach + 1, math.floor(at) + reach + 1):
            weights[i, min(max(k, 0), old - 1)] += kernel(at - k)
    return weights


def resized(image, size, kernel=cubic, reach=2):
    """`bicubic`, one axis after the other, which photographs of hundreds of pixels can afford."""
    rows, cols = (axis(old, new, kernel, reach) for old, new in zip(image.shape[-2:], size, strict=True))
    return rows @ image @ cols.T


def linear(image, size):
    """Bilinear: half-pixel centres, places outside take the border's value."""
    return resized(image, size, lambda t: max(0.0, 1 - abs(t)), 1)


def ucag_reference(image, explain, n=6, alpha=2.6):
    """The authors' code for CAMs, as far as it is known. A slice that begins too late is shorter, as a slice
    is, and becomes as large as the others when it is enlarged. ReLU, then the size of the image, then
    [0, 1] and blurred.
    """
    H, W = image.shape[1:]
    h, w = int(124 * H / 224), int(124 * W / 224)
    down, across = (H - h + 2) // (n - 1), (W - w + 2) // (n - 1)
    canvas = h + (n - 1) * down, w + (n - 1) * across
    found = []
    for a in range(n):
        for b in range(n):
            patch = image[:, a * down : a * down + h, b * across : b * across + w]
            found.append(explain(resized(patch, (int(alpha * h), int(alpha * w)))))
    best = max(math.exp(p) for _, p in found)
    total, count = np.zeros(canvas), np.ones(canvas)  # counted from one
    for at, (E, p) in enumerate(found):
        where = np.s_[at // n * down : at // n * down + h, at % n * across : at % n * across + w]
        total[where] += linear(E * math.exp(p) / best, (h, w))
        count[where] += 1
    M = linear(np.maximum(total / count, 0), (H, W))
    return gaussian(normalise(M[None])[0])


def gaussian(M, sigma=3.0):
    """5 x 5, borders mirrored without repeating the edge."""
    taps = {d: math.exp(-(d**2) / (2 * sigma**2)) for d in range(-2, 3)}
    whole, out = sum(taps.values()) ** 2, np.zeros(M.shape)

    def mirrored(n, d):
        return [abs(i + d) if abs(i + d) < n else 2 * n - 2 - abs(i + d) for i in range(n)]

    for dy, a in taps.items():
        for dx, b in taps.items():
            out += a * b / whole * M[np.ix_(mirrored(M.shape[0], dy), mirrored(M.shape[1], dx))]
    return out
