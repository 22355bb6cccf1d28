"""Label randomisation: do maps tell a network that learned from one that only remembers?

A network trained on labels drawn without looking at the images can but learn them by heart. If a method gives
its maps and those of the properly trained network alike, the maps do not show what was learned.
Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ...core.guard import guarded
from ...core.network import check_call
from ...core.ops import Target, one_of, resolve_target
from .cascade import POLICIES, Explain, check_asked, logits_of, maps_of
from .similarity import MEASURES, check_size, similarities


@dataclass(frozen=True, eq=False)
class LabelRandomisation:
    """One run: how alike a method's maps are for a network of true labels and one of random labels.

    similarity: {measure: (B,)} between the two networks' maps of the same image. others: {measure: (B,)} between
    the true network's map of an image and the other's of the next: what two maps share without an image in common.
    maps: (B, H, W) of both. target, random_target: (B,) the classes explained, -1 for a callable.
    """

    class_policy: str
    similarity: dict[str, Tensor]
    others: dict[str, Tensor]
    target: Tensor
    random_target: Tensor
    maps: Tensor = field(repr=False)
    random_maps: Tensor = field(repr=False)

    def mean(self, measure: str) -> float:
        """Over the images where the measure is defined."""
        return float(self.similarity[measure].nanmean())


@guarded
def label_randomisation(
    explain: Explain,
    model: nn.Module,
    random_model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    class_policy: str = "repredict",
    measures: Iterable[str] = MEASURES,
) -> LabelRandomisation:
    """Compare the maps of a network with those of one that learned random labels.

    Costs two explanations. Built in chapter 18.

    Args:
        explain: called as explain(model, images, target=target), returns maps (B, H, W).
        model: the network that learned from true labels.
        random_model: of the same kind, trained on labels drawn at random ("toy-resnet50-random-labels").
        images: (B, 3, H, W), at least two; those that both have learned, at the size they learned them.
        target: as for explainers, under "fixed" alone.
        class_policy: "repredict" explains what each network answers, as in the paper; "fixed" explains `target`
            (None: the true network's answer) in both.
        measures: of `MEASURES`.

    Returns:
        Similarities (B,) by measure, of the same and of different images.

    Raises:
        ValueError: one image only, an option that is none, maps too small for a measure.

    Example:
        >>> import functools, torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> model, images = model.eval(), torch.rand(2, 3, 12, 12)
        >>> run = hc.sanity.label_randomisation(hc.InputXGradient(), model, model, images, measures=["spearman"])
        >>> round(run.mean("spearman"), 4)
        1.0
    """
    one_of("class_policy", class_policy, POLICIES)
    check_asked(explain, model, images)
    check_call(random_model, images)
    if class_policy == "repredict" and target is not None:
        raise ValueError('class_policy="repredict" explains what each network answers: give no target, or "fixed"')
    if len(images) < 2:
        raise ValueError("label randomisation compares maps of different images: give at least two")
    measures = tuple(measures)
    first = resolve_target(logits_of(model, images), target)
    second = resolve_target(logits_of(random_model, images), None) if class_policy == "repredict" else first
    maps, random_maps = maps_of(explain, model, images, first), maps_of(explain, random_model, images, second)
    check_size(measures, maps)
    return LabelRandomisation(
        class_policy,
        similarities(maps, random_maps, measures),
        similarities(maps, random_maps.roll(1, 0), measures),
        _classes(first, images),
        _classes(second, images),
        maps,
        random_maps,
    )


def _classes(target: Target, images: Tensor) -> Tensor:
    if callable(target):
        return torch.full((len(images),), -1, device=images.device)
    return torch.as_tensor(target, device=images.device).expand(len(images))
