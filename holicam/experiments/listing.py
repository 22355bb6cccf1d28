"""What the command `info` says: which names there are, and what is known of one of them or of code of one's own."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from .. import datasets
from ..core.explainer import Explainer
from ..core.own_code import find, imported
from ..core.places import is_place
from ..methods.registry import explainers, info
from ..metrics import registry
from ..metrics.own import enter
from ..models.toy import BUILDERS


def all_names() -> Iterator[str]:
    """A line for each kind of thing that has a name."""
    yield f"explainers: {', '.join(explainers)}"
    yield f"metrics: {', '.join(name for name in registry if not is_place(name))}"
    yield f"data sets: {', '.join(datasets.registry)}"
    yield f"networks: {', '.join(BUILDERS)}, efficientnet-lite0, torchvision's, timm:NAME"
    yield "your own: FILE:NAME, wherever one of these names may stand"


def of_module(module: str) -> Iterator[str]:
    """A line for each class and function that a module of one's own defines. Raises OwnCodeError."""
    home = imported(module)
    for name, found in vars(home).items():
        if getattr(found, "__module__", None) == home.__name__ and not name.startswith("_"):
            yield of_name(f"{module}:{name}")


def of_name(name: str) -> str:
    """What is known of an explainer, a metric, a data set or a place. Raises UnknownExplainerError, OwnCodeError."""
    if name in datasets.registry:
        return f"{name}: data set. {_first_line(datasets.registry[name])}"
    if is_place(name):
        return _of_own(name, find(name, "something"))
    return _of_metric(name) if name in registry else _of_explainer(name, info(name).cost)


def _of_own(place: str, found: Any) -> str:
    if isinstance(found, type) and issubclass(found, Explainer):
        return _of_explainer(place, f"{getattr(found, 'cost', 2):g} F")
    if inspect.isfunction(found) and "maps" in inspect.signature(found).parameters:
        enter(place)
        return _of_metric(place)
    return f"{place}: {type(found).__name__}, for a data set or a network. {_first_line(found)}".strip()


def _of_explainer(name: str, cost: str) -> str:
    return f"{name}: explainer of {explainers[name].takes}, {cost}. {_first_line(explainers[name])}"


def _of_metric(name: str) -> str:
    metric = registry[name]
    better, needs = "higher" if metric.higher_is_better else "lower", ", ".join(metric.needs) or "maps alone"
    return f"{name}: metric, {better} is better, needs {needs}. {_first_line(metric.run)}"


def _first_line(found: Any) -> str:
    return (inspect.getdoc(found) or "").partition("\n")[0]
