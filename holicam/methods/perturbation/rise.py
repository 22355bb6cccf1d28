"""Hide pixels, ask again: RISE with random masks and Occlusion with a moving window.

Nothing of the network is read but its scores, so both work for any classifier. Masks are built a
chunk at a time (`stream`) and again when they are summed: scores are kept, masks are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ...core.batched import stream
from ...core.explainer import Call, InputExplainer
from ...core.floats import changes
from ...core.ops import at_least_float32, size_of
from ...core.options import Chunk, Count, Number, PositiveShare, Score, Seed, among, check_count, speed
from ...core.still import warn_still
from .random_masks import BORDERS, MARGINS, RandomMasks


def _pair(value: int | tuple[int, int]) -> tuple[int, ...]:
    """(down, right) of a field that may be one number for both."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


@dataclass(frozen=True, kw_only=True)
class RISE(InputExplainer):
    r"""RISE: the mean of random masks, each weighted by the score of what it shows.

        M = 1 / (N p) \sum_n f_c(X m_n) m_n,   m_n = crop(up(bits of probability p on s x s cells))

    N + 1 forwards. Petsiuk et al., "RISE", BMVC 2018. Built in chapter 12.

    Args:
        preset: "default", the authors' code as Poly-CAM ran it; "torchray", N = 8000, s = 7, p = 0.5, sigmoid
            of the logit, no 1 / p, masks enlarged to the image and one cell, as in UCAG's Table 2.
        masks: N.
        cells: s.
        keep: p, the probability that a cell is shown, greater than 0 and at most 1.
        score: "prob", "logit" or "sigmoid", see `ops.select_score`.
        divide_by_keep: the factor 1 / p.
        margin: masks are enlarged to (s + 1) ceil(H / s) pixels ("grid") or H + ceil(H / s) ("cell") before
            they are cropped.
        border: how the outer half cells are filled, "reflect" as in both codes, or "clamp".
        subtract_mean: f_c less its mean over the masks, which takes noise away and not the signal.
        baseline: the normalised value of hidden pixels; 0 is the mean colour that the network takes out.
        seed: of the masks, which the images of a batch share.
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.RISE(masks=10)(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    masks: Count = 6000
    cells: Count = 8
    keep: PositiveShare = 0.1
    score: Score = "prob"
    divide_by_keep: bool = True
    margin: Annotated[str, among(MARGINS)] = "grid"
    border: Annotated[str, among(BORDERS)] = "reflect"
    subtract_mean: bool = False
    baseline: Number = 0.0
    seed: Seed = 0
    chunk: Chunk = speed(64)
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "torchray": {
            "masks": 8000,
            "cells": 7,
            "keep": 0.5,
            "score": "sigmoid",
            "divide_by_keep": False,
            "margin": "cell",
        },
    }

    def masks_for(self, images: Tensor) -> RandomMasks:
        """The masks for images (B, 3, H, W), by number."""
        return RandomMasks(
            self.masks,
            self.cells,
            self.keep,
            size_of(images),
            self.seed,
            self.border,
            self.margin,
            at_least_float32(images[:0]),
        )

    def maps(self, call: Call) -> Tensor:
        model, images, target = call.model, call.images, call.target
        masks, size = self.masks_for(images), len(images)

        def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
            n, b = numbers // size, numbers % size  # a mask serves all images in turn
            m = masks[n][:, None]  # (n, 1, H, W)
            return (images[b] * m + self.baseline * (1 - m)).to(images.dtype), b

        _, clean, f = stream(model, images, build, size * self.masks, target, score=self.score, chunk=self.chunk)
        f = f.view(self.masks, size).T  # (B, N)
        warn_still(f, clean[:, None], self.score)
        f = changes(f, f.mean(1, keepdim=True), self.score) if self.subtract_mean else f
        total = f.new_zeros(size, images.shape[-2] * images.shape[-1])
        for part in torch.arange(self.masks, device=images.device).split(self.chunk):
            total += f[:, part] @ masks[part].flatten(1)  # (B, n) (n, H W)
        total = total.unflatten(1, images.shape[-2:]) / self.masks
        return total / self.keep if self.divide_by_keep else total


@dataclass(frozen=True, kw_only=True)
class Occlusion(InputExplainer):
    r"""Occlusion: what the score loses when a window is hidden, averaged over windows on a pixel.

        M_ij = mean over windows W that hold ij of f_c(X) - f_c(X with W hidden)

    Windows start every `stride` pixels until all pixels are covered; the last ones are cut at the border. 1 +
    number of windows: 442 forwards at 224 pixels. Zeiler and Fergus, "Visualizing and Understanding
    Convolutional Networks", ECCV 2014; window, stride and the logit as Poly-CAM ran it. Built in chapter 12.

    Args:
        window: in pixels, one number or (down, right).
        stride: in pixels, one number or (down, right), at most the window.
        baseline: the normalised value of hidden pixels; 0 is the mean colour that the network takes out.
        score: "logit", "prob" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.Occlusion(window=16, stride=8)(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    window: int | tuple[int, int] = 64
    stride: int | tuple[int, int] = 8
    baseline: Number = 0.0
    score: Score = "logit"
    chunk: Chunk = speed(64)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("window", "stride"):
            value = getattr(self, name)
            pair = _pair(value)
            if len(pair) != 2:
                raise ValueError(f"{name} must be a number of pixels or (down, right); got {value!r}")
            for one in pair:
                check_count(name, one)
            object.__setattr__(self, name, pair)
        if any(s > w for s, w in zip(_pair(self.stride), _pair(self.window), strict=True)):
            raise ValueError(
                "stride must be at most window, or some pixels are never hidden; got "
                f"stride {self.stride} and window {self.window}"
            )

    def spans(self, images: Tensor) -> list[Tensor]:
        """For each axis, which pixels each window hides: (windows, length) of True and False."""
        spans = []
        for length, window, stride in zip(images.shape[-2:], _pair(self.window), _pair(self.stride), strict=True):
            if window > length:
                raise ValueError(
                    f"window must fit the image; got a window of {self.window} for an "
                    f"image of {tuple(images.shape[-2:])}"
                )
            start = stride * torch.arange(-(-(length - window) // stride) + 1, device=images.device)
            pixel = torch.arange(length, device=images.device)
            spans.append((pixel >= start[:, None]) & (pixel < start[:, None] + window))
        return spans

    def maps(self, call: Call) -> Tensor:
        model, images, target = call.model, call.images, call.target
        down, right = self.spans(images)  # (m, H), (n, W)
        each = len(down) * len(right)

        def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
            b, window = numbers // each, numbers % each
            hide = down[window // len(right)][:, :, None] & right[window % len(right)][:, None]
            return images[b].masked_fill(hide[:, None], self.baseline), b

        _, clean, scores = stream(model, images, build, len(images) * each, target, score=self.score, chunk=self.chunk)
        warn_still(scores.view(-1, each), clean[:, None], self.score)
        lost = -changes(scores.view(-1, each), clean[:, None], self.score).unflatten(1, (len(down), len(right)))
        down, right = down.to(lost), right.to(lost)
        return down.T @ lost @ right / (down.sum(0)[:, None] * right.sum(0))  # (B, H, W)
