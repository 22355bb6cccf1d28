"""Smooth Grad-CAM++: the gradients of Grad-CAM++, taken as means over noisy copies of the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.ops import SCORES, one_of
from ...core.options import check_count, check_flag, check_number
from ...core.passes import Ask, Call, Gather, PassExplainer, View
from .weights import weighted_sum


class Powers:
    """Running sums of G, G^2, G^3, and the last G."""

    def __init__(self) -> None:
        self.sums, self.last = [0, 0, 0], None

    def add(self, G: Tensor) -> None:
        self.sums = [total + G**p for total, p in zip(self.sums, (1, 2, 3), strict=True)]
        self.last = G


def smooth_weights(
    A: Tensor, D1: Tensor, D2: Tensor, D3: Tensor, factor: Tensor, numerator: str = "d2", eps: float = 1e-8
) -> Tensor:
    r"""w_k = \sum_{ij} alpha ReLU(factor), alpha = D2 / (2 D2 + \sum_{ab} A_ab D3_ab + eps).

    All (B, C, h, w); returns (B, C, 1, 1). alpha is 0 where the denominator is. Built in chapter 08.
    """
    below = 2 * D2 + (A * D3).sum((2, 3), keepdim=True) + eps
    above = D2 if numerator == "d2" else D1
    alpha = torch.where(below == 0, torch.zeros_like(above), above / below)
    return (alpha * factor.relu()).sum((2, 3), keepdim=True)


@dataclass(frozen=True)
class SmoothGradCAMpp(PassExplainer):
    r"""Smooth Grad-CAM++ (Omeiza et al., arXiv:1908.01224): M = ReLU(\sum_k w_k A_k).

    A comes from the image itself; D_p, the mean of G^p, from `samples` copies with Gaussian noise
    of deviation `std` on the normalised image, one draw for the whole batch; w is
    `smooth_weights`.

    numerator: "d2", as libraries have it, or "d1", the paper's printed formula.
    last_sample: ReLU(G) of the last copy in place of ReLU(D1), which is what torchcam computes.
    seed: copy m of n uses the seed n `seed` + m, so that other seeds are other draws.

    Costs a forward, and a forward and a backward a copy, for any number of layers.
    Built in chapter 08.
    """

    samples: int = 4
    std: float = 0.3
    eps: float = 1e-8
    numerator: str = "d2"
    last_sample: bool = False
    seed: int = 0
    relu: bool = True
    score: str = "logit"

    def __post_init__(self) -> None:
        check_count("samples", self.samples)
        check_number("std", self.std, above=True)
        check_number("eps", self.eps)
        one_of("numerator", self.numerator, ("d1", "d2"))
        check_flag("last_sample", self.last_sample)
        check_count("seed", self.seed, 0)
        check_flag("relu", self.relu)
        one_of("score", self.score, SCORES)

    def gather(self, call: Call) -> Gather:
        A = (yield Ask(call.layers, None)).A
        seen = {layer: Powers() for layer in call.layers}
        for m in range(self.samples):
            noisy = View(std=self.std, seed=self.samples * self.seed + m)
            G = (yield Ask(call.layers, self.score, noisy)).G
            for layer in call.layers:
                seen[layer].add(G[layer])
            del G  # or it would live through the next pass
        made = {}
        for layer, powers in seen.items():
            D = [total / self.samples for total in powers.sums]
            w = smooth_weights(A[layer], *D, powers.last if self.last_sample else D[0], self.numerator, self.eps)
            M = weighted_sum(A[layer], w)
            made[layer] = call.fit(M.relu() if self.relu else M)
        return made
