"""The explorer: look at maps by method, layer, class, opacity and threshold, with the values under the cursor.

    hc.explore(rgb, {"Grad-CAM": {"layer4": m}}, name="holistic/layers")     maps that exist
    hc.explore(model, images, methods=["grad-cam", "holistic-cam"])          maps that are computed for it

The figure has its controls wherever a page may run a script: on the book's site, in JupyterLab, VS Code and Colab.
Elsewhere it is a picture. A figure carries the maps as they are, on their own grids, and not rendered pictures:
what the cursor reads is data.
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
    image: Any,
    maps: Any = None,
    *,
    random: Any = None,
    name: str | None = None,
    caption: str = "",
    alt: str = "",
    scores: Any = None,
    signed: bool = False,
    method: str | None = None,
    layer: str | None = None,
    target: str | None = None,
    opacity: float = 0.85,
    threshold: float = 0.0,
    methods: Mapping[str, Any] | Sequence[Any] | None = None,
    layers: Sequence[str] | None = None,
    targets: Mapping[str, int] | Sequence[int] | None = None,
) -> Any:
    """Maps of one image, or of one image a target, side by side under one set of controls.

    Args:
        image: uint8 RGB (H, W, 3), or {target: uint8 RGB}, pictures of one size. Or a network; `maps` then holds
            one normalised image (1, 3, H, W), and its maps are computed first, where the network is. The picture is
            shown by the mean and deviation that the network says, else by ImageNet's: only its colours depend on it.
        maps: {method: {layer: map (h, w)}}, or {target: {method: {layer: map}}}. A leading axis of one is dropped; a
            method without layers may give its map alone. Give maps on the layer's own grid (`size="native"`): one
            with more than 64 cells a side is averaged down, and the figure then says so.
        random: the same maps of a network with random weights; the reader can switch to them. For a network: False
            saves the time of computing them.
            Names that all begin with one word, "step: clip" and "step: median", give the control that word.
        name: "<chapter>/<what>": while the book's outputs are made the data go to `_static/explorers/<chapter>/`, at
            most 150 kB. Else, and without a name, they travel inside the figure.
        caption, alt: what the figure says and what it shows; without `alt` it is put together from the names.
        scores: what the network answers for the target, shown beside it: a number, {target: number}, or pairs
            (trained, random) where `random` is given.
        signed: maps with evidence against the class: colours are symmetric about zero, as in `holicam.notebook.plot`.
        method, layer, target, opacity, threshold: what is seen first; the last two lie in 0..1.
        methods, layers, targets: for a network: explainers or their names, as in `explain_many`; layer names;
            {word: class} or classes. Defaults: Grad-CAM, Layer-CAM and Holistic-CAM with preset="fast", the network's
            default layers, the predicted class.

    Returns an `Explorer`, which a notebook shows as a figure with controls for method, layer, class, opacity and
    threshold, the colour key, the class's score, and the value of the cell under the cursor.

    Raises TypeError and ValueError with one sentence: maps that are no maps, or not finite; names that do not exist;
    data that are too large. Used in chapters 07, 08 and 18.
    """
    start = {"method": method, "layer": layer, "target": target, "opacity": opacity, "threshold": threshold}
    if isinstance(image, nn.Module):
        if scores is not None:
            raise TypeError("scores: only with maps that exist; a network is asked for them.")
        content = _computed()(image, maps, methods, layers, targets, random, signed, start)
        return Explorer(content, name, caption, alt)
    given = {"methods": methods, "layers": layers, "targets": targets}
    if wrong := [key for key, value in given.items() if value is not None]:
        raise TypeError(f"{', '.join(wrong)}: only for hc.explore(model, images, ...); with maps, the maps name them.")
    return Explorer(data.collect(image, maps, random, scores, signed, start), name, caption, alt)


def _computed() -> Any:
    # By name: explainers are loaded only here, and a chapter that shows maps it has does not depend on them.
    return importlib.import_module(".computed", __name__).computed
