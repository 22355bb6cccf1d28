"""The network goes on with something else than what a layer gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..models.forms import eager
from ..models.hooks import held
from ..models.layers import Layer, find_layers


@contextmanager
def replaced(model: nn.Module, layer: Layer, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While it lasts, whoever reads the layer's output gets change(output) in its place.

    change: is handed the output as it is, for every forward, and returns another tensor; it does not write into it.
    Nothing stays at the layer afterwards. Raises LayerNotFoundError.
    """
    (module,) = find_layers(model, layer).values()
    handle = module.register_forward_hook(lambda _, __, output: change(output))
    with held([handle]), eager():
        yield


def without_channel(output: Tensor, channel: Tensor, axes: tuple[int, int]) -> Tensor:
    """A copy of the output in which channel[b] of image b is 0; axes: where images and channels lie."""
    images, channels = axes

    def along(axis: int, values: Tensor) -> Tensor:
        return values.view([-1 if a == axis else 1 for a in range(output.dim())])

    numbers = torch.arange(output.shape[channels], device=output.device)
    return output.masked_fill(along(images, channel) == along(channels, numbers), 0)
