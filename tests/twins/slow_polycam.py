"""Poly-CAM again, one pixel and one forward at a time, from eqs. 1-7. Nothing of holicam."""

from __future__ import annotations

import math

import numpy as np

from tests.twins.slow_masks import ask, enlarge, keep_drop, percentile


def weights(net, images, A, target, variant, stretch="after", kind="prob"):
    """w (B, C) by eq. 4, 5 or 6 with f(X_b) = 0; a constant channel has none."""
    answers = keep_drop(net, images, A, target, stretch, kind)
    w = np.zeros(A.shape[:2])
    for b, k in np.ndindex(*A.shape[:2]):
        if A[b, k].max() == A[b, k].min():
            continue
        whole, (shown, hidden) = ask(net, images[b].numpy(), target[b], kind), answers[b, k]
        w[b, k] = {"+": shown, "-": max(whole - hidden, 0.0), "+-": max(whole + shown - hidden, 0.0)}[variant]
    return w


def layer_map(A, w):
    """sum_k w_k A_k, eq. 2 without its ReLU."""
    out = np.zeros((A.shape[0], *A.shape[2:]))
    for b, k in np.ndindex(*A.shape[:2]):
        out[b] += w[b, k] * A[b, k]
    return out


def block_means(m, size):
    """The mean of every block; blocks of a grid that does not divide overlap by a row."""
    (h, w), out = m.shape, np.zeros(size)
    for i, j in np.ndindex(*size):
        rows = range(math.floor(i * h / size[0]), math.ceil((i + 1) * h / size[0]))
        columns = range(math.floor(j * w / size[1]), math.ceil((j + 1) * w / size[1]))
        out[i, j] = sum(m[r, c] for r in rows for c in columns) / (len(rows) * len(columns))
    return out


def lnorm(m, size, pooling="mean"):
    low = block_means(m, size) if pooling == "mean" else enlarge(m, size)
    mean = enlarge(low, m.shape)
    out = np.zeros(m.shape)
    for i, j in np.ndindex(*m.shape):
        if pooling == "bilinear":
            out[i, j] = m[i, j] / max(mean[i, j], 1e-12)
        elif mean[i, j] > 0:
            out[i, j] = m[i, j] / mean[i, j]
    return out


def poly(cams, norm=True, pooling="mean", on_zero="zero"):
    """P_L, ..., P_1 of one image from CAM_1, ..., CAM_L, each (h, w)."""
    P, maps = None, []
    for m in reversed(cams):
        if P is None:
            P = m
        else:
            coarse = enlarge(P, m.shape)
            if on_zero == "pass" and (m == 0).all():
                P = coarse
            else:
                P = (lnorm(m, P.shape, pooling) if norm else m) * coarse
        maps.append(P)
    return maps


def finished(P, size, output="raw"):
    return enlarge(percentile(P) if output == "percentile" else P, size)
