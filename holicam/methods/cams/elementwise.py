"""CAMs whose weights belong to each element of a layer, not to each channel."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...core.options import Score
from . import weights as cam
from .single import SingleScale


@dataclass(frozen=True, kw_only=True)
class LayerCAM(SingleScale):
    r"""Layer-CAM, M = ReLU(\sum_k ReLU(G_k) A_k): each element weighted by its positive gradient.

    One forward and one backward. Jiang et al., "LayerCAM", IEEE TIP 2021. Built in chapter 08.

    Args:
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.LayerCAM()(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    relu: bool = True
    score: Score = "logit"

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.layer_cam(A, G)


@dataclass(frozen=True, kw_only=True)
class HiResCAM(SingleScale):
    r"""HiResCAM, M = ReLU(\sum_k G_k A_k): each element weighted by its gradient, sign kept.

    One forward and one backward. Draelos and Carin, "Use HiResCAM instead of Grad-CAM", arXiv:2011.08891.
    Built in chapter 03.

    Args:
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.HiResCAM()(model, batch.images, "layer2", size=(16, 16)).shape
        torch.Size([1, 16, 16])
    """

    relu: bool = True
    score: Score = "logit"

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.hires_cam(A, G)
