"""The registry: every metric by name, with what it needs and what it costs."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from ..core.guard import guarded
from ..core.ops import Target
from .density import density_negative, density_positive, map_density
from .drop import average_drop, average_increase, confidence_drop
from .energy import energy_pointing, epg, epg_count, epg_top100
from .infidelity import infidelity, infidelity_scores
from .insdel import deletion, insertion, insertion_deletion, over_all
from .interventions import interventions, part_faithfulness, shapley_faithfulness
from .leakage import contrast, distractor_leakage, leakage, shortcut_contrast
from .pointing import pointing_game, pointing_hits
from .protocols import protocols
from .road import remove_and_debias, road
from .segmentation import iou, mean_average_precision, outside_inside, segmentation_accuracy, segmentation_scores
from .sensitivity import sensitivity, sensitivity_max


class UnknownMetricError(KeyError):
    """No metric of that name; the message lists the close ones."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Metric:
    """A metric in the registry; calling it calls `function`, which returns (B,).

    run gives the record of the whole run, whose attribute `reads` is this metric; metrics with the
    same `run` share one. needs: what must be given beside maps. protocols: those that the papers
    print it under; every metric takes any. forwards: of the network, per image, with the target
    given, in the holistic-cam protocol at 224 pixels when run alone, at most; explanations: calls
    of `explain`, per image.
    """

    name: str
    function: Callable[..., Tensor] = field(repr=False)
    run: Callable[..., object] = field(repr=False)
    reads: str
    protocols: tuple[str, ...]
    higher_is_better: bool
    needs: tuple[str, ...]
    forwards: int
    explanations: int = 0

    def __call__(self, *args: object, **options: object) -> Tensor:
        return self.function(*args, **options)


_GAMES, _REGION, _RECIPES = ("model", "images"), ("masks or boxes",), ("recipes",)
_ALL = (
    Metric("insertion", insertion, insertion_deletion, "insertion", tuple(protocols), True, _GAMES, 29),
    Metric("deletion", deletion, insertion_deletion, "deletion", tuple(protocols), False, _GAMES, 29),
    Metric("over-all", over_all, insertion_deletion, "over_all", tuple(protocols), True, _GAMES, 57),
    Metric("road", road, remove_and_debias, "half", ("holistic-cam",), True, _GAMES, 9),
    Metric("epg", epg, energy_pointing, "full", ("ucag", "holistic-cam"), True, _REGION, 0),
    Metric("epg-top100", epg_top100, energy_pointing, "top_energy", ("holistic-cam",), True, _REGION, 0),
    Metric("epg-count", epg_count, energy_pointing, "top_count", ("holistic-cam",), True, _REGION, 0),
    Metric("pointing-game", pointing_hits, pointing_game, "hit", ("ucag",), True, _REGION, 0),
    Metric("map-density+", density_positive, map_density, "positive", ("ucag",), True, _GAMES, 1),
    Metric("map-density-", density_negative, map_density, "negative", ("ucag",), False, _GAMES, 1),
    Metric("map", mean_average_precision, segmentation_scores, "ap_hard", ("ucag",), True, _REGION, 0),
    Metric(
        "segmentation-accuracy", segmentation_accuracy, segmentation_scores, "accuracy", ("ucag",), True, _REGION, 0
    ),
    Metric("iou", iou, segmentation_scores, "iou", (), True, _REGION, 0),
    Metric("outside-inside", outside_inside, segmentation_scores, "outside_inside", (), False, _REGION, 0),
    Metric("average-drop", average_drop, confidence_drop, "drop", (), False, _GAMES, 2),
    Metric("average-increase", average_increase, confidence_drop, "increase", (), True, _GAMES, 2),
    Metric(
        "sensitivity-max", sensitivity_max, sensitivity, "maximum", ("poly-cam",), False, (*_GAMES, "explain"), 0, 11
    ),
    Metric("infidelity", infidelity, infidelity_scores, "error", (), False, _GAMES, 11),
    Metric("part-faithfulness", part_faithfulness, interventions, "part", (), True, _GAMES + _RECIPES, 9),
    Metric("shapley-faithfulness", shapley_faithfulness, interventions, "shapley", (), True, _GAMES + _RECIPES, 256),
    Metric("distractor-leakage", distractor_leakage, leakage, "ratio", (), False, _RECIPES, 0),
    Metric("shortcut-contrast", shortcut_contrast, contrast, "shortcut", (), True, (*_RECIPES, "reference"), 0),
)


class _Registry(dict):
    def __missing__(self, name: str) -> Metric:
        close = difflib.get_close_matches(str(name).lower(), self, n=3, cutoff=0.4)
        raise UnknownMetricError(f"there is no metric {name!r}; close names are {', '.join(close or self)}")


registry: Mapping[str, Metric] = _Registry({m.name: m for m in _ALL})


@guarded
def measure(
    names: Iterable[str],
    model: nn.Module | None,
    images: Tensor | None,
    maps: Tensor,
    target: Target = None,
    **options: object,
) -> dict[str, Tensor]:
    """Several metrics by name, {name: (B,)}: insertion, deletion and over-all from one run.

    Args: names in `registry`; the rest as for one metric. An option that only some of the metrics
    have, such as `tolerance`, goes to those. A metric alone runs only what it needs: 29 forwards
    for insertion, 57 for any two of the three.
    Raises UnknownMetricError, TypeError (an option that none has) and what the metrics raise.
    """
    chosen = [registry[name] for name in ([names] if isinstance(names, str) else names)]
    known = {metric.run: set(inspect.signature(metric.run).parameters) for metric in chosen}
    if chosen and (strange := set(options) - set.union(*known.values())):
        raise TypeError(f"none of these metrics has the option {min(strange)!r}")
    shared: dict[Callable[..., object], list[Metric]] = {}
    for metric in chosen:
        shared.setdefault(metric.run, []).append(metric)
    values = {}
    for run, group in shared.items():
        given = {name: value for name, value in options.items() if name in known[run]}
        if len(group) == 1:
            values[group[0].name] = group[0](model, images, maps, target, **given)
        else:
            record = run(model, images, maps, target, **given)
            values |= {metric.name: getattr(record, metric.reads) for metric in group}
    return {metric.name: values[metric.name] for metric in chosen}
