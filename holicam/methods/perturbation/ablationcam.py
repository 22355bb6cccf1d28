"""Ablation-CAM: what a class loses when a channel of a layer is set to 0. No gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.batched import stream
from ...core.capture import Captured, capture
from ...core.explainer import Call, Explainer
from ...core.floats import changes
from ...core.options import Chunk, Score, speed
from ...core.replaced import replaced, without_channel
from ...core.tokens import axes_of
from ...models.layers import Layer, called
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
            weights = -changes(self._ablated(call, seen, layer), origin, self.score)  # (B, C)
            weights = weights / torch.where(origin == 0, 1, origin) if self.relative else weights
            M = weighted_sum(A, weights[:, :, None, None])
            maps[layer] = M.relu() if self.relu else M
        return maps

    def _ablated(self, call: Call, seen: Captured, layer: Layer) -> Tensor:
        """y_c^k of every channel, (B, C)."""
        B, C = seen.A[layer].shape[:2]
        size, channel = (call.images.shape[2], call.images.shape[3]), seen.A[layer].new_empty(0)

        def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal channel
            channel = numbers % C
            return call.images[numbers // C], numbers // C

        axes = None if call.reshape is not None else (0, 3 if seen.last.get(layer) else 1)

        def change(output: Tensor) -> Tensor:
            nonlocal axes
            if axes is None and call.reshape is not None:  # once: every batch lies alike
                axes = axes_of(call.reshape, tuple(output.shape), size)
            if axes is None:
                raise ValueError(f"reshape mixes the channels of layer {called(layer)}, so none of them can be ablated")
            return without_channel(output, channel, axes)

        with replaced(call.model, layer, change):
            found = stream(
                call.model, call.images, build, B * C, seen.target, score=self.score, chunk=self.chunk, clean=False
            )
        return found[2].view(B, C)
