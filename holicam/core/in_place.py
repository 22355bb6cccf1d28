"""Layers that write their output over their input, as nn.ReLU(inplace=True) does.

A network may then read the input, which is the output under another name, or leave what the layer returns alone. So
whoever puts something in the place of such a layer's output puts it into that memory, too.
"""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.autograd import _unsafe_preserve_version_counter
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from ..models.hooks import of_this_thread


class Overwritten:
    """What layers were given, noted before they run, so that it can be told whether they wrote into it."""

    def __init__(self) -> None:
        self._given: dict[nn.Module, list[tuple[Tensor, int]]] = {}

    def watch(self, module: nn.Module) -> RemovableHandle:
        """A hook that notes the inputs of a module."""
        return module.register_forward_pre_hook(of_this_thread(self._note), with_kwargs=True)

    def _note(self, module: nn.Module, inputs: tuple, named: dict) -> None:
        some = [x for x in tree_leaves((inputs, named)) if isinstance(x, Tensor) and not x.is_inference()]
        self._given[module] = [(x, x._version) for x in some]

    def by(self, module: nn.Module, output: object) -> Tensor | None:
        """The input that the module has made its output of, in place; None where there is none. Forgets the inputs."""
        for x, version in self._given.pop(module, ()):
            if isinstance(output, Tensor) and x._version != version and _same(x, output):
                return x
        return None


def put(memory: Tensor, values: Tensor) -> None:
    """From now on whoever reads the memory reads these values, and their gradient goes to them.

    The values that are there already may have been kept for a backward, which equal ones do not disturb. Left as it is
    where autograd forbids it, for one of several parts of a tensor.
    """
    with suppress(RuntimeError):
        if values.requires_grad and torch.is_grad_enabled():
            with _unsafe_preserve_version_counter(memory):
                memory.copy_(values)
        else:
            memory.copy_(values)


def _same(x: Tensor, output: Tensor) -> bool:
    return x is output or (
        x.data_ptr() == output.data_ptr() and x.shape == output.shape and x.stride() == output.stride()
    )


def shares_memory(x: object, output: Tensor) -> bool:
    """Whether writing into x may change the output: they begin at one place, or one is a part of the other."""
    if not isinstance(x, Tensor):
        return False
    if x.data_ptr() == output.data_ptr():
        return True
    strided = x.layout == output.layout == torch.strided
    return strided and x.untyped_storage().data_ptr() == output.untyped_storage().data_ptr() != 0
