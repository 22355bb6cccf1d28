"""Gradients of the image by hand: a TinyNet forwards and backwards, in loops over float64 numbers.

Nothing of holicam is imported here, and no autograd is used.
"""

from __future__ import annotations

import math

import numpy as np

from tests.twins.slow_twins import upsample


def numbers(net) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy().astype(float) for name, tensor in net.state_dict().items()}


def taps(shape, kernel, stride):
    """Every (output place, kernel place, input place) of a padded convolution."""
    h, w = shape
    for i, j in np.ndindex(math.ceil(h / stride), math.ceil(w / stride)):
        for a, b in np.ndindex(kernel, kernel):
            y, x = i * stride + a - kernel // 2, j * stride + b - kernel // 2
            if 0 <= y < h and 0 <= x < w:
                yield i, j, a, b, y, x


def walk(net, image, target, rule="gradient"):
    """Score, dS/dX (3, H, W), and {layer: (bias (C,), dS/d output)}. rule: what a ReLU hands back."""
    p, x, trail = numbers(net), image.astype(float), []
    for n in range(3):
        weight, stride, before = p[f"conv{n}.weight"], 2 if n == 1 else 1, x
        h, w = (math.ceil(s / stride) for s in x.shape[1:])
        y = np.zeros((len(weight), h, w)) + p[f"conv{n}.bias"][:, None, None]
        for i, j, a, b, v, u in taps(x.shape[1:], 3, stride):
            y[:, i, j] += weight[:, :, a, b] @ x[:, v, u]
        scale = p[f"bn{n}.weight"] / np.sqrt(p[f"bn{n}.running_var"] + 1e-5)
        shift = p[f"bn{n}.bias"] - p[f"bn{n}.running_mean"] * scale
        z = y * scale[:, None, None] + shift[:, None, None]
        x = np.maximum(z, 0)
        trail.append((n, weight, stride, before.shape, scale, shift, z))
    score = p["fc.weight"][target] @ x.mean((1, 2)) + p["fc.bias"][target]
    onehot = np.eye(len(p["fc.bias"]))[target]
    biases = {"fc": (p["fc.bias"], onehot)}
    R = np.zeros(x.shape) + (p["fc.weight"][target] / x[0].size)[:, None, None]
    for n, weight, stride, shape, scale, shift, z in reversed(trail):
        if rule in ("gradient", "guided"):
            R = np.where(z > 0, R, 0)
        if rule in ("guided", "deconvnet"):
            R = np.where(R > 0, R, 0)
        biases[f"bn{n}"] = (shift, R)
        R = R * scale[:, None, None]
        biases[f"conv{n}"] = (p[f"conv{n}.bias"], R)
        below = np.zeros(shape)
        for i, j, a, b, v, u in taps(shape[1:], 3, stride):
            below[:, v, u] += R[:, i, j] @ weight[:, :, a, b]
        R = below
    return score, R, biases


def max_abs(D):
    return np.array([[max(abs(D[k, i, j]) for k in range(3)) for j in range(D.shape[2])] for i in range(D.shape[1])])


def legendre(n):
    """Nodes and weights on [0, 1], by Newton's method on Legendre's polynomial."""
    nodes, weights = [], []
    for m in range(n):
        t = math.cos(math.pi * (m + 0.75) / (n + 0.5))
        for _ in range(50):
            before, value = 1.0, t
            for k in range(2, n + 1):
                before, value = value, ((2 * k - 1) * t * value - (k - 1) * before) / k
            slope = n * (t * value - before) / (t * t - 1)
            t -= value / slope
        nodes.append((1 + t) / 2)
        weights.append(1 / ((1 - t * t) * slope**2))
    return nodes, weights


def integrated(net, image, start, target, nodes, weights):
    """(X - X_0) times the weighted sum of gradients, channels summed."""
    mean = np.zeros(image.shape)
    for at, weight in zip(nodes, weights, strict=True):
        mean += weight * walk(net, start + at * (image - start), target)[1]
    return ((image - start) * mean).sum(0)


def smoothgrad(net, image, target, delta, sigma, magnitudes):
    total = np.zeros(image.shape)
    for d in delta:
        D = walk(net, image + sigma * d, target)[1]
        total += abs(D) if magnitudes else D
    return abs(total / len(delta)).sum(0)


def psi(z):
    z = abs(z)
    return (z - z.min()) / (z.max() - z.min() + 1e-6)


def fullgrad(net, image, target):
    """Map, score, and the shares of the score."""
    score, D, biases = walk(net, image, target)
    shares = {"image": float((D * image).sum())}
    M = psi(D * image).sum(0)
    for name, (bias, G) in biases.items():
        if name == "fc":
            shares[name] = float(bias @ G)
            continue
        z = bias[:, None, None] * G
        shares[name] = float(z.sum())
        M = M + upsample(psi(z), image.shape[1:]).sum(0)
    return M, score, shares
