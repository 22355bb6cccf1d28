"""How a layer's output lies: channels first (B, C, h, w), channels last (B, h, w, C), or neither.

Transformers and some blocks of convolutional networks keep channels last. Read as channels first, their
maps would be nonsense without a word. So the layout is told by evidence:

    the grid: a map's rows and columns are in the image's proportion, up to what rounding takes or adds,
    the layer itself: a convolution or a batch norm has channels first, a linear layer or LayerNorm last,
    who reads its output next, in the same forward pass,
    how many channels the weights have that made it.

A grid that fits as channels first and not as channels last settles it, as it does nearly always. Where
the evidence is at odds or missing, `reshape` is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast
from weakref import ref

from torch import Tensor, nn
from torch.nn.modules import activation, batchnorm, conv, instancenorm, pooling

from ..models.hooks import held, of_this_thread
from ..models.layers import Layer, called
from ..models.resolutions import fits, roughly_fits
from .ops import at_least_float32
from .tokens import Reshape, for_images

FIRST, LAST, UNCLEAR = "first", "last", "unclear"
_CHANNELS_FIRST = (
    conv._ConvNd,
    batchnorm._NormBase,
    instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.PixelShuffle,
    nn.Upsample,
    nn.Dropout2d,
    pooling._MaxPoolNd,
    pooling._AvgPoolNd,
    pooling._AdaptiveAvgPoolNd,
    pooling._AdaptiveMaxPoolNd,
    activation.Softmax2d,
)


def _lies(module: nn.Module) -> tuple[str, str] | tuple[None, None]:
    """How the input and the output of a module lie, as far as its kind tells."""
    if isinstance(module, _CHANNELS_FIRST):
        return FIRST, FIRST
    if isinstance(module, nn.Linear) or _norm_of_last_axis(module):
        return LAST, LAST
    swaps = {(0, 2, 3, 1): (FIRST, LAST), (0, 3, 1, 2): (LAST, FIRST)}
    dims = getattr(module, "dims", None)  # of torchvision's Permute
    return swaps.get(tuple(dims), (None, None)) if isinstance(dims, (list, tuple)) else (None, None)


def _norm_of_last_axis(module: nn.Module) -> bool:
    kinds = tuple(kind for kind in (nn.LayerNorm, getattr(nn, "RMSNorm", None)) if kind)
    return (
        isinstance(module, kinds)
        and len(module.normalized_shape) == 1
        and any(type(module).forward is kind.forward for kind in kinds)
    )  # torchvision's LayerNorm2d has its own


def _width(module: nn.Module) -> int | None:
    """How many channels its weights give."""
    if _norm_of_last_axis(module):
        return cast(nn.LayerNorm, module).normalized_shape[0]
    found = (getattr(module, name, None) for name in ("out_channels", "out_features", "num_features", "num_channels"))
    return next((n for n in found if isinstance(n, int)), None)


@contextmanager
def watched(model: nn.Module, wanted: Mapping[Layer, nn.Module]) -> Iterator[dict[Layer, set[str]]]:
    """Fills {layer: how those who read its output take it} while the context lasts."""
    found: dict[Layer, set[str]] = {layer: set() for layer in wanted}
    handed: dict[Layer, ref] = {}

    def made(layer: Layer, output: object) -> None:
        if isinstance(output, Tensor):
            handed[layer] = ref(output)

    def read(lies: str, inputs: tuple, named: dict) -> None:
        for layer, output in handed.items():
            if any(x is output() for x in (*inputs, *named.values()) if isinstance(x, Tensor)):
                found[layer].add(lies)

    handles = [
        module.register_forward_hook(of_this_thread(lambda _, __, output, layer=layer: made(layer, output)))
        for layer, module in wanted.items()
    ]
    for module in model.modules():
        if (lies := _lies(module)[0]) is not None:
            look = of_this_thread(lambda _, inputs, named, lies=lies: read(lies, inputs, named))
            handles.append(module.register_forward_pre_hook(look, with_kwargs=True))
    with held(handles):
        yield found


def _expect_proportion(layer: Layer, shape: tuple[int, ...], size: tuple[int, int], tokens: bool) -> None:
    """ValueError where the grid that a `reshape` gave lies another way than the images.

    tokens: the layer itself has no grid, so nothing but the image says how its grid lies. A network that keeps a grid
    may shorten one side of it, so there the axes in another order must fit.
    """
    _, a, b, c = shape
    if not roughly_fits((b, c), size) and (tokens or fits((a, b), size) or fits((c, b), size)):
        raise ValueError(
            f"reshape gives the shape {shape} for layer {called(layer)}, and a grid of {b} x {c} is not in the "
            f"proportion of images of {size[0]} x {size[1]}: channels come first, then rows, (B, C, h, w)"
        )


@dataclass(eq=False)
class Layouts:
    """Outputs of layers, and gradients like them, as maps of channels (B, C, h, w), each layer decided once."""

    model: nn.Module
    wanted: Mapping[Layer, nn.Module]
    readers: Mapping[Layer, set[str]]
    images: Tensor
    reshape: Reshape | None = None
    last: dict[Layer, bool] = field(default_factory=dict)

    def maps(self, tensors: Mapping[Layer, Tensor]) -> dict[Layer, Tensor]:
        """Detached, at least float32 before any arithmetic, and checked."""
        return {layer: self._map(layer, tensor.detach()) for layer, tensor in tensors.items()}

    def _map(self, layer: Layer, tensor: Tensor) -> Tensor:
        tensor = tensor.dequantize() if tensor.is_quantized else tensor
        size = (self.images.shape[-2], self.images.shape[-1])
        given = tensor.dim()
        tensor = at_least_float32(tensor if self.reshape is None else for_images(self.reshape, size)(tensor))
        shape = tuple(tensor.shape)
        if tensor.dim() != 4:
            raise ValueError(
                f"layer {called(layer)} gives the shape {shape}, a map needs "
                "(B, C, h, w): name another layer or give reshape=tokens_to_grid()"
            )
        if len(tensor) != len(self.images):
            raise ValueError(
                f"layer {called(layer)} gives the shape {shape} for {len(self.images)} images, a map "
                "needs (B, C, h, w): name another layer, or give a reshape that puts the images first"
            )
        if self.reshape is None and layer not in self.last:
            self.last[layer] = self._is_last(layer, shape, size)
        if self.reshape is not None:
            _expect_proportion(layer, shape, size, tokens=given == 3)
        return tensor.permute(0, 3, 1, 2) if self.last.get(layer) else tensor

    def _is_last(self, layer: Layer, shape: tuple[int, ...], size: tuple[int, int]) -> bool:
        module = self.wanted[layer]
        _, a, b, c = shape
        first, last = fits((b, c), size), fits((a, b), size) and a <= size[0] and b <= size[1]
        said = {_lies(module)[1]} - {None} or self.readers.get(layer, set())
        if first and not last and LAST not in said:
            return False
        told = next(iter(said)) if len(said) == 1 else None  # readers at odds tell nothing
        if not said:
            told = self._by_width(module, a, c, both=first and last)
        if told == FIRST or (told is None and not said and not last):
            return False
        if told == LAST and last:
            return True
        raise ValueError(
            f"layer {called(layer)} gives the shape {shape}, and it is unclear which axis holds its "
            "channels: give reshape=hc.capture.channels_last() for (B, h, w, C), another reshape for "
            "other layouts, or reshape=lambda A: A where channels are second"
        )

    def _by_width(self, module: nn.Module, a: int, c: int, both: bool) -> str | None:
        """What the weights say that come last in the layer, or before it, by the number of their channels.

        both: the grid fits either way.
        """
        inside = [m for m in module.modules() if _width(m) is not None]
        maker = next((m for m in reversed(inside) if _width(m) in (a, c)), None) or self._before(module, inside)
        if maker is None:
            return FIRST if both else None
        lies, width = _lies(maker)[1], _width(maker)
        # A linear layer may sit in a block of convolutions, to weigh its channels.
        if width == a and (lies != LAST or (both and a != c)):
            return FIRST
        if both:
            return UNCLEAR if width == c or (inside and lies == LAST) else FIRST
        return LAST if width == c else None

    def _before(self, module: nn.Module, inside: list[nn.Module]) -> nn.Module | None:
        """The layer's last weights, or those registered before it."""
        before = inside[-1] if inside else None
        for other in self.model.modules() if not inside else ():
            if other is module:
                break
            before = other if _width(other) is not None else before
        return before
