"""Explainers that ask about channels share the answers: Poly-CAM in every variant, from every depth.

PCAM+, PCAM- and PCAM+- and their single layers put the same questions to a network and differ only
in what they make of the answers (`channel_scores`). Asked once, an ablation of fifteen of them costs
what the costliest one costs. `registry.explain_many` decides who shares.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from functools import reduce

from torch import Tensor, nn

from ...core.explainer import Result, plain_autograd
from ...core.guard import guarded
from ...core.ops import Target
from ...core.options import Size
from ...core.tokens import Reshape
from ...models.layers import Layer, Layers
from .channel_scores import ASKS, ChannelScores, check_order, score_channels
from .channelcam import ChannelWise


@guarded
def ask_once(
    chosen: Mapping[Hashable, ChannelWise],
    model: nn.Module,
    images: Tensor,
    layers: Mapping[Hashable, Layers | None],
    target: Target = None,
    *,
    size: Size = None,
    reshape: Reshape | None = None,
) -> tuple[dict[Hashable, Result], Target]:
    """The maps of several explainers from one round of questions, and the target that was resolved.

    Args:
        chosen: explainers of one `shares`; the smallest `chunk` among them bounds the model batch.
        layers: of each explainer, as it alone takes them.
        model, images, target, size, reshape: as for a single explainer.

    Costs one forward, and one for each question and each channel of a layer that anybody asks about.
    Where some layers are asked less than others, one forward more for each such kind.
    """
    calls = {
        label: one.checked(model, images, layers[label], target, size, reshape, False) for label, one in chosen.items()
    }
    wanted: dict[Layer, set[str]] = {}
    for label, one in chosen.items():
        for layer in calls[label].layers:
            wanted.setdefault(layer, set()).update(ASKS[one.variant])
    rounds: dict[tuple[str, ...], list[Layer]] = {}
    for layer, own_asks in wanted.items():
        rounds.setdefault(tuple(ask for ask in ("keep", "drop") if ask in own_asks), []).append(layer)
    first, *_ = chosen.values()
    images = next(iter(calls.values())).images
    told: list[ChannelScores] = []
    maps: dict[Hashable, Result] = {}
    with plain_autograd():
        for asks, some in rounds.items():
            answers = score_channels(
                model,
                images,
                some,
                target,
                asks,
                stretch=first.stretch,
                score=first.score,
                chunk=min(one.chunk for one in chosen.values()),
                reshape=reshape,
                ordered=False,
            )
            told.append(answers)
            target = answers.target
        answers = reduce(_joined, told)
        for label, one in chosen.items():
            own = _of(answers, calls[label].layers)
            if one.takes == "joint":
                check_order(own.A)
            maps[label] = one.returned(calls[label], one.from_scores(own))
    return maps, target


def _joined(one: ChannelScores, other: ChannelScores) -> ChannelScores:
    """The answers about all layers of both."""
    both = {name: getattr(one, name) | getattr(other, name) for name in ("A", "live", "keep", "drop")}
    return replace(one, **both)


def _of(answers: ChannelScores, layers: tuple[Layer, ...]) -> ChannelScores:
    """The answers about some of the layers, in their order."""

    def some(of: Mapping[Layer, Tensor]) -> dict[Layer, Tensor]:
        return {layer: of[layer] for layer in layers if layer in of}  # what nobody needed was not asked

    return replace(
        answers, A=some(answers.A), live=some(answers.live), keep=some(answers.keep), drop=some(answers.drop)
    )
