"""The metrics again, the slow and obvious way: loops over float64 numbers, from their definitions.

Images are numpy (C, H, W), maps (H, W). Nothing of holicam is imported here.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np


def mix(h):
    """MurmurHash3's 32-bit finaliser, as printed."""
    h ^= h >> 16
    h = h * 0x85EBCA6B % 2**32
    h ^= h >> 13
    h = h * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def pixel_key(image_id, pixel, seed=0):
    digest = hashlib.blake2b(f"{seed}/{image_id}".encode(), digest_size=8).digest()
    return mix(mix(pixel ^ int.from_bytes(digest[:4], "big")) ^ int.from_bytes(digest[4:], "big"))


def ranks(M, image_id="", tie="hash", seed=0):
    """(H, W) ints, 0 for the largest value."""
    key = {"hash": lambda p: (pixel_key(image_id, p, seed), p), "raster": lambda p: p, "reverse_raster": lambda p: -p}[
        tie
    ]
    order = sorted(range(M.size), key=lambda p: (-M.flat[p], key(p)))
    out = np.empty(M.size, dtype=int)
    for place, pixel in enumerate(order):
        out[pixel] = place
    return out.reshape(M.shape)


def tie_fraction(M):
    values = M.ravel().tolist()
    return sum(values.count(v) > 1 for v in values) / len(values)


def mirror_101(i, n):
    """The place that place i outside 0..n-1 repeats: 2 1 0 1 2 ... without doubling the edge."""
    while not 0 <= i < n:
        i = -i if i < 0 else 2 * (n - 1) - i
    return i


def gaussian_kernel(k, sigma):
    r = k // 2
    K = np.array([[math.exp(-(i * i + j * j) / (2 * sigma**2)) for j in range(-r, r + 1)] for i in range(-r, r + 1)])
    return K / K.sum()


def rise_kernel(k, sigma):
    """A dot in the middle of a k x k array, filtered along both axes by a Gaussian of four sigmas
    that sees the array mirrored at its borders, edge doubled."""
    reach = int(4 * sigma + 0.5)
    taps = [math.exp(-0.5 * (t / sigma) ** 2) for t in range(-reach, reach + 1)]
    line = np.zeros(k)
    for i in range(k):
        for t, weight in zip(range(-reach, reach + 1), taps, strict=True):
            at = i + t
            while not 0 <= at < k:
                at = -1 - at if at < 0 else 2 * k - 1 - at
            line[i] += weight / sum(taps) * (at == k // 2)
    return np.outer(line, line)


def blur(x, K, border):
    """(C, H, W), border "reflect" (101) or "zeros"."""
    r, out = len(K) // 2, np.zeros_like(x)
    _, height, width = x.shape
    for i, j in np.ndindex(height, width):
        rows, cols = range(i - r, i + r + 1), range(j - r, j + r + 1)
        if border == "reflect":
            seen = np.ones_like(K)
        else:
            seen = np.outer([0 <= y < height for y in rows], [0 <= z < width for z in cols])
        window = x[:, [mirror_101(y, height) for y in rows]][:, :, [mirror_101(z, width) for z in cols]]
        out[:, i, j] = (K * seen * window).sum((1, 2))
    return out


def curves(score, x, r, b_ins, b_del, step):
    """Shares, insertion and deletion curve; score(image) -> a number."""
    pixels = r.size
    shares, ins, dele = [], [], []
    for k in range(math.ceil(pixels / step) + 1):
        changed = min(k * step, pixels)
        x_ins, x_del = b_ins.copy(), x.copy()
        for i, j in np.ndindex(r.shape):
            if r[i, j] < changed:
                x_ins[:, i, j] = x[:, i, j]
                x_del[:, i, j] = b_del[:, i, j]
        shares.append(changed / pixels)
        ins.append(score(x_ins))
        dele.append(score(x_del))
    return shares, ins, dele


def trapezoid(shares, points):
    return sum((shares[k + 1] - shares[k]) * (points[k] + points[k + 1]) / 2 for k in range(len(points) - 1))


def right(points):
    return sum(points[1:]) / (len(points) - 1)


def epg(M, inside):
    part = whole = 0.0
    for at in np.ndindex(M.shape):
        energy = max(M[at], 0.0)
        whole += energy
        part += energy * bool(inside[at])
    return part / whole


def grid_pointing(M, cell):
    """Böhle et al. 2021: positive evidence of the asked cell over that of all cells; none at all is no score."""
    cells = {True: 0.0, False: 0.0}
    for at in np.ndindex(M.shape):
        if M[at] > 0:
            cells[bool(cell[at])] += M[at]
    return cells[True] / (cells[True] + cells[False]) if any(cells.values()) else float("nan")


def epg_top(M, inside, r, top, count=False):
    part = whole = 0.0
    for at in np.ndindex(M.shape):
        if r[at] < top:
            energy = 1.0 if count else max(M[at], 0.0)
            whole += energy
            part += energy * bool(inside[at])
    return part / whole


def box_mask(boxes, height, width):
    """Pixels from floor(x0) up to and without ceil(x1), and so for y; the union."""
    out = np.zeros((height, width), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        for i in range(max(math.floor(y0), 0), min(math.ceil(y1), height)):
            for j in range(max(math.floor(x0), 0), min(math.ceil(x1), width)):
                out[i, j] = True
    return out
