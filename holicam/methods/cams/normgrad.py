"""NormGrad: no weighted sum of channels, but how long two vectors of channels are at each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from torch import Tensor

from ...core.capture import Captured
from ...core.explainer import Call
from ...core.ops import SCORES
from ...core.options import among
from ...core.passes import Ask, PassExplainer
from ...models.layers import Layer


def conv1x1(A: Tensor, G: Tensor) -> Tensor:
    """|A| |G|: the gradient of an identity 1x1 convolution, which is a matrix G A' a place."""
    return A.norm(dim=1) * G.norm(dim=1)  # (B, h, w)


def scaling(A: Tensor, G: Tensor) -> Tensor:
    """|A G|: the gradient of an identity that multiplies each channel by one."""
    return (A * G).norm(dim=1)


def bias(A: Tensor, G: Tensor) -> Tensor:
    """|G|: the gradient of an identity that adds zero to each channel."""
    return G.norm(dim=1)


IDENTITIES = {"conv1x1": conv1x1, "scaling": scaling, "bias": bias}


@dataclass(frozen=True, kw_only=True)
class NormGrad(PassExplainer):
    """NormGrad: how much each place adds to the gradient of an identity layer behind the one explained.

    Imagine a layer that changes nothing. The map is the norm, at each place, of its parameters' gradient. A
    norm has no sign: nothing speaks against the class, and there is no ReLU. The original can also multiply
    the normalised maps of several layers, which is left to the caller. One forward and one backward. Rebuffi
    et al., "There and Back Again", CVPR 2020. Built in chapter 08.

    Args:
        identity: the layer imagined, which may be given without its name: "conv1x1", |A| |G| with norms over
            the channels; "scaling", |A G|; "bias", |G|.
        score: "logit", "prob", "sigmoid", or "ce", the cross-entropy -log p of the original, whose gradient is
            that of p over -p: the map of "prob" over p, one number an image.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.NormGrad("scaling")(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    identity: Annotated[str, among(IDENTITIES)] = field(default="conv1x1", kw_only=False)
    score: Annotated[str, among((*SCORES, "ce"))] = "logit"

    def asks(self) -> Sequence[Ask]:
        return [Ask("prob" if self.score == "ce" else self.score)]

    def finish(self, call: Call, seen: Captured) -> dict[Layer, Tensor]:
        share = seen.score if self.score == "ce" else seen.score.new_ones(1)
        norm = IDENTITIES[self.identity]
        return {layer: norm(A := seen.A[layer], seen.G[layer]) / share.to(A)[:, None, None] for layer in call.layers}
