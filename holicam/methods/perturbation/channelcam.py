r"""One layer's map with weights that the network was asked for: CAM+, CAM- and CAM+-.

    CAM_l = ReLU(sum_k w_k A_k)

with the weights of `polyscores`. Poly-CAM multiplies such maps of several layers; alone they are
the ablation of its appendix B.1, and CAM+ is Score-CAM with a baseline of zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ...core.batched import check_chunk
from ...core.checks import finite_maps
from ...core.guard import guarded
from ...core.ops import SCORES, Target, one_of, upsample
from ...core.options import Explains, Maps, Size, check_flag, fill_preset, output_size, speed
from ...core.tokens import Reshape
from ...models.layers import Layers, default_layers, is_single
from ..cams import weights as cam
from .channel_masks import STRETCH
from .channel_scores import ASKS, WEIGHTS, ChannelScores, score_channels


class ChannelWise(Explains):
    """What the explainers below share: the checks of common fields, the questions, eq. 2."""

    def __post_init__(self) -> None:
        fill_preset(self, self.presets)
        one_of("stretch", self.stretch, STRETCH)
        one_of("score", self.score, SCORES)
        check_chunk(self.chunk)

    def ask(self, model, images, layers, target, reshape, ordered=True) -> ChannelScores:
        return score_channels(
            model,
            images,
            layers,
            target,
            ASKS[self.variant],
            stretch=self.stretch,
            score=self.score,
            chunk=self.chunk,
            reshape=reshape,
            ordered=ordered,
        )

    def sums(self, scores: ChannelScores) -> dict[str, Tensor]:
        """{layer: sum_k w_k A_k (B, h, w)}: eq. 2 without its ReLU."""
        if (scores.stretch, scores.score) != (self.stretch, self.score):
            raise ValueError(
                f"the scores were asked with stretch={scores.stretch!r} and score="
                f"{scores.score!r}, which {self!r} does not have"
            )
        asks, weights = ASKS[self.variant], WEIGHTS[self.variant]
        if not all(getattr(scores, ask) for ask in asks):
            raise ValueError(f"{type(self).__name__} needs scores that were asked with {asks}")
        return {layer: cam.weighted_sum(A, weights(scores, layer)[:, :, None, None]) for layer, A in scores.A.items()}


@dataclass(frozen=True)
class CAMBoth(ChannelWise):
    """CAM+-: one layer, its channels weighted with w+- (Poly-CAM eqs. 2 and 6).

    preset: "default" and "paper", or "reference" for the masks of the authors' code. stretch: how
    a channel becomes a mask, see `masks.soft_masks`. score: "prob", "logit" or "sigmoid". chunk: the largest
    model batch, never a matter of the result. Costs one forward, and two for each channel that is
    not constant. Built in chapter 09.
    """

    preset: str = "default"
    stretch: str | None = None
    relu: bool = True
    score: str = "prob"
    chunk: int = speed(64)
    takes: ClassVar[str] = "layer"
    variant: ClassVar[str] = "+-"
    presets: ClassVar[dict] = {
        "default": {"stretch": "after"},
        "paper": {"stretch": "after"},
        "reference": {"stretch": "percentile"},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("relu", self.relu)

    def from_scores(self, scores: ChannelScores, size: Size = "native") -> dict[str, Tensor]:
        """{layer: map} from what `score_channels` gave: no forward."""
        maps = self.sums(scores)
        maps = {layer: M.relu() for layer, M in maps.items()} if self.relu else maps
        return finite_maps({layer: M if size == "native" else upsample(M, size) for layer, M in maps.items()})

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

        Args:
            images: (B, 3, H, W), normalised as the network expects.
            layers: a name or module gives a tensor, a sequence of them a dict, as do "paper" and
                "reference" (`layersets.layer_set`); None is the last of `layernames.default_layers`.
            target: None (top-1), a class, one class per image, or a callable (B, K) -> (B,).
            size: None for the images' (H, W), "native" for the layer's own grid, or (H, W).
            reshape: for transformers, see `tokens.tokens_to_grid`.

        Returns (B, H, W) in float32 (float64 for such a network), raw, at least 0 where `relu`.
        Raises ValueError and what `capture.capture` raises.
        """
        size = size if size == "native" else output_size(size, images)
        layers = default_layers(model)[-1] if layers is None else layers
        scores = self.ask(model, images, layers, target, reshape, ordered=False)
        maps = self.from_scores(scores, size)
        return next(iter(maps.values())) if is_single(layers) and layers in maps else maps


@dataclass(frozen=True)
class CAMPlus(CAMBoth):
    """CAM+: the weight of a channel is what its place alone still says of the class (eq. 4).

    One forward for each channel that is not constant, and one. Built in chapter 09.
    """

    variant: ClassVar[str] = "+"


@dataclass(frozen=True)
class CAMMinus(CAMBoth):
    """CAM-: the weight of a channel is what the class loses without its place (eq. 5).

    One forward for each channel that is not constant, and one. Built in chapter 09.
    """

    variant: ClassVar[str] = "-"
