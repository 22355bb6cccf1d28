"""Forwards without gradients, faster on a CPU: each convolution with its batch norm, its sum and its ReLU in one step.

A network of convolutions spends nearly half of a forward moving activations through memory, for norms and ReLUs that
oneDNN can do while it writes what a convolution gives. `quick(model)` makes the network take that way wherever nobody
looks at what lies between: no gradient, no hook on any part, eval mode, float32 on a CPU, no weight changed since.
Everywhere else the network is what it was. Logits agree to some 1e-6, as a test holds; tools.restamp holds rows to the
plain network.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

Spec = tuple[Tensor, Tensor, list[int], list[int], list[int], int]
SUMS = (operator.add, operator.iadd, torch.add)
RELUS = (torch.relu, torch.nn.functional.relu)


def quick(model: nn.Module) -> nn.Module:
    """The same network, whose forwards without gradients are fused. Raises TraceError where it cannot be traced."""
    usual, fast, parts = model.forward, fused(model), [*model.modules()]
    weights = [*model.parameters(), *model.buffers()]
    versions = [weight._version for weight in weights]

    def forward(images: Tensor) -> Tensor:
        plain = images.dtype == torch.float32 and images.device.type == "cpu" and not torch.is_grad_enabled()
        seen = any(part.training or part._forward_hooks or part._forward_pre_hooks for part in parts)
        if plain and not seen and [weight._version for weight in weights] == versions:
            return fast(images.contiguous(memory_format=torch.channels_last))
        return usual(images)

    model.forward = forward
    return model


def fused(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """What a network in eval mode computes, with its convolutions fused; its weights are copied."""
    traced = fx.symbolic_trace(copy.deepcopy(model).eval())
    graph, parts = traced.graph, dict(traced.named_modules())
    for node in [*graph.nodes]:
        conv = _part(node, parts)
        if type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and not isinstance(conv.padding, str):
            _fuse(node, conv, parts)
    graph.eliminate_dead_code()
    traced.recompile()
    return traced


def _fuse(node: fx.Node, conv: nn.Conv2d, parts: dict[str, nn.Module]) -> None:
    last, weight, bias = node, conv.weight, conv.bias
    norm = _part(after, parts) if (after := _only(last)) is not None else None
    if after is not None and type(norm) is nn.BatchNorm2d and norm.running_mean is not None:
        weight, bias = fuse_conv_bn_weights(
            weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        last = after
    other = None
    if (after := _only(last)) is not None and after.op == "call_function" and after.target in SUMS and not after.kwargs:
        others = [arg for arg in after.args if arg is not last]
        # of the two branches that a sum joins the later one takes it up: the other is known by then
        if len(others) == 1 and isinstance(others[0], fx.Node) and others[0] < last:
            other, last = others[0], after
    relu = (after := _only(last)) is not None and _is_relu(after, parts)
    last = after if relu and after is not None else last
    weight = weight.detach().contiguous(memory_format=torch.channels_last)
    bias = None if bias is None else bias.detach()
    spec = (weight, bias, list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
    with node.graph.inserting_before(last):
        args = (node.args[0],) if other is None else (node.args[0], other)
        new = node.graph.call_function(_step(spec, relu, other is not None), args)
    last.replace_all_uses_with(new)


def _step(spec: Spec, relu: bool, sums: bool) -> Callable[..., Tensor]:
    unary = "relu" if relu else None

    def alone(x: Tensor) -> Tensor:
        return torch.ops.mkldnn._convolution_pointwise(x, *spec, unary or "none", [], "")

    def joined(x: Tensor, other: Tensor) -> Tensor:
        return torch.ops.mkldnn._convolution_pointwise.binary(x, other, *spec, "add", 1.0, unary, [], None)

    return joined if sums else alone


def _only(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _part(node: fx.Node, parts: dict[str, nn.Module]) -> nn.Module | None:
    return parts.get(str(node.target)) if node.op == "call_module" else None


def _is_relu(node: fx.Node, parts: dict[str, nn.Module]) -> bool:
    return type(_part(node, parts)) is nn.ReLU or (node.op == "call_function" and node.target in RELUS)
