"""The explorer of a network: all its maps at once, from shared passes, in the figure that stored maps have.

One pass serves all layers, and several methods share it; so every method, layer and class that the reader may choose
is computed before the figure is shown, and each choice answers at once.
"""

from __future__ import annotations

import contextlib
import copy
import operator
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...core.guard import turn
from ...core.network import check_call, forward
from ...core.ops import normalise, probabilities
from ...core.outputs import class_logits
from ...datasets.photos import to_rgb
from ...methods.registry import explain_many, explainers
from ...metrics.sanity import recalibrate, reinitialise, units
from ...models.layers import as_given, find_layers, layer_path
from ...models.preprocessing import IMAGENET, carried
from ...models.stages import default_layers, images_at_hand
from ..live import live
from . import data

JOINT = "several layers"


def computed(
    model: nn.Module,
    images: Any,
    methods: Any,
    layers: Any,
    targets: Any,
    random: Any,
    signed: bool,
    start: Mapping[str, Any],
) -> data.Content:
    """What an explorer of a network holds: maps of every method, layer and class, and the class's probability.

    The randomised network is a copy, all of whose parts have new weights (seed 0) and whose batch norms have
    measured their statistics on the image, or it would hardly see it; `random=False` leaves it out. A method that
    fails is left out with a RuntimeWarning; where all fail, the first error is raised. Raises TypeError, ValueError.
    """
    if not isinstance(images, Tensor) or images.dim() != 4 or len(images) != 1:
        raise ValueError("give one normalised image (1, 3, H, W) behind the network, as batch.images[:1].")
    check_call(model, images)
    device = next((p.device for p in model.parameters()), images.device)
    images = images.to(device)
    chosen = [methods] if isinstance(methods, str) else methods or usual()
    if not isinstance(chosen, Mapping):
        chosen = {item if isinstance(item, str) else repr(item): item for item in chosen}
    ready = {str(k): explainers[v]() if isinstance(v, str) else v for k, v in chosen.items()}
    with images_at_hand(images):
        given = default_layers(model) if layers is None or layers in ((), []) else as_given(layers)
    names = [layer_path(model, layer) for layer in given]
    find_layers(model, names)
    classes, picture = _classes(model, images, targets), _picture(model, images)
    with _busy(f"Computing {len(ready)} methods at {len(names)} layers …"):
        maps = _maps(ready, model, images, names, classes)
        other = None if random is False else _forgetful(model, images)
        blank = other and _maps(ready, other, images, names, classes)
        scores: dict[str, Any] = dict(_scores(model, images, classes))
        if other is not None:
            blind = _scores(other, images, classes)
            scores = {name: (scores[name], blind[name]) for name in classes}
    return data.collect(dict.fromkeys(classes, picture), maps, blank, scores, signed, start)


def usual() -> dict[str, Any]:
    """The methods where none are named: a reader waits for them, so Holistic-CAM has its fast preset and says so."""
    fast = explainers["holistic-cam"](preset="fast")
    return {"Grad-CAM": "grad-cam", "Layer-CAM": "layer-cam", "Holistic-CAM, fast": fast}


def _maps(
    ready: Mapping[str, Any], model: nn.Module, images: Tensor, names: list[str], classes: Mapping[str, int]
) -> dict[str, dict]:
    """{class: {method: {layer: map}}}, without the methods that fail."""
    alive, failed = dict(ready), {}
    found: dict[str, dict] = {}
    for word, target in classes.items():
        try:
            found[word] = explain_many(alive, model, images, names, target, size="native")
        except Exception:  # one of several: ask each alone
            found[word] = {}
            for name, explainer in list(alive.items()):
                try:
                    found[word] |= explain_many({name: explainer}, model, images, names, target, size="native")
                except Exception as error:
                    failed[name] = error
                    del alive[name]
    if not alive:
        raise next(iter(failed.values()))
    for name, why in failed.items():
        warnings.warn(f"{name} is left out: {type(why).__name__}: {why}", RuntimeWarning, stacklevel=4)
    joint = {name for name, explainer in alive.items() if getattr(explainer, "takes", "layer") == "joint"}
    return {
        word: {name: {JOINT: maps[name]} if name in joint else maps[name] for name in alive}
        for word, maps in found.items()
    }


def _forgetful(model: nn.Module, images: Tensor) -> nn.Module:
    with turn(model):
        other = copy.deepcopy(model)
    steps = units(other, images)
    for unit in steps:
        reinitialise(other, unit, 0, "recalibrate")
    recalibrate(other, steps, images)
    return other


def _logits(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return class_logits(forward(model, images), len(images))


def _scores(model: nn.Module, images: Tensor, classes: Mapping[str, int]) -> dict[str, float]:
    """The probability of each class."""
    p = probabilities(_logits(model, images).double())
    return {name: float(p[0, c]) for name, c in classes.items()}


def _classes(model: nn.Module, images: Tensor, targets: Any) -> dict[str, int]:
    if targets is None:
        top = int(_logits(model, images)[0].argmax())
        return {f"class {top}, predicted": top}
    if getattr(targets, "ndim", None) == 0 or not hasattr(targets, "__iter__"):
        targets = [targets]
    found = targets if isinstance(targets, Mapping) else {f"class {t}": t for t in targets}
    if not found:
        raise ValueError("targets must name at least one class.")
    try:
        return {str(k): operator.index(v) for k, v in found.items()}
    except TypeError:
        raise TypeError(f"targets must be classes, whole numbers such as [3, 5]; got {targets!r}.") from None


def _picture(model: nn.Module, images: Tensor) -> Any:
    """The photograph behind a normalised image; of other than three channels their mean, stretched, in grey.

    A network that does not say how its images are normalised is taken for one that has ImageNet's mean and
    deviation: nothing but the picture's colours depends on it.
    """
    wanted = carried(model) or IMAGENET
    if images.shape[1] != 3 or len(wanted.mean) != 3:
        grey = normalise(images[0].detach().mean(0)) * 255
        return grey.round().byte()[..., None].repeat(1, 1, 3).cpu().numpy()
    return to_rgb(images, wanted)[0].cpu().numpy()


@contextlib.contextmanager
def _busy(words: str) -> Iterator[None]:
    """A line in the notebook while something is computed."""
    if not live():
        yield
        return
    from IPython.display import HTML, display

    sign = display(HTML(f"<p><em>{words}</em></p>"), display_id=True)
    try:
        yield
    finally:
        sign.update(HTML(""))
