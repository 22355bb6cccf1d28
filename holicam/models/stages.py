"""The layers to read in any network: the last tensor of each resolution, through which everything passes.

A network makes its grid coarser a few times. What it knows at one resolution is in the last tensor before the
next change, if nothing goes round that tensor: the last ReLU of a residual block, for one, is only a branch
beside a shortcut. `stages` finds these tensors by one dry pass (`drypass`), with no table of architectures.

Several tensors of one resolution may qualify. The last that is never negative is taken, since positive gradients
are weighed by the activations, and only where there is none the last of all, which is then called signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .drypass import NoLogitsError, Passed, dry_pass
from .forms import check_form, check_gradients, see_inside
from .layers import innermost
from .resolutions import Stage, chosen, tokens

__all__ = ["Stage", "StageNames", "default_layers", "images_at_hand", "stages"]

SIZES = (224, 299, 384, 256, 64, 32, 28)  # asked in turn of a network that does not say what it takes


class StageNames(tuple[str, ...]):
    """The names of the stages, shallow to deep: a tuple of strings to be given as `layers=`. It prints as a table.

    rows: a `Stage` each. size: (H, W) of the image that went through.
    """

    rows: tuple[Stage, ...]
    size: tuple[int, int]

    def __new__(cls, rows: Iterable[Stage], size: tuple[int, int]) -> StageNames:
        rows = tuple(rows)
        made = super().__new__(cls, (stage.name for stage in rows))
        made.rows, made.size = rows, size
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.rows, self.size

    @property
    def signed(self) -> tuple[str, ...]:
        """Those whose values may be negative."""
        return tuple(stage.name for stage in self.rows if stage.signed)

    def __repr__(self) -> str:
        lines = [("stage", "grid", "channels", "values")]
        lines += [
            (
                stage.name,
                " x ".join(map(str, stage.grid)),
                f"{stage.channels}" + (" (last)" if stage.channels_last else ""),
                "signed" if stage.signed else "never negative",
            )
            for stage in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        said = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join(line.rstrip() for line in said)


# {network: {what it was asked: the answers, without and with the stem}}; an entry goes with its network.
_known: WeakKeyDictionary[nn.Module, dict[tuple, tuple[StageNames, ...]]] = WeakKeyDictionary()
_at_hand: ContextVar[Tensor | None] = ContextVar("images_at_hand", default=None)


@contextmanager
def images_at_hand(images: Tensor) -> Iterator[None]:
    """Images that a network is known to take, should it not take those of usual sizes."""
    token = _at_hand.set(images)
    try:
        yield
    finally:
        _at_hand.reset(token)


def stages(model: nn.Module, images: Tensor | None = None, *, all: bool = False) -> StageNames:
    """The layers to read in a network, shallow to deep, found by one dry pass.

    The last tensor before each change of resolution, from a quarter of the image's side on, and the end: only those
    through which everything passes, so that another image's tensor put there would give that image's logits. Of one
    resolution it is the last tensor that is never negative, or, where there is none, the last, marked `signed`. A
    network whose every resolution begins with a max-pooling and whose end is one, as a VGG's, gives the poolings, which
    papers read there.

    Args:
        model: a network in eval mode, which is left as it was.
        images: (B, C, H, W), of which the first goes through. None is noise of the size that the network's own
            settings name (timm's and torchvision's do), or 224, or another usual size.
        all: with the resolutions between the image's own and a quarter of it: the stem, as Poly-CAM reads it.

    Returns:
        `StageNames`, a tuple of names to be given as `layers=`, which prints as a table of names, grids and channels.
        What was found is kept as long as the network lives, by size: asked again, it costs no forward.

    Raises:
        ValueError: training mode; a network that takes none of the images; one that has no such tensors, such as a
            vision transformer with one grid of tokens, for which the sentence says what to do.
        TypeError: no network, or images that are no tensor.

    Example:
        >>> import holicam as hc
        >>> hc.stages(hc.load_model("toy-resnet50"))
        stage   grid     channels  values
        layer1  56 x 56  64        never negative
        layer2  28 x 28  128       never negative
        layer3  14 x 14  256       never negative
        layer4  7 x 7    512       never negative
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}")
    check_form(model)
    see_inside(model, layers=True)
    try:
        check_gradients(model)
    except ValueError as error:  # a method of forwards alone needs nothing else of it
        raise ValueError(f"{error}; its stages cannot be found either, so name the layers with layers=") from None
    _check_images(model, images)
    # Strides and channels are in what modules print of themselves; a part may have been replaced since.
    parts = tuple((name, type(module), module.extra_repr()) for name, module in model.named_modules())
    key = (hash(parts), None if images is None else tuple(images.shape[1:]))
    known = _known.setdefault(model, {})
    if key not in known:
        found, size = _found(model, images)
        known[key] = tuple(StageNames(_chosen(model, found, size, stem), size) for stem in (False, True))
    return known[key][all]


def default_layers(model: nn.Module) -> tuple[str, ...]:
    """The layers that `layers=None` means, shallow to deep: those that papers read, or the network's `stages`.

    The four stages of a ResNet and the last four poolings of a VGG are known by name, at no cost. Any other network is
    asked for its stages: one forward with a graph, the first time. Raises ValueError where it has none.
    """
    net = innermost(model)
    if _is_resnet(net):
        return ("layer1", "layer2", "layer3", "layer4")
    features = getattr(net, "features", None)
    if isinstance(features, nn.Sequential):
        pools = [f"features.{i}" for i, module in enumerate(features) if isinstance(module, nn.MaxPool2d)]
        if len(pools) == 5:
            return tuple(pools[-4:])
    return stages(model)


def _is_resnet(net: nn.Module) -> bool:
    """Four stages of convolutions by name, and no fifth: others count their layers, too."""
    named = [getattr(net, f"layer{i}", None) for i in range(1, 6)]
    return named[4] is None and all(
        isinstance(stage, nn.Module) and any(isinstance(part, nn.Conv2d) for part in stage.modules())
        for stage in named[:4]
    )


def _check_images(model: nn.Module, images: object) -> None:
    if any(p.is_meta for p in model.parameters()):
        raise ValueError("the network's weights are on the meta device, where they have no values: load them first")
    if images is not None and not isinstance(images, Tensor):
        raise TypeError(f"images must be a torch.Tensor (B, C, H, W); got {type(images).__name__}")
    if isinstance(images, Tensor) and (images.dim() != 4 or 0 in images.shape):
        raise ValueError(f"images must be (B, C, H, W) with at least one image; got {tuple(images.shape)}")


def _found(model: nn.Module, images: Tensor | None) -> tuple[list[Passed], tuple[int, int]]:
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    if images is not None:
        image = images[:1].to(weight)
        try:
            return dry_pass(model, image), (image.shape[-2], image.shape[-1])
        except (RuntimeError, AssertionError) as error:
            shape = f"(B, {', '.join(map(str, image.shape[1:]))})"
            raise ValueError(f"{type(model).__name__} fails on images of shape {shape}: {_said(error)}") from error
    first: Exception | None = None
    for image in _usual(model):
        try:
            return dry_pass(model, image.to(weight)), (image.shape[-2], image.shape[-1])
        except NoLogitsError:
            raise
        except Exception as error:  # networks refuse sizes in their own ways
            first = first or error
    raise ValueError(
        f"{type(model).__name__} takes no images of a usual size, so its stages cannot be found: give "
        f"images=... to hc.stages, or name the layers with layers= ({_said(first)})"
    ) from first


def _said(error: Exception | None) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _usual(model: nn.Module) -> Iterator[Tensor]:
    """Noise of the size that a network names, of 224 pixels, of the images at hand, of other usual sizes."""
    net = cast(Any, innermost(model))
    own = getattr(net, "pretrained_cfg", None) or getattr(net, "default_cfg", None) or {}
    named = own.get("input_size") if isinstance(own, dict) else None
    side = getattr(net, "image_size", None)
    first = next((m for m in net.modules() if isinstance(m, nn.Conv2d)), None)
    channels = first.in_channels if first is not None else 3
    shapes: list[tuple[int, ...]] = [(channels, side, side)] if isinstance(side, int) else []
    shapes = [tuple(named)] if named else shapes
    at_hand = _at_hand.get()
    sizes: list[tuple[int, ...]] = [(channels, side, side) for side in SIZES]
    sizes[1:1] = [] if at_hand is None else [tuple(at_hand.shape[1:])]
    for shape in dict.fromkeys([*shapes, *sizes]):
        yield torch.randn(1, *shape, generator=torch.Generator().manual_seed(0), device="cpu")


def _chosen(model: nn.Module, found: list[Passed], size: tuple[int, int], stem: bool) -> list[Stage]:
    if (near := tokens(found, size)) is not None:
        raise ValueError(
            f"{type(model).__name__} keeps its image in tokens, {near.shape[1]} of {near.shape[2]} numbers, and has no "
            f"changes of resolution to read before: name layers, for example {near.names[-1]!r}, with "
            "reshape=hc.capture.tokens_to_grid()"
        )
    if not (rows := chosen(found, size, stem=stem)):
        raise ValueError(
            f"{type(model).__name__} has no tensor (B, C, h, w) or (B, h, w, C) through which everything passes: "
            "name the layers with layers="
        )
    return rows
