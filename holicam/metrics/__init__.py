"""Metrics: functions on tensors, and a registry of them by name.

    run = hc.metrics.insertion_deletion(model, images, maps, target, protocol="holistic-cam")
    run.over_all, run.insertion_curve

Every metric is f(model, images, maps, target, *, masks=None, boxes=None, recipes=None,
explain=None, ids=None, protocol=...) -> (B,). `measure` computes several and runs what they share
once. Means, intervals and tables are the caller's business.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from ..ops import Target
from .baselines import Constant, GaussianBlur, MeanColour, RiseBlur, Zeros
from .energy import Energy, energy_pointing, epg, epg_count, epg_top100
from .insdel import (
    InsertionDeletion,
    area,
    deletion,
    insertion,
    insertion_deletion,
    over_all,
)
from .protocols import Protocol, UnknownProtocolError, protocol_of, protocols
from .ranking import DEGENERATE, Ranking, rank

__all__ = [
    "DEGENERATE", "Constant", "Energy", "GaussianBlur", "InsertionDeletion", "MeanColour",
    "Metric", "Protocol", "Ranking", "RiseBlur", "UnknownMetricError", "UnknownProtocolError",
    "Zeros", "area", "deletion", "energy_pointing", "epg", "epg_count", "epg_top100", "insertion",
    "insertion_deletion", "measure", "over_all", "protocol_of", "protocols", "rank", "registry",
]


class UnknownMetricError(KeyError):
    """No metric of that name; the message lists the close ones."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Metric:
    """A metric in the registry; calling it calls `function`, which returns (B,).

    run gives the record of the whole run, whose attribute `reads` is this metric; metrics with the
    same `run` share one. needs: what must be given beside maps. protocols: those that the papers
    print it under. forwards: of the network, per image, in the holistic-cam protocol at 224 pixels
    when run alone.
    """

    name: str
    function: Callable[..., Tensor] = field(repr=False)
    run: Callable[..., object] = field(repr=False)
    reads: str
    protocols: tuple[str, ...]
    higher_is_better: bool
    needs: tuple[str, ...]
    forwards: int

    def __call__(self, *args: object, **options: object) -> Tensor:
        return self.function(*args, **options)


_GAMES, _REGION = ("model", "images"), ("masks or boxes",)
_ALL = (
    Metric("insertion", insertion, insertion_deletion, "insertion", tuple(protocols), True,
           _GAMES, 29),
    Metric("deletion", deletion, insertion_deletion, "deletion", tuple(protocols), False,
           _GAMES, 29),
    Metric("over-all", over_all, insertion_deletion, "over_all", tuple(protocols), True,
           _GAMES, 57),
    Metric("epg", epg, energy_pointing, "full", ("ucag", "holistic-cam"), True, _REGION, 0),
    Metric("epg-top100", epg_top100, energy_pointing, "top_energy", ("holistic-cam",), True,
           _REGION, 0),
    Metric("epg-count", epg_count, energy_pointing, "top_count", ("holistic-cam",), True,
           _REGION, 0),
)


class _Registry(dict):
    def __missing__(self, name: str) -> Metric:
        close = difflib.get_close_matches(str(name).lower(), self, n=3, cutoff=0.4)
        raise UnknownMetricError(f"there is no metric {name!r}; close names are "
                                 f"{', '.join(close or self)}")


registry: Mapping[str, Metric] = _Registry({m.name: m for m in _ALL})


def measure(names: Iterable[str], model: nn.Module | None, images: Tensor | None, maps: Tensor,
            target: Target = None, **options: object) -> dict[str, Tensor]:
    """Several metrics by name, {name: (B,)}: insertion, deletion and over-all from one run.

    Args: names in `registry`; the rest as for one metric. A metric alone runs only what it needs:
    29 forwards for insertion, 57 for any two of the three.
    Raises UnknownMetricError and what the metrics raise.
    """
    chosen = [registry[name] for name in ([names] if isinstance(names, str) else names)]
    shared: dict[Callable[..., object], list[Metric]] = {}
    for metric in chosen:
        shared.setdefault(metric.run, []).append(metric)
    values = {}
    for run, group in shared.items():
        if len(group) == 1:
            values[group[0].name] = group[0](model, images, maps, target, **options)
        else:
            record = run(model, images, maps, target, **options)
            values |= {metric.name: getattr(record, metric.reads) for metric in group}
    return {metric.name: values[metric.name] for metric in chosen}
