"""MSG-CAM, a reconstruction: groups of channels, fused over scales, asked as masks of the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...core.baselines import GaussianBlur
from ...core.batched import stream
from ...core.explainer import Call
from ...core.floats import changes
from ...core.ops import Target, normalise, size_of
from ...core.options import Chunk, Count, Score, speed
from ...models.layers import Layer
from . import weights as cam
from .fusion import fuse
from .multiscale import REFERENCE_SCALES, Interpolation, MultiScale, Scales


@dataclass(frozen=True, kw_only=True)
class MSGCAM(MultiScale):
    r"""MSG-CAM, **a reconstruction**: no text or code of it (Xiang et al., ICME 2023) was at hand.

    What its abstract says, Group-CAM (Zhang et al., arXiv:2103.13859) on features and gradients of
    several scales, put in formulas. w_k is the mean gradient of channel k over places, averaged
    over scales, and \bar A_k the mean of up(A_k). The channels are cut, in order, into `groups`
    g, each of which proposes a mask u_g, which the network judges:

        m_g = ReLU(\sum_{k in g} w_k \bar A_k),        u_g = normalise(m_g),
        beta_g = ReLU(p(X u_g + X_b (1 - u_g)) - p(X_b)),        M = \sum_g beta_g m_g

    X_b is the image blurred by a Gaussian of `blur` pixels and deviation `sigma`. M >= 0 is not
    normalised. A group without positive evidence adds nothing. With scales=(1,) it is Group-CAM
    without that paper's denoising.

    The passes of its scales and `groups` + 1 forwards a layer. Built in chapter 08.

    Args:
        preset: there is "default" only.
        scales: ratios to the images' size; the first is 1.
        groups: how many masks are proposed.
        blur: pixels of the blur's window, odd.
        sigma: its deviation in pixels, greater than 0.
        interpolation: of the images, "bicubic" or "bilinear".
        skip_mismatched: leave out scales whose top-1 is not that of the first, image by image.
        score: what is differentiated, "logit", "prob" or "sigmoid"; beta asks for the probability, "sigmoid"
            where score is that.
        chunk: the largest batch of masked images; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.MSGCAM(scales=(1, 1.5), groups=4)(model, batch.images, "layer4").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    scales: tuple[float, ...] = REFERENCE_SCALES
    groups: Count = 32
    blur: int = 51
    sigma: float = 50.0
    interpolation: Interpolation = "bicubic"
    skip_mismatched: bool = False
    score: Score = "logit"
    chunk: Chunk = speed(64)
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"default": {}}

    def __post_init__(self) -> None:
        super().__post_init__()
        GaussianBlur(self.blur, self.sigma)  # says what is wrong with either

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.grad_cam(A, G)

    def finish(self, call: Call, state: Scales) -> dict[Layer, Tensor]:
        keep = state.keep(self.skip_mismatched)
        return {layer: self.joined(call, *state.of(layer), state.target, keep) for layer in call.layers}

    def joined(self, call: Call, A: list[Tensor], W: list[Tensor], target: Target, keep: Tensor | None) -> Tensor:
        """M (B, H, W) of one layer from its A and W at all scales."""
        size, count = size_of(call.images), min(self.groups, A[0].shape[1])
        cut = zip(
            *(zip(a.tensor_split(count, 1), w.tensor_split(count, 1), strict=True) for a, w in zip(A, W, strict=True)),
            strict=True,
        )
        m = torch.stack([fuse([a for a, _ in group], [w for _, w in group], size, keep).relu() for group in cut], 1)
        return (self.judge(call, normalise(m), target)[:, :, None, None] * m).sum(1)

    def judge(self, call: Call, masks: Tensor, target: Target) -> Tensor:
        """beta (B, groups) of masks (B, groups, H, W)."""
        blurred = GaussianBlur(self.blur, self.sigma)(call.images)
        masks = torch.cat([torch.zeros_like(masks[:, :1]), masks], 1).to(call.images)  # X_b first
        each = masks.shape[1]

        def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
            owner = numbers // each
            return blurred[owner] + masks.flatten(0, 1)[numbers, None] * (call.images - blurred)[owner], owner

        kind = "sigmoid" if self.score == "sigmoid" else "prob"
        scores = stream(
            call.model, call.images, build, masks.shape[0] * each, target, score=kind, chunk=self.chunk, clean=False
        )[2].unflatten(0, (-1, each))
        return changes(scores[:, 1:], scores[:, :1], kind).relu()
