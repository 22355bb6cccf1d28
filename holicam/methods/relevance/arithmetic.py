"""Sums, differences, products and quotients: which of them share relevance, and which are affine.

With a constant they are affine. A sum or difference of two feature maps shares as a sum whose
summands carry their signs and factors. A product of two feature maps has no rule.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container
from typing import Protocol, overload

from torch import Tensor

from .names import ADD, DIVIDE, MULTIPLY, PAIRS, SUBTRACT
from .rules import Rule, Rules


class Mode(Protocol):
    """What is asked here of a relevance mode (`mode.RelevanceMode`)."""

    rules: Rules

    @property
    def seen(self) -> Container[object]: ...
    def run(self, rule: Rule, op: Callable[..., Tensor], *xs: Tensor) -> Tensor: ...
    def affine(self, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor: ...


OPERATORS = {operator.add: ADD, operator.sub: SUBTRACT, operator.mul: MULTIPLY, operator.truediv: DIVIDE}


def pair(mode: Mode, name: str, args: tuple, kwargs: dict) -> Tensor:
    """One of `names.PAIRS` of two arguments, at least one of which depends on the image. Never in place."""
    kwargs = dict(kwargs)
    a, b = (*args, *(kwargs.pop(key) for key in ("input", "other") if key in kwargs))[:2]
    kind = next(op for op, names in OPERATORS.items() if name in names)
    if name.startswith("r"):
        a, b = b, a
    factor = kwargs.pop("alpha", 1)
    if kind is operator.truediv and b in mode.seen:
        raise ValueError("the network divides by feature maps, for which relevance has no rule")
    if kind is operator.truediv and kwargs.get("rounding_mode"):
        raise ValueError("the network divides and rounds, for which relevance has no rule")
    both = a in mode.seen and b in mode.seen
    if kind is operator.mul and both:
        raise ValueError("the network multiplies feature maps with one another, for which relevance has no rule")
    if both:
        factor = -factor if kind is operator.sub else factor
        return mode.run(mode.rules.add, operator.add, a, b if factor == 1 else scaled(mode, b, factor))
    b = b if factor == 1 else scaled(mode, b, factor) if b in mode.seen else b * factor
    if a in mode.seen:
        return mode.affine(lambda x: kind(x, b), a)
    constant = a.clone() if isinstance(a, Tensor) else a  # it may be overwritten by the result
    return mode.affine(lambda x: kind(constant, x), b)


def scaled(mode: Mode, x: Tensor, factor: float) -> Tensor:
    """x times a number."""
    return mode.affine(lambda x: x * factor, x)


def _addcmul(times: str) -> Callable[..., Tensor]:
    def made(mode: Mode, x: Tensor, a: Tensor, b: Tensor, value: float = 1) -> Tensor:
        both = one(mode, times, a, b)
        return one(mode, "add", x, both if value == 1 else one(mode, "mul", both, value))

    return made


def _lerp(mode: Mode, a: Tensor, b: Tensor, weight: Tensor | float) -> Tensor:
    return one(mode, "add", one(mode, "mul", a, one(mode, "rsub", weight, 1)), one(mode, "mul", b, weight))


# What these are made of.
MADE = {"addcmul": _addcmul("mul"), "addcdiv": _addcmul("div"), "lerp": _lerp}
PARAMETERS = {
    "addcmul": ("input", "tensor1", "tensor2", "value"),
    "addcdiv": ("input", "tensor1", "tensor2", "value"),
    "lerp": ("input", "end", "weight"),
}


@overload
def one(mode: Mode, name: str, a: Tensor, b: Tensor | float) -> Tensor: ...


@overload
def one(mode: Mode, name: str, a: Tensor | float, b: Tensor) -> Tensor: ...


@overload
def one(mode: Mode, name: str, a: Tensor | float, b: Tensor | float) -> Tensor | float: ...


def one(mode: Mode, name: str, a: Tensor | float, b: Tensor | float) -> Tensor | float:
    """a and b combined, whether or not anything in them depends on the image."""
    if a in mode.seen or b in mode.seen:
        return pair(mode, name, (a, b), {})
    kind = next(op for op, names in OPERATORS.items() if name in names)
    return kind(b, a) if name.startswith("r") else kind(a, b)


def combined(mode: Mode, name: str, args: tuple, kwargs: dict) -> Tensor:
    """The result of an operation of `names.PAIRS` or `MADE`."""
    if name in PAIRS:
        return pair(mode, name, args, kwargs)
    given = dict(zip(PARAMETERS[name], args, strict=False)) | kwargs
    return MADE[name](mode, *(given[key] for key in PARAMETERS[name] if key in given))
