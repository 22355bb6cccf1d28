"""Iterated integrated attributions: gradients summed on the way from the mean colour to the image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ...core.capture import Captured, capture
from ...core.ops import SCORES, one_of
from ...core.options import check_count, check_flag, output_size
from ...core.passes import Ask, Call, Gather, PassExplainer, View
from ...models.layers import Layer, find_layers


@dataclass(frozen=True)
class IIA(PassExplainer):
    r"""IIA (Barkan et al., ICCV 2023), assumed to be what Holistic-CAM's tables call "IAA".

    preset "reference", what the authors' code for CNNs computes; a forward and a backward a step:

        M = \sum_{a=0}^{n} \sum_k ReLU(A_k(a X / n)) G_k(a X / n)

    preset "nested", the paper's double integral with a zero baseline, where the activations, too,
    grow from zero: with \tilde A = (b / m) A(a X / n) put in place of the layer's output,

        M = \sum_{a=0}^{n} \sum_{b=0}^{m} \sum_k ReLU(\tilde A_k) dS/dA_k(\tilde A) / (n m)

    The terms b = m share the passes of "reference"; all others are (n + 1)(m - 1) passes for each
    layer. steps: n. inner: m. a = 0 is the mean colour, and adds its part.

    M is signed (`relu` cuts it), and resized bicubically. Built in chapter 08.
    """

    preset: str = "reference"
    steps: int = 10
    inner: int = 10
    relu: bool = False
    score: str = "logit"

    def __post_init__(self) -> None:
        one_of("preset", self.preset, ("reference", "nested"))
        check_count("steps", self.steps)
        check_count("inner", self.inner)
        check_flag("relu", self.relu)
        one_of("score", self.score, SCORES)

    def gather(self, call: Call) -> Gather:
        nested = self.preset == "nested"
        maps = dict.fromkeys(call.layers, 0)
        for a in (self.steps, *range(self.steps)):  # the image itself first: it sets the target
            view = View(factor=a / self.steps)
            seen = yield Ask(call.layers, self.score, view)
            target = seen.target
            maps = {layer: M + term(seen, layer) for layer, M in maps.items()}
            del seen  # or it would live through the next pass
            for layer in call.layers if nested else ():
                for b in range(1, self.inner):  # b = 0 adds nothing, b = m is the pass above
                    with scaled_output(call.model, layer, b / self.inner):
                        inside = capture(
                            call.model, view(call.images), layer, target, score=self.score, reshape=call.reshape
                        )
                    maps[layer] = maps[layer] + term(inside, layer)
        made = {}
        for layer, M in maps.items():
            M = fit(call, M / (self.steps * self.inner) if nested else M)
            made[layer] = M.relu() if self.relu else M
        return made


def term(seen: Captured, layer: Layer) -> Tensor:
    """sum_k ReLU(A_k) G_k, (B, h, w)."""
    return (seen.A[layer].relu() * seen.G[layer]).sum(1)


def fit(call: Call, maps: Tensor) -> Tensor:
    """Maps (B, h, w) at the size asked for, bicubic."""
    if call.size == "native":
        return maps
    size = output_size(call.size, call.images)
    return F.interpolate(maps[:, None], size, mode="bicubic", align_corners=False)[:, 0]


@contextmanager
def scaled_output(model: nn.Module, layer: Layer, factor: float) -> Iterator[None]:
    """A layer gives `factor` times its output, to the rest of the network and to later hooks."""
    module = find_layers(model, layer)[layer]
    handle = module.register_forward_hook(lambda module, inputs, output: output * factor)
    try:
        yield
    finally:
        handle.remove()
