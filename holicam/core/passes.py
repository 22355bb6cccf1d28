"""Explainers of the CAM family ask for passes, and those that ask for the same pass share it.

A class activation map needs passes of the network: its layers' activations and gradients, for the image or
for a view of it, enlarged, dimmed or noisy. Such an explainer says which (`asks`), keeps what it needs of each
(`step`) and makes its maps of that (`finish`). `run` hands one pass to everybody who asked for it: a single
explainer and ten explainers on four layers at eight scales are the same code, and no pass is paid twice.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from ..models.layers import Layers
from .capture import Captured, Reshape, capture
from .explainer import Call, Explainer, Result, plain_autograd
from .guard import guarded
from .network import resized
from .ops import Target
from .options import Size, noise
from .pyramid import rescale

ONE_SIZE = "give scales=(1,), or take a method that keeps the size, such as Layer-CAM"


@dataclass(frozen=True, order=True)
class View:
    """What is done to the images before a pass; equal views are one pass. They run in this order.

    scale: ratio to the images' size, resized as `mode` says. factor: multiplies the images, whose
    zero is the mean colour. std, seed: Gaussian noise of this deviation, one draw for the batch.
    """

    scale: float = 1.0
    mode: str = "bicubic"
    factor: float = 1.0
    std: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scale == 1:  # then the mode does not matter
            object.__setattr__(self, "mode", "bicubic")

    @property
    def first(self) -> bool:
        """The images as they are."""
        return self == View()

    def __call__(self, images: Tensor) -> Tensor:
        out = rescale(images, self.scale, self.mode)
        out = out if self.factor == 1 else out * self.factor
        return out if self.std == 0 else out + self.std * noise(out.shape[1:], self.seed, out)


@dataclass(frozen=True)
class Ask:
    """One pass: of which view, with gradients of which score (None for none)."""

    score: str | None = "logit"
    view: View = field(default=View())


class PassExplainer(Explainer):
    """What the CAM family shares: maps made of passes, which `run` shares among explainers."""

    def asks(self) -> Sequence[Ask]:
        """The passes, in order; the first is of the images as they are, and sets the target."""
        raise NotImplementedError

    def step(self, call: Call, state: Any, seen: Captured, view: View) -> Any:
        """What is kept after a pass: from what was kept before, None at first, and the pass of a view."""
        return seen  # enough for one pass

    def finish(self, call: Call, state: Any) -> Result:
        """The maps, from what the last step kept."""
        raise NotImplementedError

    def maps(self, call: Call) -> Result:
        return shared({None: self}, {None: call})[0][None]


@guarded
def run(
    explainers: Mapping[Hashable, PassExplainer],
    model: nn.Module,
    images: Tensor,
    layers: Layers | None = None,
    target: Target = None,
    *,
    size: Size = None,
    reshape: Reshape | None = None,
    intermediate: bool = False,
) -> tuple[dict[Hashable, Result], Captured]:
    """Several explainers from shared passes. Arguments as for one.

    Explainers that differentiate another score (`score="prob"`) need passes of their own.
    Returns ({key of the explainer: what its own call returns}, the last pass).
    """
    if not explainers:
        raise ValueError("explainers must hold at least one explainer")
    calls = {
        key: explainer.checked(model, images, layers, target, size, reshape, intermediate)
        for key, explainer in explainers.items()
    }
    return answered(explainers, calls)


def answered(
    explainers: Mapping[Hashable, PassExplainer], calls: Mapping[Hashable, Call]
) -> tuple[dict[Hashable, Result], Captured]:
    """What each explainer's own call returns, and the last pass. The calls as for `shared`."""
    with plain_autograd():
        found, last = shared(explainers, calls)
        return {key: explainer.returned(calls[key], found[key]) for key, explainer in explainers.items()}, last


def shared(
    explainers: Mapping[Hashable, PassExplainer], calls: Mapping[Hashable, Call]
) -> tuple[dict[Hashable, Result], Captured]:
    """What `finish` of each explainer gives, and the last pass without its tensors.

    The calls have the same network, images, target and reshape. Of the passes that explainers wait for, each
    in its own order, one view is run at a time, the image itself first.
    """
    call = next(iter(calls.values()))
    target = call.target
    waiting = {key: list(explainer.asks()) for key, explainer in explainers.items()}
    states: dict[Hashable, Any] = dict.fromkeys(explainers)
    found: dict[Hashable, Result] = {}
    while waiting:
        view = min((asks[0].view for asks in waiting.values()), key=lambda v: (not v.first, v))
        for score, keys in _by_score({key: asks[0] for key, asks in waiting.items() if asks[0].view == view}).items():
            names = tuple(dict.fromkeys(name for key in keys for name in calls[key].layers))
            with resized(call.model, call.images, ONE_SIZE) if view.scale != 1 else nullcontext():
                seen = capture(
                    call.model,
                    view(call.images),
                    names,
                    target,
                    score=score or "logit",
                    gradients=score is not None,
                    reshape=call.reshape,
                )
            target = seen.target
            last = replace(seen, A={}, G={})  # or its gradients would live through the next pass
            for key in keys:
                states[key] = explainers[key].step(calls[key], states[key], seen, view)
                del waiting[key][0]
            del seen
            for key in (key for key in keys if not waiting[key]):
                del waiting[key]
                found[key] = explainers[key].finish(calls[key], states.pop(key))
    return found, last


def _by_score(asking: Mapping[Hashable, Ask]) -> dict[str | None, list[Hashable]]:
    """{score: who is served by that pass}; those that need no gradients join any other."""
    groups: dict[str | None, list[Hashable]] = {}
    for key, ask in asking.items():
        groups.setdefault(ask.score, []).append(key)
    if len(groups) > 1 and None in groups:
        free = groups.pop(None)
        next(iter(groups.values())).extend(free)
    return groups
