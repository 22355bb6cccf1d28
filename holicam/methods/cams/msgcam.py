"""MSG-CAM, a reconstruction: groups of channels, fused over scales, asked as masks of the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.baselines import GaussianBlur
from ...core.batched import check_chunk, stream
from ...core.floats import changes
from ...core.ops import Target, normalise
from ...core.options import check_count, speed
from ...core.passes import Ask, Call, Gather, View
from . import weights as cam
from .fusion import fuse
from .multiscale import REFERENCE_SCALES, MultiScale, Scales


@dataclass(frozen=True)
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

    scales, interpolation, skip_mismatched, score: as `CAMERAS`, score being what is differentiated;
        beta asks for the probability, "sigmoid" where score is that.
    chunk: the largest batch of masked images; it does not change the map.

    Costs the passes of its scales and `groups` + 1 forwards a layer. Built in chapter 08.
    """

    preset: str = "default"
    scales: tuple[float, ...] | None = None
    groups: int = 32
    blur: int = 51
    sigma: float = 50.0
    interpolation: str = "bicubic"
    skip_mismatched: bool = False
    score: str = "logit"
    chunk: int = speed(64)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("groups", self.groups)
        check_chunk(self.chunk)
        GaussianBlur(self.blur, self.sigma)  # says what is wrong with either

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        return cam.grad_cam(A, G)

    def gather(self, call: Call) -> Gather:
        seen = Scales()
        for ratio in self.scales:
            captured = yield Ask(call.layers, self.score, View(ratio, self.interpolation))
            seen.take(captured, call.layers, self.weights)
            target = captured.target
            del captured  # or it would live through the next pass
        return {
            layer: call.fit(self.joined(call, *seen.of(layer), target, seen.keep(self.skip_mismatched)))
            for layer in call.layers
        }

    def joined(self, call: Call, A: list[Tensor], W: list[Tensor], target: Target, keep: Tensor | None) -> Tensor:
        """M (B, H, W) of one layer from its A and W at all scales."""
        size, count = tuple(call.images.shape[-2:]), min(self.groups, A[0].shape[1])
        cut = zip(
            *(zip(a.tensor_split(count, 1), w.tensor_split(count, 1), strict=True) for a, w in zip(A, W, strict=True)),
            strict=True,
        )
        m = torch.stack([fuse(*zip(*group, strict=True), size, keep).relu() for group in cut], 1)
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


MSGCAM.presets = {"default": {"scales": REFERENCE_SCALES, "skip_mismatched": False}}
