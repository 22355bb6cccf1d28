r"""What a network says of each channel, asked once for every variant of Poly-CAM.

A channel is asked twice: what is left of the class when only its place is shown (`keep`), and what
when its place is hidden (`drop`). Three weights come from these two score vectors,

    w+ = f(X u),   w- = ReLU(f(X) - f(X (1 - u))),   w+- = ReLU(f(X) + f(X u) - f(X (1 - u))),

Poly-CAM eqs. 4-6 with f(X_b) = 0. Asking is the whole cost, so it is worth keeping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from ...core.capture import capture
from ...core.floats import changes
from ...core.guard import guarded
from ...core.ops import Target
from ...core.still import warn_still
from ...core.targets import Resolved
from ...core.tokens import Reshape
from ...models.layers import Layer, Layers, called
from ..layer_sets import SETS, layer_set
from . import channel_masks as masks


@dataclass(frozen=True, eq=False)
class ChannelScores:
    """What the network said of every channel. All variants of Poly-CAM are made of this."""

    target: Resolved
    whole: Tensor  # f_c(X), (B,)
    A: dict[Layer, Tensor] = field(repr=False)  # {layer as given: (B, C, h, w)}
    live: dict[Layer, Tensor] = field(repr=False)  # (B, C), False where constant and never asked
    keep: dict[Layer, Tensor] = field(repr=False)  # f_c(X u), (B, C); empty if not asked
    drop: dict[Layer, Tensor] = field(repr=False)  # f_c(X (1 - u)), (B, C); empty if not asked
    stretch: str = "after"
    score: str = "prob"


# What each variant asks, and the weights (B, C) of a layer that it makes of the answers. A constant
# channel has the weight 0: for "-" that is exact, since hiding it hides nothing.
ASKS = {"+": ("keep",), "-": ("drop",), "+-": ("keep", "drop")}
WEIGHTS = {
    "+": lambda s, at: s.keep[at],
    "-": lambda s, at: s.live[at] * (s.whole[:, None] - s.drop[at]).relu(),
    "+-": lambda s, at: s.live[at] * (s.whole[:, None] + s.keep[at] - s.drop[at]).relu(),
}


@guarded
def score_channels(
    model: nn.Module,
    images: Tensor,
    layers: Layers = "paper",
    target: Target = None,
    asks: Sequence[str] = ("keep", "drop"),
    *,
    stretch: str = "after",
    score: str = "prob",
    chunk: int = 64,
    reshape: Reshape | None = None,
    ordered: bool = True,
) -> ChannelScores:
    """Ask the network about every channel of some layers, with its place shown and hidden.

    Args:
        images: (B, 3, H, W), normalised as the network expects.
        layers: names or modules, or "paper" or "reference", see `layer_sets.layer_set`. Of a module that runs
            several times in a forward the last call counts.
        target: None (top-1), a class, one class per image, or a callable (B, K) -> (B,).
        asks: "keep", "drop" or both, in this order.
        stretch, score, chunk: as in `channel_masks.channel_scores`.
        ordered: refuse layers that do not go from fine to coarse.

    Costs one forward, and one for each ask and each channel that is not constant. Raises
    ValueError (besides what `capture` raises). Built in chapter 09.
    """
    if tuple(asks) not in ASKS.values():
        raise ValueError(f'asks must be ("keep",), ("drop",) or ("keep", "drop"); got {asks!r}')
    names = layer_set(model, layers) if isinstance(layers, str) and layers in SETS else layers
    seen = capture(model, images, names, target, gradients=False, reshape=reshape, repeated="last")
    if ordered:
        check_order(seen.A)
    vary = masks.keep_and_drop if len(asks) == 2 else getattr(masks, asks[0])
    live: dict[Layer, Tensor] = {}
    answers: dict[str, dict[Layer, Tensor]] = {ask: {} for ask in asks}
    known, whole = masks.live_in(seen.A), masks.clean_scores(seen, score)
    for layer, A in seen.A.items():
        found, live[layer] = masks.channel_scores(
            model, images, A, seen.target, vary, len(asks), stretch=stretch, score=score, chunk=chunk, live=known[layer]
        )
        asked = live[layer].repeat_interleave(len(asks), 1)
        warn_still(found.flatten(1), whole[:, None], score, layer, asked)
        for ask, scores in zip(asks, found.unbind(-1), strict=True):
            answers[ask][layer] = scores  # (B, C)
        if "drop" in asks:
            answers["drop"][layer] = _without_rounding(answers["drop"][layer], live[layer], whole, score)
    return ChannelScores(
        seen.target, whole, seen.A, live, answers.get("keep", {}), answers.get("drop", {}), stretch, score
    )


def check_order(A: Mapping[Layer, Tensor]) -> None:
    """Raise ValueError where layers {layer: (B, C, h, w)} do not go from fine to coarse."""
    grids = [tuple(a.shape[-2:]) for a in A.values()]
    if any(c > f for fine, coarse in pairwise(grids) for f, c in zip(fine, coarse, strict=True)):
        held = ", ".join(f"{called(layer)} {h} x {w}" for layer, (h, w) in zip(A, grids, strict=True))
        raise ValueError(
            f"layers must go from shallow to deep, each grid at most as large as the one before; got {held}"
        )


def _without_rounding(hidden: Tensor, live: Tensor, whole: Tensor, score: str) -> Tensor:
    """f_c(X (1 - u)), (B, C), and f_c(X) itself for an image of which hiding any channel changes that by rounding."""
    still = changes(torch.where(live, hidden, whole[:, None]), whole[:, None], score) == 0
    return torch.where(still.all(1, True) & live, whole[:, None], hidden)
