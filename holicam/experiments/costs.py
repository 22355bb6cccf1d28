"""What a unit costs, in F: one F is one forward of the network on one image.

Explainers know what a map takes (`explain.info`), metrics what a score takes (`metrics.registry`).
Metrics that share a run are counted once, curves by the points that the protocol has at the images'
size, Shapley values by the parts that the images show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.places import is_place
from ..methods.registry import explainers, info
from ..metrics import protocol_of, registry
from ..metrics.truth import drawn, regions
from .config import Config
from .units import Unit

COUNTS = ("masks", "samples", "steps")  # fields that an explainer's cost is proportional to
GAMES = ("insertion", "deletion", "over-all")
SAMPLE = 8  # images whose parts are counted


def curve_forwards(games: Sequence[str], protocol: str, size: tuple[int, int]) -> int:
    """Forwards of insertion, deletion or both: the image, the baselines, the points between."""
    rules = protocol_of(protocol)
    kinds = {"insertion", "deletion"} if len(games) > 1 or "over-all" in games else set(games)
    inner = len(rules.counts(*size)) - 2
    return 1 + len({getattr(rules, kind) for kind in kinds}) + len(kinds) * inner


def scoring(config: Config, size: tuple[int, int], recipes: Sequence[object] = ()) -> float:
    """F of all metrics of one map of an image (H, W); recipes: of some images, where there are any."""
    shared: dict[Callable[..., object], list[str]] = {}
    for name in config.metrics:
        shared.setdefault(registry[name].run, []).append(name)
    total = 0.0
    for names in shared.values():
        forwards = [registry[name].forwards for name in names]
        if set(names) & set(GAMES):
            protocol = config.protocol if config.protocol in registry[names[0]].protocols else "holistic-cam"
            total += curve_forwards(names, protocol, size)
        elif recipes and set(names) & {"part-faithfulness", "shapley-faithfulness"}:
            parts = [len(regions(drawn(recipe))) for recipe in recipes[:SAMPLE]]
            exact = "shapley-faithfulness" in names
            total += sum(2**n if exact else 1 + n for n in parts) / len(parts)
        elif names[0].startswith("map-density"):
            total += sum(forwards)  # one for each side
        else:
            total += max(forwards)
    return total


def explaining(config: Config, unit: Unit) -> float:
    """F of the maps of one image: explainers of one unit share their work, which costs what the costliest costs."""
    passes = [_passes(config.entries[label].name, config.made[label]) for label in unit.labels]
    again = sum(registry[name].explanations for name in config.metrics)  # sensitivity's own
    reference = 2 if config.reference and "shortcut-contrast" in config.metrics else 1
    return max(passes) * reference + again * sum(passes)


def _passes(name: str, explainer: object) -> float:
    """F of one explainer on one image: what it takes by default, times how much more or less it does.

    One of your own says it as an attribute `cost`; else it is counted as a forward and a backward.
    """
    if is_place(name):
        return float(getattr(explainer, "cost", 2))
    usual, total = explainers[name](), info(name).forwards + info(name).backwards
    for field in COUNTS:
        if getattr(usual, field, None):
            total *= getattr(explainer, field) / getattr(usual, field)
    return total
