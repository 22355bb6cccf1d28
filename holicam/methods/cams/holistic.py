"""Holistic-CAM: enhanced positive gradients, many scales, and a wrap made of the first scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...core.ops import normalise, one_of
from ...core.options import check_number
from . import weights as cam
from .fusion import fuse
from .lowpass import check_options, kernel_size, low_pass_stages
from .multiscale import CAMERAS, PAPER_SCALES, REFERENCE_SCALES, MultiScale, multi_scale

__all__ = ["CAMERAS", "HolisticCAM", "PAPER_SCALES", "REFERENCE_SCALES", "Stages", "multi_scale"]


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


@dataclass(frozen=True)
class HolisticCAM(MultiScale):
    """Holistic-CAM: enhanced positive gradients, many scales, and a wrap of the first scale's map.

    A field left None takes the preset's value: "default"; "paper", the text; "reference", the
    authors' code.

    eps, eps_mode, activation_sum: see `cam.alpha`. eps shapes the map: where g^2 << eps, the
        weight is about g^3 / eps.
    pge: False weights with the signed gradient. weighting: "element", "channel" (one weight per
        channel) or "none" (the plain sum), as the paper's Fig. 4 compares them.
    scales, interpolation, score: the passes. skip_mismatched: leave out scales whose top-1 is not
        that of the first, image by image; the authors' code does so where no class is given, and so
        does "reference", as in `CAMERAS`.
    fsd: multiply by the low-pass wrap. clip, median, mean, quantize: see `lowpass.low_pass`.
    scale_kernels: take median and mean as pixels of a 224 map and scale them with the shorter
        side (`lowpass.kernel_size`). normalise: stretch the final map to [0, 1].

    Raises ValueError. Built in chapter 07.
    """

    has_stages: ClassVar[bool] = True

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
    skip_mismatched: bool | None = None
    score: str = "logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("eps", self.eps)
        check_options(self.median, self.mean, self.clip, self.quantize)
        one_of("weighting", self.weighting, cam.WEIGHTINGS)
        one_of("eps_mode", self.eps_mode, ("absolute", "relative"))
        one_of("activation_sum", self.activation_sum, ("raw", "relu"))

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
        size = fundamental.shape[-2:]
        median, mean = (kernel_size(k, size) if self.scale_kernels else k for k in (self.median, self.mean))
        return low_pass_stages(fundamental, median, mean, self.clip, self.quantize)

    def finish(self, A, W, size, keep):
        fused = fuse(A, W, size, keep)
        if self.fsd:
            fused = fused * self.wrap(fuse(A[:1], W[:1], size))[-1]
        return normalise(fused) if self.normalise else fused

    def stages(self, A, W, size, keep) -> Stages:
        """The map with everything that led to it."""
        alone = [fuse([a], [w], size) for a, w in zip(A, W, strict=True)]
        return Stages(
            self.finish(A, W, size, keep), fuse(A, W, size, keep), alone[0], *self.wrap(alone[0]), torch.stack(alone, 1)
        )


_DEFAULT = {
    "eps": 1e-6,
    "scales": REFERENCE_SCALES,
    "interpolation": "bicubic",
    "clip": True,
    "quantize": False,
    "normalise": False,
    "skip_mismatched": False,
}
HolisticCAM.presets = {
    "default": _DEFAULT,
    "paper": {**_DEFAULT, "eps": 1e-5, "scales": PAPER_SCALES, "interpolation": "bilinear", "clip": "raw"},
    "reference": {**_DEFAULT, "quantize": True, "normalise": True, "skip_mismatched": None},
}
