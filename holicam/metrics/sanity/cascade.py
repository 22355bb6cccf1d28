"""Parameter randomisation: do the maps change when the network forgets?

    run = hc.sanity.randomise(functools.partial(hc.GradCAM(), layers="layer4"), model, images)
    run.layers, run.similarity["spearman"]          # ("fc", "layer4.2", ...), (states, B)

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018. In a *cascade* the units from the output down
to the one named are new; *independently*, that one alone is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ...core import outputs
from ...core.checks import apart
from ...core.guard import guarded
from ...core.network import check_call, forward
from ...core.ops import Target, at_least_float32, one_of, resolve_target
from ...models.layers import Layers
from .measures import degenerate
from .network_units import units
from .randomise import BN, kept, recalibrate, reinitialise
from .similarity import MEASURES, check_size, similarities

Explain = Callable[..., Tensor]
ORDERS, POLICIES = ("cascading", "independent"), ("fixed", "repredict")


@dataclass(frozen=True, eq=False)
class Randomisation:
    """One run over S states and B images.

    layers: the unit that became new last. similarity: {measure: (S, B)} to the trained network's map, NaN where
    either is degenerate. target: (S, B) the class explained. predicted: (S, B) the class the network names then.
    zero_fraction, degenerate: (S, B), of the new maps. original (B, H, W); maps (S, B, H, W) if they were kept.
    """

    order: str
    class_policy: str
    bn: str
    seed: int
    layers: tuple[str, ...]
    similarity: dict[str, Tensor]
    target: Tensor
    predicted: Tensor
    zero_fraction: Tensor
    degenerate: Tensor
    original: Tensor = field(repr=False)
    maps: Tensor | None = field(default=None, repr=False)

    def mean(self, measure: str) -> Tensor:
        """(S,), over the images where the measure is defined; NaN where it is nowhere."""
        return self.similarity[measure].nanmean(1)

    def undefined(self, measure: str) -> Tensor:
        """(S,), how many images had no value."""
        return self.similarity[measure].isnan().sum(1)


@guarded
def randomise(
    explain: Explain,
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    order: str = "cascading",
    class_policy: str = "fixed",
    bn: str = "reset",
    granularity: str = "block",
    layers: Layers | None = None,
    seed: int = 0,
    measures: Iterable[str] = MEASURES,
    keep_maps: bool = False,
    progress: Callable[..., Iterable] | None = None,
) -> Randomisation:
    """Randomise a network's weights step by step and compare its maps with those it had.

    Costs one explanation more than there are states, and a forward pass each. Built in chapter 18.

    Args:
        explain: called as explain(model, images, target=target), returns maps (B, H, W).
        model: changed in place, one model for all states, and as it was at the end, also after an error.
        images: (B, 3, H, W), all in one batch a state.
        target: as for explainers; None is top-1 when trained.
        order: "cascading" or "independent".
        class_policy: "fixed" explains `target` throughout, "repredict" what the changed network names, as
            Adebayo et al. and Poly-CAM do.
        bn: of the norms, as in `reinitialise`; the reference keeps running statistics ("keep" keeps the norms whole).
        granularity: "block" or "layer", as in `units`.
        layers: instead of that, these, as in `units`.
        seed: new weights follow from it and the units' names alone.
        measures: of `MEASURES`.
        keep_maps: keep the maps of every state.
        progress: called as progress(states, total=S), such as tqdm.

    Returns:
        Similarities (S, B) by measure, and what is needed to read them.

    Raises:
        ValueError: an option that is none, maps too small for a measure, a network without weights.
        TypeError: `explain` is no callable, or returns no tensor.

    Example:
        >>> import functools, torch, holicam as hc
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> model, images = model.eval(), torch.rand(2, 3, 12, 12)
        >>> cam = functools.partial(hc.InputXGradient(), layers=None)
        >>> run = hc.sanity.randomise(cam, model, images, measures=["spearman"])
        >>> run.layers, run.similarity["spearman"].shape
        (('4', '0'), torch.Size([2, 2]))
    """
    one_of("order", order, ORDERS)
    one_of("class_policy", class_policy, POLICIES)
    one_of("bn", bn, BN)
    measures = tuple(measures)
    if callable(target) and class_policy == "repredict":
        raise ValueError('class_policy="repredict" chooses the class itself: give no callable target')
    check_asked(explain, model, images)
    steps = units(model, images, granularity=granularity, layers=layers)
    fixed = resolve_target(logits_of(model, images), target)
    original = maps_of(explain, model, images, fixed)
    check_size(measures, original)
    rows: dict[str, list[Tensor]] = {name: [] for name in (*measures, "target", "predicted", "zero", "degenerate")}
    maps = []
    with kept(model) as trained:
        for number in progress(range(len(steps)), total=len(steps)) if progress else range(len(steps)):
            if order == "independent" and number:
                trained.restore(steps[number - 1])
            new = steps[: number + 1] if order == "cascading" else steps[number : number + 1]
            reinitialise(model, steps[number], seed, bn)
            if bn == "recalibrate":
                recalibrate(model, new, images)
            predicted = _top(logits_of(model, images), images)
            explained = fixed if class_policy == "fixed" else predicted
            found = maps_of(explain, model, images, explained)
            for name, value in similarities(original, found, measures).items():
                rows[name].append(value)
            rows["target"].append(torch.full_like(predicted, -1) if callable(explained) else explained)
            rows["predicted"].append(predicted)
            rows["zero"].append((found == 0).flatten(1).float().mean(1))
            rows["degenerate"].append(degenerate(found))
            if keep_maps:
                maps.append(found)
    stacked = {name: torch.stack(values) for name, values in rows.items()}
    return Randomisation(
        order,
        class_policy,
        bn,
        seed,
        tuple(u.name for u in steps),
        {name: stacked[name] for name in measures},
        stacked["target"],
        stacked["predicted"],
        stacked["zero"],
        stacked["degenerate"],
        original,
        torch.stack(maps) if maps else None,
    )


def check_asked(explain: Explain, model: nn.Module, images: Tensor) -> None:
    """Raise for a network that a forward would change, or that nothing can be asked of."""
    if not callable(explain):
        raise TypeError(
            "explain must be callable as explain(model, images, target=target), such as "
            f'functools.partial(hc.GradCAM(), layers="layer4"); got {type(explain).__name__}'
        )
    check_call(model, images)


def logits_of(model: nn.Module, images: Tensor) -> Tensor | outputs.Whole:
    """(B, K), without a graph."""
    with torch.no_grad():
        return outputs.logits_of(forward(model, images), len(images))


def _top(logits: Tensor | outputs.Whole, images: Tensor) -> Tensor:
    """(B,) the class the network names; -1 where there are no logits to tell, or those of many places."""
    if isinstance(logits, outputs.Whole) or logits.dim() != 2:
        return torch.full((len(images),), -1, device=images.device)
    return logits.argmax(1)


def maps_of(explain: Explain, model: nn.Module, images: Tensor, target: Target) -> Tensor:
    """(B, H, W) float32 or float64. Raises TypeError and ValueError where `explain` gives something else."""
    with apart():
        found = explain(model, images.clone(), target=target)
    if not isinstance(found, Tensor):
        raise TypeError(
            f"explain must return maps (B, H, W); got {type(found).__name__}: name one layer, as in "
            'functools.partial(hc.GradCAM(), layers="layer4")'
        )
    if found.dim() != 3 or len(found) != len(images):
        raise ValueError(f"explain must return maps ({len(images)}, H, W); got shape {tuple(found.shape)}")
    return at_least_float32(found.detach())
