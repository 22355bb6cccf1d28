"""The explorer: look at maps by method, layer, class, opacity and threshold, with the values under the cursor.

    hc.explore(rgb, {"Grad-CAM": {"layer4": m}}, name="holistic/layers")     a figure, alive on the book's site
    hc.explore(rgb, maps, live=True)                                         the same controls in a notebook
    hc.explore(model, images, methods=["grad-cam", "holistic-cam"])          and with maps computed on demand

A figure carries the maps as they are, on their own grids, and not rendered pictures: what the cursor reads is data.
Only the book and the command line import this.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from . import data
from .figure import Explorer

__all__ = ["Explorer", "explore"]


def explore(
    image: Any, maps: Any = None, *, random: Any = None, name: str | None = None, caption: str = "", alt: str = "",
    scores: Any = None, signed: bool = False, method: str | None = None, layer: str | None = None,
    target: str | None = None, opacity: float = 0.6, threshold: float = 0.0, live: bool = False,
    methods: Mapping[str, Any] | Sequence[Any] | None = None, layers: Sequence[str] | None = None,
    targets: Mapping[str, int] | Sequence[int] | None = None,
) -> Any:  # fmt: skip
    """Maps of one image, or of one image a target, side by side under one set of controls.

    Args:
        image: uint8 RGB (H, W, 3), or {target: uint8 RGB}, pictures of one size. Or a network; `maps` then holds
            its normalised images (B, 3, H, W), and maps are computed when they are asked for, where the network is.
        maps: {method: {layer: map (h, w)}}, or {target: {method: {layer: map}}}. A leading axis of one is dropped; a
            method without layers may give its map alone. Give maps on the layer's own grid (`size="native"`): one
            with more than 64 cells a side is averaged down, and the figure then says so.
        random: the same maps of a network with random weights; the reader can switch to them.
        name: "<chapter>/<what>": in the book the data go to `_static/explorers/<chapter>/`, at most 150 kB. Else,
            and without a name, they travel inside the figure.
        caption, alt: what the figure says and what it shows; without `alt` it is put together from the names.
        scores: what the network answers for the target, shown beside it: a number, {target: number}, or pairs
            (trained, random) where `random` is given.
        signed: maps with evidence against the class: colours are symmetric about zero, as in `holicam.plot`.
        method, layer, target, opacity, threshold: what is seen first; the last two lie in 0..1.
        live: ipywidgets with the same controls, for a notebook with a running kernel.
        methods, layers, targets: for a network: explainers or their names, as in `explain_many`; layer names;
            {word: class} or classes. Defaults: Grad-CAM, Layer-CAM and Holistic-CAM, the network's default layers,
            the predicted class.

    Returns an `Explorer`, which a notebook shows as a figure; with `live` or a network, an ipywidgets box.

    Raises TypeError and ValueError with one sentence: maps that are no maps, or not finite; names that do not exist;
    data that are too large. Used in chapters 07, 08 and 18.
    """
    start = {"method": method, "layer": layer, "target": target, "opacity": opacity, "threshold": threshold}
    if isinstance(image, nn.Module):
        return _live().computed(image, maps, methods, layers, targets, signed, start)
    given = {"methods": methods, "layers": layers, "targets": targets}
    if wrong := [key for key, value in given.items() if value is not None]:
        raise TypeError(f"{', '.join(wrong)}: only for hc.explore(model, images, ...); with maps, the maps name them.")
    content = data.collect(image, maps, random, scores, signed, start)
    return _live().stored(content) if live else Explorer(content, name, caption, alt)


def _live() -> Any:
    # By name: widgets and explainers are loaded only here, and a chapter that shows a figure does not depend on them.
    return importlib.import_module(".live", __name__)
