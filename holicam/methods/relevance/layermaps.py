"""Relevance read at a layer: as weights of its channels (Relevance-CAM), or as the map itself (MWP)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...core.checks import finite_maps
from ...core.guard import guarded
from ...core.ops import Target, one_of, upsample
from ...core.options import Explains, Maps, Size, check_flag, fill_preset, output_size
from ...core.tokens import Reshape
from ...models.layers import Layers, default_layers, is_single
from ..cams.weights import weighted_sum
from .lrp import AFFINE
from .op import Op
from .rules import Rules, gate, passes, zplus, zplus_biased
from .walk import Walk, walk


class LayerRelevance(Explains):
    """What the three share: one walk to all the layers asked for, and one map a layer."""

    takes: ClassVar[str] = "layer"
    has_stages: ClassVar[bool] = False
    default: ClassVar[int] = -1  # which of models.default_layers is meant by `layers=None`

    def rules(self) -> Rules:
        """How each layer shares."""
        raise NotImplementedError

    def start(self, walked: Walk) -> Tensor:
        """The relevance of the logits (B, K)."""
        return walked.one_hot

    def map(self, A: Tensor, R: Tensor) -> Tensor:
        """(B, h, w) from a layer's activations and their relevance, (B, C, h, w) each."""
        raise NotImplementedError

    @guarded
    def __call__(
        self,
        model: nn.Module,
        images: Tensor,
        layers: Layers | None = None,
        target: Target = None,
        *,
        size: Size = None,
        reshape: Reshape | None = None,
        intermediate: bool = False,
    ) -> Maps:
        """Maps of a batch, one per image and layer.

        Args:
            images: (B, 3, H, W), normalised as the network expects.
            layers: a name or module gives a tensor, a sequence of them a dict; None is one of
                `layernames.default_layers(model)`: the last, for MWP the one before it.
            target: None (top-1), a class, or one class per image.
            size: None for the images' (H, W), (H, W), or "native" for the layer's own grid.
            reshape: for layers that are not (B, C, h, w), see `capture.capture`.

        Returns (B, H, W) in float32 (float64 for such a network), raw. Raises what `walk` raises.
        """
        if intermediate:
            raise ValueError(f"{type(self).__name__} has no stages to show: leave out intermediate")
        given = default_layers(model)[self.default :][:1] if layers is None else layers
        if size != "native":
            output_size(size, images)
        maps = {}
        with torch.inference_mode(False), torch.no_grad():
            walked = walk(model, images, target, self.rules(), given, to_image=False)
            layouts = walked.layouts(images, reshape)
            A, R = layouts.maps(walked.places), layouts.maps(walked.back(self.start(walked)))
            for name in A:
                M = self.map(A[name], R[name])
                maps[name] = M if size == "native" else upsample(M, output_size(size, images))
        return finite_maps(next(iter(maps.values())) if layers is None or is_single(layers) else maps)


RELEVANCE_CAM_PRESETS = {
    "default": {"start_at": "one", "pooling": "mean", "bias": "none", "affine": "pass", "relu": False},
    "paper": {"start_at": "logit", "pooling": "sum", "bias": "none", "affine": "pass", "relu": True},
    "reference": {"start_at": "one", "pooling": "mean", "bias": "double", "affine": "nonzero", "relu": False},
}


@dataclass(frozen=True)
class RelevanceCAM(LayerRelevance):
    r"""M = \sum_k w_k A_k, w_k the mean over places of the relevance of channel k.

    The start is 1 for the class and -1/K for each of the others, the rules are those of `LRP`.

    preset: "default"; "paper", whose start is scaled by the logit, w a sum and M cut at 0;
    "reference", the authors' code, which counts the bias of a convolution twice (bias="double")
    and drops what a batch norm's zero inputs receive (affine="nonzero"). Start and pooling change a
    map by a factor only, whose sign is that of the logit.

    balance: -1/(K-1) in the place of -1/K, so that the start sums to 0. Shallow layers have nearly
    the same relevance for every class, and what -1/K leaves over, 1/K of it, hides the difference
    where classes are few. Not in the paper.

    One forward, about two backwards through the layers above. Lee et al., CVPR 2021. Built in
    chapter 11.
    """

    preset: str = "default"
    start_at: str | None = None
    pooling: str | None = None
    bias: str | None = None
    affine: str | None = None
    balance: bool = False
    relu: bool | None = None

    def __post_init__(self) -> None:
        fill_preset(self, RELEVANCE_CAM_PRESETS)
        one_of("start_at", self.start_at, ("one", "logit"))
        one_of("pooling", self.pooling, ("mean", "sum"))
        one_of("bias", self.bias, ("none", "double"))
        one_of("affine", self.affine, AFFINE)
        check_flag("balance", self.balance)
        check_flag("relu", self.relu)

    def rules(self) -> Rules:
        return Rules(linear=zplus_biased if self.bias == "double" else zplus, affine=AFFINE[self.affine])

    def start(self, walked: Walk) -> Tensor:
        own = walked.one_hot
        others = max(own.shape[1] - 1, 1) if self.balance else own.shape[1]
        start = own - (1 - own) / others  # (B, K)
        return walked.score * start if self.start_at == "logit" else start

    def map(self, A: Tensor, R: Tensor) -> Tensor:
        w = R.mean((2, 3), keepdim=True) if self.pooling == "mean" else R.sum((2, 3), keepdim=True)
        M = weighted_sum(A, w)
        return M.relu() if self.relu else M


@dataclass(frozen=True)
class MWP(LayerRelevance):
    r"""Excitation backprop: p_j = x_j \sum_i W^+_{ij} p_i / \sum_{j'} W^+_{ij'} x_{j'}, from e_c.

    The map is the sum of p over a layer's channels: the chance that a walker who starts at the class
    and always takes connections in proportion to their excitation passes that place. ReLUs and
    max-poolings hand p on as gradients, batch norms as it is, sums in proportion. Default layer: the
    last but one (conv stage 3 of a ResNet, the fourth pooling of a VGG).

    Needs inputs of convolutions that are not negative, as in a network of ReLUs. One forward, about
    two backwards. Zhang et al., IJCV 2018. Built in chapter 11.
    """

    default: ClassVar[int] = -2

    def rules(self) -> Rules:
        return Rules(linear=zplus, affine=passes, relu=gate)

    def map(self, A: Tensor, R: Tensor) -> Tensor:
        return R.sum(1)


def _less_negated(R: Tensor, xs: Sequence[Tensor], op: Op) -> tuple[Tensor, ...]:
    """The classifier shares twice, once with its weights negated, and hands on the difference."""
    (plain,) = zplus(R, xs, op)
    if not op.last:
        return (plain,)
    (negated,) = zplus(R, xs, replace(op, W=-op.W))
    return (plain - negated,)


@dataclass(frozen=True)
class ContrastiveMWP(LayerRelevance):
    r"""Contrastive MWP: ReLU(\sum_k (p - \bar p)), where \bar p starts from a negated classifier.

    p and \bar p part only in the last linear layer, so their difference is taken at its input (the
    pooled features of a ResNet, the last hidden layer of a VGG) and walks on alone: it is not cut
    at 0 on the way, and the walk is linear. relu: cut the map. Needs as for `MWP`. One forward,
    about two backwards. Zhang et al., IJCV 2018. Built in chapter 11.
    """

    relu: bool = True
    default: ClassVar[int] = -2

    def __post_init__(self) -> None:
        check_flag("relu", self.relu)

    def rules(self) -> Rules:
        return Rules(linear=_less_negated, affine=passes, relu=gate)

    def map(self, A: Tensor, R: Tensor) -> Tensor:
        return R.sum(1).relu() if self.relu else R.sum(1)
