"""Several layers, one map: Layer-CAM and Zoom-CAM keep, at each pixel, the layer that says most.

Both have one map a layer from one shared pass, make the layers comparable, and take the maximum.
They differ in the weights, in the scaling and in the way up to the image's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ...core.capture import Captured
from ...core.explainer import Call
from ...core.floats import levelled
from ...core.ops import normalise, size_of, upsample
from ...core.options import Positive, Score, check_count
from ...core.passes import Ask, PassExplainer
from ...core.stages import Stages
from ...models.layers import innermost
from ..layer_sets import layer_set
from . import weights as cam


def by_peak(M: Tensor) -> Tensor:
    """Each map over its maximum; zeros where that is not positive."""
    peak = M.amax((-2, -1), keepdim=True)
    return torch.where(peak > 0, M / peak, torch.zeros_like(M))


class Joint(PassExplainer):
    """One pass, one map a layer (`weights`, then ReLU), and one map of all (`join`)."""

    score: str
    takes: ClassVar[str] = "joint"
    has_stages: ClassVar[bool] = True

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        raise NotImplementedError

    def join(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """One map (B, H, W) from maps (B, h, w) of layers, shallow to deep."""
        raise NotImplementedError

    def asks(self) -> Sequence[Ask]:
        return [Ask(self.score)]

    def finish(self, call: Call, seen: Captured) -> Tensor | Stages:
        maps = {
            layer: cam.weighted_sum(seen.A[layer], self.weights(seen.A[layer], seen.G[layer])).relu()
            for layer in call.layers
        }
        ordered = sorted(maps.values(), key=lambda M: -M[0].numel())  # as given where grids tie
        joined = self.join(ordered, call.size or size_of(ordered[0]))
        return (
            Stages(joined, {layer: self.fit(M, call.size) for layer, M in maps.items()})
            if call.intermediate
            else joined
        )


@dataclass(frozen=True, kw_only=True)
class LayerCAMFused(Joint):
    r"""Layer-CAM of several layers: \max_l up(s_l(M_l)), in [0, 1].

    M_l = ReLU(\sum_k ReLU(G_k) A_k). s_l is tanh(gamma M_l / max M_l) for the shallowest layers, whose maps are
    dim but for some peaks, and `ops.normalise` for the others. Layers may be named in any order; by default
    they are the five poolings of a VGG, `layer_sets.layer_set` otherwise. "native" is the finest layer's grid.
    Stages: a map M_l for each layer. One forward and one backward. Jiang et al., "LayerCAM", IEEE TIP 2021.
    Built in chapter 08.

    Args:
        preset: "paper" scales two layers, as Poly-CAM's text says of its baseline; "default" and "reference"
            three of five, as its code does.
        scaled: how many of the shallowest layers go through tanh.
        gamma: how steeply, greater than 0.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.LayerCAMFused()(model, batch.images, ["layer1", "layer4"]).shape
        torch.Size([1, 32, 32])
        >>> hc.LayerCAMFused()(model, batch.images, ["layer1", "layer4"], intermediate=True)
        Stages(map: (1, 32, 32), layer1: (1, 32, 32), layer4: (1, 32, 32))
    """

    preset: str = "default"
    scaled: Annotated[int, partial(check_count, low=0)] = 3
    gamma: Positive = 2.0
    score: Score = "logit"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"default": {}, "reference": {}, "paper": {"scaled": 2}}

    def layers_of(self, model: nn.Module) -> tuple[str, ...]:
        pools = of_kind(model, nn.MaxPool2d)
        return pools if len(pools) == 5 else layer_set(model)

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.layer_cam(A, G)

    def join(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        shallow, deep = maps[: self.scaled], maps[self.scaled :]
        made = [(self.gamma * by_peak(M)).tanh() for M in shallow] + [normalise(M) for M in deep]
        return torch.stack([upsample(M, size) for M in made]).amax(0)


@dataclass(frozen=True, kw_only=True)
class ZoomCAM(Joint):
    r"""Zoom-CAM: signed element weights, every layer, the maximum; in [0, 1].

    M_l = ReLU(\sum_k G_k A_k), which is HiResCAM, less its minimum and over its maximum. From the coarsest grid
    on, the maximum so far is resized to the next finer grid and compared there; a layer whose map is zero says
    nothing. Layers may be named in any order; by default they are all ReLUs of a VGG's features,
    `layer_sets.layer_set` otherwise. "native" is the finest layer's grid. Stages: a map M_l for each layer. One
    forward and one backward. Shi et al., "Zoom-CAM", ICPR 2020. Built in chapter 08.

    Args:
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.ZoomCAM()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    score: Score = "logit"

    def layers_of(self, model: nn.Module) -> tuple[str, ...]:
        relus = of_kind(model, nn.ReLU)
        return relus if len(of_kind(model, nn.MaxPool2d)) == 5 else layer_set(model)

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.hires_cam(A, G)

    def join(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        made = [M - M.amin((-2, -1), keepdim=True) for M in map(by_peak, map(levelled, maps))]
        best = made.pop()
        while made:  # coarse to fine
            finer = made.pop()
            best = torch.maximum(finer, upsample(best, finer.shape[-2:]))
        return upsample(best, size)


def of_kind(model: nn.Module, kind: type) -> tuple[str, ...]:
    """The modules of one kind in a plain sequence `features`, shallow to deep."""
    features = getattr(innermost(model), "features", None)
    found = enumerate(features) if type(features) is nn.Sequential else ()
    return tuple(f"features.{at}" for at, module in found if isinstance(module, kind))
