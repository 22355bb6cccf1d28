"""The base of a class activation map of one's own: one pass, one weighted sum; a subclass says the weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ...core.capture import Captured
from ...core.checks import expect_finite
from ...core.options import Score
from ...models.layers import Layer
from .single import SingleScale
from .weights import weighted_sum


@dataclass(frozen=True, kw_only=True)
class WeightedCAM(SingleScale):
    r"""A CAM of your own, M = ReLU(\sum_k W_k A_k): a subclass defines `weights`, all else is here.

    weights(self, A, G) gets a layer's activations and the gradients of the target's score, both (B, C, h, w). It
    returns W (B, C, 1, 1) or (B, C, h, w), or with 1 for any side. A subclass with settings of its own is a dataclass
    too, `@dataclass(frozen=True, kw_only=True)`; one without needs no decorator.

    Args:
        relu: whether the map is cut at 0.
        score: what is differentiated, "logit", "prob" or "sigmoid", see `ops.select_score`.

    Raises:
        NotImplementedError: `weights` is not defined.
        ValueError: weights of a shape that does not fit the activations.

    Example:
        >>> import holicam as hc
        >>> class MedianCAM(hc.WeightedCAM):
        ...     def weights(self, A, G):
        ...         return G.flatten(2).median(2).values[:, :, None, None]
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> MedianCAM()(model, batch.images, "layer1").shape
        torch.Size([1, 32, 32])
    """

    relu: bool = True
    score: Score = "logit"

    def map(self, model: nn.Module, captured: Captured, layer: Layer) -> Tensor:
        A = captured.A[layer]
        W = self.weights(A, captured.G[layer])
        sides = tuple(W.shape) if isinstance(W, Tensor) else ()
        if len(sides) != 4 or any(side not in (1, whole) for side, whole in zip(sides, A.shape, strict=True)):
            B, C, h, w = A.shape
            raise ValueError(
                f"{type(self).__name__}.weights must return a tensor (B, C, 1, 1) or (B, C, h, w), here "
                f"{(B, C, 1, 1)} or {(B, C, h, w)}; got {sides or type(W).__name__}"
            )
        expect_finite(W, f"{type(self).__name__}.weights holds NaN or infinite values: guard its divisions and roots")
        return weighted_sum(A, W)
