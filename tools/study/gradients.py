"""What the gradients of one layer are like: how much a mean keeps of them, and how many epsilon rules."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILONS = {"1e-6": 1e-6, "1e-5": 1e-5}  # the code's, and the paper's


def relative_variance(G: Tensor) -> float:
    """The share of a gradient's energy that is lost when each channel's mean stands for it; mean over the channels.

    G: (1, C, h, w). Variance over places, over the mean square. Built in chapter 03.
    """
    V = G.var((2, 3), unbiased=False)  # (1, C)
    return float((V / (G.square().mean((2, 3)) + 1e-20)).mean())


def ruled(A: Tensor, G: Tensor, eps: float) -> float:
    """The share of the positive gradients that epsilon rules: of eps / g^2, 2 and sigma g the first is the largest.

    A, G: (1, C, h, w). NaN where no gradient is positive. Holistic-CAM eq. 8. Built in chapter 04.
    """
    there = G > 0
    g = G[there]  # (n,)
    halved, capped = torch.full_like(g, 2), (A.sum((2, 3), keepdim=True) * G)[there]
    return float((eps / g**2 >= torch.maximum(halved, capped)).float().mean())
