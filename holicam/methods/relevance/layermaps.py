"""Relevance read at a layer: as weights of its channels (Relevance-CAM), or as the map itself (MWP)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from torch import Tensor, nn

from ...core.explainer import Call, Explainer
from ...core.options import among
from ...models.layers import Layer
from ...models.stages import default_layers
from ..cams.weights import weighted_sum
from .lrp import AFFINE, Affine
from .op import Linear
from .rules import Rules, gate, passes, zplus, zplus_biased
from .walk import Walk, walk


class LayerRelevance(Explainer):
    """What the three share: one walk to all the layers asked for, and one map a layer."""

    default: ClassVar[int] = -1  # which of models.default_layers is meant by `layers=None`

    def layers_of(self, model: nn.Module) -> tuple[Layer, ...]:
        return default_layers(model)[self.default :][:1]

    def rules(self) -> Rules:
        """How each layer shares."""
        raise NotImplementedError

    def start(self, walked: Walk) -> Tensor:
        """The relevance of the logits (B, K)."""
        return walked.one_hot

    def map(self, A: Tensor, R: Tensor) -> Tensor:
        """(B, h, w) from a layer's activations and their relevance, (B, C, h, w) each."""
        raise NotImplementedError

    def maps(self, call: Call) -> dict[Layer, Tensor]:
        walked = walk(call.model, call.images, call.target, self.rules(), call.layers, to_image=False)
        layouts = walked.layouts(call.images, call.reshape)
        A, R = (layouts.maps(_of_layers(found)) for found in (walked.places, walked.back(self.start(walked))))
        return {layer: self.map(A[layer], R[layer]) for layer in A}


def _of_layers(places: Mapping[Layer | None, Tensor]) -> dict[Layer, Tensor]:
    """All but the image's."""
    return {layer: place for layer, place in places.items() if layer is not None}


@dataclass(frozen=True, kw_only=True)
class RelevanceCAM(LayerRelevance):
    r"""M = \sum_k w_k A_k, w_k the mean over places of the relevance of channel k.

    The start is 1 for the class and -1/K for each of the others, the rules and needs are those of `LRP`. Start and
    pooling change a map by a factor only, whose sign is that of the logit. One forward, about two backwards through
    the layers above. Lee et al., "Relevance-CAM", CVPR 2021. Built in chapter 11.

    Args:
        preset: "default"; "paper", whose start is scaled by the logit, w a sum and M cut at 0; "reference", the
            authors' code, which counts the bias of a convolution twice and drops what a batch norm's zero inputs
            receive.
        start_at: "one", or "logit" to scale the start by it.
        pooling: of the relevance to w, "mean" or "sum".
        bias: of convolutions, "none", or "double" to count it twice.
        affine: what a batch norm does, "pass" or "nonzero".
        balance: -1/(K-1) in the place of -1/K, so that the start sums to 0. Shallow layers have nearly the same
            relevance for every class, and what -1/K leaves over, 1/K of it, hides the difference where classes are
            few. Not in the paper.
        relu: whether the map is cut at 0.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.RelevanceCAM()(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    start_at: Annotated[str, among(("one", "logit"))] = "one"
    pooling: Annotated[str, among(("mean", "sum"))] = "mean"
    bias: Annotated[str, among(("none", "double"))] = "none"
    affine: Affine = "pass"
    balance: bool = False
    relu: bool = False
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {"start_at": "logit", "pooling": "sum", "relu": True},
        "reference": {"bias": "double", "affine": "nonzero"},
    }

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


@dataclass(frozen=True, kw_only=True)
class MWP(LayerRelevance):
    r"""Excitation backprop: p_j = x_j \sum_i W^+_{ij} p_i / \sum_{j'} W^+_{ij'} x_{j'}, from e_c.

    The map is the sum of p over a layer's channels: the chance that a walker who starts at the class
    and always takes connections in proportion to their excitation passes that place. ReLUs and
    max-poolings hand p on as gradients, batch norms as it is, sums in proportion. Default layer: the
    last but one (conv stage 3 of a ResNet, the fourth pooling of a VGG).

    Needs inputs of convolutions that are not negative, as in a network of ReLUs. One forward, about
    two backwards. Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 2018. Built in chapter 11.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.MWP()(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    default: ClassVar[int] = -2

    def rules(self) -> Rules:
        return Rules(linear=zplus, affine=passes, relu=gate)

    def map(self, A: Tensor, R: Tensor) -> Tensor:
        return R.sum(1)


def _less_negated(R: Tensor, xs: Sequence[Tensor], op: Linear) -> tuple[Tensor, ...]:
    """The classifier shares twice, once with its weights negated, and hands on the difference."""
    (plain,) = zplus(R, xs, op)
    if not op.last:
        return (plain,)
    (negated,) = zplus(R, xs, replace(op, W=-op.W))
    return (plain - negated,)


@dataclass(frozen=True, kw_only=True)
class ContrastiveMWP(LayerRelevance):
    r"""Contrastive MWP: ReLU(\sum_k (p - \bar p)), where \bar p starts from a negated classifier.

    p and \bar p part only in the last linear layer, so their difference is taken at its input (the
    pooled features of a ResNet, the last hidden layer of a VGG) and walks on alone: it is not cut
    at 0 on the way, and the walk is linear. Needs as for `MWP`. One forward, about two backwards. Zhang et al.,
    "Top-down Neural Attention by Excitation Backprop", IJCV 2018. Built in chapter 11.

    Args:
        relu: whether the map is cut at 0.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.ContrastiveMWP()(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    relu: bool = True
    default: ClassVar[int] = -2

    def rules(self) -> Rules:
        return Rules(linear=_less_negated, affine=passes, relu=gate)

    def map(self, A: Tensor, R: Tensor) -> Tensor:
        return R.sum(1).relu() if self.relu else R.sum(1)
