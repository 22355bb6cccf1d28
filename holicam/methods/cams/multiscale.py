"""One network, several sizes of the image: the passes, and CAMERAS, the simplest map of them.

Two halves that can be used apart. `multi_scale` runs one forward and one backward at each scale,
for all layers. `MultiScale.from_passes` turns what they gave into maps; a list of the passes serves
any number of explainers, such as a paper's ablations, that agree on scales and score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.capture import Captured, Reshape, capture
from ...core.network import resized
from ...core.ops import SCORES, Target, normalise, one_of
from ...core.options import check_flag, fill_preset
from ...core.passes import ONE_SIZE, Ask, Call, Gather, PassExplainer, View
from ...core.pyramid import pyramid, scale_sizes
from ...models.layers import Layers
from .fusion import fuse

# Pixels over 224. The authors' code: 8 sizes in steps of 100. The paper: T = 7, steps of 1000 // T.
REFERENCE_SCALES = tuple((224 + 100 * t) / 224 for t in range(8))
PAPER_SCALES = tuple((224 + 142 * t) / 224 for t in range(7))


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

    def __post_init__(self) -> None:
        fill_preset(self, self.presets)
        object.__setattr__(self, "scales", tuple(self.scales))
        scale_sizes((1, 1), self.scales)
        if self.scales[0] != 1:
            raise ValueError(
                "scales must begin with 1, the image itself, which sets the target "
                f"and the fundamental map; got {self.scales!r}"
            )
        one_of("interpolation", self.interpolation, ("bicubic", "bilinear"))
        one_of("score", self.score, SCORES)
        if self.skip_mismatched is not None:
            check_flag("skip_mismatched", self.skip_mismatched)

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return G

    def finish(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int], keep: Tensor | None) -> Tensor:
        """The map of one layer from its activations and weights at all scales."""
        raise NotImplementedError

    def gather(self, call: Call) -> Gather:
        seen = Scales()
        for ratio in self.scales:  # no name holds a pass, or it would live through the next one
            seen.take((yield Ask(call.layers, self.score, View(ratio, self.interpolation))), call.layers, self.weights)
        made = {}
        for layer in call.layers:
            A, W, keep = *seen.of(layer), seen.keep(self._skips(call.named))
            size = tuple(call.images.shape[-2:])
            made[layer] = (
                self.stages(A, W, size, keep) if call.intermediate else call.fit(self.finish(A, W, size, keep))
            )
        return made

    def _skips(self, named: bool) -> bool:
        """Whether scales of another top-1 are left out; `skip_mismatched=None` asks whether a target was named."""
        return not named if self.skip_mismatched is None else self.skip_mismatched

    def from_passes(
        self, passes: Iterable[Captured], size: tuple[int, int], target: Target = None
    ) -> dict[str, Tensor]:
        """{layer: (B, H, W)} from what `multi_scale` gave, of which only A and W are kept.

        target: as it was given to `multi_scale`, where `skip_mismatched` is None.
        """
        seen = Scales()
        for captured in passes:
            seen.take(captured, captured.A, self.weights)
            del captured
        return {
            name: self.finish(*seen.of(name), size, seen.keep(self._skips(target is not None))) for name in list(seen.A)
        }


class Scales:
    """A and W of every layer, and the top-1 class, of the scales seen so far."""

    def __init__(self) -> None:
        self.A: dict[str, list[Tensor]] = {}
        self.W: dict[str, list[Tensor]] = {}
        self.top: list[Tensor] = []

    def take(self, captured: Captured, layers: Iterable[str], weights: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.top.append(captured.logits.flatten(1).argmax(1))
        for name in layers:
            A = captured.A[name]
            self.A.setdefault(name, []).append(A)
            self.W.setdefault(name, []).append(weights(A, captured.G[name]))

    def of(self, layer: str) -> tuple[list[Tensor], list[Tensor]]:
        """A and W of one layer, which are then forgotten."""
        return self.A.pop(layer), self.W.pop(layer)

    def keep(self, skip_mismatched: bool) -> Tensor | None:
        """(B, T) flags of the scales whose top-1 is the first scale's; None keeps all."""
        return torch.stack([top == self.top[0] for top in self.top], 1) if skip_mismatched else None


@dataclass(frozen=True)
class CAMERAS(MultiScale):
    """CAMERAS (CVPR 2021): signed gradients and activations, each averaged over scales.

    preset: "default" and "reference" have 8 scales, "paper" 7; "reference" normalises.
    skip_mismatched: leave out scales whose top-1 is not that of the first, image by image. The
        authors' code does so where no class is given, and so does "reference": there it stays None,
        which is True for target=None and False for a target. Elsewhere it is False.

    Raises ValueError, TypeError. Built in chapter 05.
    """

    preset: str = "default"
    scales: tuple[float, ...] | None = None
    normalise: bool | None = None
    interpolation: str = "bicubic"
    skip_mismatched: bool | None = None
    score: str = "logit"
    relu: bool = True

    def finish(self, A, W, size, keep):
        fused = fuse(A, W, size, keep)
        fused = fused.relu() if self.relu else fused
        return normalise(fused) if self.normalise else fused


CAMERAS.presets = {
    "default": {"scales": REFERENCE_SCALES, "normalise": False, "skip_mismatched": False},
    "paper": {"scales": PAPER_SCALES, "normalise": False, "skip_mismatched": False},
    "reference": {"scales": REFERENCE_SCALES, "normalise": True},
}
