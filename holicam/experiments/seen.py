"""What runs where in a network, and how its layers' outputs become maps of channels (B, C, h, w).

A layer of a convolutional network gives (B, C, h, w), one of a Swin transformer (B, h, w, C), one of a vision
transformer tokens (B, N, C), of which the first may be no part of the image. One forward pass shows which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core.network import forward
from ..core.outputs import class_logits
from ..core.tokens import Reshape, tokens_to_grid
from ..methods.any_explainer import has_field
from ..methods.patches import unfold_grid
from ..models import default_layers
from ..models.forms import see_inside
from .said import sentence

SPARE = 16  # tokens that are no part of the image (class, distillation, registers), at most
KINDS = "channels-last, tokens, tokens:SKIP or tokens:SKIP:HxW, such as tokens:1:14x14"


class Layout(NamedTuple):
    """kind: "channels-first", "channels-last" or "tokens"; of tokens, skip and grid, None for the images' own."""

    kind: str = "channels-first"
    skip: int | None = None
    grid: tuple[int, int] | None = None

    def reshape(self) -> Reshape | None:
        """What explainers take."""
        if self.kind == "channels-first":
            return None
        return _channels_first if self.kind == "channels-last" else tokens_to_grid(self.grid, self.skip or 0)

    def cells(self, shape: tuple[int, ...]) -> int:
        """How many cells of a map an output of this shape has."""
        if self.kind == "tokens":
            return self.grid[0] * self.grid[1] if self.grid else shape[1]
        return shape[2] * shape[3] if self.kind == "channels-first" else shape[1] * shape[2]

    def __str__(self) -> str:
        if self.kind != "tokens":
            return self.kind
        return ":".join(["tokens", f"{self.skip}", "x".join(map(str, self.grid or ()))])


def _channels_first(A: Tensor) -> Tensor:
    return A.permute(0, 3, 1, 2)


def layout_of(words: str) -> Layout:
    """What --reshape says. Raises ValueError."""
    found = re.fullmatch(r"tokens(?::(\d{1,3})(?::(\d{1,4})x(\d{1,4}))?)?", words)
    if found:
        skip, h, w = (None if n is None else int(n) for n in found.groups())
        return Layout("tokens", skip, (h, w) if h and w else None)
    if words in ("channels-last", "channels-first"):
        return Layout(words)
    raise ValueError(f"--reshape is {words!r}; it must be {KINDS}.")


@dataclass(frozen=True)
class Seen:
    """A forward pass: logits (1, K), and {module: shape of its output} in the order in which modules ended."""

    logits: Tensor
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, model: nn.Module, images: Tensor) -> Seen:
        """Raises whatever the network raises. Of what TorchScript compiled nothing is noted but the logits."""
        shapes: dict[str, tuple[int, ...]] = {}

        def note(name: str):
            return lambda module, given, out: shapes.update({name: tuple(getattr(out, "shape", ()))})

        hooks = [
            module.register_forward_hook(note(name))
            for name, module in model.named_modules()
            if not isinstance(module, torch.jit.ScriptModule)
        ]
        try:
            with torch.no_grad():
                logits = class_logits(forward(model, images), len(images))
        finally:
            for hook in hooks:
                hook.remove()
        return cls(logits, shapes)

    def layout(self, layer: str, said: Layout | None, square: Seen) -> Layout:
        """The layout of one layer; `square` is the pass of a square image, which tells the axes apart.

        Raises:
            ValueError: its output is no map.
        """
        shape = self.shapes.get(layer, ())
        if said is None:
            h, w, last = (*square.shapes.get(layer, ()), 0, 0, 0, 0)[1:4]
            said = Layout("tokens") if len(shape) == 3 else Layout("channels-last") if h == w != last else Layout()
        if len(shape) != (3 if said.kind == "tokens" else 4):
            close = ", ".join(self.maps()[-4:]) or "an earlier one"
            raise ValueError(
                f"layer {layer} gives {_numbers(shape)}, from which no map can be made: name a layer that "
                f"gives channels of a grid, such as {close}."
            )
        return said if said.kind != "tokens" else self._tokens(layer, shape[1], said)

    def _tokens(self, layer: str, count: int, said: Layout) -> Layout:
        """The grid of the patches, as the last layer before these tokens gave it that fits in their number."""
        if said.grid:
            skip = count - said.grid[0] * said.grid[1] if said.skip is None else said.skip
            return Layout("tokens", max(skip, 0), said.grid)
        for shape in reversed([shape for shape in self.shapes.values() if len(shape) == 4]):
            spare = count - shape[2] * shape[3]
            if min(shape[2:]) > 1 and (spare == said.skip or said.skip is None and 0 <= spare <= SPARE):
                return Layout("tokens", spare, tuple(shape[2:]))
        raise ValueError(
            f"layer {layer} gives {count} tokens, and no layer before them has a grid that tells how they "
            "lie: say it, for example with --reshape tokens:1:14x14."
        )

    def maps(self) -> list[str]:
        """Modules that give a grid of channels and stand in the open: no branch passes them by."""
        return [
            name
            for name, shape in self.shapes.items()
            if name and len(shape) == 4 and min(shape[2:]) > 1 and name.count(".") <= 1
        ]


def _numbers(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape[1:])) + " numbers" if shape[1:] else "no tensor of its own"


def of_square(model: nn.Module, network: str, size: int, own: int, device: str | torch.device) -> Seen:
    """What a network makes of an empty square image. own: the size that it says it takes.

    Raises ValueError, with the network's name and what to do.
    """
    try:
        return Seen.of(model, torch.zeros(1, 3, size, size, device=device))
    except Exception as error:
        way_out = f"its own --size is {own}" if size != own else "if it takes images of another size, name it as --size"
        raise ValueError(
            f"{network} cannot be run on images of {size} x {size} pixels ({sentence(error, plain=True)}); {way_out}."
        ) from None


def last_layer(model: nn.Module, seen: Seen) -> str:
    """The layer that is read where none is named: by convention, or the last that holds the image's grid.

    After a vision transformer's last attention only the class token reaches the score; the norm before it is read.

    Raises:
        ValueError: there is none.
    """
    modules = dict(model.named_modules())
    norm, found = "", ""
    for name in seen.shapes:
        if isinstance(modules[name], nn.MultiheadAttention):
            found = norm
        elif isinstance(modules[name], nn.LayerNorm):
            norm = name
    if found:
        return found
    try:
        return default_layers(model)[-1]
    except ValueError:
        if maps := seen.maps():
            return maps[-1]
        see_inside(model, layers=True)
        raise ValueError(
            f"{type(model).__name__} has no layer that is read by convention: name one with --layers."
        ) from None


def one_size(explainer: object, size: int) -> tuple[int, dict[str, object], str]:
    """The largest images that an explainer shows a network, asked about one of size x size, and how to avoid them.

    Returns (pixels a side, the fields that keep it to `size`, these in words).
    """
    if has_field(explainer, "scales"):
        return round(size * max(explainer.scales)), {"scales": (1.0,)}, "at scale 1 alone"
    if has_field(explainer, "patches") and has_field(explainer, "alpha"):
        side = unfold_grid((size, size), explainer.patches, explainer.rho, explainer.stride).size[0]
        return int(explainer.alpha * side), {"alpha": size / side}, f"on patches enlarged to {size} x {size}"
    return size, {}, ""
