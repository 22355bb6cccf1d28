"""One network, several sizes of the image: the passes, and CAMERAS, the simplest map of them.

Two halves that can be used apart. `multi_scale` runs one forward and one backward at each scale,
for all layers. `MultiScale.from_passes` turns what they gave into maps; a list of the passes serves
any number of explainers, such as a paper's ablations, that agree on scales and score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .capture import Captured, Reshape, capture
from .fusion import fuse, pyramid, scale_sizes
from .models import default_layers
from .ops import Target, normalise, one_of, upsample
from .settings import Maps, Size, fill_preset, output_size

# Pixels over 224. The authors' code: 8 sizes in steps of 100. The paper: T = 7, steps of 1000 // T.
REFERENCE_SCALES = tuple((224 + 100 * t) / 224 for t in range(8))
PAPER_SCALES = tuple((224 + 142 * t) / 224 for t in range(7))


def multi_scale(model: nn.Module, images: Tensor, layers: str | Sequence[str],
                target: Target = None, scales: Sequence[float] = REFERENCE_SCALES, *,
                interpolation: str = "bicubic", score: str = "logit",
                reshape: Reshape | None = None) -> Iterator[Captured]:
    """One capture for each scale, in order. The target is resolved once, on the first one.

    Args: as `capture.capture` and `fusion.pyramid`. The network must take images of every size.
    """
    for scaled in pyramid(images, scales, interpolation):
        captured = capture(model, scaled, layers, target, score=score, reshape=reshape)
        target = captured.target
        yield captured
        del captured  # or its gradients would live through the next, larger pass


class MultiScale:
    """What the two explainers share: the passes, the weights W of each scale, and the call."""

    def __post_init__(self) -> None:
        fill_preset(self, self.presets)
        object.__setattr__(self, "scales", tuple(self.scales))
        scale_sizes((1, 1), self.scales)
        if self.scales[0] != 1:
            raise ValueError("scales must begin with 1, the image itself, which sets the target "
                             f"and the fundamental map; got {self.scales!r}")
        one_of("interpolation", self.interpolation, ("bicubic", "bilinear"))
        one_of("score", self.score, ("logit", "prob"))

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return G

    def finish(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int],
               keep: Tensor | None) -> Tensor:
        """The map of one layer from its activations and weights at all scales."""
        raise NotImplementedError

    def stages(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int],
               keep: Tensor | None) -> object:
        """The same with everything that led to it."""
        raise ValueError(f"{type(self).__name__} has no stages to show: leave out intermediate")

    def from_passes(self, passes: Iterable[Captured], size: tuple[int, int],
                    finish: object = None) -> dict[str, Tensor]:
        """{layer: (B, H, W)} from what `multi_scale` gave, of which only A and W are kept."""
        A, W, top = {}, {}, []
        for captured in passes:
            top.append(captured.logits.flatten(1).argmax(1))
            for name, a in captured.A.items():
                A.setdefault(name, []).append(a)
                W.setdefault(name, []).append(self.weights(a, captured.G[name]))
            del captured
        keep = torch.stack([t == top[0] for t in top], 1) if self.skip_mismatched else None
        return {name: (finish or self.finish)(A.pop(name), W.pop(name), size, keep)
                for name in list(A)}

    def __call__(self, model: nn.Module, images: Tensor, layers: str | Sequence[str] | None = None,
                 target: Target = None, *, size: Size = None, reshape: Reshape | None = None,
                 intermediate: bool = False) -> Maps:
        """Maps of a batch, one per image and layer, made at the images' own size.

        Args:
            images: (B, 3, H, W), normalised as the network expects.
            layers: a name gives a tensor, a sequence of names a dict; None is the last of
                `models.default_layers(model)`.
            target: None (top-1 of the original image), a class, one per image, or a callable.
            size: None or "native" for the images' (H, W); (H, W) resizes the finished maps.
            reshape: for transformers, see `capture.tokens_to_grid`.
            intermediate: every stage instead, at the images' size, where the explainer has any.

        Returns (B, H, W) in float32 (float64 for such a network), raw unless `normalise`.
        Raises what `capture.capture` raises.
        """
        chosen = default_layers(model)[-1] if layers is None else layers
        passes = multi_scale(model, images, chosen, target, self.scales, reshape=reshape,
                             interpolation=self.interpolation, score=self.score)
        maps = self.from_passes(passes, tuple(images.shape[-2:]),
                                self.stages if intermediate else None)
        if not intermediate:
            out = output_size(None if size == "native" else size, images)
            maps = {name: upsample(m, out) for name, m in maps.items()}
        return maps[chosen] if isinstance(chosen, str) else maps


@dataclass(frozen=True)
class CAMERAS(MultiScale):
    """CAMERAS (CVPR 2021): signed gradients and activations, each averaged over scales.

    preset: "default" and "reference" have 8 scales, "paper" 7; "reference" normalises. A scale
    whose top-1 differs from the first's is left out under `skip_mismatched`. Built in chapter 05.
    """

    preset: str = "default"
    scales: tuple[float, ...] | None = None
    normalise: bool | None = None
    interpolation: str = "bicubic"
    skip_mismatched: bool = False
    score: str = "logit"
    relu: bool = True

    def finish(self, A, W, size, keep):
        fused = fuse(A, W, size, keep)
        fused = fused.relu() if self.relu else fused
        return normalise(fused) if self.normalise else fused


CAMERAS.presets = {"default": {"scales": REFERENCE_SCALES, "normalise": False},
                   "paper": {"scales": PAPER_SCALES, "normalise": False},
                   "reference": {"scales": REFERENCE_SCALES, "normalise": True}}
