"""Preprocessing by name. It moves accuracy by more than ten points, so it moves every score.

    std            short side 256 (Pillow), middle 224 x 224
    poly-cam       224 x 224, squashed, resized as a tensor without antialiasing
    ucag           224 x 224, squashed (Pillow)
    holistic-cam   224 x 224, squashed by OpenCV's INTER_LINEAR, without antialiasing
    torchray       short side 224, aspect kept, as a tensor; Caffe's means, no deviations
    as-is          the image's own size
    network        as the network was measured: short side, middle, interpolation (Pillow)

Image, boxes and masks go through one transform, so they stay together: the image bilinear, masks
by the nearest pixel's centre, boxes as numbers.

Mean and deviation belong to the network: `Preset.for_network` puts them in. Until then they are ImageNet's, and
"torchray" keeps its own, for the networks that were made with Caffe.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL.Image import Image, fromarray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

from ..models.preprocessing import Preprocessing
from ..toyland import MEAN, STD

KERNELS, DECODERS = ("pillow", "opencv", "tensor"), ("pillow", "opencv")
MOST = 2**26  # pixels that a picture may be enlarged to
CAFFE_MEAN = tuple(v / 255 for v in (123.68, 116.779, 103.939))


class Resize(v2.Transform):
    """To (size, size) where `squash`, else the short side to `size`.

    kernel: "pillow" and "opencv" take Pillow's images, "tensor" takes tensors. mode: "bilinear" or "bicubic".
    """

    def __init__(self, size: int, squash: bool, kernel: str, mode: str = "bilinear") -> None:
        super().__init__()
        self.size, self.squash, self.kernel, self.mode = size, squash, kernel, mode

    def make_params(self, flat_inputs: list) -> dict:
        height, width = v2.functional.get_size(next(x for x in flat_inputs if not _is_truth(x)))
        if self.squash:
            return {"to": [self.size, self.size]}
        short = min(height, width)  # the long side is cut off to a whole number, as torchvision does
        to = [int(self.size * side / short) for side in (height, width)]
        if to[0] * to[1] > max(MOST, height * width):
            raise ValueError(
                f"a picture of {width} x {height} pixels would become one of {to[1]} x {to[0]}: choose a "
                "preset that squashes, or leave it as it is"
            )
        return {"to": to}

    def transform(self, inpt, params: dict):
        to = params["to"]
        if isinstance(inpt, tv_tensors.Mask):
            if not len(inpt):
                return tv_tensors.Mask(inpt.new_zeros(0, *to))
            return tv_tensors.Mask(F.interpolate(inpt.as_subclass(Tensor)[None], to, mode="nearest-exact")[0])
        if self.kernel == "opencv" and isinstance(inpt, Image):
            import cv2

            return fromarray(cv2.resize(np.asarray(inpt), to[::-1], interpolation=cv2.INTER_LINEAR))
        mode = InterpolationMode(self.mode)
        return v2.functional.resize(inpt, to, interpolation=mode, antialias=self.kernel == "pillow")


def _is_truth(x: object) -> bool:
    return isinstance(x, (tv_tensors.Mask, tv_tensors.BoundingBoxes))


@dataclass(frozen=True)
class Preset:
    """How a picture becomes what a network sees; the fields are the table above.

    size: of the square, or of the short side; None leaves the picture as large as it is. crop: the
    short side goes to 256/224 of `size`, then the middle is taken. kernel: who resizes, "pillow", "opencv" or
    "tensor". decoder: who reads the file, "pillow" or "opencv". mean, std: of values in 0..1. wants: what the
    network wants that it was made for, whose sizes and interpolation "network" follows.

    Raises ValueError for other kernels and decoders, a size below 1, a crop without a size, means and deviations
    that `Preprocessing` refuses; TypeError for a size that is no whole number.
    """

    name: str
    size: int | None = 224
    squash: bool = True
    crop: bool = False
    kernel: str = "pillow"
    decoder: str = "pillow"
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    wants: Preprocessing | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, known in (("kernel", KERNELS), ("decoder", DECODERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {getattr(self, name)!r}")
        if self.crop and self.size is None:
            raise ValueError("a preset that crops needs a size, that of the square in the middle; got None")
        scale = Preprocessing(224 if self.size is None else self.size, self.mean, self.std)  # says what is wrong
        if len(scale.mean) not in (1, 3):
            raise ValueError(f"pictures are RGB, so mean and std must hold 3 numbers, or 1 for all; got {scale.mean}")
        object.__setattr__(self, "mean", scale.mean)  # as tuples, which `for_network` compares
        object.__setattr__(self, "std", scale.std)

    def for_network(self, wanted: Preprocessing) -> Preset:
        """The same for a network: with its mean and deviation, unless the preset states others than ImageNet's."""
        if self.wants is None and (self.mean, self.std) != (MEAN, STD):
            return self
        size = wanted.size if self.name == "network" else self.size
        return replace(self, size=size, mean=wanted.mean, std=wanted.std, wants=wanted)

    def check(self) -> None:
        """Raises ValueError for the preset "network" without one."""
        if self.name == "network" and self.wants is None:
            raise ValueError('the preset "network" needs one: call `for_network` of the data set with a network first')

    def transform(self) -> v2.Compose:
        """The transform of a dict of image (Pillow's, RGB), boxes and masks (tv_tensors)."""
        steps = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]  # the image alone becomes float
        if self.size is not None:
            size = round(self.size * 256 / 224) if self.crop else self.size
            resize = Resize(size, self.squash, self.kernel)
            if self.name == "network" and self.wants is not None:
                resize = Resize(self.wants.resize or self.wants.size, self.squash, self.kernel, self.wants.mode)
            steps.insert(2 if self.kernel == "tensor" else 0, resize)
        if self.crop:
            steps.insert(1, v2.CenterCrop(self.size))
        return v2.Compose([*steps, v2.Normalize(self.mean, self.std)])


presets: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("std", squash=False, crop=True),
        Preset("poly-cam", kernel="tensor"),
        Preset("ucag"),
        Preset("holistic-cam", kernel="opencv", decoder="opencv"),
        Preset("torchray", squash=False, kernel="tensor", mean=CAFFE_MEAN, std=(1 / 255,) * 3),
        Preset("as-is", size=None),
        Preset("network", squash=False, crop=True),
    )
}


def preset_of(preset: str | Preset, size: int | None = None) -> Preset:
    """A preset by name, or as given; `size` replaces its 224 (299 for Inception). Raises ValueError, TypeError."""
    if isinstance(preset, str):
        if preset not in presets:
            raise ValueError(f"there is no preprocessing {preset!r}; there are {', '.join(presets)}")
        preset = presets[preset]
    if not isinstance(preset, Preset):
        raise TypeError(f"preset must be a name, one of {', '.join(presets)}, or a Preset; got {preset!r}"[:300])
    return preset if size is None else replace(preset, size=size)


def apply(
    preset: Preset, image: Image, boxes: Tensor, masks: Tensor | None
) -> tuple[Tensor, Tensor, tv_tensors.Mask | None]:
    """Image, boxes (n, 4) and masks (t, H, W) through one transform; boxes are cut to the picture."""
    width, height = image.size
    together = {"image": image, "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(height, width))}
    if masks is not None:
        together["masks"] = tv_tensors.Mask(masks)
    done = preset.transform()(together)
    seen = done["image"].as_subclass(Tensor)
    height, width = seen.shape[-2:]
    limits = torch.tensor([width, height, width, height], dtype=torch.float32)
    boxes = torch.minimum(done["boxes"].as_subclass(Tensor).clamp(min=0), limits)
    return seen, boxes, done.get("masks")
