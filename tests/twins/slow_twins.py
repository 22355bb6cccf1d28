"""Every formula again, the slow and obvious way: loops over float64 numbers, from the papers.

Arrays are numpy, A and G of shape (B, C, h, w). Nothing of holicam is imported here.
"""

from __future__ import annotations

import itertools
import math

import numpy as np


def places(array: np.ndarray):
    return itertools.product(range(array.shape[-2]), range(array.shape[-1]))


def channel_map(A, channel_weight):
    """M_ij = sum_k w_k A_kij, channel_weight(b, k) -> a number."""
    M = np.zeros((A.shape[0], *A.shape[2:]))
    for b, k in np.ndindex(A.shape[:2]):
        weight = channel_weight(b, k)
        for i, j in places(A):
            M[b, i, j] += weight * A[b, k, i, j]
    return M


def element_map(A, element_weight):
    """M_ij = sum_k W_kij A_kij."""
    M = np.zeros((A.shape[0], *A.shape[2:]))
    for b, k, i, j in np.ndindex(A.shape):
        M[b, i, j] += element_weight(b, k, i, j) * A[b, k, i, j]
    return M


def activation_sum(A, G):
    return channel_map(A, lambda b, k: 1.0)


def grad_cam(A, G):
    def weight(b, k):
        return sum(G[b, k, i, j] for i, j in places(A)) / (A.shape[2] * A.shape[3])

    return channel_map(A, weight)


def xgrad_cam(A, G, eps=1e-7):
    def weight(b, k):
        total = sum(A[b, k, i, j] for i, j in places(A))
        if abs(total) <= eps:
            return 0.0
        return sum(A[b, k, i, j] * G[b, k, i, j] for i, j in places(A)) / (total + math.copysign(eps, total))

    return channel_map(A, weight)


def layer_cam(A, G):
    return element_map(A, lambda b, k, i, j: max(G[b, k, i, j], 0.0))


def hires_cam(A, G):
    return element_map(A, lambda b, k, i, j: G[b, k, i, j])


def alpha_at(A, G, b, k, i, j, eps=1e-6, denominator="paper", activation_sum="raw", eps_mode="absolute"):
    """alpha of one element, as the fraction in g^2 and g^3 that the paper prints."""
    g = max(G[b, k, i, j], 0.0)
    if g == 0:
        return 0.0
    if eps_mode == "relative":
        eps = eps * np.mean([max(v, 0.0) ** 2 for v in G[b].flat])
    if denominator == "none":
        return g**2
    if denominator == "paper":
        total = sum(A[b, k, y, x] for y, x in places(A))
        if activation_sum == "relu":
            total = max(total, 0.0)
        third = total * g**3
    else:
        third = sum(A[b, k, y, x] * max(G[b, k, y, x], 0.0) ** 3 for y, x in places(A))
    return g**2 / (2 * g**2 + third + eps)


def alpha(A, G, normalize_alpha=False, **options):
    out = np.zeros(A.shape)
    for index in np.ndindex(A.shape):
        out[index] = alpha_at(A, G, *index, **options)
    if normalize_alpha:
        for b, k in np.ndindex(A.shape[:2]):
            whole = sum(out[b, k, i, j] for i, j in places(A))
            for i, j in places(A):
                out[b, k, i, j] = out[b, k, i, j] / whole if whole else 0.0
    return out


def grad_cam_pp(A, G, **options):
    a = alpha(A, G, **options)

    def weight(b, k):
        return sum(a[b, k, i, j] * max(G[b, k, i, j], 0.0) for i, j in places(A))

    return channel_map(A, weight)


def pge(A, G, **options):
    """The map of Holistic-CAM at one scale without its wrap: sum_k alpha ReLU(G) A."""
    a = alpha(A, G, **options)
    return element_map(A, lambda *at: a[at] * max(G[at], 0.0))


def normalise(M, rounding=64 * 2.0**-52):
    out = np.zeros(M.shape)
    for b in range(M.shape[0]):
        low, high = M[b].min(), M[b].max()
        for i, j in places(M):
            constant = high - low <= rounding * max(-low, high)
            out[b, i, j] = 0.0 if constant else (M[b, i, j] - low) / (high - low)
    return out


def upsample(M, size):
    """Bilinear with half-pixel centres: output pixel i sits at (i + 1/2) h / H - 1/2."""
    h, w = M.shape[-2:]
    out = np.zeros((M.shape[0], *size))
    for i, j in np.ndindex(*size):
        y = min(max((i + 0.5) * h / size[0] - 0.5, 0.0), h - 1.0)
        x = min(max((j + 0.5) * w / size[1] - 0.5, 0.0), w - 1.0)
        y0, x0 = int(y), int(x)
        y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
        for b in range(M.shape[0]):
            top = M[b, y0, x0] * (1 - (x - x0)) + M[b, y0, x1] * (x - x0)
            bottom = M[b, y1, x0] * (1 - (x - x0)) + M[b, y1, x1] * (x - x0)
            out[b, i, j] = top * (1 - (y - y0)) + bottom * (y - y0)
    return out
