"""Ablation-CAM, Finer-CAM, KPCA-CAM and LeGrad again, from their formulas, slowly and in float64.

Nothing of holicam is imported here.
"""

from __future__ import annotations

import math

import numpy as np
import torch


def kernel_value(x, y, kernel, gamma, bias):
    gamma = gamma / len(x)
    if kernel == "sigmoid":
        return math.tanh(gamma * (x @ y) + bias)
    if kernel == "rbf":
        return math.exp(-gamma * ((x - y) ** 2).sum())
    return (gamma * (x @ y) + bias) ** 3 if kernel == "poly" else gamma * (x @ y)


def kpca_cam(A, kernel="sigmoid", gamma=1.0, bias=1.0, center=True):
    """(B, h, w): the first kernel principal component of the places of A (B, C, h, w)."""
    M = np.zeros((len(A), A.shape[2] * A.shape[3]))
    for b, a in enumerate(A):
        rows = a.reshape(len(a), -1).T
        rows = rows - rows.mean(0) if center else rows
        n = len(rows)
        K = np.array([[kernel_value(x, y, kernel, gamma, bias) for y in rows] for x in rows])
        H = np.eye(n) - np.ones((n, n)) / n
        values, vectors = np.linalg.eigh(H @ K @ H)
        M[b] = math.sqrt(max(values[-1], 0)) * vectors[:, -1]
        M[b] *= -1 if M[b] @ a.sum(0).ravel() < 0 else 1
    return M.reshape(len(A), *A.shape[2:])


def ablation_cam(A, tail, target, relative=True):
    """(B, h, w) before the ReLU, one channel at a time: `tail` goes on from activations (1, C, h, w) to logits."""
    M = np.zeros((len(A), *A.shape[2:]))
    for b, c in enumerate(target):
        y = float(tail(A[b : b + 1])[0, c])
        for k in range(A.shape[1]):
            less = A[b : b + 1].clone()
            less[:, k] = 0
            slope = y - float(tail(less)[0, c])
            M[b] += (slope / y if relative else slope) * A[b, k].numpy()
    return M


def finer_grad_cam(net, image, layer, target, gamma=1.0, classes=3, join="mean"):
    """(h, w), Grad-CAM of the difference for one image (1, 3, H, W), before the ReLU."""
    kept = []
    handle = layer.register_forward_hook(lambda _, __, output: kept.append(output) or output.clone())
    y = net(image.clone().requires_grad_())[0]
    handle.remove()
    c = int(y.argmax()) if target is None else target
    others = sorted((k for k in range(len(y)) if k != c), key=lambda k: abs((y[k] - y[c]).item()))[:classes]
    p = torch.softmax(y, 0)
    if join == "mean":
        s = sum(y[c] - gamma * y[d] for d in others) / len(others)
    else:
        s = sum(p[d] * (y[c] - gamma * y[d]) for d in others) / (sum(p[d] for d in others) + 1e-9)
    (G,) = torch.autograd.grad(s, kept[0])
    return (G[0].mean((1, 2))[:, None, None] * kept[0][0]).sum(0).detach()


def probabilities(block, y, gains):
    """Attention written out, head by head: what it returns for tokens y (1, N, C), with P in the graph of `gains`."""
    module, n = block.attention, y.shape[1]
    width, out = y.shape[2] // module.num_heads, []
    q, k, v = (y[0] @ module.in_proj_weight.T + module.in_proj_bias).chunk(3, 1)
    for h in range(module.num_heads):
        own = slice(h * width, (h + 1) * width)
        P = torch.softmax(q[:, own] @ k[:, own].T / math.sqrt(width), 1) + gains[h]  # gains are 0
        assert P.shape == (n, n)
        out.append(P @ v[:, own])
    return module.out_proj(torch.cat(out, 1))[None]


def legrad(net, image, target, score_of="block"):
    """(patches,) of one image (1, 3, H, W) and a TinyViT: gradients by autograd in the probabilities themselves."""
    x = net.conv0(image).flatten(2).transpose(1, 2)
    x = torch.cat([net.class_token, x], 1)
    n, gains, scores = x.shape[1], [], []
    for block in net.blocks:
        gains.append([torch.zeros(n, n, dtype=x.dtype, requires_grad=True) for _ in range(block.attention.num_heads)])
        x = x + probabilities(block, block.norm0(x), gains[-1])
        x = x + block.mlp(block.norm1(x))
        scores.append(net.fc(net.norm(x)[:, 0])[0, target])
    E = torch.zeros(n, dtype=x.dtype)
    for own, s in zip(gains, scores if score_of == "block" else [scores[-1]] * len(gains), strict=True):
        for G in torch.autograd.grad(s, own, retain_graph=True):
            for i in range(n):
                E += G[i].clamp(min=0) / (n * len(own) * len(gains))
    return E[1:]
