r"""The gradient of the score in the image: as it is, times the image, averaged over noise.

D = dS_c/dX has the shape (B, 3, H, W) of the normalised image X; a reduction makes one number a
pixel of its three channels (`input_gradients.REDUCTIONS`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ...core.explainer import Call, InputExplainer
from ...core.floats import extent, is_constant
from ...core.input_gradients import REDUCTIONS, Reduction, input_gradients
from ...core.ops import at_least_float32
from ...core.options import Chunk, Count, NotNegative, Score, Seed, Share, among, noise, speed


@dataclass(frozen=True, kw_only=True)
class Gradient(InputExplainer):
    """max_ch |D|, D = dS/dX: how strongly each pixel moves the score.

    One forward, one backward. Simonyan et al., "Deep Inside Convolutional Networks", ICLR workshops 2014.
    Built in chapter 13.

    Args:
        preset: "default", or "torchray", whose pointing benchmark smooths the map with a Gaussian.
        reduction: from three channels to one number, "max-abs", "sum" or "sum-abs".
        blur: deviation of a Gaussian on the map, as a share of the image's longer side, 0 to 1.
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.Gradient()(model, batch.images, target=3).shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    reduction: Reduction = "max-abs"
    blur: Share = 0.0
    score: Score = "logit"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"default": {}, "torchray": {"blur": 0.02}}

    def maps(self, call: Call) -> Tensor:
        D = input_gradients(call.model, call.images, call.target, score=self.score).total  # (B, 3, H, W)
        maps = REDUCTIONS[self.reduction](D)  # (B, H, W)
        return maps if self.blur == 0 else _smoothed(maps, self.blur * max(maps.shape[1:]))


def _smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian of `sigma` pixels, cut at 4 sigma or the image's shorter side; mirrored borders."""
    from torchvision.transforms.functional import gaussian_blur

    reach = min(math.ceil(4 * sigma), min(maps.shape[1:]) - 1)
    return gaussian_blur(maps[:, None], 2 * reach + 1, sigma)[:, 0]


@dataclass(frozen=True, kw_only=True)
class InputXGradient(InputExplainer):
    """sum_ch X D, D = dS/dX: for a piecewise linear network without biases, the pixels' shares of the score.

    X is the normalised image, so a pixel of the mean colour has share 0. One forward, one backward. Shrikumar
    et al., "Not Just a Black Box", arXiv:1605.01713. Built in chapter 13.

    Args:
        reduction: from three channels to one number, "max-abs", "sum" or "sum-abs".
        score: what is differentiated, "logit", "prob" or "sigmoid".

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.InputXGradient()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    reduction: Reduction = "sum"
    score: Score = "logit"

    def maps(self, call: Call) -> Tensor:
        D = input_gradients(call.model, call.images, call.target, score=self.score).total  # (B, 3, H, W)
        return REDUCTIONS[self.reduction](call.images.to(D) * D)


# sigma and max - min of each image -> the noise's deviation. The last is UCAG's code, a likely slip.
STD_MODES: dict[str, Callable[[float, Tensor], Tensor]] = {
    "range": lambda sigma, span: sigma * span,
    "absolute": lambda sigma, span: torch.full_like(span, sigma),
    "inverse-square": lambda sigma, span: torch.where(span == 0, span, (sigma / span) ** 2),
}


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(InputExplainer):
    r"""sum_ch |1/n sum_m D(X + delta_m)|: the gradient averaged over noise around the image.

    One forward and backward a sample, and one forward where target is None. Smilkov et al., "SmoothGrad",
    arXiv:1706.03825. Built in chapter 13.

    Args:
        preset: "default", noise of 0.15 (max - min); "polycam", captum's: deviation 1 in normalised units and
            the mean of |D|; "ucag", deviation (4 / (max - min))^2, and centred.
        samples: n.
        sigma: how wide the noise is, at least 0, as `std_mode` reads it.
        std_mode: "range", sigma (max - min) of each image; "absolute"; "inverse-square", (sigma / (max - min))^2.
        abs_before_mean: average |D| in place of D.
        center: take each map's mean off.
        reduction: from three channels to one number, "max-abs", "sum" or "sum-abs".
        seed: of the noise, which the images of a batch share.
        score: what is differentiated, "logit", "prob" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.SmoothGrad(samples=4)(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    samples: Count = 50
    sigma: NotNegative = 0.15
    std_mode: Annotated[str, among(STD_MODES)] = "range"
    abs_before_mean: bool = False
    center: bool = False
    reduction: Reduction = "sum-abs"
    seed: Seed = 0
    score: Score = "logit"
    chunk: Chunk = speed(64)
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "polycam": {"sigma": 1.0, "std_mode": "absolute", "abs_before_mean": True},
        "ucag": {"sigma": 4.0, "std_mode": "inverse-square", "center": True},
    }

    def maps(self, call: Call) -> Tensor:
        model, images, target = call.model, call.images, call.target
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
