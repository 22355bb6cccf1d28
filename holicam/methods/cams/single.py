"""One pass, one weighted sum: what the single-scale explainers of the CAM family share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from ...core.capture import Captured
from ...core.explainer import Call
from ...core.passes import Ask, PassExplainer
from ...models.layers import Layer
from .signed import reading
from .weights import weighted_sum


class SingleScale(PassExplainer):
    """A subclass says what its `weights` are. The order is: channel sum, ReLU (`relu`), resize."""

    uses_gradients: ClassVar[bool] = True
    relu: bool
    score: str

    def weights(self, A: Tensor, G: Tensor) -> Tensor:
        """W of one layer from its activations and gradients (B, C, h, w); it broadcasts to A."""
        raise NotImplementedError

    def map(self, model: nn.Module, captured: Captured, layer: Layer) -> Tensor:
        """The map (B, h, w) of one layer, before the ReLU."""
        return weighted_sum(captured.A[layer], self.weights(captured.A[layer], captured.G[layer]))

    def asks(self) -> Sequence[Ask]:
        return [Ask(self.score if self.uses_gradients else None)]

    def finish(self, call: Call, seen: Captured) -> dict[Layer, Tensor]:
        maps = {}
        for layer in call.layers:
            with reading(call.model, call.images, layer):
                maps[layer] = self.map(call.model, seen, layer)
        return {layer: M.relu() if self.relu else M for layer, M in maps.items()}
