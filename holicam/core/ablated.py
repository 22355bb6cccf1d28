"""What scores become when a channel of a layer is set to 0, one channel at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.layers import Layer, called
from .batched import stream
from .capture import Captured
from .explainer import Call
from .replaced import replaced
from .tokens import axes_of


def without_channel(output: Tensor, channel: Tensor, axes: tuple[int, int]) -> Tensor:
    """A copy of the output in which channel[b] of image b is 0; axes: where images and channels lie."""
    images, channels = axes

    def along(axis: int, values: Tensor) -> Tensor:
        return values.view([-1 if a == axis else 1 for a in range(output.dim())])

    numbers = torch.arange(output.shape[channels], device=output.device)
    return output.masked_fill(along(images, channel) == along(channels, numbers), 0)


def scores_without(call: Call, seen: Captured, layer: Layer, score: str, chunk: int) -> Tensor:
    """The score of each image without each channel of a layer, (B, C). B C forwards, which start at the image.

    The channel is 0 at every place, class tokens included, and the network goes on from there. score: "logit", "prob"
    or "sigmoid". Raises ValueError where `reshape` mixes the channels of the layer.
    """
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
        found = stream(call.model, call.images, build, B * C, seen.target, score=score, chunk=chunk, clean=False)
    return found[2].view(B, C)
