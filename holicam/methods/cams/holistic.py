"""Holistic-CAM: enhanced positive gradients, many scales, and a wrap made of the first scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ...core.ops import normalise, size_of
from ...core.options import NotNegative, Score, among
from ...core.stages import Stages
from . import weights as cam
from .fusion import fuse
from .lowpass import check_options, kernel_size, low_pass_stages
from .multiscale import CAMERAS, PAPER_SCALES, REFERENCE_SCALES, Interpolation, MultiScale, Skip, multi_scale

__all__ = ["CAMERAS", "HolisticCAM", "PAPER_SCALES", "REFERENCE_SCALES", "multi_scale"]


@dataclass(frozen=True, kw_only=True)
class HolisticCAM(MultiScale):
    r"""Holistic-CAM: enhanced positive gradients, many scales, and a wrap of the first scale's map.

    M^HC = M^PHR * M^LPW: the map fused from all scales (eq. 12), times the low-pass wrap (eqs. 13-15) of the first
    scale's own map. A forward and a backward at each scale. Chen et al., ACM Multimedia 2024. Built in chapter 07.

    Stages, (B, H, W) each: `fused`, M^PHR; `fundamental`, the first scale alone; `filtered`, eq. 13; `median`,
    eq. 14; `low_pass`, M^LPW; and `scales` (B, T, H, W), the map of each scale alone.

    Args:
        preset: "default"; "fast", its first four sizes (chapter 05); "paper", the text; "reference", the authors' code.
        eps: of alpha, see `weights.alpha`. It shapes the map: where g^2 << eps, the weight is about g^3 / eps.
        scales: ratios to the images' size; the first is 1.
        interpolation: of the images, "bicubic" or "bilinear".
        clip: of the wrap, True, False or "raw", see `lowpass.low_pass`.
        quantize: filter in eight bits, as the authors' code does.
        normalise: stretch the final map to [0, 1].
        pge: False weights with the signed gradient.
        weighting: "element", "channel" (one weight per channel) or "none" (the plain sum), as in Fig. 4.
        eps_mode: "absolute", or "relative" to the mean squared gradient of the layer.
        activation_sum: "raw", or "relu" to take negative channel sums as 0.
        fsd: multiply by the low-pass wrap.
        median: pixels of the median window, odd, or 0 for none.
        mean: pixels of the mean window, odd, or 0 for none.
        scale_kernels: take median and mean as pixels of a 224 map and scale them with the shorter side.
        skip_mismatched: leave out scales whose top-1 is not that of the first, image by image; None does so
            where no target is given, as the authors' code and "reference" do.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> cam = hc.HolisticCAM(scales=(1, 1.5), scale_kernels=True)
        >>> maps = cam(model, batch.images, ["layer1", "layer4"])
        >>> {layer: tuple(M.shape) for layer, M in maps.items()}
        {'layer1': (1, 32, 32), 'layer4': (1, 32, 32)}
        >>> stages = cam(model, batch.images, "layer1", intermediate=True)
        >>> bool((stages.fused * stages.low_pass == stages.map).all())
        True
    """

    has_stages: ClassVar[bool] = True

    preset: str = "default"
    eps: NotNegative = 1e-6
    scales: tuple[float, ...] = REFERENCE_SCALES
    interpolation: Interpolation = "bicubic"
    clip: bool | str = True
    quantize: bool = False
    normalise: bool = False
    pge: bool = True
    weighting: Annotated[str, among(cam.WEIGHTINGS)] = "element"
    eps_mode: Annotated[str, among(("absolute", "relative"))] = "absolute"
    activation_sum: Annotated[str, among(("raw", "relu"))] = "raw"
    fsd: bool = True
    median: int = 51
    mean: int = 91
    scale_kernels: bool = False
    skip_mismatched: Skip = False
    score: Score = "logit"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "fast": {"scales": REFERENCE_SCALES[:4], "quantize": True},
        "paper": {"eps": 1e-5, "scales": PAPER_SCALES, "interpolation": "bilinear", "clip": "raw"},
        "reference": {"quantize": True, "normalise": True, "skip_mismatched": None},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self.median, self.mean, self.clip, self.quantize)

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        if self.weighting == "none":
            return cam.activation_sum(A)
        if not self.pge:
            return G if self.weighting == "element" else cam.grad_cam(A, G)
        return cam.WEIGHTINGS[self.weighting](
            A, G, self.eps, eps_mode=self.eps_mode, activation_sum=self.activation_sum
        )

    def wrap(self, fundamental: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """M^filt, M^med and M^LPW of the fundamental map."""
        size = size_of(fundamental)
        median, mean = (kernel_size(k, size) if self.scale_kernels else k for k in (self.median, self.mean))
        return low_pass_stages(fundamental, median, mean, self.clip, self.quantize)

    def fused(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int], keep: Tensor | None) -> Tensor:
        M = fuse(A, W, size, keep)
        if self.fsd:
            M = M * self.wrap(fuse(A[:1], W[:1], size))[-1]
        return normalise(M) if self.normalise else M

    def stages(self, A: list[Tensor], W: list[Tensor], size: tuple[int, int], keep: Tensor | None) -> Stages:
        alone = [fuse([a], [w], size) for a, w in zip(A, W, strict=True)]
        filtered, median, low_pass = self.wrap(alone[0])
        return Stages(
            self.fused(A, W, size, keep),
            {
                "fused": fuse(A, W, size, keep),
                "fundamental": alone[0],
                "filtered": filtered,
                "median": median,
                "low_pass": low_pass,
                "scales": torch.stack(alone, 1),
            },
        )
