"""What every explainer is: a frozen dataclass of settings, called with a network and images.

There is one `__call__`. It checks the call, finds the layers, asks `maps` for what is particular to the
method, brings the maps to the size asked for and returns them bare where one layer was named.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..models.alike import close_names
from ..models.layers import Layer, Layers, as_given, is_single
from ..models.stages import default_layers, images_at_hand
from .checks import finite_maps
from .guard import guarded
from .network import check_call, detached
from .ops import Target, one_of, upsample
from .options import Size, check_fields, output_size
from .stages import Stages
from .tokens import Reshape

Found = Tensor | Stages  # one map, or with what led to it
Result = Found | Mapping[Layer, Found]


@dataclass(frozen=True, eq=False)
class Call:
    """A call that has been checked."""

    model: nn.Module
    images: Tensor  # (B, 3, H, W), detached
    layers: tuple[Layer, ...]  # those asked for, or the method's own; none for a method of the input
    target: Target
    size: tuple[int, int] | None  # (H, W) of the maps; None leaves them on their own grid
    reshape: Reshape | None
    intermediate: bool
    single: bool  # whether the one layer's maps are returned bare


class _Settings:
    """What `inspect.signature` says of a class: its fields; of an explainer, how it is called."""

    def __get__(self, explainer: object, kind: type) -> inspect.Signature:
        if explainer is not None:
            raise AttributeError("__signature__")
        made = inspect.signature(kind.__init__)  # type: ignore[misc]  # it is read, not called
        return made.replace(parameters=list(made.parameters.values())[1:])


class Explainer:
    """What all explainers share. One of your own is a frozen dataclass with a method `maps`.

    takes: "layer" (one map for each layer), "joint" (one map of several layers) or "input" (one map of the
    image; it is given no layers). has_stages: whether `intermediate=True` has anything to show. presets:
    {name of a preset: the fields that it sets}, for a class with a field `preset`.
    """

    takes: ClassVar[str] = "layer"
    has_stages: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    preset: str  # a field of those that have presets
    __signature__ = _Settings()

    def maps(self, call: Call) -> Result:
        """What is particular to a method: {layer: map}, or one map where `takes` is not "layer".

        A map is (B, h, w) on any grid; where `call.intermediate`, a `Stages` takes its place.
        """
        raise NotImplementedError

    def layers_of(self, model: nn.Module) -> tuple[Layer, ...]:
        """The layers meant by `layers=None`."""
        return default_layers(model)[-1:]

    def named(self, model: nn.Module, layers: Layers | None) -> tuple[tuple[Layer, ...], bool]:
        """The layers of a call, and whether the maps of one of them are returned bare."""
        if layers is None:
            return self.layers_of(model), self.takes == "layer"
        return as_given(layers), self.takes == "layer" and is_single(layers)

    def fit(self, maps: Tensor, size: tuple[int, int] | None) -> Tensor:
        """Maps (B, h, w) at the size asked for, None for their own grid."""
        return maps if size is None else upsample(maps, size)

    @guarded
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
    ) -> Any:
        """Maps of a batch: one for each image, and for each layer where the method explains layers.

        Args:
            model: a network in eval mode, which is left as it was.
            images: (B, 3, H, W), normalised as the network expects.
            layers: a name, or a module of the network, gives a tensor; a sequence of them a dict under what
                was given. None is the method's own choice, most often the last stage. A method that joins
                layers returns one tensor, and one that explains the image itself takes no layers.
            target: None (top-1), a class, one class for each image, or a callable (B, K) -> (B,).
            size: (H, W) of the maps; None is that of the images, "native" the map's own grid.
            reshape: for layers of transformers, see `tokens.tokens_to_grid`.
            intermediate: return `Stages`, the map with what led to it, where the method has any.

        Returns:
            Maps (B, H, W) in float32 (float64 for such a network), raw: not stretched to [0, 1]. A dict of
            them for several layers.

        Raises:
            ValueError: training mode, a wrong size, layers, target or shape, numbers that are not finite.
            TypeError: no network, no tensor of floats.
            LayerNotFoundError: a layer that the network does not have; the message lists close names.
        """
        call = self.checked(model, images, layers, target, size, reshape, intermediate)
        with plain_autograd():
            return self.returned(call, self.maps(call))

    def checked(
        self,
        model: nn.Module,
        images: Tensor,
        layers: Layers | None,
        target: Target,
        size: Size,
        reshape: Reshape | None,
        intermediate: bool,
    ) -> Call:
        """The arguments of a call, checked in one place for all explainers."""
        check_call(model, images)
        name = type(self).__name__
        if layers is not None and self.takes == "input":
            raise ValueError(f"{name} explains the image itself and reads no layer: leave out layers={layers!r}")
        if intermediate and not self.has_stages:
            raise ValueError(f"{name} has no stages to show: leave out intermediate")
        wanted = None if isinstance(size, str) and size == "native" else output_size(size, images)
        with images_at_hand(images):
            own, single = ((), False) if self.takes == "input" else self.named(model, layers)
        with torch.inference_mode(False):
            images = detached(images)
        return Call(model, images, own, target, wanted, reshape, intermediate, single)

    def returned(self, call: Call, found: Result) -> Result:
        """What `maps` gave, at the size asked for, and bare where one layer was named."""
        if isinstance(found, Stages) or not isinstance(found, Mapping):
            return self._fitted(call, found)
        each = {layer: self._fitted(call, one) for layer, one in found.items()}
        return next(iter(each.values())) if call.single else each

    def _fitted(self, call: Call, found: Found) -> Found:
        maps = finite_maps(self.fit(found.map if isinstance(found, Stages) else found, call.size))
        return Stages(maps, found) if isinstance(found, Stages) else maps

    def __new__(cls, *settings: object, **named: object) -> Explainer:
        """Settings go by name; `__post_init__` must know which of them were given."""
        for value in (*settings, *(v for name, v in named.items() if name != "layer")):  # a layer may be a module
            if isinstance(value, nn.Module):
                raise TypeError(
                    f"{cls.__name__} is made without a network, and called with it: {cls.__name__}()(model, images)"
                )
        made = super().__new__(cls)
        owner = next(parent for parent in cls.__mro__ if "__init__" in vars(parent))
        if "__dataclass_fields__" in vars(owner) and is_dataclass(cls):
            known = [f.name for f in fields(cls)]
            first = [f.name for f in fields(cls) if not f.kw_only]
            if len(settings) > len(first):
                like = f", such as {cls.__name__}({known[0]}=...)" if known else " and has none"
                raise TypeError(f"{cls.__name__} takes its settings by name{like}; got {settings[len(first)]!r}")
            for name in named:
                if name not in known:
                    close = close_names(name, known, 2) or "none"
                    raise TypeError(f"{cls.__name__} has no setting {name!r}; close names are {close}")
            if settings or named:
                object.__setattr__(made, "_given", {*first[: len(settings)], *named})
        return made

    def __post_init__(self) -> None:
        """Take from the preset what was not given, and check every field."""
        given = vars(self).pop("_given", set())
        if self.presets:
            one_of("preset", self.preset, self.presets)
            for name, value in self.presets[self.preset].items():
                if name not in given:
                    object.__setattr__(self, name, value)
        check_fields(self)


class InputExplainer(Explainer):
    """One whose map is of the image itself, not of a layer."""

    takes: ClassVar[str] = "input"


@contextmanager
def plain_autograd() -> Iterator[None]:
    """Whatever mode the caller is in: no graph, and tensors that may be differentiated later."""
    with torch.inference_mode(False), torch.no_grad():
        yield
