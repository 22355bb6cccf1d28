"""The network goes on with something else than what a layer gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from ..models.forms import eager
from ..models.hooks import held, of_this_thread
from ..models.layers import Layer, find_layers
from .in_place import Overwritten


@contextmanager
def replaced(model: nn.Module, layer: Layer, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While it lasts, whoever reads the layer's output gets change(output) in its place.

    change: is handed the output as it is, for every forward of this thread, and returns another tensor; it does not
    write into it.
    Nothing stays at the layer afterwards. Raises LayerNotFoundError.
    """
    (module,) = find_layers(model, layer).values()
    overwritten = Overwritten()

    def hook(module: nn.Module, _: tuple, output: Tensor) -> Tensor | None:
        memory = overwritten.by(module, output)
        changed = change(output)
        if memory is None or memory.requires_grad or changed.requires_grad or changed.shape != memory.shape:
            return changed
        memory.copy_(changed)  # the output, too, which goes on
        return None

    with held([overwritten.watch(module), module.register_forward_hook(of_this_thread(hook))]), eager():
        yield
