"""What the explainers' dataclasses share: how fields are checked and named, presets, sizes, seeded noise.

A field says by its type what it may hold: `eps: NotNegative = 1e-6`, `score: Score = "logit"`. `check_fields`
reads the types, so a wrong value gets the same sentence everywhere. `identity` is what names an explainer in
stored rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache, lru_cache, partial
from numbers import Integral
from typing import Annotated, Any, get_type_hints

import torch
from torch import Tensor

from .hardware import moved
from .ops import SCORES, one_of, size_of

Size = str | Sequence[int] | None
Check = Callable[[str, Any], None]


def speed(default: Any) -> Any:
    """A field that bounds memory or changes how long a call takes, and no value: it is no part of the identity."""
    return field(default=default, metadata={"identity": False})


def identity(explainer: object) -> dict[str, Any]:
    """What names an explainer in stored rows, and seeds its noise: its class, and the fields it was given.

    {"name": class name, field: value, ...}, the fields in alphabetical order, as JSON has them. Left out are
    fields that stand at what the class alone resolves them to, so that a new field with a harmless default
    renames nothing, fields that only change `speed`, and those that `repr` does not show. An explainer or
    another dataclass inside stands there by its own identity, a function by its name.

    >>> import holicam as hc
    >>> identity(hc.HolisticCAM(eps=1e-6, median=3))
    {'name': 'HolisticCAM', 'median': 3}
    >>> identity(hc.UCAG(base=hc.MSGCAM(groups=4, chunk=8)))
    {'name': 'UCAG', 'base': {'name': 'MSGCAM', 'groups': 4}}

    Raises TypeError for a class, and for what is no dataclass.
    """
    if isinstance(explainer, type) or not is_dataclass(explainer):
        raise TypeError(f"identity is that of an explainer, such as GradCAM(); got {explainer!r}")
    shown = [f for f in fields(explainer) if f.repr and f.metadata.get("identity", True)]
    own = {f.name: _as_json(getattr(explainer, f.name)) for f in shown}
    usual = _usual(type(explainer))
    return {"name": type(explainer).__name__} | {
        name: value for name, value in sorted(own.items()) if name not in usual or usual[name] != value
    }


def _usual(kind: type) -> dict[str, Any]:
    """The fields of `kind()` as JSON has them; of a class that must be given some, the defaults that it has."""
    if any(_needed(f) for f in fields(kind)):
        given = {f.name: f.default for f in fields(kind) if f.default is not MISSING}
    else:
        made = kind()
        given = {f.name: getattr(made, f.name) for f in fields(kind)}
    return {name: _as_json(value) for name, value in given.items()}


def _needed(one: Field) -> bool:
    return one.init and one.default is MISSING and one.default_factory is MISSING


def _as_json(value: object) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(part) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        return identity(value)
    if hasattr(value, "__qualname__"):  # a function or a class
        return f"{value.__module__}.{value.__qualname__}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))  # an address is of one run only


def check_number(name: str, value: object, low: float = 0, high: float = float("inf"), *, above: bool = False) -> None:
    """Raise ValueError unless `value` is a number in low..high (`above`: greater than low)."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not (low < value if above else low <= value)
        or not value <= high
    ):
        least = f"greater than {low}" if above else f"of at least {low}"
        most = "" if high == float("inf") else f" and at most {high}"
        raise ValueError(f"{name} must be a number {least}{most}; got {value!r}")


def check_count(name: str, value: object, low: int = 1) -> None:
    """Raise ValueError unless `value` is a whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} must be a whole number of at least {low}; got {value!r}")


def check_flag(name: str, value: object) -> None:
    """Raise TypeError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False; got {value!r}")


def check_chunk(chunk: object) -> None:
    """Raise ValueError unless chunk is a positive int."""
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise ValueError(f"chunk must be a positive number of inputs per model batch; got {chunk!r}")


def some_of(name: str, values: object, choices: Iterable[str]) -> tuple[str, ...]:
    """One or more of `choices`, as a tuple. Raises ValueError for anything else."""
    given = (values,) if isinstance(values, str) or not isinstance(values, Iterable) else tuple(values)
    for value in given or (None,):
        one_of(name, value, choices)
    return given


def among(choices: Iterable[object]) -> Check:
    """The check that a value is one of these.

    For the type of a field, `Annotated[str, among(RULES)]`.
    """
    return partial(one_of, choices=tuple(choices))


# Types of fields. At run time they are int, float or str, and what `check_fields` asks of them.
Count = Annotated[int, partial(check_count, low=1)]
Seed = Annotated[int, partial(check_count, low=0)]
Chunk = Annotated[int, lambda name, value: check_chunk(value)]
Number = Annotated[float, partial(check_number, low=float("-inf"))]
NotNegative = Annotated[float, check_number]
Positive = Annotated[float, partial(check_number, above=True)]
Share = Annotated[float, partial(check_number, low=0, high=1)]
PositiveShare = Annotated[float, partial(check_number, low=0, high=1, above=True)]
Score = Annotated[str, among(SCORES)]


def check_fields(explainer: object) -> None:
    """Raise the sentence of the first field that does not hold what its type says.

    A bool must be True or False; the others are asked as the `Annotated` type of the field says.
    """
    kind: Any = type(explainer)  # mypy takes `object.__hash__` for one of the class, and the class for unhashable
    for name, check in _checks(kind):
        check(name, getattr(explainer, name))


@cache
def _checks(kind: type) -> list[tuple[str, Check]]:
    hints = get_type_hints(kind, include_extras=True)
    asked = ((f.name, hints[f.name]) for f in fields(kind))
    return [
        (name, check)
        for name, hint in asked
        for check in ((check_flag,) if hint is bool else getattr(hint, "__metadata__", ()))
    ]


def output_size(size: Size, images: Tensor) -> tuple[int, int]:
    """(H, W) of the maps: that of the images for None, else the pair given."""
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a tensor of normalised floats (B, 3, H, W); got {type(images).__name__}")
    if size is None:
        return size_of(images)
    pair = tuple(size) if isinstance(size, Iterable) and not isinstance(size, str) else ()
    if len(pair) != 2 or not all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in pair):
        raise ValueError(f'size must be None, "native" or (H, W); got {size!r}')
    return int(pair[0]), int(pair[1])


def noise(shape: Sequence[int], seed: int, like: Tensor) -> Tensor:
    """Standard normal numbers that depend on the seed alone, not on device, dtype or batch.

    Drawn by the CPU. What was last sent to another device stays there for the next call, at most 4 x 64 MB.
    """
    kept = like.device.type != "cpu" and math.prod(shape) <= 1 << 24
    return (_sent if kept else _sent.__wrapped__)(tuple(shape), seed, like.device, like.dtype)


@lru_cache(maxsize=4)
def _sent(shape: tuple[int, ...], seed: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # or the next call could not differentiate
        generator = torch.Generator().manual_seed(seed)
        return moved(torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu"), device, dtype)
