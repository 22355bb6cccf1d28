"""Iterated integrated attributions: gradients summed on the way from the mean colour to the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.capture import Captured, capture
from ...core.explainer import Call
from ...core.options import Count, Score
from ...core.passes import Ask, PassExplainer, View
from ...core.replaced import replaced
from ...models.layers import Layer


@dataclass(frozen=True, kw_only=True)
class IIA(PassExplainer):
    r"""IIA, iterated integrated attributions, assumed to be what Holistic-CAM's tables call "IAA".

    preset "reference", what the authors' code for CNNs computes; a forward and a backward a step:

        M = \sum_{a=0}^{n} \sum_k ReLU(A_k(a X / n)) G_k(a X / n)

    preset "nested", the paper's double integral with a zero baseline, where the activations, too,
    grow from zero: with \tilde A = (b / m) A(a X / n) put in place of the layer's output,

        M = \sum_{a=0}^{n} \sum_{b=0}^{m} \sum_k ReLU(\tilde A_k) dS/dA_k(\tilde A) / (n m)

    The terms b = m share the passes of "reference"; all others are (n + 1)(m - 1) passes for each layer.
    a = 0 is the mean colour, and adds its part. M is signed, and resized bicubically. Barkan et al., "Visual
    Explanations via Iterated Integrated Attributions", ICCV 2023. Built in chapter 08.

    Args:
        preset: "reference" or "nested".
        steps: n, on the way to the image.
        inner: m, on the way of the activations, for "nested".
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.IIA(steps=3)(model, batch.images, "layer4").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "reference"
    steps: Count = 10
    inner: Count = 10
    relu: bool = False
    score: Score = "logit"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"reference": {}, "nested": {}}

    def asks(self) -> Sequence[Ask]:
        order = (self.steps, *range(self.steps))  # the image itself first: it sets the target
        return [Ask(self.score, View(factor=a / self.steps)) for a in order]

    def step(self, call: Call, state: dict[Layer, Tensor] | None, seen: Captured, view: View) -> dict[Layer, Tensor]:
        maps = {layer: term(seen, layer) + (state[layer] if state else 0) for layer in call.layers}
        for layer in call.layers if self.preset == "nested" else ():
            for b in range(1, self.inner):  # b = 0 adds nothing, b = m is the pass above
                with replaced(call.model, layer, partial(torch.mul, other=b / self.inner)):
                    inside = capture(
                        call.model, view(call.images), layer, seen.target, score=self.score, reshape=call.reshape
                    )
                maps[layer] = maps[layer] + term(inside, layer)
        return maps

    def finish(self, call: Call, state: dict[Layer, Tensor]) -> dict[Layer, Tensor]:
        share = self.steps * self.inner if self.preset == "nested" else 1
        return {layer: M / share for layer, M in state.items()}

    def fit(self, maps: Tensor, size: tuple[int, int] | None) -> Tensor:
        if size is not None:
            maps = F.interpolate(maps[:, None], size, mode="bicubic", align_corners=False)[:, 0]
        return maps.relu() if self.relu else maps


def term(seen: Captured, layer: Layer) -> Tensor:
    """sum_k ReLU(A_k) G_k, (B, h, w)."""
    return (seen.A[layer].relu() * seen.G[layer]).sum(1)
