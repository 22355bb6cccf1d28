r"""Poly-CAM: a coarse map of the class, made finer layer by layer, without gradients.

The channels of each layer are weighted by what the network says of their places (`channel_scores`),
CAM_l = ReLU(sum_k w_k A_k), and the maps are multiplied from the deepest layer up, each brought to
a local mean of about 1 first:

    P_L = CAM_L,   P_l = LNorm(CAM_l) up(P_{l+1}),   LNorm(M) = M / up(block means of M).

Asking is the whole cost. `scores = score_channels(model, images)` asks once, and `from_scores` of
any explainer below makes its map from that. Englebert, Cornu and De Vleeschouwer, "Poly-CAM", 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.checks import finite_maps, warn_where
from ...core.explainer import Call
from ...core.ops import one_of, upsample
from ...core.options import Chunk, Score, among, speed
from ...core.stages import Stages
from ...models.layers import Layer, called
from ..layer_sets import layer_set
from .channel_masks import percentile
from .channel_scores import ChannelScores, score_channels
from .channelcam import ChannelWise, Grid, Stretch

__all__ = [
    "PCAM",
    "PCAMMinus",
    "PCAMPlus",
    "ChannelScores",
    "ZeroLayerWarning",
    "local_norm",
    "recursion",
    "score_channels",
]


class ZeroLayerWarning(UserWarning):
    """No channel of a layer speaks for the class, so the product is zero from that layer on."""


def local_norm(M: Tensor, size: Sequence[int], pooling: str = "mean") -> Tensor:
    """LNorm: M over its block means, enlarged again. 0 where that is 0, 1 where M is constant.

    Args: M (B, h, w), at least 0. size: the coarser grid that the means have, that of P_{l+1}; at
    M's own size M / M is left, 1 where M > 0. pooling: "mean" as the paper has it, or "bilinear",
    the authors' code, which sees the middle four of 16 cells and never divides by less than 1e-12.
    Returns (B, h, w). Poly-CAM eq. 1. Built in chapter 09.
    """
    one_of("pooling", pooling, ("mean", "bilinear"))
    if pooling == "bilinear":
        return M / upsample(upsample(M, size), M.shape[-2:]).clamp_min(1e-12)
    rows, columns = size
    mean = upsample(F.adaptive_avg_pool2d(M[:, None], (rows, columns))[:, 0], M.shape[-2:])
    return torch.where(mean > 0, M / mean, torch.zeros_like(M))


def recursion(
    cams: Mapping[Layer, Tensor], lnorm: bool = True, pooling: str = "mean", on_zero: str = "zero"
) -> dict[Layer, Tensor]:
    """P_l of every layer, deepest first, each on its own grid (eq. 3; eq. 7 without `lnorm`).

    Args: cams {layer, shallow to deep: CAM_l (B, h, w), at least 0}. on_zero: what becomes of an
    image of which no place in a layer speaks for the class: "zero", as the product has it, with a
    ZeroLayerWarning, or "pass", which leaves that layer out. Built in chapter 09.
    """
    P, maps = None, {}
    for layer, M in reversed(list(cams.items())):
        empty = (M == 0).flatten(1).all(1)[:, None, None]  # (B, 1, 1)
        if on_zero == "zero":
            warn_where(
                empty,
                f"no place of layer {called(layer)} speaks for the class, so the map is zero; "
                "on_zero='pass' leaves such a layer out",
                ZeroLayerWarning,
            )
        if P is None:
            P = M
        else:
            coarse = upsample(P, M.shape[-2:])
            tuned = coarse * (local_norm(M, P.shape[-2:], pooling) if lnorm else M)
            P = torch.where(empty, coarse, tuned) if on_zero == "pass" else tuned
        maps[layer] = P
    return maps


@dataclass(frozen=True, kw_only=True)
class PCAM(ChannelWise):
    """PCAM+-, Poly-CAM with the weights w+- of eq. 6: several layers, one map.

    Layers go from shallow to deep, or are "paper" or "reference" (`layer_sets.layer_set`); None is "reference" for
    that preset, else "paper". "native" is the shallowest layer's grid. Stages: {layer, deepest first: the map P_l
    so far}. One forward, and two for each channel that is not constant. Englebert et al., "Poly-CAM",
    arXiv:2204.13359, eqs. 1-7. Built in chapter 09.

    Args:
        preset: "default" and "paper", the text; "reference", the authors' code (masks, pooling and output by
            percentiles, and its own layers of a ResNet-50).
        stretch: how a channel becomes a mask, "after", "before" or "percentile", see `channel_masks.soft_masks`.
        pooling: of `local_norm`, "mean" or "bilinear".
        output: "raw", or "percentile", each map clipped between percentiles on its own grid, after the recursion.
        lnorm: False is the ablation of eq. 7.
        on_zero: what becomes of a layer that says nothing, "zero" or "pass", see `recursion`.
        score: "prob", "logit" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.PCAM()(model, batch.images, ["relu", "layer1"]).shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    stretch: Stretch = "after"
    pooling: Annotated[str, among(("mean", "bilinear"))] = "mean"
    output: Annotated[str, among(("raw", "percentile"))] = "raw"
    lnorm: bool = True
    on_zero: Annotated[str, among(("zero", "pass"))] = "zero"
    score: Score = "prob"
    chunk: Chunk = speed(64)
    takes: ClassVar[str] = "joint"
    has_stages: ClassVar[bool] = True
    variant: ClassVar[str] = "+-"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {},
        "reference": {"stretch": "percentile", "pooling": "bilinear", "output": "percentile"},
    }

    def layers_of(self, model: nn.Module) -> tuple[Layer, ...]:
        return layer_set(model, "reference" if self.preset == "reference" else "paper")

    def maps(self, call: Call) -> Tensor | Stages:
        scores = self.ask(call.model, call.images, call.layers, call.target, call.reshape)
        return self.from_scores(scores, call.size or "native", intermediate=call.intermediate)

    def from_scores(
        self, scores: ChannelScores, size: Grid = "native", *, intermediate: bool = False
    ) -> Tensor | Stages:
        """The map, or the maps of all stages, from what `score_channels` gave: no forward."""
        cams = {layer: total.relu() for layer, total in self.sums(scores).items()}
        found = recursion(cams, self.lnorm, self.pooling, self.on_zero)
        if not intermediate:
            found = dict([found.popitem()])
        if self.output == "percentile":
            found = {layer: percentile(P) for layer, P in found.items()}
        if size != "native":
            found = {layer: upsample(P, size) for layer, P in found.items()}
        last = list(finite_maps(found).values())[-1]
        return Stages(last, found) if intermediate else last


@dataclass(frozen=True, kw_only=True)
class PCAMPlus(PCAM):
    """PCAM+: Poly-CAM, a channel's weight being what its place alone still says of the class (eq. 4).

    Layers and stages as for `PCAM`. One forward, and one for each channel that is not constant. Englebert et al.,
    "Poly-CAM", arXiv:2204.13359. Built in chapter 09.

    Args:
        preset: "default" and "paper", the text; "reference", the authors' code (masks, pooling and output by
            percentiles, and its own layers of a ResNet-50).
        stretch: how a channel becomes a mask, "after", "before" or "percentile", see `channel_masks.soft_masks`.
        pooling: of `local_norm`, "mean" or "bilinear".
        output: "raw", or "percentile", each map clipped between percentiles on its own grid, after the recursion.
        lnorm: False is the ablation of eq. 7.
        on_zero: what becomes of a layer that says nothing, "zero" or "pass", see `recursion`.
        score: "prob", "logit" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.PCAMPlus()(model, batch.images, ["relu", "layer1"]).shape
        torch.Size([1, 32, 32])
    """

    variant: ClassVar[str] = "+"


@dataclass(frozen=True, kw_only=True)
class PCAMMinus(PCAM):
    """PCAM-: Poly-CAM, a channel's weight being what the class loses without its place (eq. 5).

    Layers and stages as for `PCAM`. One forward, and one for each channel that is not constant. Englebert et al.,
    "Poly-CAM", arXiv:2204.13359. Built in chapter 09.

    Args:
        preset: "default" and "paper", the text; "reference", the authors' code (masks, pooling and output by
            percentiles, and its own layers of a ResNet-50).
        stretch: how a channel becomes a mask, "after", "before" or "percentile", see `channel_masks.soft_masks`.
        pooling: of `local_norm`, "mean" or "bilinear".
        output: "raw", or "percentile", each map clipped between percentiles on its own grid, after the recursion.
        lnorm: False is the ablation of eq. 7.
        on_zero: what becomes of a layer that says nothing, "zero" or "pass", see `recursion`.
        score: "prob", "logit" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.PCAMMinus()(model, batch.images, ["relu", "layer1"]).shape
        torch.Size([1, 32, 32])
    """

    variant: ClassVar[str] = "-"
