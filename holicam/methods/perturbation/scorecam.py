r"""Score-CAM and its children: a channel weighs what the network says of the pixels it shows.

    w_k = mean_v f_c(question_v(X, u_k)) - f_c(X_b),   M = ReLU(sum_k w_k A_k)

with the masks u_k of `channel_masks`. The three differ in their questions: Score-CAM asks X u_k once,
SS-CAM N times with noise on the mask, IS-CAM N times from dim to full. No gradient is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ...core.capture import Captured, capture
from ...core.explainer import Call, Explainer
from ...core.floats import changes
from ...core.ops import at_least_float32, normalise
from ...core.options import Chunk, Count, NotNegative, Score, Seed, among, noise, speed
from ...core.still import warn_still
from ...models.layers import Layer
from ..cams import weights as cam
from .channel_masks import Vary, blank_scores, channel_scores, clean_scores, keep, live_in

Activation = Annotated[str, among(("raw", "normalized"))]
Baseline = Annotated[str, among(("zero", "blank"))]


class MaskCAM(Explainer):
    """What the three dataclasses below share: their presets and how they ask.

    preset: "default", Poly-CAM's eqs. 2 and 4 with f_c(X_b) = 0; "paper", the algorithm box of Score-CAM, a
    softmax of w over the channels; "reference", Score-CAM's code, which is the default; "polycam2021", the
    library version behind Poly-CAM's tables.
    """

    normalize_before: bool
    align_corners: bool
    channel_softmax: bool
    activation: str
    score: str
    baseline: str
    relu: bool
    chunk: int
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {"channel_softmax": True},
        "reference": {},
        "polycam2021": {"normalize_before": True, "activation": "normalized"},
    }

    def questions(self, images: Tensor) -> tuple[Vary, int]:
        """What is asked of an image and a mask, and how many times."""
        return keep, 1

    def weights(
        self, model: nn.Module, images: Tensor, A: Tensor, captured: Captured, live: Tensor, blank: Tensor | None
    ) -> Tensor:
        """w (B, C, 1, 1) of one layer. live: see `channel_masks.live_in`; blank: f_c(X_b) (B, 1), None for 0."""
        vary, variants = self.questions(images)
        scores, live = channel_scores(
            model,
            images,
            A,
            captured.target,
            vary,
            variants,
            score=self.score,
            chunk=self.chunk,
            stretch="before" if self.normalize_before else "after",
            align_corners=self.align_corners,
            constant="once" if self.channel_softmax else "skip",
            live=live,
        )
        answers, asked = scores.flatten(1), live.repeat_interleave(scores.shape[-1], 1)  # (B, C variants)
        warn_still(answers, clean_scores(captured, self.score)[:, None], self.score, asked=asked)
        w = scores.mean(-1)  # (B, C)
        if self.channel_softmax:  # f_c(X_b) cancels
            w = w.softmax(1)
        elif blank is not None:
            w = changes(torch.where(live, w, blank), blank, self.score)
        return w[..., None, None]

    def maps(self, call: Call) -> dict[Layer, Tensor]:
        captured = capture(call.model, call.images, call.layers, call.target, gradients=False, reshape=call.reshape)
        maps, live, blank = {}, live_in(captured.A), None
        if self.baseline == "blank" and not self.channel_softmax:  # one forward for all layers
            blank = blank_scores(call.model, call.images, captured.target, score=self.score, chunk=self.chunk)[:, None]
        for layer, A in captured.A.items():
            w = self.weights(call.model, call.images, A, captured, live[layer], blank)
            M = cam.weighted_sum(normalise(A) if self.activation == "normalized" else A, w)
            maps[layer] = M.relu() if self.relu else M  # (B, h, w)
        return maps


@dataclass(frozen=True, kw_only=True)
class ScoreCAM(MaskCAM):
    """Score-CAM: w_k = f_c(X u_k) - f_c(X_b), with the masks u_k of `channel_masks`.

    A callable target sees packed rows and must treat each row alike. 1 + C forwards, fewer where channels are
    constant. Wang et al., "Score-CAM", CVPR workshops 2020; Poly-CAM eqs. 2 and 4. Built in chapter 12.

    Args:
        preset: "default"; "paper", a softmax of w over the channels; "reference", the authors' code, which is the
            default; "polycam2021", the library version behind Poly-CAM's tables.
        normalize_before: min-max of each channel on its own grid, not after it is enlarged.
        align_corners: how channels are enlarged; True in grad-cam.
        channel_softmax: softmax of w over the channels. A constant channel has the mask 0 there; elsewhere it is
            skipped.
        activation: sum the "raw" channels, or the "normalized" ones.
        score: "prob", "logit" or "sigmoid", see `ops.select_score`.
        baseline: f_c(X_b) is the number "zero", or the score of the "blank" image, one forward more.
        relu: whether the map is cut at 0.
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.ScoreCAM()(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    normalize_before: bool = False
    align_corners: bool = False
    channel_softmax: bool = False
    activation: Activation = "raw"
    score: Score = "prob"
    baseline: Baseline = "zero"
    relu: bool = True
    chunk: Chunk = speed(64)


@dataclass(frozen=True, kw_only=True)
class SSCAM(MaskCAM):
    r"""SS-CAM: w_k = 1/N \sum_n f_c(X (u_k + d_n)) - f_c(X_b), d_n ~ N(0, std^2) for each pixel.

    1 + N C forwards. Wang et al., "SS-CAM", arXiv:2006.14255. Built in chapter 12.

    Args:
        preset: as for `ScoreCAM`; "polycam2021" draws a number for each pixel and colour.
        samples: N.
        std: deviation of the noise, at least 0. With the paper's 2 it is twice as wide as the mask's whole range;
            the sum is not clamped.
        colours: a number for each pixel and colour, not for each pixel.
        normalize_before: min-max of each channel on its own grid, not after it is enlarged.
        align_corners: how channels are enlarged; True in grad-cam.
        channel_softmax: softmax of w over the channels.
        activation: sum the "raw" channels, or the "normalized" ones.
        score: "prob", "logit" or "sigmoid".
        baseline: f_c(X_b) is the number "zero", or the score of the "blank" image, one forward more.
        seed: the N noises are shared by channels and images.
        relu: whether the map is cut at 0.
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.SSCAM(samples=2)(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    samples: Count = 35
    std: NotNegative = 2.0
    colours: bool = False
    normalize_before: bool = False
    align_corners: bool = False
    channel_softmax: bool = False
    activation: Activation = "raw"
    score: Score = "prob"
    baseline: Baseline = "zero"
    seed: Seed = 0
    relu: bool = True
    chunk: Chunk = speed(64)
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        **MaskCAM.presets,
        "polycam2021": {**MaskCAM.presets["polycam2021"], "colours": True},
    }

    def questions(self, images: Tensor) -> tuple[Vary, int]:
        shape = (self.samples, images.shape[1] if self.colours else 1, *images.shape[-2:])
        d = self.std * noise(shape, self.seed, at_least_float32(images[:0]))
        return (lambda x, u, n, channel: x * (u + d[n])), self.samples


@dataclass(frozen=True, kw_only=True)
class ISCAM(MaskCAM):
    r"""IS-CAM: w_k = 1/N \sum_{i=1}^N f_c(i/N X u_k) - f_c(X_b).

    1 + N C forwards. Naidu et al., "IS-CAM", arXiv:2010.03023. Built in chapter 12.

    Args:
        preset: as for `ScoreCAM`; the factors of "polycam2021" are cumulative.
        samples: N.
        cumulative: the factors are running sums of i/N, 0.1, 0.3, ..., 5.5 for N = 10, as in the library behind
            Poly-CAM's tables.
        normalize_before: min-max of each channel on its own grid, not after it is enlarged.
        align_corners: how channels are enlarged; True in grad-cam.
        channel_softmax: softmax of w over the channels.
        activation: sum the "raw" channels, or the "normalized" ones.
        score: "prob", "logit" or "sigmoid".
        baseline: f_c(X_b) is the number "zero", or the score of the "blank" image, one forward more.
        relu: whether the map is cut at 0.
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.ISCAM(samples=2)(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    samples: Count = 10
    cumulative: bool = False
    normalize_before: bool = False
    align_corners: bool = False
    channel_softmax: bool = False
    activation: Activation = "raw"
    score: Score = "prob"
    baseline: Baseline = "zero"
    relu: bool = True
    chunk: Chunk = speed(64)
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        **MaskCAM.presets,
        "polycam2021": {**MaskCAM.presets["polycam2021"], "cumulative": True},
    }

    def questions(self, images: Tensor) -> tuple[Vary, int]:
        like = at_least_float32(images[:0])
        steps = torch.arange(1, self.samples + 1, dtype=like.dtype, device=like.device)
        steps = (steps.cumsum(0) if self.cumulative else steps) / self.samples
        return (lambda x, u, i, channel: steps[i, None, None, None] * (x * u)), self.samples
