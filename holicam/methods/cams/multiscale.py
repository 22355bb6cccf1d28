"""One network, several sizes of the image: the passes, and CAMERAS, the simplest map of them.

Two halves that can be used apart. `multi_scale` runs one forward and one backward at each scale,
for all layers. `MultiScale.from_passes` turns what they gave into maps; a list of the passes serves
any number of explainers, such as a paper's ablations, that agree on scales and score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ...core.capture import Captured, Reshape, capture
from ...core.explainer import Call, Result
from ...core.network import resized
from ...core.ops import Target, normalise, size_of
from ...core.options import Score, among, check_flag
from ...core.passes import ONE_SIZE, Ask, PassExplainer, View
from ...core.pyramid import pyramid, scale_sizes
from ...core.stages import Stages
from ...models.layers import Layer, Layers
from .fusion import fuse
from .signed import reading

# Pixels over 224. The authors' code: 8 sizes in steps of 100. The paper: T = 7, steps of 1000 // T.
REFERENCE_SCALES = tuple((224 + 100 * t) / 224 for t in range(8))
PAPER_SCALES = tuple((224 + 142 * t) / 224 for t in range(7))
Interpolation = Annotated[str, among(("bicubic", "bilinear"))]
Skip = Annotated[bool | None, lambda name, value: value is None or check_flag(name, value)]


def multi_scale(
    model: nn.Module,
    images: Tensor,
    layers: Layers,
    target: Target = None,
    scales: Sequence[float] = REFERENCE_SCALES,
    *,
    interpolation: str = "bicubic",
    score: str = "logit",
    reshape: Reshape | None = None,
) -> Iterator[Captured]:
    """One capture for each scale, in order. The target is resolved once, on the first one.

    Args: as `capture.capture` and `pyramid.pyramid`. The network must take images of every size. Built in chapter 05.
    """
    for scaled in pyramid(images, scales, interpolation):
        with resized(model, images, ONE_SIZE):
            captured = capture(model, scaled, layers, target, score=score, reshape=reshape)
        target = captured.target
        yield captured
        del captured  # or its gradients would live through the next, larger pass


class MultiScale(PassExplainer):
    """What the explainers below share: the passes, and the weights W of each scale."""

    scales: Sequence[float]
    interpolation: str
    score: str
    skip_mismatched: bool | None

    def __post_init__(self) -> None:
        super().__post_init__()
        scale_sizes((1, 1), self.scales)
        object.__setattr__(self, "scales", tuple(self.scales))
        if self.scales[0] != 1:
            raise ValueError(
                "scales must begin with 1, the image itself, which sets the target "
                f"and the fundamental map; got {self.scales!r}"
            )

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return G

    def fused(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int], keep: Tensor | None) -> Tensor:
        """The map (B, H, W) of one layer from its activations and weights at all scales."""
        raise NotImplementedError

    def stages(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int], keep: Tensor | None) -> Stages:
        """The map with what led to it, where there is anything to show."""
        raise NotImplementedError

    def asks(self) -> Sequence[Ask]:
        return [Ask(self.score, View(ratio, self.interpolation)) for ratio in self.scales]

    def step(self, call: Call, state: Scales | None, seen: Captured, view: View) -> Scales:
        W = {}
        for layer in call.layers:
            with reading(call.model, call.images, layer, view.scale):
                W[layer] = self.weights(seen.A[layer], seen.G[layer])
        return (state or Scales()).add(seen, W)

    def finish(self, call: Call, state: Scales) -> Result:
        size, skips = size_of(call.images), self._skips(call.target is not None)
        return {
            layer: (self.stages if call.intermediate else self.fused)(*state.of(layer), size, state.keep(skips))
            for layer in call.layers
        }

    def _skips(self, named: bool) -> bool:
        """Whether scales of another top-1 are left out; `skip_mismatched=None` asks whether a target was named."""
        return not named if self.skip_mismatched is None else self.skip_mismatched

    def from_passes(
        self, passes: Iterable[Captured], size: tuple[int, int], target: Target = None
    ) -> dict[Layer, Tensor]:
        """{layer: (B, H, W)} from what `multi_scale` gave, of which only A and W are kept.

        target: as it was given to `multi_scale`, where `skip_mismatched` is None.
        """
        seen = Scales()
        for captured in passes:
            seen.add(captured, {name: self.weights(A, captured.G[name]) for name, A in captured.A.items()})
            del captured
        return {
            name: self.fused(*seen.of(name), size, seen.keep(self._skips(target is not None))) for name in list(seen.A)
        }


class Scales:
    """A and W of every layer, and the top-1 class, of the scales seen so far; the target, resolved."""

    def __init__(self) -> None:
        self.A: dict[Layer, list[Tensor]] = {}
        self.W: dict[Layer, list[Tensor]] = {}
        self.top: list[Tensor] = []
        self.target: Target = None

    def add(self, captured: Captured, weights: Mapping[Layer, Tensor]) -> Scales:
        """One more scale; of its pass only A, these W, the top-1 class and the target stay."""
        self.target = captured.target
        logits = captured.logits
        # Logits of many places have no one class to compare, and those of another size lie elsewhere: all scales stay.
        self.top.append(logits.argmax(1) if logits.dim() == 2 else logits.new_zeros(len(logits), dtype=torch.long))
        for layer, W in weights.items():
            self.A.setdefault(layer, []).append(captured.A[layer])
            self.W.setdefault(layer, []).append(W)
        return self

    def of(self, layer: Layer) -> tuple[list[Tensor], list[Tensor]]:
        """A and W of one layer, which are then forgotten."""
        return self.A.pop(layer), self.W.pop(layer)

    def keep(self, skip_mismatched: bool) -> Tensor | None:
        """(B, T) flags of the scales whose top-1 is the first scale's; None keeps all."""
        return torch.stack([top == self.top[0] for top in self.top], 1) if skip_mismatched else None


@dataclass(frozen=True, kw_only=True)
class CAMERAS(MultiScale):
    r"""CAMERAS: M = ReLU(\sum_k \bar G_k \bar A_k), gradients and activations averaged over scales, sign kept.

    A forward and a backward at each scale. Jalwana et al., "CAMERAS", CVPR 2021. Built in chapter 05.

    Args:
        preset: "default" and "reference" have 8 scales, "paper" 7; "reference" normalises.
        scales: ratios to the images' size; the first is 1.
        normalise: stretch the map to [0, 1].
        interpolation: of the images, "bicubic" or "bilinear".
        skip_mismatched: leave out scales whose top-1 is not that of the first, image by image. None does so
            where no target is given, as the authors' code and "reference" do.
        score: what is differentiated, "logit", "prob" or "sigmoid".
        relu: whether the map is cut at 0.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.CAMERAS(scales=(1, 1.5))(model, batch.images, "layer4").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    scales: tuple[float, ...] = REFERENCE_SCALES
    normalise: bool = False
    interpolation: Interpolation = "bicubic"
    skip_mismatched: Skip = False
    score: Score = "logit"
    relu: bool = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {"scales": PAPER_SCALES},
        "reference": {"normalise": True, "skip_mismatched": None},
    }

    def fused(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int], keep: Tensor | None) -> Tensor:
        M = fuse(A, W, size, keep)
        M = M.relu() if self.relu else M
        return normalise(M) if self.normalise else M
