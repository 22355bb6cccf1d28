"""What a network wants its images to be: sizes, interpolation, mean and deviation, as its weights were trained.

A network brings this along: `load_model` puts it on the module, timm's modules have a `pretrained_cfg`, and whoever
trained a network sets `model.preprocessing`. Whatever needs to know how images were normalised asks the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from torch import nn

from ..toyland import MEAN, STD
from . import lite0, timms
from .layers import innermost, wrapped
from .torchvisions import torchvision_weights
from .toy import BUILDERS

MODES = ("bilinear", "bicubic")
ATTRIBUTE = "preprocessing"  # of a module, where its `Preprocessing` lies


@dataclass(frozen=True)
class Preprocessing:
    """What a network expects of its images.

    size: pixels of the square the network was measured on. mean, std: taken out of values in 0..1, by channel.
    mode: how photographs are resized, "bilinear" or "bicubic". resize: pixels of the shorter side before the square
    of `size` is cut from the middle; None: the same as `size`, so nothing but the longer side's ends is cut off.

    Raises ValueError for sizes below 1, another mode, means outside 0..1, deviations that are not above 0, or not
    one for each mean; TypeError for sizes that are no whole numbers, and means or deviations that are no lists of
    numbers.
    """

    size: int = 224
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    mode: str = "bilinear"
    resize: int | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            given = getattr(self, name)
            try:
                if any(isinstance(part, str) for part in (given, *given)):
                    raise TypeError
                object.__setattr__(self, name, tuple(float(v) for v in given))
            except (TypeError, ValueError):
                raise TypeError(f"{name} must hold a number for each channel, such as {MEAN}; got {given!r}.") from None
        for name, value in (("size", self.size), ("resize", self.resize)):
            if value is None and name == "resize":
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} must be a whole number of pixels, of one side; got {value!r}.")
        if not self.mean or not all(0 <= m <= 1 for m in self.mean):
            raise ValueError(
                f"mean must hold a number in 0..1 for each channel, where white is 1 and not 255; got {self.mean}."
            )
        if len(self.mean) != len(self.std) or not all(0 < s < math.inf for s in self.std):
            raise ValueError(
                f"std must hold a number above 0 for each channel of mean; got mean {self.mean} and std {self.std}."
            )
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}; got {self.mode!r}.")
        if self.size < 1 or (self.resize is not None and self.resize < self.size):
            raise ValueError(f"size must be at least 1 and resize no less; got {self.size} and {self.resize}.")

    @property
    def interpolation(self) -> str:
        """Another name of `mode`."""
        return self.mode

    @property
    def crop(self) -> float:
        """The share of the shorter side that the square in the middle keeps, at most 1."""
        return self.size / (self.resize or self.size)


IMAGENET = Preprocessing()
LITE0 = Preprocessing(224, (127 / 255,) * 3, (128 / 255,) * 3, "bicubic", 256)


def preprocessing(network: str | nn.Module | Preprocessing) -> Preprocessing:
    """What a network wants its images to be.

    Args:
        network: a name that `load_model` knows; or a module, also inside `torch.compile`, `DataParallel` and
            their like, that `load_model` made, that is timm's, or whose `preprocessing` you have set.

    Returns:
        From torchvision's or timm's entry of the weights, or what the module carries. EfficientNet V2-L has a mean
        and a deviation of 0.5; Inception and GoogLeNet have ImageNet's, and change them to 0.5 inside.

    Raises:
        ValueError: an unknown name, with close ones; a module that does not say, with how to set it.
        TypeError: neither.

    Example:
        >>> import holicam as hc
        >>> hc.preprocessing("efficientnet_v2_l").mean
        (0.5, 0.5, 0.5)
        >>> hc.preprocessing(hc.load_model("toy-resnet50")).size
        224
    """
    if isinstance(network, Preprocessing):
        return network
    if isinstance(network, str):
        return _by_name(network)
    if not isinstance(network, nn.Module):
        raise TypeError(f"a network is a name or a torch.nn.Module; got {type(network).__name__}.")
    found = carried(network)
    if found is None:
        raise ValueError(
            f"This {type(innermost(network)).__name__} does not say how its images are normalised: set "
            "model.preprocessing = holicam.Preprocessing(size=224, mean=(…), std=(…)) as it was trained."
        )
    return found


def carried(model: nn.Module) -> Preprocessing | None:
    """What a module, or what it wraps, says of its images; None where it says nothing."""
    for module in wrapped(model):
        own = getattr(module, ATTRIBUTE, None)
        if isinstance(own, Preprocessing):
            return own
    inner = innermost(model)
    entry = getattr(inner, "pretrained_cfg", None)
    if isinstance(entry, Mapping) and {"mean", "std", "input_size"} <= entry.keys():
        try:
            return _timm(entry)
        except (TypeError, ValueError):  # somebody's own entry, which says nothing that can be read
            return None
    return IMAGENET if isinstance(inner, tuple(BUILDERS[name] for name in BUILDERS)) else None


def carrying(model: nn.Module, name: str) -> nn.Module:
    """The model, which from now on says itself what the network of that name wants."""
    setattr(model, ATTRIBUTE, _by_name(name))
    return model


def _by_name(name: str) -> Preprocessing:
    if name in BUILDERS:
        return IMAGENET
    if name == lite0.NAME:
        return LITE0
    if name.startswith(timms.PREFIX):
        return _timm(vars(timms.config(name)))
    wanted = torchvision_weights(name).transforms()
    mean, std = tuple(wanted.mean), tuple(wanted.std)
    return Preprocessing(wanted.crop_size[0], mean, std, wanted.interpolation.value, wanted.resize_size[0])


def _timm(entry: Mapping[str, Any]) -> Preprocessing:
    """From timm's metadata. What it resizes with a finer filter is resized bicubically, and nothing is squeezed."""
    size = min(entry["input_size"][1:])
    resize = max(math.floor(size / (entry.get("crop_pct") or 1)), size)
    mode = "bilinear" if entry.get("interpolation") == "bilinear" else "bicubic"
    return Preprocessing(size, tuple(entry["mean"]), tuple(entry["std"]), mode, resize)
