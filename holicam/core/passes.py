"""Explainers ask for passes, and those that ask for the same pass share it.

A class activation map needs passes of the network: its layers' activations and gradients, for the
image or for a view of it, enlarged, dimmed or noisy. An explainer of the CAM family is therefore
written as a generator, `gather`: it yields an `Ask`, receives the `Captured` of that pass, asks
again or returns its maps. `run` hands one pass to everybody who asked for it. A single explainer and
ten explainers on four layers at eight scales are the same code, and no pass is paid twice.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor, nn

from ..models.layers import Layer, Layers, as_given, default_layers, is_single
from .capture import Captured, Reshape, capture, check_call
from .checks import finite_maps
from .guard import guarded
from .network import resized
from .ops import Target, upsample
from .options import Explains, Maps, Size, noise, output_size
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
    """One pass: which layers, of which view, with gradients of which score (None for none)."""

    layers: tuple[Layer, ...]
    score: str | None = "logit"
    view: View = field(default=View())


@dataclass(frozen=True, eq=False)
class Call:
    """What an explainer was called with, checked; `layers` is a tuple of names or modules, `named` says
    whether a target was given."""

    model: nn.Module
    images: Tensor  # (B, 3, H, W)
    layers: tuple[Layer, ...]
    size: Size = None
    reshape: Reshape | None = None
    intermediate: bool = False
    named: bool = False

    def fit(self, maps: Tensor) -> Tensor:
        """Maps (B, h, w) at the size asked for; "native" leaves them."""
        return maps if self.size == "native" else upsample(maps, output_size(self.size, self.images))


Gather = Generator[Ask, Captured, Maps]


class PassExplainer(Explains):
    """What the CAM family shares: being called, alone or through `run`.

    `takes` is "layer" (one map a layer) or "joint" (one map from several layers).
    """

    takes: ClassVar[str] = "layer"
    has_stages: ClassVar[bool] = False

    def gather(self, call: Call) -> Gather:
        """Ask for passes, the images as they are first, and return the maps.

        "layer": {layer: maps}; "joint": one tensor (B, H, W).
        """
        raise NotImplementedError

    def layers_of(self, model: nn.Module) -> tuple[str, ...]:
        """The layers meant by `layers=None`."""
        return default_layers(model)[-1:]

    def __call__(
        self,
        model: nn.Module,
        images: Tensor,
        layers: Layers | None = None,
        target: Target = None,
        *,
        size: Size = None,
        reshape: Reshape | None = None,
        intermediate: bool = False,
    ) -> Maps:
        """Maps of a batch, one per image, and per layer where the method takes one layer at a time.

        Args:
            images: (B, 3, H, W), normalised as the network expects.
            layers: a name, or a module of the network, gives a tensor, a sequence of them a dict
                under what was given; None is the last of `layernames.default_layers(model)`. A
                method that joins several layers returns one tensor, and None is its own list.
            target: None (top-1), a class, one class per image, or a callable (B, K) -> (B,).
            size: None for the images' (H, W), (H, W), or "native" for the map's own grid.
            reshape: for transformers, see `capture.tokens_to_grid`.
            intermediate: the maps of every stage, where the method has any.

        Returns (B, H, W) in float32 (float64 for such a network), raw, at least 0 where `relu`.
        Raises what `capture.capture` raises.
        """
        maps, _ = run(
            {None: self}, model, images, layers, target, size=size, reshape=reshape, intermediate=intermediate
        )
        return maps[None]


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
) -> tuple[dict[Hashable, Maps], Captured]:
    """Several explainers from shared passes. Arguments as for one.

    Explainers that differentiate another score (`score="prob"`) need passes of their own.
    Returns ({key of the explainer: what its own call returns}, the last pass).
    """
    if not explainers:
        raise ValueError("explainers must hold at least one explainer")
    check_call(model, images)
    results, waiting = {}, {}  # {key: maps}, {key: (generator, what it asks for)}
    given = None if layers is None else as_given(layers)
    call = Call(model, images, (), size, reshape, intermediate, target is not None)

    def advance(key: Hashable, gather: Gather, captured: Captured | None) -> None:
        try:
            waiting[key] = gather, gather.send(captured)
        except StopIteration as done:
            single = explainers[key].takes == "layer" and (layers is None or is_single(layers))
            results[key] = finite_maps(next(iter(done.value.values())) if single else done.value)

    for key, explainer in explainers.items():
        if intermediate and not explainer.has_stages:
            raise ValueError(f"{type(explainer).__name__} has no stages to show: leave out intermediate")
        if size not in (None, "native"):
            output_size(size, images)
        own = given if given is not None else explainer.layers_of(model)
        advance(key, explainer.gather(replace(call, layers=own)), None)
    while waiting:
        view = min((ask.view for _, ask in waiting.values()), key=lambda v: (not v.first, v))
        asking = {key: ask for key, (_, ask) in waiting.items() if ask.view == view}
        for score, keys in _by_score(asking).items():
            names = tuple(dict.fromkeys(name for key in keys for name in asking[key].layers))
            with resized(model, images, ONE_SIZE) if view.scale != 1 else nullcontext():
                captured = capture(
                    model,
                    view(images),
                    names,
                    target,
                    score=score or "logit",
                    gradients=score is not None,
                    reshape=reshape,
                )
            target = captured.target
            last = replace(captured, A={}, G={})  # or its gradients would live through the next pass
            for key in keys:
                advance(key, waiting.pop(key)[0], captured)
            del captured
    return {key: results[key] for key in explainers}, last


def _by_score(asking: Mapping[Hashable, Ask]) -> dict[str | None, list[Hashable]]:
    """{score: who is served by that pass}; those that need no gradients join any other."""
    groups: dict[str | None, list[Hashable]] = {}
    for key, ask in asking.items():
        groups.setdefault(ask.score, []).append(key)
    if len(groups) > 1 and None in groups:
        free = groups.pop(None)
        next(iter(groups.values())).extend(free)
    return groups
