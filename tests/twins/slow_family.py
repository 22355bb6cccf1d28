"""The rest of the CAM family again, in loops over float64 numbers. Nothing of holicam is imported.

`passes(images, layer)` in these functions is a plain forward and backward: (A, G), numpy, of shape
(B, C, h, w). `score(images)` is the target's probability, (B,). Maps are on the layer's own grid
unless a size is given.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from tests.twins import slow_twins
from tests.twins.slow_twins import channel_map, element_map, normalise, places, upsample


def passes_of(net, target):
    """A plain forward and backward of a float64 network, one image at a time."""

    def passes(images, layer, factor=1.0):
        both = []
        for b in range(len(images)):
            kept = []

            def keep(module, inputs, output):
                kept.append((output * factor).detach().clone().requires_grad_(True))  # noqa: B023
                return kept[-1].clone()  # noqa: B023

            handle = net.get_submodule(layer).register_forward_hook(keep)
            net(images[b : b + 1])[0, target[b]].backward()
            handle.remove()
            both.append((kept[0].detach().numpy()[0], kept[0].grad.numpy()[0]))
        return tuple(np.stack(part) for part in zip(*both, strict=True))

    return passes


def score_of(net, target):
    def score(images):
        with torch.no_grad():
            out = [net(image[None])[0].softmax(0)[t] for image, t in zip(images, target, strict=True)]
        return np.array([float(p) for p in out])

    return score


def w_grad_cam(A, G):
    def weight(b, k):
        return sum(A[b, k, i, j] * G[b, k, i, j] for i, j in places(A)) / (A.shape[2] * A.shape[3])

    return channel_map(A, weight)


def normgrad(A, G, identity="conv1x1"):
    M = np.zeros((A.shape[0], *A.shape[2:]))
    for b, i, j in np.ndindex(*M.shape):
        if identity == "conv1x1":  # the whole matrix G A' of the virtual convolution
            M[b, i, j] = np.sqrt(sum((g * a) ** 2 for g in G[b, :, i, j] for a in A[b, :, i, j]))
        elif identity == "scaling":
            M[b, i, j] = np.sqrt(sum((a * g) ** 2 for a, g in zip(A[b, :, i, j], G[b, :, i, j], strict=True)))
        else:
            M[b, i, j] = np.sqrt(sum(g**2 for g in G[b, :, i, j]))
    return M


def eigen_cam(A, center=True):
    M = np.zeros((A.shape[0], *A.shape[2:]))
    for b in range(A.shape[0]):
        rows = np.array([[A[b, k, i, j] for k in range(A.shape[1])] for i, j in places(A)])
        if center:
            rows = rows - rows.mean(0)
        v = np.linalg.svd(rows)[2][0]  # the full one, as the papers write it
        M[b] = (rows @ v).reshape(M.shape[1:])
        if sum(M[b, i, j] * A[b, :, i, j].sum() for i, j in places(A)) < 0:
            M[b] = -M[b]
    return M


def layer_cam_fused(pairs, size, gamma=2.0, scaled=3):
    """pairs: (A, G) shallow to deep."""
    best = np.zeros((len(pairs[0][0]), *size))
    for number, (A, G) in enumerate(pairs):
        M = np.maximum(slow_twins.layer_cam(A, G), 0)
        for b in range(len(M)):
            if number < scaled:
                M[b] = np.tanh(gamma * M[b] / M[b].max()) if M[b].max() > 0 else 0
        M = M if number < scaled else normalise(M)
        up = upsample(M, size)
        for at in np.ndindex(*best.shape):
            best[at] = max(best[at], up[at])
    return best


def zoom_cam(pairs, size):
    best = None
    for A, G in reversed(pairs):  # deep to shallow
        M = np.maximum(element_map(A, lambda *at, G=G: G[at]), 0)
        for b in range(len(M)):
            M[b] = (M[b] - M[b].min()) / M[b].max() if M[b].max() > 0 else 0
        best = M if best is None else np.maximum(M, upsample(best, M.shape[-2:]))
    return upsample(best, size)


def smooth_grad_cam_pp(A, Gs, eps=1e-8, numerator="d2", last_sample=False):
    n = len(Gs)

    def weight(b, k):
        total = 0.0
        D = {
            p: [[sum(G[b, k, i, j] ** p for G in Gs) / n for j in range(A.shape[3])] for i in range(A.shape[2])]
            for p in (1, 2, 3)
        }
        third = sum(A[b, k, i, j] * D[3][i][j] for i, j in places(A))
        for i, j in places(A):
            above = D[2][i][j] if numerator == "d2" else D[1][i][j]
            factor = Gs[-1][b, k, i, j] if last_sample else D[1][i][j]
            total += above / (2 * D[2][i][j] + third + eps) * max(factor, 0.0)
        return total

    return channel_map(A, weight)


def iia(passes, images, layer, steps=10, inner=None):
    """inner None: the authors' code; a number m: the double sum over scaled activations, too."""
    total = 0.0
    for a in range(steps + 1):
        for b in [1.0] if inner is None else [b / inner for b in range(inner + 1)]:
            A, G = passes(images * (a / steps), layer, b)
            total = total + element_map(np.maximum(A, 0), lambda *at, G=G: G[at])
    return total if inner is None else total / (steps * inner)


def gaussian_blur(images, kernel, sigma):
    """Rows, then columns; borders mirrored without repeating the edge."""
    reach, images = kernel // 2, np.asarray(images)
    weights = [np.exp(-0.5 * (d / sigma) ** 2) for d in range(-reach, reach + 1)]
    weights = np.array(weights) / sum(weights)
    for axis in (2, 3):
        n, moved = images.shape[axis], np.moveaxis(images, axis, 0)
        out = np.zeros_like(moved)
        for i in range(n):
            for d, w in zip(range(-reach, reach + 1), weights, strict=True):
                at = (i + d) % (2 * n - 2)
                out[i] += w * moved[min(at, 2 * n - 2 - at)]
        images = np.moveaxis(out, 0, axis)
    return images


def msg_cam(passes, score, images, layer, scales, groups, blur, sigma):
    size, A, w = tuple(images.shape[-2:]), 0.0, 0.0
    for ratio in scales:
        shape = [round(n * ratio) for n in size]
        scaled = images if ratio == 1 else F.interpolate(images, shape, mode="bicubic")
        a, g = passes(scaled, layer)
        up = np.stack([upsample(a[:, k], size) for k in range(a.shape[1])], 1)
        A, w = A + up / len(scales), w + g.mean((2, 3)) / len(scales)
    blurred = torch.tensor(gaussian_blur(images, blur, sigma))
    M = np.zeros((len(images), *size))
    for channels in np.array_split(np.arange(A.shape[1]), groups):
        m = np.maximum(sum(w[:, k, None, None] * A[:, k] for k in channels), 0)
        u = torch.tensor(normalise(m))[:, None]
        beta = np.maximum(score(images * u + blurred * (1 - u)) - score(blurred), 0)
        M += beta[:, None, None] * m
    return M
