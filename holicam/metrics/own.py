"""A metric of one's own: a plain function, entered in the registry under its place, such as "my_file:peak".

    def peak(maps, masks):
        "Whether the largest value lies on the object: maps (B, H, W), masks (B, H, W) bool -> (B,)."
        at = maps.flatten(1).argmax(1, keepdim=True)
        return masks.flatten(1).gather(1, at)[:, 0]

    peak.higher_is_better = True  # which is what is taken where it is not said

Its parameters are among those of every metric (`call.Run`): it names what it reads, `maps` among them, and is given
that. `forwards`, another attribute of the function, counts its forwards of the network for an image, for --dry-run.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..core.own_code import OwnCodeError, find, kind_of
from .call import SHARED, run
from .table import Metric, metric, registry


def enter(place: str) -> Metric:
    """The metric at a place, entered when it is first asked for. Raises OwnCodeError."""
    if place in registry:
        return registry[place]
    function = find(place, "a metric")
    higher, forwards = _checked(function, place)
    metric(place, run(_answering(function, place)), higher_is_better=higher, forwards=forwards)(_as_it_is)
    return registry[place]


def _as_it_is(value: Tensor) -> Tensor:
    """What the function gave."""
    return value


def _checked(function: Any, place: str) -> tuple[bool, int]:
    """(higher_is_better, forwards) of a function that can be a metric. Raises OwnCodeError."""
    if not inspect.isroutine(function):
        raise OwnCodeError(f"{place} must be a function of maps and what else it reads; it is {kind_of(function)}")
    known = inspect.signature(function).parameters
    for name, parameter in known.items():
        open_ended = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY)
        if open_ended or (name not in SHARED and parameter.default is parameter.empty):
            raise OwnCodeError(
                f"{place} has the parameter {parameter}, which no metric is given: it may name {', '.join(SHARED)}, "
                "and others with a default"
            )
    if "maps" not in known:
        raise OwnCodeError(f"{place} must have the parameter maps: a metric is of maps (B, H, W)")
    higher, forwards = getattr(function, "higher_is_better", True), getattr(function, "forwards", 0)
    if not isinstance(higher, bool):
        raise OwnCodeError(f"{place}.higher_is_better must be True or False; got {higher!r}")
    if isinstance(forwards, bool) or not isinstance(forwards, int) or forwards < 0:
        raise OwnCodeError(f"{place}.forwards must be a whole number of at least 0; got {forwards!r}")
    return higher, forwards


def _answering(function: Callable[..., Any], place: str) -> Callable[..., Tensor]:
    """The function, whose answer is looked at; a map that is not finite is shown to it as zeros and has no value."""

    @functools.wraps(function)
    def call(**given: Any) -> Tensor:
        maps = given["maps"]
        finite = maps.flatten(1).isfinite().all(1)
        shown = torch.where(finite[:, None, None], maps, torch.zeros_like(maps))
        value = function(**{**given, "maps": shown})
        if not isinstance(value, Tensor) or value.shape != (len(maps),) or value.is_complex():
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{place} must return one number for each of {len(maps)} maps, a tensor (B,); got {got}")
        if value.isinf().any():
            raise ValueError(f"{place} returned an infinite value: return NaN where a map has none")
        value = value.detach().to(maps)
        return torch.where(finite, value, torch.full_like(value, torch.nan))

    return call
