r"""One layer's map with weights that the network was asked for: CAM+, CAM- and CAM+-.

    CAM_l = ReLU(sum_k w_k A_k)

with the weights of `channel_scores`. Poly-CAM multiplies such maps of several layers; alone they are
the ablation of its appendix B.1, and CAM+ is Score-CAM with a baseline of zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torch import Tensor, nn

from ...core.checks import finite_maps
from ...core.explainer import Call, Explainer, Result
from ...core.ops import Target, upsample
from ...core.options import Chunk, Score, among, speed
from ...core.tokens import Reshape
from ...models.layers import Layer, Layers
from ..cams import weights as cam
from ..layer_sets import SETS, layer_set
from .channel_masks import STRETCH
from .channel_scores import ASKS, WEIGHTS, ChannelScores, score_channels

Stretch = Annotated[str, among(STRETCH)]
Grid = Sequence[int] | Literal["native"]  # (H, W) of the maps, or as they are


class ChannelWise(Explainer):
    """What the explainers below share: the layers, the questions, eq. 2."""

    variant: ClassVar[str]
    stretch: str
    score: str
    chunk: int

    def named(self, model: nn.Module, layers: Layers | None) -> tuple[tuple[Layer, ...], bool]:
        """As for any explainer; "paper" and "reference" are lists of layers, see `layer_sets.layer_set`."""
        if isinstance(layers, str) and layers in SETS:
            return layer_set(model, layers), False
        return super().named(model, layers)

    @property
    def shares(self) -> tuple[str, ...]:
        """What explainers of channels agree in that share answers, see `registry.explain_many`."""
        return "questions", self.stretch, self.score

    def ask(
        self,
        model: nn.Module,
        images: Tensor,
        layers: Layers,
        target: Target,
        reshape: Reshape | None,
        ordered: bool = True,
    ) -> ChannelScores:
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

    def sums(self, scores: ChannelScores) -> dict[Layer, Tensor]:
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

    def from_scores(self, scores: ChannelScores, size: Grid = "native") -> Result:
        """The maps from what `score_channels` gave: no forward."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class CAMBoth(ChannelWise):
    r"""CAM+-: w_k = ReLU(f(X) + f(X u_k) - f(X (1 - u_k))), one layer, Poly-CAM eqs. 2 and 6.

    Layers may be named, or "paper" or "reference" for a list (`layer_sets.layer_set`). One forward, and two for
    each channel that is not constant. Englebert et al., "Poly-CAM", arXiv:2204.13359, appendix B. Built in
    chapter 09.

    Args:
        preset: "default" and "paper", or "reference" for the masks of the authors' code.
        stretch: how a channel becomes a mask, "after", "before" or "percentile", see `channel_masks.soft_masks`.
        relu: whether the map is cut at 0.
        score: "prob", "logit" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.CAMBoth()(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    stretch: Stretch = "after"
    relu: bool = True
    score: Score = "prob"
    chunk: Chunk = speed(64)
    variant: ClassVar[str] = "+-"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {},
        "reference": {"stretch": "percentile"},
    }

    def maps(self, call: Call) -> dict[Layer, Tensor]:
        scores = self.ask(call.model, call.images, call.layers, call.target, call.reshape, ordered=False)
        return self.from_scores(scores)

    def from_scores(self, scores: ChannelScores, size: Grid = "native") -> dict[Layer, Tensor]:
        """{layer: map} from what `score_channels` gave: no forward."""
        maps = self.sums(scores)
        maps = {layer: M.relu() for layer, M in maps.items()} if self.relu else maps
        return finite_maps({layer: M if size == "native" else upsample(M, size) for layer, M in maps.items()})


@dataclass(frozen=True, kw_only=True)
class CAMPlus(CAMBoth):
    """CAM+: w_k = f(X u_k), what a channel's place alone still says of the class (Poly-CAM eq. 4).

    It is Score-CAM with a baseline of zero. One forward, and one for each channel that is not constant. Englebert
    et al., "Poly-CAM", arXiv:2204.13359, appendix B. Built in chapter 09.

    Args:
        preset: "default" and "paper", or "reference" for the masks of the authors' code.
        stretch: how a channel becomes a mask, "after", "before" or "percentile", see `channel_masks.soft_masks`.
        relu: whether the map is cut at 0.
        score: "prob", "logit" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.CAMPlus()(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    variant: ClassVar[str] = "+"


@dataclass(frozen=True, kw_only=True)
class CAMMinus(CAMBoth):
    """CAM-: w_k = ReLU(f(X) - f(X (1 - u_k))), what the class loses without a channel's place (Poly-CAM eq. 5).

    One forward, and one for each channel that is not constant. Englebert et al., "Poly-CAM", arXiv:2204.13359,
    appendix B. Built in chapter 09.

    Args:
        preset: "default" and "paper", or "reference" for the masks of the authors' code.
        stretch: how a channel becomes a mask, "after", "before" or "percentile", see `channel_masks.soft_masks`.
        relu: whether the map is cut at 0.
        score: "prob", "logit" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.CAMMinus()(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    variant: ClassVar[str] = "-"
