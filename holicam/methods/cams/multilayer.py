"""Several layers, one map: Layer-CAM and Zoom-CAM keep, at each pixel, the layer that says most.

Both have one map a layer from one shared pass, make the layers comparable, and take the maximum.
They differ in the weights, in the scaling and in the way up to the image's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...core.floats import levelled
from ...core.ops import SCORES, normalise, one_of, upsample
from ...core.options import check_count, check_number, fill_preset, output_size
from ...core.passes import Ask, Call, Gather, PassExplainer
from ...models.layers import innermost
from ..layer_sets import layer_set
from . import weights as cam


def by_peak(M: Tensor) -> Tensor:
    """Each map over its maximum; zeros where that is not positive."""
    peak = M.amax((-2, -1), keepdim=True)
    return torch.where(peak > 0, M / peak, torch.zeros_like(M))


class Joint(PassExplainer):
    """One pass, one map a layer (`weights`, then ReLU), and one map of all (`join`)."""

    takes: ClassVar[str] = "joint"
    has_stages: ClassVar[bool] = True

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        raise NotImplementedError

    def join(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """One map (B, H, W) from maps (B, h, w) of layers, shallow to deep."""
        raise NotImplementedError

    def gather(self, call: Call) -> Gather:
        captured = yield Ask(call.layers, self.score)
        maps = {
            name: cam.weighted_sum(A, self.weights(A, captured.G[name])).relu()
            for name, A in ((name, captured.A[name]) for name in call.layers)
        }
        if call.intermediate:
            return {name: call.fit(M) for name, M in maps.items()}
        ordered = sorted(maps.values(), key=lambda M: -M[0].numel())  # as given where grids tie
        native = tuple(ordered[0].shape[-2:])
        return self.join(ordered, native if call.size == "native" else output_size(call.size, call.images))


@dataclass(frozen=True)
class LayerCAMFused(Joint):
    r"""Layer-CAM of several layers (Jiang et al., IEEE TIP 2021): \max_l up(s_l(M_l)), in [0, 1].

    M_l = ReLU(sum_k ReLU(G_k) A_k). s_l is tanh(gamma M_l / max M_l) for the `scaled` shallowest
    layers, whose maps are dim but for some peaks, and `ops.normalise` for the others.
    preset: "paper" scales two layers, as Poly-CAM's text says of its baseline; "default" and
        "reference" three of five, as its code does.

    Called as every explainer, with several layers in any order, and gives one tensor (B, H, W);
    `intermediate=True` gives {layer: M_l}. Default layers: the five poolings of a VGG,
    `layersets.layer_set` otherwise. "native" is the finest layer's grid. One forward and one
    backward. Built in chapter 08.
    """

    preset: str = "default"
    scaled: int | None = None
    gamma: float = 2.0
    score: str = "logit"

    def __post_init__(self) -> None:
        fill_preset(self, {"default": {"scaled": 3}, "reference": {"scaled": 3}, "paper": {"scaled": 2}})
        check_count("scaled", self.scaled, 0)
        check_number("gamma", self.gamma, above=True)
        one_of("score", self.score, SCORES)

    def layers_of(self, model: nn.Module) -> tuple[str, ...]:
        pools = of_kind(model, nn.MaxPool2d)
        return pools if len(pools) == 5 else layer_set(model)

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.layer_cam(A, G)

    def join(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        shallow, deep = maps[: self.scaled], maps[self.scaled :]
        made = [(self.gamma * by_peak(M)).tanh() for M in shallow] + [normalise(M) for M in deep]
        return torch.stack([upsample(M, size) for M in made]).amax(0)


@dataclass(frozen=True)
class ZoomCAM(Joint):
    """Zoom-CAM (Shi et al., ICPR 2020): signed element weights, every layer, the maximum; [0, 1].

    M_l = ReLU(sum_k G_k A_k), which is HiResCAM, less its minimum and over its maximum. From the
    coarsest grid on, the maximum so far is resized to the next finer grid and compared there; a
    layer whose map is zero says nothing.

    Called as every explainer, with several layers in any order, and gives one tensor (B, H, W);
    `intermediate=True` gives {layer: M_l}. Default layers: all ReLUs of a VGG's features,
    `layersets.layer_set` otherwise. "native" is the finest layer's grid. One forward and one
    backward. Built in chapter 08.
    """

    score: str = "logit"

    def __post_init__(self) -> None:
        one_of("score", self.score, SCORES)

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
