"""EfficientNet-Lite0 as the laboratory has it: norms folded into their convolutions, weights rounded to float16.

A batch norm of a trained network multiplies and adds the same numbers whatever the image, so they go into the weights
before it. Names of modules stay as they are, and so do the stages that `hc.stages` finds.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import holicam as hc

NAME = "efficientnet-lite0"
SEED = 1  # of what is forgotten
STEPS = 5  # the classifier, then what makes stage 4, 3, 2 and 1


def folded(model: nn.Module) -> nn.Module:
    """A copy in which each convolution does what its batch norm did, and the norm's module is its activation alone."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        convolution = ""
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                convolution = name
            elif isinstance(child, nn.BatchNorm2d):
                setattr(parent, convolution, fuse_conv_bn_eval(getattr(parent, convolution), child))
                setattr(parent, name, getattr(child, "act", nn.Identity()))
    for module in model.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = False
    return model.eval().requires_grad_(False)


def rounded() -> nn.Module:
    """The network that travels: folded, and each weight the nearest number of float16."""
    model = folded(hc.load_model(NAME))
    for weight in model.parameters():
        weight.copy_(weight.half().float())
    return model


def steps(model: nn.Module) -> dict[str, int]:
    """{weight: at which step it is forgotten}, 1 for the classifier and 5 for what comes before the first stage."""
    found, left = {}, list(hc.stages(model))
    for path, module in model.named_modules():  # in the order in which they run
        for name, _ in module.named_parameters(prefix=path, recurse=False):
            found[name] = 1 + len(left)
        if left and path == left[0]:
            left.pop(0)
    return found


def forgetful(model: nn.Module, count: int, seed: int = SEED) -> nn.Module:
    """A copy that has forgotten the first `count` steps: each of their weights has its numbers in another order.

    So `hc.sanity.reinitialise` treats modules that cannot draw new weights.
    """
    model, when = copy.deepcopy(model), steps(model)
    for number, (name, weight) in enumerate(model.named_parameters()):
        if when[name] <= count:
            weight.copy_(shuffled(weight, seed * 1000 + number))
    return model


def shuffled(weight: Tensor, seed: int) -> Tensor:
    """The same numbers in another order."""
    return weight.flatten()[torch.from_numpy(order(weight.numel(), seed))].view_as(weight)


def order(count: int, seed: int) -> np.ndarray:
    """A permutation of `count` places, sorted by a 32-bit hash of place and seed, as forgetting.mjs has it."""
    x = np.arange(count, dtype=np.uint32) ^ np.uint32(seed * 0x9E3779B1 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return np.argsort(x ^ (x >> np.uint32(16)), kind="stable")
