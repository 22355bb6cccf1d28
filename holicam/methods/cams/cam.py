"""CAM, where the classifier's own weights are read, and the plain sum, which has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ...core.capture import Captured
from ...core.floats import tolerance
from ...models.layers import Layer, called
from . import weights as cam
from .single import SingleScale


@dataclass(frozen=True, kw_only=True)
class ActivationSum(SingleScale):
    r"""The sum of all channels, M = ReLU(\sum_k A_k): the same map for every class.

    "No weighting" in Holistic-CAM's Fig. 4. One forward, no backward. Built in chapter 08.

    Args:
        relu: whether the map is cut at 0.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.ActivationSum()(model, batch.images, "layer4", size="native").shape
        torch.Size([1, 1, 1])
    """

    relu: bool = True
    uses_gradients: ClassVar[bool] = False

    def map(self, model: nn.Module, captured: Captured, layer: Layer) -> Tensor:
        A = captured.A[layer]
        return cam.weighted_sum(A, cam.activation_sum(A))


@dataclass(frozen=True, kw_only=True)
class CAM(SingleScale):
    r"""CAM, M = ReLU(\sum_k w_k A_k) with the classifier's own weights w of the class.

    Needs a network whose logits are a linear layer on the globally averaged channels of the layer, with at
    most a ReLU and a dropout between. That is checked by computing the logits this way; a ValueError says
    when they differ. The target is None or class indices, not a callable. One forward, no backward. Zhou et
    al., "Learning Deep Features for Discriminative Localization", CVPR 2016. Built in chapter 01.

    Args:
        relu: whether the map is cut at 0.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.CAM()(model, batch.images, "layer4").shape
        torch.Size([1, 32, 32])
    """

    relu: bool = True
    uses_gradients: ClassVar[bool] = False

    def map(self, model: nn.Module, captured: Captured, layer: Layer) -> Tensor:
        if callable(captured.target):
            raise ValueError(
                "CAM reads one class's weights, so its target must be None or class "
                "indices, not a callable; Grad-CAM takes callables"
            )
        A = captured.A[layer]
        for gate in (None, A > 0):  # DenseNet applies a ReLU after its last layer
            features = (A if gate is None else A * gate).mean((2, 3))  # (B, C)
            head = pooled_head(model, features, captured.logits)
            if head is not None:
                W = cam.class_weights(head.to(A), captured.target)
                return cam.weighted_sum(A, W if gate is None else W * gate)
        raise ValueError(
            f"CAM needs logits that are a linear layer on the averaged channels of "
            f"{called(layer)}, which {type(model).__name__} does not have: name the last "
            "layer before the pooling, or use Grad-CAM"
        )


def pooled_head(model: nn.Module, features: Tensor, logits: Tensor) -> Tensor | None:
    """The (K, C) weight of the linear layer that turns features (B, C) into logits, or None."""
    shape = (logits.shape[1], features.shape[1])
    for module in reversed(list(model.modules())):
        if not isinstance(module, nn.Linear) or module.weight.shape != shape:
            continue
        bias = None if module.bias is None else module.bias.detach().to(features)
        predicted = nn.functional.linear(features, module.weight.detach().to(features), bias)
        gap = (predicted - logits).abs().amax()
        if bool(gap <= tolerance(logits) * logits.abs().amax()):
            return module.weight.detach()
    return None
