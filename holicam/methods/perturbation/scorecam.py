r"""Score-CAM and its children: a channel weighs what the network says of the pixels it shows.

    w_k = mean_v f_c(question_v(X, u_k)) - f_c(X_b),   M = ReLU(sum_k w_k A_k)

with the masks u_k of `masks`. The three differ in their questions: Score-CAM asks X u_k once,
SS-CAM N times with noise on the mask, IS-CAM N times from dim to full. No gradient is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...core.batched import check_chunk
from ...core.capture import Captured, Reshape, capture
from ...core.checks import finite_maps
from ...core.floats import changes
from ...core.guard import guarded
from ...core.ops import SCORES, Target, at_least_float32, normalise, one_of, upsample
from ...core.options import (
    Explains,
    Maps,
    Size,
    check_count,
    check_flag,
    check_number,
    fill_preset,
    noise,
    output_size,
    speed,
)
from ...models.layers import Layers, default_layers, is_single
from ..cams import weights as cam
from .channel_masks import Vary, blank_scores, channel_scores, keep, live_in

_OURS = {"normalize_before": False, "align_corners": False, "channel_softmax": False, "activation": "raw"}
PRESETS = {
    "default": _OURS,
    "paper": _OURS | {"channel_softmax": True},
    "reference": _OURS,
    "polycam2021": _OURS | {"normalize_before": True, "activation": "normalized"},
}


class MaskCAM(Explains):
    """What the three dataclasses below share: their options and the call.

    Fields:
        preset: "default", Poly-CAM's eqs. 2 and 4 with f_c(X_b) = 0; "paper", the algorithm box of
            Score-CAM, a softmax of w over the channels; "reference", Score-CAM's code, which is
            the default; "polycam2021", the library version behind Poly-CAM's tables.
        normalize_before: min-max of each channel on its own grid, not after it is enlarged.
        align_corners: how channels are enlarged; True in grad-cam.
        channel_softmax: softmax of w over the channels. A constant channel has the mask 0 there;
            elsewhere it is skipped.
        activation: sum the "raw" channels, or the "normalized" ones.
        score: "prob", "logit" or "sigmoid", see `ops.select_score`.
        baseline: f_c(X_b) is the number "zero", or the score of the "blank" image, one more F.
        relu: ReLU on the map. chunk: the largest model batch.
    """

    takes: ClassVar[str] = "layer"
    presets: ClassVar[dict] = PRESETS

    def __post_init__(self) -> None:
        fill_preset(self, self.presets)
        for name in ("normalize_before", "align_corners", "channel_softmax", "relu"):
            check_flag(name, getattr(self, name))
        one_of("activation", self.activation, ("raw", "normalized"))
        one_of("score", self.score, SCORES)
        one_of("baseline", self.baseline, ("zero", "blank"))
        check_chunk(self.chunk)

    def questions(self, images: Tensor) -> tuple[Vary, int]:
        """What is asked of an image and a mask, and how many times."""
        return keep, 1

    def weights(self, model: nn.Module, images: Tensor, A: Tensor, captured: Captured, live: Tensor) -> Tensor:
        """w (B, C, 1, 1) of one layer. live: see `masks.live_in`."""
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
        w = scores.mean(-1)  # (B, C)
        if self.channel_softmax:  # f_c(X_b) cancels
            w = w.softmax(1)
        elif self.baseline == "blank":
            blank = blank_scores(model, images, captured.target, score=self.score, chunk=self.chunk)[:, None]
            w = changes(torch.where(live, w, blank), blank, self.score)
        return w[..., None, None]

    @guarded
    def __call__(
        self,
        model: nn.Module,
        images: Tensor,
        layers: Layers | None = None,
        target: Target = None,
        *,
        size: Size = None,
        reshape: Reshape | None = None,
    ) -> Maps:
        """Maps of a batch, one per image and layer.

        Args: as for any explainer with layers, see `passes.PassExplainer.__call__`; a callable
        target sees packed rows and must treat each row alike.

        Returns (B, H, W) in float32 (float64 for such a network), raw, at least 0 where `relu`.
        Costs 1 F and, for each layer, one F for each live channel and question.
        Raises what `capture.capture` raises.
        """
        out = None if isinstance(size, str) and size == "native" else output_size(size, images)
        chosen = default_layers(model)[-1] if layers is None else layers
        captured = capture(model, images, chosen, target, gradients=False, reshape=reshape)
        maps, live = {}, live_in(captured.A)
        for name, A in captured.A.items():
            w = self.weights(model, images, A, captured, live[name])
            m = cam.weighted_sum(normalise(A) if self.activation == "normalized" else A, w)
            m = m.relu() if self.relu else m  # (B, h, w)
            maps[name] = m if out is None else upsample(m, out)
        return finite_maps(next(iter(maps.values())) if is_single(chosen) else maps)


@dataclass(frozen=True)
class ScoreCAM(MaskCAM):
    """Score-CAM: w_k = f_c(X u_k) - f_c(X_b). The fields are those of `MaskCAM`.

    Wang et al., "Score-CAM", CVPR workshops 2020; Poly-CAM eqs. 2 and 4. Cost 1 + C forwards,
    fewer where channels are constant. Built in chapter 12.
    """

    preset: str = "default"
    normalize_before: bool | None = None
    align_corners: bool | None = None
    channel_softmax: bool | None = None
    activation: str | None = None
    score: str = "prob"
    baseline: str = "zero"
    relu: bool = True
    chunk: int = speed(64)


@dataclass(frozen=True)
class SSCAM(MaskCAM):
    r"""SS-CAM: w_k = 1/N \sum_n f_c(X (u_k + d_n)) - f_c(X_b), d_n ~ N(0, std^2) for each pixel.

    samples N, std: 35 and 2 in the paper, where noise is twice as wide as the mask's whole range;
    the sum is not clamped. seed: the N noises are shared by channels and images. colours: a number
    for each pixel and colour, not for each pixel; so in "polycam2021". The rest as in `MaskCAM`.

    Wang et al., "SS-CAM", arXiv:2006.14255. Cost 1 + N C forwards. Built in chapter 12.
    """

    preset: str = "default"
    samples: int = 35
    std: float = 2.0
    colours: bool | None = None
    normalize_before: bool | None = None
    align_corners: bool | None = None
    channel_softmax: bool | None = None
    activation: str | None = None
    score: str = "prob"
    baseline: str = "zero"
    seed: int = 0
    relu: bool = True
    chunk: int = speed(64)
    presets: ClassVar[dict] = {name: values | {"colours": name == "polycam2021"} for name, values in PRESETS.items()}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("samples", self.samples)
        check_number("std", self.std)
        check_flag("colours", self.colours)
        check_count("seed", self.seed, 0)

    def questions(self, images: Tensor) -> tuple[Vary, int]:
        shape = (self.samples, images.shape[1] if self.colours else 1, *images.shape[-2:])
        d = self.std * noise(shape, self.seed, at_least_float32(images[:0]))
        return (lambda x, u, n, channel: x * (u + d[n])), self.samples


@dataclass(frozen=True)
class ISCAM(MaskCAM):
    r"""IS-CAM: w_k = 1/N \sum_{i=1}^N f_c(i/N X u_k) - f_c(X_b).

    samples: N. cumulative: the factors are running sums of i/N, 0.1, 0.3, ..., 5.5 for N = 10, as
    in the library behind Poly-CAM's tables ("polycam2021"). The rest as in `MaskCAM`.

    Naidu et al., "IS-CAM", arXiv:2010.03023. Cost 1 + N C forwards. Built in chapter 12.
    """

    preset: str = "default"
    samples: int = 10
    cumulative: bool | None = None
    normalize_before: bool | None = None
    align_corners: bool | None = None
    channel_softmax: bool | None = None
    activation: str | None = None
    score: str = "prob"
    baseline: str = "zero"
    relu: bool = True
    chunk: int = speed(64)
    presets: ClassVar[dict] = {name: values | {"cumulative": name == "polycam2021"} for name, values in PRESETS.items()}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("samples", self.samples)
        check_flag("cumulative", self.cumulative)

    def questions(self, images: Tensor) -> tuple[Vary, int]:
        like = at_least_float32(images[:0])
        steps = torch.arange(1, self.samples + 1, dtype=like.dtype, device=like.device)
        steps = (steps.cumsum(0) if self.cumulative else steps) / self.samples
        return (lambda x, u, i, channel: steps[i, None, None, None] * (x * u)), self.samples
