"""NormGrad: no weighted sum of channels, but how long two vectors of channels are at each place."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...core.ops import SCORES, one_of
from ...core.passes import Ask, Call, Gather, PassExplainer


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


@dataclass(frozen=True)
class NormGrad(PassExplainer):
    """NormGrad (Rebuffi et al., "There and Back Again", CVPR 2020), one layer at a time.

    Imagine a layer that changes nothing behind the one explained. The map (B, h, w) says how much
    each place adds to the gradient of its parameters. identity: which layer that is,
    "conv1x1", |A| |G| with norms over the channels; "scaling", |A G|; "bias", |G|.

    score: "logit", "prob", "sigmoid", or "ce", the cross-entropy -log p of the original, whose gradient is
        that of p over -p: the map of "prob" over p, one number an image.

    A norm has no sign: nothing speaks against the class, and there is no ReLU. The original can
    also multiply the normalised maps of several layers, which is left to the caller.
    Built in chapter 08.
    """

    identity: str = "conv1x1"
    score: str = "logit"

    def __post_init__(self) -> None:
        one_of("identity", self.identity, IDENTITIES)
        one_of("score", self.score, (*SCORES, "ce"))

    def gather(self, call: Call) -> Gather:
        captured = yield Ask(call.layers, "prob" if self.score == "ce" else self.score)
        share = captured.score if self.score == "ce" else captured.score.new_ones(1)
        made = {}
        for layer in call.layers:
            A, G = captured.A[layer], captured.G[layer]
            made[layer] = call.fit(IDENTITIES[self.identity](A, G) / share.to(A)[:, None, None])
        return made
