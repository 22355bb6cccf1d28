"""Ablation-CAM: what a class loses when a channel of a layer is set to 0. No gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.ablated import scores_without
from ...core.capture import capture
from ...core.explainer import Call, Explainer
from ...core.floats import changes
from ...core.options import Chunk, Score, speed
from ...core.still import warn_still
from ...models.layers import Layer
from ..cams.weights import weighted_sum


@dataclass(frozen=True, kw_only=True)
class AblationCAM(Explainer):
    r"""Ablation-CAM: M = ReLU(\sum_k w_k A_k), w_k = (y_c - y_c^k) / y_c, y_c^k the score without channel k.

    The channel is 0 at every place, class tokens included, and the network goes on from there. One forward, and one
    for each channel, which starts at the image. Where y_c is negative the division turns the map over; where it is
    0, nothing is divided. Ramaswamy and Desai, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via
    Gradient-free Localization", WACV 2020.

    Other packages take something below the least activation for 0 where activations have both signs; behind a
    ReLU they agree with this one.

    Args:
        relative: divide by y_c, as the paper does; False leaves the sign alone and changes the scale.
        relu: whether the map is cut at 0.
        score: "logit", "prob" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.AblationCAM()(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    relative: bool = True
    relu: bool = True
    score: Score = "logit"
    chunk: Chunk = speed(64)

    def maps(self, call: Call) -> dict[Layer, Tensor]:
        seen = capture(
            call.model, call.images, call.layers, call.target, score=self.score, gradients=False, reshape=call.reshape
        )
        origin, maps = seen.score[:, None], {}
        for layer, A in seen.A.items():
            ablated = scores_without(call, seen, layer, self.score, self.chunk)  # (B, C)
            warn_still(ablated, origin, self.score, layer)
            weights = -changes(ablated, origin, self.score)
            weights = weights / torch.where(origin == 0, 1, origin) if self.relative else weights
            M = weighted_sum(A, weights[:, :, None, None])
            maps[layer] = M.relu() if self.relu else M
        return maps
