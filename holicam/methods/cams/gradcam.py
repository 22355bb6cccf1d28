"""The CAM family at one scale: explainers that differ in one function of `cam`.

Each is a frozen dataclass of its hyper-parameters. `weights` says what is particular to it; the
rest is one pass, which several explainers share (`passes.run`), and one weighted sum.
Maps are not scaled: see `ops.normalise`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ...core.capture import Captured
from ...core.floats import tolerance
from ...core.ops import SCORES, one_of
from ...core.options import check_flag, check_number, fill_preset
from ...core.passes import Ask, Call, Gather, PassExplainer
from ...models.layers import called
from . import weights as cam


class SingleScale(PassExplainer):
    """One pass, one weighted sum. The order is: channel sum, ReLU (`relu`), resize."""

    uses_gradients: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_flag("relu", self.relu)
        one_of("score", getattr(self, "score", "logit"), SCORES)
        check_number("eps", getattr(self, "eps", 0))

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        """W of one layer; broadcasts to captured.A[layer]."""
        raise NotImplementedError

    def map(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        """The map (B, h, w) of one layer, before the ReLU."""
        return cam.weighted_sum(captured.A[layer], self.weights(model, captured, layer))

    def gather(self, call: Call) -> Gather:
        captured = yield Ask(call.layers, self.score if self.uses_gradients else None)
        maps = {layer: self.map(call.model, captured, layer) for layer in call.layers}
        return {layer: call.fit(m.relu() if self.relu else m) for layer, m in maps.items()}


@dataclass(frozen=True)
class ActivationSum(SingleScale):
    """W = 1: the sum of all channels, the same for every class. One forward, no backward. Built in chapter 08."""

    relu: bool = True
    uses_gradients: ClassVar[bool] = False

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        return cam.activation_sum(captured.A[layer])


@dataclass(frozen=True)
class CAM(SingleScale):
    """CAM of Zhou et al. (CVPR 2016): the classifier's own weights, where one exists to be read.

    Needs a network whose logits are a linear layer on the globally averaged channels of `layers`,
    with at most a ReLU and a dropout between. That is checked by computing the logits this way; a
    ValueError says when they differ. One forward, no backward. Built in chapter 01.
    """

    relu: bool = True
    uses_gradients: ClassVar[bool] = False

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
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
                return W if gate is None else W * gate
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


@dataclass(frozen=True)
class GradCAM(SingleScale):
    """Grad-CAM (ICCV 2017): channels weighted by their mean gradient. Built in chapter 01."""

    relu: bool = True
    score: str = "logit"

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        return cam.grad_cam(captured.A[layer], captured.G[layer])


GRADCAMPP_PRESETS = {
    "default": {"eps": 1e-6, "denominator": "paper", "normalize_alpha": False},
    "paper": {"eps": 0.0, "denominator": "paper", "normalize_alpha": False},
    "reference": {"eps": 0.0, "denominator": "paper", "normalize_alpha": True},
    "torchcam": {"eps": 0.0, "denominator": "none", "normalize_alpha": False},
}


@dataclass(frozen=True)
class GradCAMpp(SingleScale):
    """Grad-CAM++ (WACV 2018): channels weighted by the alpha-weighted sum of positive gradients.

    preset: "default"; "paper", without a guard eps; "reference", the authors' code, which
    normalises alpha; "torchcam", whose alpha lost its division, to repeat published baselines.
    The other fields are those of `cam.alpha`. The closed form of alpha holds for piecewise linear
    networks; after GELU, SiLU or attention it is a heuristic. Built in chapter 02.
    """

    preset: str = "default"
    eps: float | None = None
    denominator: str | None = None
    normalize_alpha: bool | None = None
    eps_mode: str = "absolute"
    activation_sum: str = "raw"
    relu: bool = True
    score: str = "logit"

    def __post_init__(self) -> None:
        fill_preset(self, GRADCAMPP_PRESETS)
        super().__post_init__()
        one_of("denominator", self.denominator, ("paper", "sum_Ag3", "none"))
        one_of("eps_mode", self.eps_mode, ("absolute", "relative"))
        one_of("activation_sum", self.activation_sum, ("raw", "relu"))

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        return cam.grad_cam_pp(
            captured.A[layer],
            captured.G[layer],
            self.eps,
            denominator=self.denominator,
            normalize_alpha=self.normalize_alpha,
            eps_mode=self.eps_mode,
            activation_sum=self.activation_sum,
        )


@dataclass(frozen=True)
class XGradCAM(SingleScale):
    """XGrad-CAM (BMVC 2020): channels weighted by their activation-weighted gradient. Built in chapter 08."""

    eps: float = 1e-7
    relu: bool = True
    score: str = "logit"

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        return cam.xgrad_cam(captured.A[layer], captured.G[layer], self.eps)


@dataclass(frozen=True)
class WGradCAM(SingleScale):
    """W-Grad-CAM (AAAI 2021), a reconstruction: w_k = mean(A_k G_k). Built in chapter 08."""

    relu: bool = True
    score: str = "logit"

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        return cam.w_grad_cam(captured.A[layer], captured.G[layer])


@dataclass(frozen=True)
class LayerCAM(SingleScale):
    """Layer-CAM (TIP 2021): each element weighted by its positive gradient. Built in chapter 08."""

    relu: bool = True
    score: str = "logit"

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        return cam.layer_cam(captured.A[layer], captured.G[layer])


@dataclass(frozen=True)
class HiResCAM(SingleScale):
    """HiResCAM (2020): each element weighted by its gradient, sign kept. Built in chapter 03."""

    relu: bool = True
    score: str = "logit"

    def weights(self, model: nn.Module, captured: Captured, layer: str) -> Tensor:
        return cam.hires_cam(captured.A[layer], captured.G[layer])
