"""Smooth Grad-CAM++: the gradients of Grad-CAM++, taken as means over noisy copies of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor

from ...core.capture import Captured
from ...core.explainer import Call
from ...core.options import Count, NotNegative, Positive, Score, Seed, among
from ...core.passes import Ask, PassExplainer, View
from ...models.layers import Layer
from .weights import weighted_sum


class Powers:
    """Running sums of G, G^2, G^3, and the last G; zeros like A at first."""

    def __init__(self, A: Tensor) -> None:
        self.last = torch.zeros_like(A)
        self.sums = [self.last] * 3

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


@dataclass(frozen=True, kw_only=True)
class SmoothGradCAMpp(PassExplainer):
    r"""Smooth Grad-CAM++: M = ReLU(\sum_k w_k A_k), its gradients averaged over noisy copies of the image.

    A comes from the image itself; D_p, the mean of G^p, from copies with Gaussian noise, one draw for the whole
    batch; w is `smooth_weights`. A forward, and a forward and a backward a copy, for any number of layers.
    Omeiza et al., "Smooth Grad-CAM++", arXiv:1908.01224. Built in chapter 08.

    Args:
        samples: how many copies, which may be given without its name.
        std: deviation of the noise on the normalised image, greater than 0.
        eps: added to alpha's denominator, at least 0.
        numerator: of alpha, "d2", as libraries have it, or "d1", the paper's printed formula.
        last_sample: ReLU(G) of the last copy in place of ReLU(D_1), which is what torchcam computes.
        seed: copy m of n uses the seed n `seed` + m, so that other seeds are other draws.
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.SmoothGradCAMpp(samples=2)(model, batch.images, "layer4").shape
        torch.Size([1, 32, 32])
    """

    samples: Count = field(default=4, kw_only=False)
    std: Positive = 0.3
    eps: NotNegative = 1e-8
    numerator: Annotated[str, among(("d1", "d2"))] = "d2"
    last_sample: bool = False
    seed: Seed = 0
    relu: bool = True
    score: Score = "logit"

    def asks(self) -> Sequence[Ask]:
        noisy = [View(std=self.std, seed=self.samples * self.seed + m) for m in range(self.samples)]
        return [Ask(None), *(Ask(self.score, view) for view in noisy)]

    def step(
        self, call: Call, state: tuple[dict[Layer, Tensor], dict[Layer, Powers]] | None, seen: Captured, view: View
    ) -> tuple[dict[Layer, Tensor], dict[Layer, Powers]]:
        if state is None:  # the image itself
            A = {layer: seen.A[layer] for layer in call.layers}
            return A, {layer: Powers(A[layer]) for layer in A}
        for layer, powers in state[1].items():
            powers.add(seen.G[layer])
        return state

    def finish(self, call: Call, state: tuple[dict[Layer, Tensor], dict[Layer, Powers]]) -> dict[Layer, Tensor]:
        made = {}
        for layer, powers in state[1].items():
            A, (D1, D2, D3) = state[0][layer], (total / self.samples for total in powers.sums)
            w = smooth_weights(A, D1, D2, D3, powers.last if self.last_sample else D1, self.numerator, self.eps)
            M = weighted_sum(A, w)
            made[layer] = M.relu() if self.relu else M
        return made
