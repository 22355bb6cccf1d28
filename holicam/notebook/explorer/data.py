"""What an explorer holds: pictures and maps, checked and brought to one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...core.floats import extent, rounding
from ...core.options import check_number
from ..plot import _array, _map, _rgb

CELLS = 64  # a map of more cells a side is averaged down to at most this many
INPUT = "input"  # the layer's name of methods that explain the image itself


@dataclass(frozen=True)
class Entry:
    """One map: what it is a map of, its values (h, w), and the grid (rows, columns) it was made on."""

    target: str
    method: str
    layer: str
    random: bool
    values: np.ndarray
    grid: tuple[int, int]


@dataclass(frozen=True)
class Content:
    """Everything an explorer shows. pictures: {target: uint8 RGB}; scores: {target: (trained, random)}."""

    pictures: dict[str, np.ndarray]
    entries: tuple[Entry, ...]
    scores: dict[str, tuple[float, ...]]
    signed: bool
    start: dict[str, Any]

    def map_of(self, target: str, method: str, layer: str, random: bool = False) -> Entry:
        """The map of that name. Raises KeyError."""
        for one in self.entries:
            if (one.target, one.method, one.layer, one.random) == (target, method, layer, random):
                return one
        raise KeyError(f"there is no map of {method}, {layer}, for {target}")

    def layer_names(self, method: str) -> list[str]:
        """A method's layers, in the order given."""
        return list(dict.fromkeys(e.layer for e in self.entries if e.method == method))

    @property
    def method_names(self) -> list[str]:
        return list(dict.fromkeys(e.method for e in self.entries))

    @property
    def has_random(self) -> bool:
        return any(e.random for e in self.entries)


def collect(
    image: Any,
    maps: Any,
    random: Any = None,
    scores: Any = None,
    signed: bool = False,
    start: Mapping[str, Any] | None = None,
) -> Content:
    """Everything checked and brought to one shape; the arguments are those of `explore`."""
    nested = _by_target(maps, "maps", image)
    pictures = image if isinstance(image, Mapping) else dict.fromkeys(nested, image)
    if list(pictures) != list(nested):
        raise ValueError(f"image names the targets {list(pictures)}, maps name {list(nested)}: give the same.")
    pictures = {name: _rgb(picture) for name, picture in pictures.items()}
    if len({picture.shape for picture in pictures.values()}) > 1:
        raise ValueError("all pictures of an explorer must have one size.")
    entries = list(_entries(nested, False))
    if random is not None:
        forgotten = list(_entries(_by_target(random, "random", image), True))
        if [_key(e) for e in entries] != [_key(e) for e in forgotten]:
            raise ValueError("random must hold the same targets, methods and layers as maps, in the same order.")
        entries += forgotten
    content = Content(pictures, tuple(entries), _scores(scores, list(pictures), random is not None), bool(signed), {})
    return Content(content.pictures, content.entries, content.scores, content.signed, _start(content, start or {}))


def _key(entry: Entry) -> tuple[str, str, str]:
    return entry.target, entry.method, entry.layer


def _by_target(maps: Any, name: str, image: Any) -> dict[str, Any]:
    """{target: {method: {layer: map}}}; with one target its name may be left out."""
    if not isinstance(maps, Mapping) or not maps:
        raise TypeError(
            f"{name} must be a non-empty dict {{method: {{layer: map (h, w)}}}}; "
            f"got {type(maps).__name__ if not isinstance(maps, Mapping) else 'an empty one'}."
        )
    deep = isinstance(image, Mapping) or any(
        isinstance(inner, Mapping) for value in maps.values() if isinstance(value, Mapping) for inner in value.values()
    )
    if not deep:
        return {"": {str(k): v for k, v in maps.items()}}
    for target, methods in maps.items():
        if not isinstance(methods, Mapping) or not methods:
            raise TypeError(f"{name}[{target!r}] must be a non-empty dict {{method: {{layer: map (h, w)}}}}.")
    return {str(target): {str(k): v for k, v in methods.items()} for target, methods in maps.items()}


def _entries(nested: Mapping[str, Mapping[str, Any]], random: bool):
    for target, methods in nested.items():
        for method, layers in methods.items():
            layers = layers if isinstance(layers, Mapping) else {INPUT: layers}
            if not layers:
                raise ValueError(f"method {method!r} has no map.")
            for layer, values in layers.items():
                m = _map(values, ", ".join(filter(None, (target, method, str(layer)))))
                yield Entry(target, method, str(layer), random, reduced(m), m.shape)


def ends(m: np.ndarray) -> tuple[float, float]:
    """The least and the largest value of (h, w).

    They are equal where the map is constant up to rounding, which an average of blocks may leave, and the largest is 0
    where no value is positive by more than that.
    """
    low, span = (float(x) for x in extent(torch.from_numpy(np.ascontiguousarray(m))))
    high = low + span if span == 0 else float(m.max())
    return low, 0.0 if low < 0 and abs(high) <= rounding(torch.float64) * -low else high


def reduced(m: np.ndarray) -> np.ndarray:
    """(h, w) -> at most `CELLS` cells a side, each the mean of a block; the last block may be cut by the border."""
    step = max(-(-side // CELLS) for side in m.shape)
    if step == 1:
        return m
    for axis in (0, 1):
        starts = np.arange(0, m.shape[axis], step)
        counts = np.diff([*starts, m.shape[axis]])
        m = np.add.reduceat(m, starts, axis) / np.expand_dims(counts, 1 - axis)
    return m


def _scores(scores: Any, targets: list[str], random: bool) -> dict[str, tuple[float, ...]]:
    if scores is None:
        return {}
    given = scores if isinstance(scores, Mapping) else dict.fromkeys(targets, scores)
    if set(map(str, given)) != set(targets):
        raise ValueError(f"scores must name the targets {targets}; got {list(given)}.")
    pairs = {str(k): tuple(round(float(x), 3) for x in np.atleast_1d(_array(v))) for k, v in given.items()}
    if any(len(pair) != 1 + random for pair in pairs.values()):
        raise ValueError("scores must hold one number a target, or (trained, random) where random maps are given.")
    return {name: pairs[name] for name in targets}


def _start(content: Content, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown first, every choice filled in."""

    def chosen(name: str, known: list[str]) -> str:
        value = known[0] if wanted.get(name) is None else str(wanted[name])
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}.")
        return value

    method = chosen("method", content.method_names)
    numbers = {"opacity": wanted.get("opacity", 0.85), "threshold": wanted.get("threshold", 0.0)}
    for name, value in numbers.items():
        check_number(name, value, 0, 1)
    return {
        "target": chosen("target", list(content.pictures)),
        "method": method,
        "layer": chosen("layer", content.layer_names(method)),
        **{k: float(v) for k, v in numbers.items()},
    }
