"""What a network wants its images to be: size, mean and deviation, as its weights were trained."""

from __future__ import annotations

from dataclasses import dataclass

from ..toyland import MEAN, STD
from . import torchvision_weights
from .toy import BUILDERS


@dataclass(frozen=True)
class Preprocessing:
    """What a network expects of its images.

    size: pixels of the square the network was measured on. mean, std: taken out of values in 0..1, by channel.
    mode: how photographs are resized to it, "bilinear" or "bicubic".
    """

    size: int = 224
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    mode: str = "bilinear"


IMAGENET = Preprocessing()


def preprocessing(name: str) -> Preprocessing:
    """What a network that `load_model` knows wants: from torchvision's entry of its weights, or Toyland's.

    EfficientNet V2-L has a mean and a deviation of 0.5. Inception and GoogLeNet have ImageNet's, and change them to
    0.5 inside. Raises ValueError for an unknown name.
    """
    if name in BUILDERS:
        return IMAGENET
    wanted = torchvision_weights(name).transforms()
    return Preprocessing(wanted.crop_size[0], tuple(wanted.mean), tuple(wanted.std), wanted.interpolation.value)
