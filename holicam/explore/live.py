"""The explorer in a notebook: the page's controls as ipywidgets, on stored maps or on maps computed when asked for.

Imported only when it is used, so that a figure for the page needs neither widgets nor explainers.
"""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import explain, toyland
from ..guard import turn
from ..layernames import as_given, default_layers, find_layers, layer_path
from ..network import check_call, forward
from ..ops import normalise, resolve_target
from ..outputs import class_logits
from ..sanity import recalibrate, reinitialise, units
from . import data, figure, packed

METHODS = {"Grad-CAM": "grad-cam", "Layer-CAM": "layer-cam", "Holistic-CAM": "holistic-cam"}
JOINT = "several layers"


@dataclass(frozen=True)
class Source:
    """Where a panel's maps come from: `ask(target, method, layer, random)` gives values (h, w)."""

    pictures: Mapping[str, np.ndarray]
    methods: Mapping[str, Sequence[str]]
    ask: Callable[[str, str, str, bool], np.ndarray]
    has_random: bool
    signed: bool
    start: Mapping[str, Any]


def stored(content: data.Content) -> Panel:
    """A panel over maps that exist."""
    methods = {name: content.layer_names(name) for name in content.method_names}
    return Panel(Source(content.pictures, methods, lambda *names: content.map_of(*names).values, content.has_random,
                        content.signed, content.start))


def computed(model: nn.Module, images: Any, methods: Any, layers: Any, targets: Any, signed: bool,
             start: Mapping[str, Any]) -> Panel:
    """A panel that asks the explainers, each map once, on the device the network is on.

    The randomised network is a copy, all of whose parts have new weights (seed 0) and whose batch norms have
    measured their statistics on the image, or it would hardly see it. Raises TypeError and ValueError.
    """
    if not isinstance(images, Tensor) or images.dim() != 4 or len(images) != 1:
        raise ValueError("give one normalised image (1, 3, H, W) behind the network, as batch.images[:1].")
    check_call(model, images)
    device = next((p.device for p in model.parameters()), images.device)
    images = images.to(device)
    chosen = methods or METHODS
    chosen = chosen if isinstance(chosen, Mapping) else {item if isinstance(item, str) else repr(item): item
                                                         for item in chosen}
    ready = {str(k): explain.explainers[v]() if isinstance(v, str) else v for k, v in chosen.items()}
    given = default_layers(model) if layers is None or layers in ((), []) else as_given(layers)
    names = [layer_path(model, layer) for layer in given]
    find_layers(model, names)  # a wrong name is told now, not by a silent panel later
    own = {"input": [data.INPUT], "joint": [JOINT]}
    offered = {k: own.get(getattr(e, "takes", "layer"), names) for k, e in ready.items()}
    classes = _classes(model, images, targets)
    picture = _picture(images)

    @lru_cache(maxsize=1)
    def forgetful() -> nn.Module:
        with turn(model):
            other = copy.deepcopy(model)
        steps = units(other, images)
        for unit in steps:
            reinitialise(other, unit, 0, "recalibrate")
        recalibrate(other, steps, images)
        return other

    @lru_cache(maxsize=256)
    def ask(target: str, method: str, layer: str, random: bool) -> np.ndarray:
        where = {data.INPUT: None, JOINT: names}.get(layer, layer)
        found = ready[method](forgetful() if random else model, images, where, classes[target], size="native")
        found = next(iter(found.values())) if isinstance(found, Mapping) else found
        return data.reduced(data._map(found, f"{method}, {layer}"))

    first = {k: v for k, v in start.items() if v is not None}
    for name, known in (("method", list(offered)), ("target", list(classes))):
        if first.setdefault(name, known[0]) not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {first[name]!r}.")
    if first.setdefault("layer", offered[first["method"]][-1]) not in offered[first["method"]]:
        raise ValueError(f"layer must be one of {', '.join(map(repr, offered[first['method']]))}; "
                         f"got {first['layer']!r}.")
    return Panel(Source(dict.fromkeys(classes, picture), offered, ask, True, signed, first))


def _classes(model: nn.Module, images: Tensor, targets: Any) -> dict[str, int]:
    if targets is None:
        with torch.no_grad():
            logits = class_logits(forward(model, images), len(images))
        top = int(resolve_target(logits, None)[0])
        return {f"class {top}, predicted": top}
    if isinstance(targets, int):
        targets = [targets]
    found = targets if isinstance(targets, Mapping) else {f"class {t}": t for t in targets}
    if not found:
        raise ValueError("targets must name at least one class.")
    return {str(k): int(v) for k, v in found.items()}


def _picture(images: Tensor) -> np.ndarray:
    """The photograph behind a normalised image; of other than three channels their mean, stretched, in grey."""
    if images.shape[1] != 3:
        grey = normalise(images[0].detach().mean(0)) * 255
        return grey.round().byte()[..., None].repeat(1, 1, 3).cpu().numpy()
    mean, std = (images.new_tensor(v)[:, None, None] for v in (toyland.MEAN, toyland.STD))
    rgb = (images[0].detach() * std + mean).clamp(0, 1) * 255
    return rgb.round().byte().permute(1, 2, 0).cpu().numpy()


class Panel(widgets.VBox):
    """The controls, the picture, what is read under the cursor, and a line for what went wrong.

    controls: {name: widget}, named as on the page: method, layer, target, opacity, threshold, randomised network,
    true grid, row, column.
    """

    def __init__(self, source: Source) -> None:
        self.source, start = source, source.start
        percent = {"min": 0.0, "max": 1.0, "step": 0.01, "readout_format": ".0%", "continuous_update": False}
        layers = list(source.methods[start["method"]])
        one = {"min": 1, "max": 1, "continuous_update": False}
        self.controls = {
            "method": widgets.Dropdown(options=list(source.methods), value=start["method"]),
            "layer": widgets.Dropdown(options=layers, value=start["layer"]),
            "target": widgets.Dropdown(options=list(source.pictures), value=start["target"]),
            "opacity": widgets.FloatSlider(value=start["opacity"], **percent),
            "threshold": widgets.FloatSlider(value=start["threshold"], **percent),
            "randomised network": widgets.Checkbox(value=False, disabled=not source.has_random),
            "true grid": widgets.Checkbox(value=False),
            "row": widgets.IntSlider(**one), "column": widgets.IntSlider(**one),
        }
        for name, widget in self.controls.items():
            widget.description = name
            widget.style.description_width = "initial"
        picture = next(iter(source.pictures.values()))
        zoom = max(1, figure.SIDE // picture.shape[1])
        self.picture = widgets.Image(format="jpeg", width=picture.shape[1] * zoom, height=picture.shape[0] * zoom)
        self.readout, self.trouble = widgets.HTML(), widgets.HTML()
        self.busy = False
        for widget in self.controls.values():
            widget.observe(self._changed, "value")
        left = widgets.VBox(list(self.controls.values()))
        super().__init__([widgets.HBox([self.picture, left]), self.readout, self.trouble])
        self._changed(None)

    def _changed(self, change: Any) -> None:
        """Draw anew; an error is told in the panel, for a notebook would lose it."""
        if self.busy:  # a control that was set from here
            return
        self.busy = True
        try:
            self._draw()
            self.trouble.value = ""
        except Exception as error:  # whatever an explainer of the reader's raises belongs before their eyes
            said = html.escape(f"{type(error).__name__}: {error}".splitlines()[0])
            self.trouble.value = f'<p role="alert">This map could not be drawn. {said}</p>'
            self.readout.value = ""
        finally:
            self.busy = False

    def _draw(self) -> None:
        c = self.controls
        layers = list(self.source.methods[c["method"].value])
        if list(c["layer"].options) != layers:
            keep = c["layer"].value if c["layer"].value in layers else layers[-1]
            c["layer"].options, c["layer"].value = layers, keep
        m = self.source.ask(c["target"].value, c["method"].value, c["layer"].value, c["randomised network"].value)
        for name, side in zip(("row", "column"), m.shape, strict=True):
            c[name].max = side
        row, column = c["row"].value - 1, c["column"].value - 1
        seen = figure.drawn(self.source.pictures[c["target"].value], m, signed=self.source.signed,
                            opacity=c["opacity"].value, threshold=c["threshold"].value, cells=c["true grid"].value,
                            cursor=(row, column))
        self.picture.value = packed.jpeg(seen)
        self.readout.value = html.escape(read(m, row, column, c["threshold"].value, self.source.signed))


def read(m: np.ndarray, row: int, column: int, threshold: float, signed: bool) -> str:
    """What the page says of a cell and of what lies above the threshold."""
    size = np.abs(figure.relative(m, signed))
    mass = np.abs(m) if signed else m.clip(min=0, max=max(0.0, data.ends(m)[1]))
    above = size >= threshold
    share = mass[above].sum() / mass.sum() if mass.sum() > 0 else 0.0
    return (f"Row {row + 1} of {m.shape[0]}, column {column + 1} of {m.shape[1]}: "
            f"{figure.relative(m, signed)[row, column]:.2f} of the largest, raw {m[row, column]:.3g}. "
            f"Above the threshold: {share:.0%} of the evidence in {above.mean():.0%} of the cells.")
