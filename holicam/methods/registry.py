"""Explainers by name, what each costs, one of them or several on the same images."""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ..core.capture import Reshape
from ..core.explainer import Explainer, Result
from ..core.guard import guarded
from ..core.ops import Target
from ..core.options import Size
from ..core.passes import PassExplainer, answered
from ..models.alike import UnknownNameError, close_names
from ..models.layers import Layers, as_given, is_single
from .table import TABLE, Info


class UnknownExplainerError(UnknownNameError):
    """No explainer of that name; the message lists the close ones."""


def info(name: str) -> Info:
    """Family, cost, needs and paper of an explainer. Raises UnknownExplainerError.

    >>> info("grad-cam").cost
    '1 F + 1 B'
    """
    if name not in TABLE:
        close = close_names(str(name).lower(), TABLE)
        raise UnknownExplainerError(f"there is no explainer {name!r}; close names are {close}")
    return TABLE[name]


class _Explainers(Mapping[str, type[Explainer]]):
    """Names -> classes. A class is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Explainer]:
        row = info(name)
        return getattr(importlib.import_module(f".{row.file}", __package__), row.kind)

    def __contains__(self, name: object) -> bool:
        return name in TABLE

    def __iter__(self) -> Iterator[str]:
        return iter(TABLE)

    def __len__(self) -> int:
        return len(TABLE)

    def __repr__(self) -> str:
        return f"explainers({', '.join(TABLE)})"


explainers: Mapping[str, type[Explainer]] = _Explainers()


def explain(
    model: nn.Module,
    images: Tensor,
    explainer: str | Explainer,
    layers: Layers | None = None,
    target: Target = None,
    *,
    size: Size = None,
    reshape: Reshape | None = None,
    intermediate: bool = False,
) -> Any:
    """Maps of a batch from one explainer, by name or with settings of its own.

    Args:
        model: a network in eval mode.
        images: (B, 3, H, W), normalised as the network expects.
        explainer: a name such as "grad-cam", or an explainer such as `GradCAM(relu=False)`.
        layers: as in a call of the explainer, `Explainer.__call__`; so are target, size, reshape and intermediate.
        target: None (top-1), a class, one class for each image, or a callable (B, K) -> (B,).
        size: (H, W) of the maps; None is that of the images, "native" the map's own grid.
        reshape: for layers of transformers, see `tokens.tokens_to_grid`.
        intermediate: return `Stages`, the map with what led to it, where the method has any.

    Returns:
        Maps (B, H, W), a dict of them for several layers. `explainer(model, images, layers, target, ...)` gives the
        same.

    Raises:
        UnknownExplainerError: no explainer of that name; the message lists close ones.
        TypeError: a class, or what is no explainer.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.explain(model, batch.images, "grad-cam", layers="layer4").shape
        torch.Size([1, 32, 32])
    """
    ready = made(explainer, "explainer must be an explainer or its name")
    return ready(model, images, layers, target, size=size, reshape=reshape, intermediate=intermediate)


def made(item: object, wanted: str) -> Any:
    """The explainer of a name with its defaults, or the one given. Raises TypeError, UnknownExplainerError."""
    if isinstance(item, str):
        return explainers[item]()
    if isinstance(item, type):
        raise TypeError(f"{wanted}; {item.__name__} is a class: give an explainer, such as {item.__name__}()")
    if not callable(item):
        raise TypeError(f"{wanted}; {item!r} is none")
    return item


def sharing(explainer: object) -> Hashable:
    """What explainers have in common that share their work in `explain_many`, None for one that works alone.

    "passes": the CAM family, passes of the network. ("questions", ...): Poly-CAM's family, answers about channels.
    """
    return "passes" if isinstance(explainer, PassExplainer) else getattr(explainer, "shares", None)


@guarded
def explain_many(
    chosen: Mapping[Hashable, object] | Iterable[object],
    model: nn.Module,
    images: Tensor,
    layers: Layers | Mapping[Hashable, Layers | None] | None = None,
    target: Target = None,
    *,
    size: Size = None,
    reshape: Reshape | None = None,
) -> dict[Hashable, Result]:
    """Several explainers on the same images and target, each at what the costliest among them costs, or less.

    The CAM family (single-scale, multi-scale, joint) shares passes: one forward and one backward for
    each view of the images that anybody asks for, whatever the number of explainers and layers.
    Poly-CAM's family shares answers: what is asked about a channel is asked once.
    The others run on their own, with the target that was resolved first.

    Args:
        chosen: names or explainers, or a mapping from any label to them.
        layers: as for a single explainer, or a mapping from each label to its own. Methods that join several
            layers join these; methods that explain the input itself take no layers and are not given any.
        model, images, target, size, reshape: as for a single explainer.

    Returns {label, or the name or explainer as given: what the explainer alone would return}.
    """
    ready = _ready(chosen)
    own = _each(layers, ready)
    for label, item in ready.items():
        if getattr(item, "takes", "layer") == "input":
            own[label] = None
    rounds: dict[Hashable, dict[Hashable, Any]] = {"passes": {}}  # first, since a pass resolves the target for all
    for label, item in ready.items():
        rounds.setdefault(sharing(item), {})[label] = item
    alone = rounds.pop(None, {})
    maps: dict[Hashable, Result] = {}
    for kind, some in rounds.items():
        if kind == "passes" and some:
            calls = {k: one.checked(model, images, own[k], target, size, reshape, False) for k, one in some.items()}
            found, last = answered(some, calls)
            maps, target = maps | found, last.target
        elif some:
            from .perturbation.ask_once import ask_once  # not everybody has one

            found, target = ask_once(some, model, images, own, target, size=size, reshape=reshape)
            maps |= found
    for label, item in alone.items():
        maps[label] = item(model, images, own[label], target, size=size, reshape=reshape)
    return {label: maps[label] for label in ready}


def _ready(chosen: Mapping[Hashable, object] | Iterable[object]) -> dict[Hashable, Any]:
    """{label: explainer}. Raises TypeError for what is none."""
    if isinstance(chosen, str) or not isinstance(chosen, (Mapping, Iterable)):
        chosen = [chosen]
    labelled = chosen if isinstance(chosen, Mapping) else {item: item for item in map(_hashable, chosen)}
    return {label: made(item, "chosen must hold explainers or their names") for label, item in labelled.items()}


def _hashable(item: object) -> Hashable:
    """Raises TypeError where an explainer of one's own cannot label its maps, as it holds a list, say."""
    try:
        hash(item)
    except TypeError as error:
        raise TypeError(f'{item!r} cannot label its maps ({error}): name it, as in {{"mine": explainer}}') from error
    return item


def _each(
    layers: Layers | Mapping[Hashable, Layers | None] | None, labels: Iterable[Hashable]
) -> dict[Hashable, Layers | None]:
    """{label: its layers}, of layers that were given for all or for each."""
    if isinstance(layers, Mapping) and set(layers) == set(labels):
        return dict(layers)
    all_read = layers if layers is None or is_single(layers) else as_given(layers)
    return dict.fromkeys(labels, all_read)
