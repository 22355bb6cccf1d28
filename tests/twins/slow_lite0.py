"""EfficientNet-Lite0 from its paper and its file's tensors: functional calls, no module, no timm.

Tan and Le 2019, table 1: MBConv blocks by (expansion, kernel, stride, repeats). Lite0 leaves out squeeze and
excitation, puts ReLU6 for swish, and fixes stem and head. Convolutions pad as TensorFlow's "same".
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

# kernel and stride of each block's depthwise convolution, one a block
KERNELS = (3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)


def same(x: torch.Tensor, weight: torch.Tensor, stride: int = 1, groups: int = 1) -> torch.Tensor:
    """A convolution whose output has ceil(side / stride) cells; an odd pixel of padding goes below and right."""
    pads = []
    for side, kernel in ((x.shape[3], weight.shape[3]), (x.shape[2], weight.shape[2])):
        needed = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        pads += [needed // 2, needed - needed // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def logits(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) -> (B, 1000), from the tensors under the file's own names."""

    def norm(x, name):
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        scale = state[f"{name}.weight"] / (var + 1e-3).sqrt()
        return x * scale[:, None, None] + (state[f"{name}.bias"] - mean * scale)[:, None, None]

    x = norm(same(x, state["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    for i, (kernel, stride) in enumerate(zip(KERNELS, STRIDES, strict=True)):
        block, before = f"_blocks.{i}", x
        if i:
            x = norm(same(x, state[f"{block}._expand_conv.weight"]), f"{block}._bn0").clamp(0, 6)
        filters = state[f"{block}._depthwise_conv.weight"]
        assert filters.shape[2:] == (kernel, kernel)
        x = norm(same(x, filters, stride, len(filters)), f"{block}._bn1").clamp(0, 6)
        x = norm(same(x, state[f"{block}._project_conv.weight"]), f"{block}._bn2")
        if x.shape == before.shape:
            x = x + before
    x = norm(same(x, state["_conv_head.weight"]), "_bn1").clamp(0, 6)
    return F.linear(x.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])
