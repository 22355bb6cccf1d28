r"""Poly-CAM: a coarse map of the class, made finer layer by layer, without gradients.

The channels of each layer are weighted by what the network says of their places (`polyscores`),
CAM_l = ReLU(sum_k w_k A_k), and the maps are multiplied from the deepest layer up, each brought to
a local mean of about 1 first:

    P_L = CAM_L,   P_l = LNorm(CAM_l) up(P_{l+1}),   LNorm(M) = M / up(block means of M).

Asking is the whole cost. `scores = score_channels(model, images)` asks once, and `from_scores` of
any explainer below makes its map from that. Englebert, Cornu and De Vleeschouwer, "Poly-CAM", 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.checks import finite_maps, warn_where
from ...core.guard import guarded
from ...core.ops import Target, one_of, upsample
from ...core.options import Maps, Size, check_flag, output_size, speed
from ...core.tokens import Reshape
from ...models.layers import Layers, called
from ..layer_sets import layer_set
from .channel_masks import percentile
from .channel_scores import ChannelScores, score_channels
from .channelcam import ChannelWise

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
    mean = upsample(F.adaptive_avg_pool2d(M[:, None], tuple(size))[:, 0], M.shape[-2:])
    return torch.where(mean > 0, M / mean, torch.zeros_like(M))


def recursion(
    cams: Mapping[str, Tensor], lnorm: bool = True, pooling: str = "mean", on_zero: str = "zero"
) -> dict[str, Tensor]:
    """P_l of every layer, deepest first, each on its own grid (eq. 3; eq. 7 without `lnorm`).

    Args: cams {layer, shallow to deep: CAM_l (B, h, w), at least 0}. on_zero: what becomes of an
    image of which no place in a layer speaks for the class: "zero", as the product has it, with a
    ZeroLayerWarning, or "pass", which leaves that layer out. Built in chapter 09.
    """
    P, maps = None, {}
    for layer, M in reversed(cams.items()):
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


@dataclass(frozen=True)
class PCAM(ChannelWise):
    """PCAM+-, Poly-CAM with the weights w+- of eq. 6: several layers, one map.

    A field left None takes the preset's value: "default" and "paper", the text; "reference", the
    authors' code (masks, pooling and output by percentiles, and its own layers of a ResNet-50).

    stretch: how a channel becomes a mask, see `masks.soft_masks`. pooling: see `local_norm`.
    output: "raw", or "percentile", each map clipped between percentiles on its own grid, after the
    recursion. lnorm: False is the ablation of eq. 7. on_zero: see `recursion`. score: "prob" or
    "logit". chunk: the largest model batch, never a matter of the result.

    Costs one forward, and two for each channel that is not constant. Built in chapter 09.
    """

    preset: str = "default"
    stretch: str | None = None
    pooling: str | None = None
    output: str | None = None
    lnorm: bool = True
    on_zero: str = "zero"
    score: str = "prob"
    chunk: int = speed(64)
    takes: ClassVar[str] = "joint"
    variant: ClassVar[str] = "+-"
    presets: ClassVar[dict] = {
        **dict.fromkeys(("default", "paper"), {"stretch": "after", "pooling": "mean", "output": "raw"}),
        "reference": {"stretch": "percentile", "pooling": "bilinear", "output": "percentile"},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("pooling", self.pooling, ("mean", "bilinear"))
        one_of("output", self.output, ("raw", "percentile"))
        one_of("on_zero", self.on_zero, ("zero", "pass"))
        check_flag("lnorm", self.lnorm)

    @property
    def _set(self) -> str:
        return "reference" if self.preset == "reference" else "paper"

    def layers_of(self, model: nn.Module) -> tuple[str, ...]:
        """The layers meant by `layers=None`."""
        return layer_set(model, self._set)

    def from_scores(self, scores: ChannelScores, size: Size = "native", *, intermediate: bool = False) -> Maps:
        """The map, or the maps of all stages, from what `score_channels` gave: no forward."""
        cams = {layer: total.relu() for layer, total in self.sums(scores).items()}
        stages = recursion(cams, self.lnorm, self.pooling, self.on_zero)
        if self.output == "percentile":
            stages = {layer: percentile(P) for layer, P in stages.items()}
        if not intermediate:
            stages = {layer: stages[layer] for layer in list(stages)[-1:]}
        if size != "native":
            stages = {layer: upsample(P, size) for layer, P in stages.items()}
        return finite_maps(stages if intermediate else stages.popitem()[1])

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
        """One map of a batch from several layers.

        Args:
            images: (B, 3, H, W), normalised as the network expects.
            layers: names or modules from shallow to deep, "paper" or "reference" (`layersets.layer_set`);
                None is "reference" for that preset, else "paper".
            target: None (top-1), a class, one class per image, or a callable (B, K) -> (B,).
            size: None for the images' (H, W), "native" for the shallowest layer's, or (H, W).
            reshape: for transformers, see `tokens.tokens_to_grid`.
            intermediate: {layer, deepest first: the map P_l so far}, the last one being the map.

        Returns (B, H, W) in float32 (float64 for such a network), raw, at least 0. Raises
        ValueError and what `capture.capture` raises.
        """
        size = size if size == "native" else output_size(size, images)
        scores = self.ask(model, images, self._set if layers is None else layers, target, reshape)
        return self.from_scores(scores, size, intermediate=intermediate)


@dataclass(frozen=True)
class PCAMPlus(PCAM):
    """PCAM+: the weight of a channel is what its place alone still says of the class (eq. 4). Built in chapter 09."""

    variant: ClassVar[str] = "+"


@dataclass(frozen=True)
class PCAMMinus(PCAM):
    """PCAM-: the weight of a channel is what the class loses without its place (eq. 5). Built in chapter 09."""

    variant: ClassVar[str] = "-"
