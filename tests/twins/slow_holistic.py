"""Holistic-CAM again, the slow and obvious way: numpy loops over float64 numbers, from the paper.

Nothing of holicam is imported here. Only the passes of the network and the resizing of its input
are torch's; every map after that is made of loops.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F


def passes(model, image, layer, target, sizes, mode):
    """[(A, G, top-1)] of one image (3, H, W) at each size; A and G are (C, h, w) arrays."""
    out = []
    for size in sizes:
        x = image[None]
        if size != tuple(image.shape[1:]):
            x = F.interpolate(x, size, mode=mode, align_corners=False)
        kept = {}

        def hook(module, inputs, output, kept=kept):
            kept["A"] = output.detach().clone().requires_grad_()
            return kept["A"] * 1

        handle = model.get_submodule(layer).register_forward_hook(hook)
        with torch.enable_grad():
            logits = model(x)
        handle.remove()
        target = int(logits[0].argmax()) if target is None else target
        G = torch.autograd.grad(logits[0, target], kept["A"])[0]
        out.append((kept["A"][0].detach().numpy(), G[0].numpy(), int(logits[0].argmax())))
    return out


def pge(A, G, eps):
    """Eq. 8 with eq. 6: second and third derivatives are powers of the first."""
    W = np.zeros_like(G)
    for k, i, j in np.ndindex(G.shape):
        g = max(G[k, i, j], 0.0)
        if g:
            W[k, i, j] = g * g**2 / (2 * g**2 + A[k].sum() * g**3 + eps)
    return W


def up(X, size):
    """Bilinear, half-pixel centres, edges repeated: one number at a time."""
    if X.shape == tuple(size):
        return X
    out = np.zeros(size)
    (h, w), (H, W) = X.shape, size
    for i, j in np.ndindex(*size):
        y = min(max((i + 0.5) * h / H - 0.5, 0.0), h - 1.0)
        x = min(max((j + 0.5) * w / W - 0.5, 0.0), w - 1.0)
        y0, x0 = int(y), int(x)
        y1, x1, v, u = min(y0 + 1, h - 1), min(x0 + 1, w - 1), y - y0, x - x0
        out[i, j] = (1 - v) * ((1 - u) * X[y0, x0] + u * X[y0, x1]) + v * ((1 - u) * X[y1, x0] + u * X[y1, x1])
    return out


def fuse(As, Ws, size):
    """Eqs. 10-12, channel by channel."""
    M = np.zeros(size)
    for k in range(len(As[0])):
        mean_A = sum(up(A[k], size) for A in As) / len(As)
        mean_W = sum(up(W[k], size) for W in Ws) / len(Ws)
        M += mean_A * mean_W
    return M


def clip(M, affine):
    """Eq. 13; `affine` stretches the result to [0, 1]."""
    middle = (M.max() + M.min()) / 2
    out = np.minimum(M, middle)
    return (out - M.min()) / (middle - M.min()) if affine else out


def replicate(i, n):
    return min(max(i, 0), n - 1)


def reflect(i, n):
    while not 0 <= i < n:
        i = -i if i < 0 else 2 * (n - 1) - i
        i = 0 if n == 1 else i
    return i


def window(M, k, border):
    """Yield (i, j, the k * k values around it)."""
    H, W = M.shape
    r = k // 2
    for i, j in np.ndindex(H, W):
        ys = [border(y, H) for y in range(i - r, i + r + 1)]
        xs = [border(x, W) for x in range(j - r, j + r + 1)]
        yield i, j, M[np.ix_(ys, xs)]


def median(M, k):
    out = np.zeros_like(M)
    for i, j, values in window(M, k, replicate):
        out[i, j] = sorted(values.ravel())[k * k // 2]
    return out


def mean(M, k):
    out = np.zeros(M.shape)
    for i, j, values in window(M, k, reflect):
        out[i, j] = math.fsum(values.ravel()) / k**2
    return out


def low_pass(M, b, q, *, affine=True, quantize=False):
    """Eqs. 13-15. A constant map says nothing about places: ones."""
    if M.max() == M.min():
        return np.ones_like(M)
    x = clip(M, affine)
    if not quantize:
        return mean(median(x, b), q)
    x = np.array([[round(255 * v) for v in row] for row in x])  # half to even
    x = mean(median(x, b), q)
    return np.array([[round(v) for v in row] for row in x]) / 255


def holistic(
    model,
    image,
    layer,
    target=None,
    *,
    sizes,
    mode="bicubic",
    eps=1e-6,
    b=5,
    q=7,
    affine=True,
    quantize=False,
    stretch=False,
    skip=False,
):
    """Every stage of one image: (fused, fundamental, low-pass wrap, final map)."""
    runs = passes(model, image, layer, target, sizes, mode)
    runs = [r for r in runs if not skip or r[2] == runs[0][2]]
    size = tuple(image.shape[1:])
    As, Ws = [A for A, _, _ in runs], [pge(A, G, eps) for A, G, _ in runs]
    fused, fundamental = fuse(As, Ws, size), fuse(As[:1], Ws[:1], size)
    wrap = low_pass(fundamental, b, q, affine=affine, quantize=quantize)
    final = fused * wrap
    if stretch:
        final = (final - final.min()) / (final.max() - final.min())
    return fused, fundamental, wrap, final


def cameras(model, image, layer, target=None, *, sizes, mode="bicubic", skip=False):
    runs = passes(model, image, layer, target, sizes, mode)
    runs = [r for r in runs if not skip or r[2] == runs[0][2]]
    return np.maximum(fuse([A for A, _, _ in runs], [G for _, G, _ in runs], tuple(image.shape[1:])), 0)
