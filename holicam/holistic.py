"""Holistic-CAM, and CAMERAS, on which it builds: one network, several sizes of the image.

Two halves that can be used apart. `multi_scale` runs one forward and one backward at each scale,
for all layers. `MultiScale.from_passes` turns what they gave into maps; a list of the passes serves
any number of explainers, such as the ablations of the paper, that agree on scales and score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import cam
from .capture import Captured, Reshape, capture
from .fusion import fuse, pyramid, scale_sizes
from .gradcam import Maps, Size, fill_preset, output_size
from .lowpass import check_kernel, kernel_size, low_pass_stages
from .models import default_layers
from .ops import Target, normalise, one_of, upsample

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


@dataclass(frozen=True, eq=False)
class Stages:
    """What `intermediate=True` returns for a layer; each (B, H, W), but `scales` (B, T, H, W)."""

    map: Tensor  # the final one, M^HC
    fused: Tensor  # M^PHR, eq. 12
    fundamental: Tensor  # M^{zeta_0}: the first scale alone
    filtered: Tensor  # eq. 13
    median: Tensor  # eq. 14
    low_pass: Tensor  # M^LPW, eq. 15
    scales: Tensor  # the map of each scale alone


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
                 intermediate: bool = False) -> Maps | Stages | dict[str, Stages]:
        """Maps of a batch, one per image and layer, made at the images' own size.

        Args:
            images: (B, 3, H, W), normalised as the network expects.
            layers: a name gives a tensor, a sequence of names a dict; None is the last of
                `models.default_layers(model)`.
            target: None (top-1 of the original image), a class, one per image, or a callable.
            size: None or "native" for the images' (H, W); (H, W) resizes the finished maps.
            reshape: for transformers, see `capture.tokens_to_grid`.
            intermediate: return `Stages` instead, at the images' size (Holistic-CAM only).

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


@dataclass(frozen=True)
class HolisticCAM(MultiScale):
    """Holistic-CAM: enhanced positive gradients, many scales, and a wrap of the first scale's map.

    A field left None takes the preset's value: "default"; "paper", the text; "reference", the
    authors' code.

    eps, eps_mode, activation_sum: see `cam.alpha`. eps shapes the map: where g^2 << eps, the
        weight is about g^3 / eps.
    pge: False weights with the signed gradient. weighting: "element", "channel" (one weight per
        channel) or "none" (the plain sum), as the paper's Fig. 4 compares them.
    scales, interpolation, skip_mismatched, score: the passes; a scale whose top-1 differs from
        the first's is left out under `skip_mismatched`.
    fsd: multiply by the low-pass wrap. clip, median, mean, quantize: see `lowpass.low_pass`.
    scale_kernels: take median and mean as pixels of a 224 map and scale them with the shorter
        side (`lowpass.kernel_size`). normalise: stretch the final map to [0, 1].

    Raises ValueError. Built in chapter 07.
    """

    preset: str = "default"
    eps: float | None = None
    scales: tuple[float, ...] | None = None
    interpolation: str | None = None
    clip: bool | str | None = None
    quantize: bool | None = None
    normalise: bool | None = None
    pge: bool = True
    weighting: str = "element"
    eps_mode: str = "absolute"
    activation_sum: str = "raw"
    fsd: bool = True
    median: int = 51
    mean: int = 91
    scale_kernels: bool = False
    skip_mismatched: bool = False
    score: str = "logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.eps, bool) or not isinstance(self.eps, (int, float)) or self.eps < 0:
            raise ValueError(f"eps must be a number of at least 0; got {self.eps!r}")
        for name in ("median", "mean"):
            if getattr(self, name) != 0:
                check_kernel(name, getattr(self, name))
        one_of("weighting", self.weighting, cam.WEIGHTINGS)
        one_of("eps_mode", self.eps_mode, ("absolute", "relative"))
        one_of("activation_sum", self.activation_sum, ("raw", "relu"))
        one_of("clip", self.clip, (True, False, "raw"))
        if self.clip == "raw" and self.quantize:
            raise ValueError("quantize needs maps in [0, 1], so it does not go with clip='raw'")

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        if self.weighting == "none":
            return cam.activation_sum(A)
        if not self.pge:
            return G if self.weighting == "element" else cam.grad_cam(A, G)
        return cam.WEIGHTINGS[self.weighting](A, G, self.eps, eps_mode=self.eps_mode,
                                              activation_sum=self.activation_sum)

    def wrap(self, fundamental: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """M^filt, M^med and M^LPW of the fundamental map."""
        size = fundamental.shape[-2:]
        median, mean = (kernel_size(k, size) if self.scale_kernels else k
                        for k in (self.median, self.mean))
        return low_pass_stages(fundamental, median, mean, self.clip, self.quantize)

    def finish(self, A, W, size, keep):
        fused = fuse(A, W, size, keep)
        if self.fsd:
            fused = fused * self.wrap(fuse(A[:1], W[:1], size))[-1]
        return normalise(fused) if self.normalise else fused

    def stages(self, A, W, size, keep) -> Stages:
        alone = [fuse([a], [w], size) for a, w in zip(A, W, strict=True)]
        return Stages(self.finish(A, W, size, keep), fuse(A, W, size, keep), alone[0],
                      *self.wrap(alone[0]), torch.stack(alone, 1))


_DEFAULT = {"eps": 1e-6, "scales": REFERENCE_SCALES, "interpolation": "bicubic", "clip": True,
            "quantize": False, "normalise": False}
HolisticCAM.presets = {
    "default": _DEFAULT,
    "paper": {**_DEFAULT, "eps": 1e-5, "scales": PAPER_SCALES, "interpolation": "bilinear",
              "clip": "raw"},
    "reference": {**_DEFAULT, "quantize": True, "normalise": True}}
