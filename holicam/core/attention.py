"""The gradient of a score in the attention probabilities of a transformer.

A head's output is O = P V, so dS/dP = (dS/dO) V', and P itself is not needed: forward hooks keep what the modules
`nn.MultiheadAttention` are given and what they return, the network runs as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ..models.hooks import held, of_this_thread
from .ops import at_least_float32


@dataclass(frozen=True, eq=False)
class Attention:
    """One call of an attention module: what it attended to, and what it returned."""

    module: nn.MultiheadAttention
    value: Tensor  # as given, with one entry for each key
    out: Tensor  # in the graph

    def gradient(self, G: Tensor) -> Tensor:
        """dS/dP (B, heads, queries, keys) from dS/d out, of the shape of `out`. float32 or float64."""
        module, packed = self.module, self.module.in_proj_weight
        weight = module.v_proj_weight if packed is None else packed.chunk(3)[2]
        bias = None if module.in_proj_bias is None else module.in_proj_bias.chunk(3)[2]
        V = self._heads(at_least_float32(F.linear(self.value, weight, bias)))
        return self._heads(at_least_float32(G) @ at_least_float32(module.out_proj.weight)) @ V.mT

    def _heads(self, x: Tensor) -> Tensor:
        """Tokens (B, N, heads width) head by head, (B, heads, N, width)."""
        x = x if self.module.batch_first else x.transpose(0, 1)
        return x.unflatten(2, (self.module.num_heads, -1)).transpose(1, 2)


@dataclass(frozen=True, eq=False)
class Block:
    """What lies around one attention: the largest module that holds no other and keeps the tokens' shape."""

    module: nn.Module
    tokens: Tensor  # what it returned, in the graph


@contextmanager
def attended(model: nn.Module) -> Iterator[tuple[list[Attention], dict[int, Block]]]:
    """While it lasts, fills the attentions of a forward, in the order they run, and {number of one: its block}.

    The images must require gradients, or PyTorch may take a way around these modules.
    """
    found: list[Attention] = []
    blocks: dict[int, Block] = {}
    entered: list[int] = []

    def attention(module: nn.Module, args: tuple, options: dict, output: tuple) -> tuple:
        assert isinstance(module, nn.MultiheadAttention)
        value = args[2] if len(args) > 2 else options["value"]
        found.append(Attention(module, value.detach(), output[0]))
        return output[0].clone(), *output[1:]  # or those who write into it would change what is kept

    def enter(_: nn.Module, __: tuple) -> None:
        entered.append(len(found))

    def leave(module: nn.Module, inputs: tuple, output: object) -> Tensor | None:
        first = entered.pop()
        given = inputs[0] if inputs else None
        if module is model or len(found) != first + 1 or not isinstance(output, Tensor) or output.dim() != 3:
            return None
        if not isinstance(given, Tensor) or given.shape != output.shape:
            return None
        blocks[first] = Block(module, output)
        return output.clone()

    handles = []
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            handles.append(module.register_forward_hook(of_this_thread(attention), with_kwargs=True))
        handles.append(module.register_forward_pre_hook(of_this_thread(enter)))
        handles.append(module.register_forward_hook(of_this_thread(leave)))
    with held(handles):
        yield found, blocks
