"""The CAM family at one scale: explainers that differ in one function of `weights`.

Each is a frozen dataclass of its hyper-parameters. `weights` says what is particular to it; the rest is one
pass, which several explainers share (`passes.run`), and one weighted sum. Maps are not scaled: see
`ops.normalise`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ...core.options import NotNegative, Score, among
from . import weights as cam
from .single import SingleScale


@dataclass(frozen=True, kw_only=True)
class GradCAM(SingleScale):
    r"""Grad-CAM, M = ReLU(\sum_k w_k A_k), w_k the mean gradient of channel k.

    One forward and one backward for any number of layers. Selvaraju et al., "Grad-CAM", ICCV 2017;
    Holistic-CAM eqs. 1-2. Built in chapter 01.

    Args:
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid", see `ops.select_score`.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.GradCAM()(model, batch.images, "layer4").shape
        torch.Size([1, 32, 32])
        >>> maps = hc.GradCAM(relu=False)(model, batch.images, ["layer2", "layer4"], size="native")
        >>> {layer: tuple(M.shape) for layer, M in maps.items()}
        {'layer2': (1, 4, 4), 'layer4': (1, 1, 1)}
    """

    relu: bool = True
    score: Score = "logit"

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.grad_cam(A, G)


@dataclass(frozen=True, kw_only=True)
class GradCAMpp(SingleScale):
    r"""Grad-CAM++: w_k = \sum_{ij} alpha_k ReLU(G_k), with alpha in closed form (`weights.alpha`).

    The closed form of alpha holds for piecewise linear networks; after GELU, SiLU or attention it is a
    heuristic. One forward and one backward. Chattopadhay et al., "Grad-CAM++", WACV 2018; Holistic-CAM
    eqs. 3 and 6. Built in chapter 02.

    Args:
        preset: "default"; "paper", without a guard eps; "reference", the authors' code, which normalises
            alpha; "torchcam", whose alpha lost its division, to repeat published baselines.
        eps: added to alpha's denominator, at least 0.
        denominator: of alpha, "paper", "sum_Ag3" or "none", see `weights.alpha`.
        normalize_alpha: divide alpha by its sum over each channel.
        eps_mode: "absolute", or "relative" to the mean squared gradient of the layer.
        activation_sum: "raw", or "relu" to take negative channel sums as 0.
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.GradCAMpp(preset="paper")(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    eps: NotNegative = 1e-6
    denominator: Annotated[str, among(("paper", "sum_Ag3", "none"))] = "paper"
    normalize_alpha: bool = False
    eps_mode: Annotated[str, among(("absolute", "relative"))] = "absolute"
    activation_sum: Annotated[str, among(("raw", "relu"))] = "raw"
    relu: bool = True
    score: Score = "logit"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {"eps": 0.0},
        "reference": {"eps": 0.0, "normalize_alpha": True},
        "torchcam": {"eps": 0.0, "denominator": "none"},
    }

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.grad_cam_pp(
            A,
            G,
            self.eps,
            denominator=self.denominator,
            normalize_alpha=self.normalize_alpha,
            eps_mode=self.eps_mode,
            activation_sum=self.activation_sum,
        )


@dataclass(frozen=True, kw_only=True)
class XGradCAM(SingleScale):
    r"""XGrad-CAM: w_k = \sum_{ij} A_k G_k / \sum_{ij} A_k, the gradient averaged with the activations as weights.

    One forward and one backward. Fu et al., "Axiom-based Grad-CAM", BMVC 2020. Built in chapter 08.

    Args:
        eps: a channel that sums to no more than this weighs nothing; at least 0.
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.XGradCAM()(model, batch.images, "layer4", target=3).shape
        torch.Size([1, 32, 32])
    """

    eps: NotNegative = 1e-7
    relu: bool = True
    score: Score = "logit"

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.xgrad_cam(A, G, self.eps)


@dataclass(frozen=True, kw_only=True)
class WGradCAM(SingleScale):
    """W-Grad-CAM, a reconstruction: w_k = mean(A_k G_k).

    One forward and one backward. After Zhang, Rao and Yang, "A Novel Visual Interpretability for Deep Neural
    Networks by Optimizing Activation Maps with Perturbation", AAAI 2021. Built in chapter 08.

    Args:
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.WGradCAM()(model, batch.images, "layer4").shape
        torch.Size([1, 32, 32])
    """

    relu: bool = True
    score: Score = "logit"

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.w_grad_cam(A, G)
