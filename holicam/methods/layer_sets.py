"""The layers that Poly-CAM reads: the last one before each change of resolution, and the end.

Two lists by name. For ResNet-50 the paper prints conv1_1, conv2_3, conv3_4, conv4_6, conv5_3, in
torchvision "relu", "layer1" ... "layer4". The authors' code looks for the last *module* before a
change; a bottleneck changes size in its middle, so it finds layerX.0.relu, a module that runs
three times and ends with the new size. On 224 pixels the lists have grids of 112, 56, 28, 14, 7
and of 112, 28, 14, 7, 7. For the other networks both are the same. Where the paper names nothing,
`models.stages` finds them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import nn

from ..core.ops import one_of
from ..models.layers import innermost
from ..models.stages import stages as stages_of

SETS = ("paper", "reference")


def layer_set(model: nn.Module, name: str = "paper") -> tuple[str, ...]:
    """Module paths, shallow to deep: for ResNets and VGGs those of the paper, for DenseNets their like.

    Any other network gives its `stages` with the stem, at the cost of one forward the first time.

    Args: name: "paper" or "reference"; capture the latter with `repeated="last"`.
    Raises ValueError where a network has no stages.
    """
    one_of("layers", name, SETS)
    given, model = model, innermost(model)
    stages = ("layer1", "layer2", "layer3", "layer4")
    if hasattr(model, "relu") and all(hasattr(model, stage) for stage in stages):
        second: Any = model.layer2  # a sequence of blocks
        if name == "reference" and hasattr(second[0], "conv3"):
            return ("relu", *(f"{stage}.0.relu" for stage in stages[1:]), "layer4")
        return ("relu", *stages)
    features = getattr(model, "features", None)
    if isinstance(features, nn.Module) and hasattr(features, "denseblock1"):
        shrinking = [key for key, _ in features.named_children() if key.startswith("transition")]
        return ("features.relu0", *(f"features.{key}.relu" for key in shrinking), "features")
    if isinstance(features, nn.Sequential):
        found = tuple(
            f"features.{at}"
            for at, (module, after) in enumerate(pairwise(features))
            if isinstance(module, nn.ReLU) and isinstance(after, nn.MaxPool2d)
        )
        if len(found) == 5:
            return found
    return stages_of(given, all=True)
