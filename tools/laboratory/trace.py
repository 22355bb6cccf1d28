"""The network's graphs as ONNX files: its logits, and its logits with activations and gradients at the stages.

PyTorch writes down the operations of a forward and a backward, some fifteen kinds of them, and each is written here as
one or a few operations of ONNX. Weights are inputs of the graphs, not part of them: all graphs share one file, and
other weights are another input. ONNX has no backward of a convolution; that of its input is a transposed convolution.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

import holicam as hc

OPSET, IR = 18, 9
SIZES = tuple(round(224 * ratio) for ratio in hc.HolisticCAM(preset="fast").scales)
aten = torch.ops.aten


def logits(model: nn.Module) -> GraphModule:
    """(image) -> logits."""
    return _traced(model, lambda x: (model(x),), torch.zeros(1, 3, SIZES[0], SIZES[0]))


def question(model: nn.Module, side: int) -> GraphModule:
    """(image, one-hot class) -> logits, A of the four stages, G of the four stages, for an image enlarged to a side."""
    names, kept = hc.stages(model), {}

    def asked(x: Tensor, onehot: Tensor) -> tuple[Tensor, ...]:
        x = x if side == x.shape[-1] else nn.functional.interpolate(x, (side, side), mode="bicubic")
        y = model(x.requires_grad_())
        A = [kept[name] for name in names]
        return (y, *A, *torch.autograd.grad(y, A, onehot))

    hooks = [
        model.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: kept.__setitem__(name, out))
        for name in names
    ]
    try:
        return _traced(model, asked, torch.zeros(1, 3, SIZES[0], SIZES[0]), torch.zeros(1, 1000))
    finally:
        for hook in hooks:
            hook.remove()


def _traced(model: nn.Module, function: Callable[..., Any], *inputs: Tensor) -> GraphModule:
    graph = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
    known = {id(weight): name for name, weight in model.named_parameters()}
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            node.meta["weight"] = known[id(getattr(graph, str(node.target)))]
    graph.graph.eliminate_dead_code()
    return graph


def written(graph: GraphModule, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """The ONNX form of a graph; its weights are inputs, named as the network names them."""
    return _Writer().write(graph, inputs, outputs)


class _Writer:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[tuple, onnx.TensorProto] = {}
        self.weights: dict[str, onnx.ValueInfoProto] = {}
        self.clipped: dict[str, str] = {}  # what was clipped, and what it became

    def write(self, graph: GraphModule, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
        names: dict[Node, Any] = {}
        given: list[onnx.ValueInfoProto] = []
        wanted: list[onnx.ValueInfoProto] = []
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                names[node] = inputs[len(given)]
                given.append(_value(names[node], node))
            elif node.op == "get_attr":
                names[node] = node.meta["weight"]
                self.weights[names[node]] = _value(names[node], node)
            elif node.op == "output":
                wanted = [_value(name, result) for name, result in zip(outputs, node.args[0], strict=True)]
                self.rename({names[result]: name for name, result in zip(outputs, node.args[0], strict=True)})
            else:
                args = torch.fx.node.map_arg(node.args, lambda one: names[one])
                names[node] = WRITERS[node.target](self, node, *args)
        body = helper.make_graph(
            self.nodes, "network", [*given, *self.weights.values()], wanted, list(self.constants.values())
        )
        model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(model, full_check=True)
        return model

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [f"t{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def rename(self, new: dict[str, str]) -> None:
        for node in self.nodes:
            node.input[:] = [new.get(name, name) for name in node.input]
            node.output[:] = [new.get(name, name) for name in node.output]

    def whole(self, *values: int) -> str:
        return self._constant(TensorProto.INT64, values, [len(values)])

    def number(self, value: float) -> str:
        return self._constant(TensorProto.FLOAT, (value,), [])

    def _constant(self, kind: int, values: tuple, shape: list[int]) -> str:
        key = (kind, values, len(shape))
        if key not in self.constants:
            self.constants[key] = helper.make_tensor(f"c{len(self.constants)}", kind, shape, values)
        return self.constants[key].name


def _value(name: str, node: Node) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(node.meta["val"].shape))


def _shape(node: Any) -> list[int]:
    return list(node.meta["val"].shape)


def _convolution(w, node, x, weight, bias, stride, padding, dilation, transposed, extra, groups):
    sides = {"strides": stride, "pads": [*padding, *padding], "dilations": dilation, "group": groups}
    return w.add("Conv", [x, weight] if bias is None else [x, weight, bias], **sides)


def _convolution_backward(w, node, grad, x, weight, sizes, stride, padding, dilation, transposed, extra, groups, mask):
    """The gradient of the input alone, which comes first of the three."""
    image, given, kernel = (_shape(node.args[i])[2:] for i in (1, 0, 2))
    rest = [
        n - ((g - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, g, s, p, d, k in zip(image, given, stride, padding, dilation, kernel, strict=True)
    ]
    sides = {"strides": stride, "pads": [*padding, *padding], "dilations": dilation, "group": groups}
    return [w.add("ConvTranspose", [grad, weight], output_padding=rest, **sides)]


def _hardtanh(w, node, x, low, high):
    w.clipped[x] = w.add("Clip", [x, w.number(low), w.number(high)])
    return w.clipped[x]


def _hardtanh_backward(w, node, grad, x, low, high):
    """Read off what was clipped: x itself is then of no use to anybody, and ONNX Runtime never keeps it."""
    y = w.clipped[x]
    inside = w.add("And", [w.add("Greater", [y, w.number(low)]), w.add("Less", [y, w.number(high)])])
    return w.add("Where", [inside, grad, w.number(0.0)])


def _padded(w, node, x, pad, value=0.0):
    """Torch names the last side first, ONNX all beginnings, then all ends; a negative padding cuts off."""
    ends = [0] * (4 - len(pad) // 2)
    begin, end = ends + list(pad[-2::-2]), ends + list(pad[::-2])
    return w.add("Pad", [x, w.whole(*begin, *end), w.number(value)])


def _enlarged(w, node, x, size, corners, factors=None):
    own = {"mode": "cubic", "cubic_coeff_a": -0.75, "coordinate_transformation_mode": "half_pixel"}
    return w.add("Resize", [x, "", "", w.whole(*_shape(node))], **own)


WRITERS: dict[Any, Callable[..., Any]] = {
    aten.convolution.default: _convolution,
    aten.convolution_backward.default: _convolution_backward,
    aten.hardtanh.default: _hardtanh,
    aten.hardtanh_backward.default: _hardtanh_backward,
    aten.constant_pad_nd.default: _padded,
    aten.upsample_bicubic2d.default: _enlarged,
    aten.add.Tensor: lambda w, node, a, b: w.add("Add", [a, b]),
    aten.div.Scalar: lambda w, node, x, number: w.add("Div", [x, w.number(number)]),
    aten.mean.dim: lambda w, node, x, dims, keep: w.add("ReduceMean", [x, w.whole(*dims)], keepdims=int(keep)),
    aten.view.default: lambda w, node, x, shape: w.add("Reshape", [x, w.whole(*shape)]),
    aten.expand.default: lambda w, node, x, shape: w.add("Expand", [x, w.whole(*shape)]),
    aten.t.default: lambda w, node, x: w.add("Transpose", [x], perm=[1, 0]),
    aten.mm.default: lambda w, node, a, b: w.add("MatMul", [a, b]),
    aten.addmm.default: lambda w, node, bias, a, b: w.add("Add", [w.add("MatMul", [a, b]), bias]),
    operator.getitem: lambda w, node, several, which: several[which],
}
