"""Explainers that ask about channels share the answers: Poly-CAM in every variant, from every depth.

PCAM+, PCAM- and PCAM+- and their single layers put the same questions to a network and differ only
in what they make of the answers (`polyscores`). Asked once, an ablation of fifteen of them costs
what the costliest one costs.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from ...core.guard import guarded
from ...core.ops import Target
from ...core.options import Maps, output_size
from ...models.layers import Layer, as_given
from ..layer_sets import SETS, layer_set
from .channel_scores import ASKS, ChannelScores, score_channels
from .channelcam import ChannelWise

Chosen = Mapping[Hashable, tuple[ChannelWise, Sequence[str] | None]]


def same_questions(explainer: object) -> tuple | None:
    """What two explainers must agree in to share answers, or None for one that asks no channels."""
    if not isinstance(explainer, ChannelWise):
        return None
    return explainer.stretch, explainer.score, explainer.chunk, getattr(explainer, "preset", "")


@guarded
def ask_once(chosen: Chosen, model: nn.Module, images: Tensor, target: Target = None) -> dict[Hashable, Maps]:
    """The maps of several explainers from one round of questions.

    Args:
        chosen: {label: (explainer, layers)}; all with the same `same_questions`. layers: names from
            shallow to deep; for a joint explainer also "paper", "reference" or None.
        model, images, target: as for a single explainer.

    Returns {label: what the explainer alone would return}: (B, H, W) for a joint one, else a dict
    of layers. Costs one forward, and one for each question and each channel of the layers that
    anybody named. Raises ValueError where the questions differ, and what the explainers raise.
    """
    kinds = {same_questions(explainer) for explainer, _ in chosen.values()}
    if len(kinds) != 1 or None in kinds:
        raise ValueError(
            f"ask_once needs explainers of the Poly-CAM family with the same stretch, score, chunk and "
            f"preset; got {[explainer for explainer, _ in chosen.values()]}"
        )
    stretch, score, chunk, _ = kinds.pop()
    names = {label: _named(model, explainer, layers) for label, (explainer, layers) in chosen.items()}
    union = list(dict.fromkeys(name for own in names.values() for name in own))
    asks = sorted({ask for explainer, _ in chosen.values() for ask in ASKS[explainer.variant]}, reverse=True)
    answers = score_channels(
        model, images, union, target, asks, stretch=stretch, score=score, chunk=chunk, ordered=False
    )
    size = output_size(None, images)
    return {label: explainer.from_scores(_of(answers, names[label]), size) for label, (explainer, _) in chosen.items()}


def _named(model: nn.Module, explainer: ChannelWise, layers: Sequence[str] | None) -> tuple[Layer, ...]:
    if layers is None:
        layers = "reference" if explainer.preset == "reference" else "paper"
    return layer_set(model, layers) if isinstance(layers, str) and layers in SETS else as_given(layers)


def _of(answers: ChannelScores, layers: Sequence[str]) -> ChannelScores:
    """The answers about some of the layers, in their order."""

    def some(of: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {layer: of[layer] for layer in layers} if of else {}  # an ask that nobody needed is empty

    return replace(
        answers, A=some(answers.A), live=some(answers.live), keep=some(answers.keep), drop=some(answers.drop)
    )
