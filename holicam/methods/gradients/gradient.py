r"""The gradient of the score in the image: as it is, times the image, averaged over noise.

D = dS_c/dX has the shape (B, 3, H, W) of the normalised image X; a reduction makes one number a
pixel of its three channels (`inputs.REDUCTIONS`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.batched import check_chunk
from ...core.floats import extent, is_constant
from ...core.input_gradients import REDUCTIONS, InputExplainer, input_gradients
from ...core.ops import Target, at_least_float32, one_of
from ...core.options import check_count, check_flag, check_number, fill_preset, noise, speed

GRADIENT_PRESETS = {"default": {"blur": 0.0}, "torchray": {"blur": 0.02}}


@dataclass(frozen=True)
class Gradient(InputExplainer):
    """max_ch |D|: how strongly each pixel moves the score.

    preset: "default", or "torchray", whose pointing benchmark smooths the map with a Gaussian.
    blur: its deviation as a share of the image's longer side. reduction: see `inputs.REDUCTIONS`.
    score: "logit", "prob" or "sigmoid". One forward, one backward.
    Simonyan et al., "Deep Inside Convolutional Networks", ICLR workshops 2014. Built in chapter 13.
    """

    preset: str = "default"
    reduction: str = "max-abs"
    blur: float | None = None
    score: str = "logit"

    def __post_init__(self) -> None:
        fill_preset(self, GRADIENT_PRESETS)
        super().__post_init__()
        check_number("blur", self.blur, 0, 1)

    def explain(self, model: nn.Module, images: Tensor, target: Target, intermediate: bool) -> Tensor:
        D = input_gradients(model, images, target, score=self.score).total  # (B, 3, H, W)
        maps = REDUCTIONS[self.reduction](D)  # (B, H, W)
        return maps if self.blur == 0 else _smoothed(maps, self.blur * max(maps.shape[1:]))


def _smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian of `sigma` pixels, cut at 4 sigma or the image's shorter side; mirrored borders."""
    from torchvision.transforms.functional import gaussian_blur

    reach = min(math.ceil(4 * sigma), min(maps.shape[1:]) - 1)
    return gaussian_blur(maps[:, None], 2 * reach + 1, sigma)[:, 0]


@dataclass(frozen=True)
class InputXGradient(InputExplainer):
    """sum_ch X D: for a piecewise linear network without biases, the pixels' shares of the score.

    X is the normalised image, so a pixel of the mean colour has share 0. reduction, score: as for
    `Gradient`. One forward, one backward.
    Shrikumar et al., "Not Just a Black Box", arXiv:1605.01713. Built in chapter 13.
    """

    reduction: str = "sum"
    score: str = "logit"

    def explain(self, model: nn.Module, images: Tensor, target: Target, intermediate: bool) -> Tensor:
        D = input_gradients(model, images, target, score=self.score).total  # (B, 3, H, W)
        return REDUCTIONS[self.reduction](images.to(D) * D)


SMOOTHGRAD_PRESETS = {
    "default": {"sigma": 0.15, "std_mode": "range", "abs_before_mean": False, "center": False},
    "polycam": {"sigma": 1.0, "std_mode": "absolute", "abs_before_mean": True, "center": False},
    "ucag": {"sigma": 4.0, "std_mode": "inverse-square", "abs_before_mean": False, "center": True},
}
# sigma and max - min of each image -> the noise's deviation. The last is UCAG's code, a likely slip.
STD_MODES: dict[str, Callable[[float, Tensor], Tensor]] = {
    "range": lambda sigma, span: sigma * span,
    "absolute": lambda sigma, span: torch.full_like(span, sigma),
    "inverse-square": lambda sigma, span: torch.where(span == 0, span, (sigma / span) ** 2),
}


@dataclass(frozen=True)
class SmoothGrad(InputExplainer):
    r"""sum_ch |1/n sum_m D(X + delta_m)|: the gradient averaged over noise around the image.

    preset: "default", noise of 0.15 (max - min); "polycam", captum's: deviation 1 in normalised
    units and the mean of |D|; "ucag", deviation (4 / (max - min))^2, and centred. samples: n.
    sigma, std_mode: the deviation, see `STD_MODES`. abs_before_mean: average |D| in place of D.
    center: take each map's mean off. seed: of the noise, which the images of a batch share.
    chunk: the largest model batch. One forward and backward a sample, and one forward where
    target is None. Smilkov et al., "SmoothGrad", arXiv:1706.03825. Built in chapter 13.
    """

    preset: str = "default"
    samples: int = 50
    sigma: float | None = None
    std_mode: str | None = None
    abs_before_mean: bool | None = None
    center: bool | None = None
    reduction: str = "sum-abs"
    seed: int = 0
    score: str = "logit"
    chunk: int = speed(64)

    def __post_init__(self) -> None:
        fill_preset(self, SMOOTHGRAD_PRESETS)
        super().__post_init__()
        check_count("samples", self.samples)
        check_number("sigma", self.sigma)
        one_of("std_mode", self.std_mode, STD_MODES)
        check_flag("abs_before_mean", self.abs_before_mean)
        check_flag("center", self.center)
        check_count("seed", self.seed, 0)
        check_chunk(self.chunk)

    def explain(self, model: nn.Module, images: Tensor, target: Target, intermediate: bool) -> Tensor:
        clean = at_least_float32(images)
        delta = noise((self.samples, *clean.shape[1:]), self.seed, clean)  # (n, 3, H, W)
        span = extent(clean, (1, 2, 3), True)[1]  # (B, 1, 1, 1)
        std = STD_MODES[self.std_mode](self.sigma, span)
        total = input_gradients(
            model,
            images,
            target,
            count=self.samples,
            score=self.score,
            chunk=self.chunk,
            points=lambda b, m: (clean[b] + std[b] * delta[m]).to(images.dtype),
            each=(lambda D, m: D.abs()) if self.abs_before_mean else None,
        ).total
        maps = REDUCTIONS[self.reduction](total / self.samples)
        return (maps - maps.mean((1, 2), True)).masked_fill(is_constant(maps, keepdim=True), 0) if self.center else maps
