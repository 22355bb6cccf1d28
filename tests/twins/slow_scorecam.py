"""Score-CAM, SS-CAM and IS-CAM again, one masked image at a time, from the papers' formulas."""

from __future__ import annotations

import numpy as np

from tests.twins.slow_masks import ask, minmax, soft_mask


def weights(
    net,
    images,
    A,
    target,
    questions,
    stretch="after",
    kind="prob",
    baseline="zero",
    channel_softmax=False,
    align_corners=False,
):
    """w (B, C); questions(x, u) gives the inputs of one channel, a list."""
    w = np.zeros(A.shape[:2])
    for b, k in np.ndindex(*A.shape[:2]):
        x, m = images[b].numpy(), A[b, k]
        if m.max() == m.min() and not channel_softmax:
            continue
        u = soft_mask(m, x.shape[1:], stretch, align_corners)
        asked = [ask(net, q, target[b], kind) for q in questions(x, u)]
        w[b, k] = sum(asked) / len(asked)
        if baseline == "blank":
            w[b, k] -= ask(net, np.zeros_like(x), target[b], kind)
    if channel_softmax:
        w = np.exp(w - w.max(1, keepdims=True))
        w /= w.sum(1, keepdims=True)
    return w


def native_map(A, w, activation="raw", relu=True):
    out = np.zeros((A.shape[0], *A.shape[2:]))
    for b, k in np.ndindex(*A.shape[:2]):
        out[b] += w[b, k] * (minmax(A[b, k]) if activation == "normalized" else A[b, k])
    return np.maximum(out, 0) if relu else out


def plain(x, u):
    return [x * u]


def noisy(noises):
    return lambda x, u: [x * (u + d) for d in noises]


def rising(n, cumulative=False):
    steps = [sum(range(1, i + 1)) / n if cumulative else i / n for i in range(1, n + 1)]
    return lambda x, u: [s * x * u for s in steps]
