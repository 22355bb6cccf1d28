"""The registry: every metric by name, with what it needs and what it costs.

A metric is entered where it is defined, by the decorator `metric`, and nowhere else.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor, nn

from ..core.guard import guarded
from ..core.ops import Target
from ..models.alike import UnknownNameError, close_names
from .call import Run, as_shown, read_by

R = TypeVar("R")
# What a caller must give beside maps, by the argument that a run reads.
NEEDS = {
    "model": "model",
    "images": "images",
    "masks": "masks or boxes",
    "boxes": "boxes",
    "recipes": "recipes",
    "explain": "explain",
    "reference": "reference",
}


class UnknownMetricError(UnknownNameError):
    """No metric of that name; the message lists the close ones."""


@dataclass(frozen=True)
class Metric:
    """A metric in the registry; calling it calls `function`.

    Args:
        name: in the registry, in runs and in tables.
        function: the metric, with the call of `Run`; returns (B,).
        run: gives the record of the whole run; metrics with the same `run` share one.
        read: the record -> this metric's (B,), or None where the run left it out.
        protocols: those that the papers print it under; every metric takes any.
        higher_is_better: which way it points.
        needs: what must be given beside maps.
        forwards: of the network, per image, with the target given, in the holistic-cam protocol at 224 pixels
            when run alone, at most.
        explanations: calls of `explain`, per image.
    """

    name: str
    function: Run[Tensor] = field(repr=False)
    run: Run[Any] = field(repr=False)
    read: Callable[[Any], Tensor | None] = field(repr=False)
    protocols: tuple[str, ...]
    higher_is_better: bool
    needs: tuple[str, ...]
    forwards: int
    explanations: int = 0

    def __call__(self, *args: Any, **options: Any) -> Tensor:
        return self.function(*args, **options)

    def of(self, record: Any) -> Tensor:
        """(B,) of a run's record. Raises ValueError where the run was told to leave this metric out."""
        value = self.read(record)
        if value is None:
            raise ValueError(f"{self.name} is not in this run: an option has left it out")
        return value


class _Registry(dict[str, Metric]):
    def __missing__(self, name: str) -> Metric:
        close = close_names(str(name).lower(), self)
        raise UnknownMetricError(f"there is no metric {name!r}; close names are {close}")


_entered = _Registry()
registry: Mapping[str, Metric] = _entered


def metric(
    name: str,
    run: Run[R],
    *,
    higher_is_better: bool,
    protocols: Iterable[str] = (),
    forwards: int = 0,
    explanations: int = 0,
    **alone: Any,
) -> Callable[[Callable[[R], Tensor | None]], Run[Tensor]]:
    """Enter a metric that is read from a run's record; the function becomes one with the call of every metric.

    Args:
        name: of the metric in the registry.
        run: a function made by `call.run`.
        higher_is_better, protocols, forwards, explanations: as in `Metric`.
        **alone: options of the run where no other metric reads the same one, so that it does no more than needed.

    Raises:
        ValueError: the name is taken.
    """
    if name in _entered:
        raise ValueError(f"there is a metric {name!r} already: give this one another name")
    reads = set(read_by(run))
    reads -= {"boxes"} if "masks" in reads else set()  # either will do
    needs = tuple(need for argument, need in NEEDS.items() if argument in reads)
    whole = inspect.signature(run)
    shown = [p for p in whole.parameters.values() if p.name not in alone]

    def enter(read: Callable[[R], Tensor | None]) -> Run[Tensor]:
        @functools.wraps(read, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def function(*args: Any, **options: Any) -> Tensor:
            whole_run: Callable[..., R] = run
            return entry.of(whole_run(*args, **options, **alone))

        signature = whole.replace(parameters=shown, return_annotation="Tensor")
        better = "higher" if higher_is_better else "lower"
        called = as_shown(
            function, signature, f"{name!r} in the registry, {better} is better; called like `{run.__name__}`."
        )
        entry = Metric(name, called, run, read, tuple(protocols), higher_is_better, needs, forwards, explanations)
        _entered[name] = entry
        return called

    return enter


@guarded
def measure(
    names: Iterable[str],
    model: nn.Module | None,
    images: Tensor | None,
    maps: Tensor | None,
    target: Target = None,
    **options: Any,
) -> dict[str, Tensor]:
    """Several metrics by name, those that read one run from one run.

    Args:
        names: in `registry`.
        model: as in `Run`.
        images: as in `Run`.
        maps: as in `Run`.
        target: as in `Run`.
        options: as in `Run`; one that only some of the metrics have, such as `tolerance`, goes to those.
            A metric alone runs only what it needs: 29 forwards for insertion, 57 for any two of insertion,
            deletion and over-all.

    Returns:
        {name: (B,)}, in the order of `names`.

    Raises:
        UnknownMetricError: there is no metric of that name.
        TypeError: an option that none of them has; and what the metrics raise.

    Example:
        >>> import torch, holicam as hc
        >>> maps, masks = torch.rand(2, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool)
        >>> hc.metrics.measure(["epg", "pointing-game"], None, None, maps, masks=masks)["pointing-game"]
        tensor([1., 1.])
    """
    chosen = [registry[name] for name in ([names] if isinstance(names, str) else names)]
    known = {metric.run: set(inspect.signature(metric.run).parameters) for metric in chosen}
    if chosen and (strange := set(options).difference(*known.values())):
        raise TypeError(f"none of these metrics has the option {min(strange)!r}")
    shared: dict[Run[Any], list[Metric]] = {}
    for metric in chosen:
        shared.setdefault(metric.run, []).append(metric)
    values: dict[str, Tensor] = {}
    for run, group in shared.items():
        given = {name: value for name, value in options.items() if name in known[run]}
        if len(group) == 1:
            values[group[0].name] = group[0](model, images, maps, target, **given)
        else:
            record = run(model, images, maps, target, **given)
            values |= {metric.name: metric.of(record) for metric in group}
    return {metric.name: values[metric.name] for metric in chosen}
