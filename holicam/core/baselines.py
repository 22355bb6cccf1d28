"""What a removed pixel shows instead of itself.

A baseline is a frozen dataclass, called with images (B, C, H, W), which returns images of that
shape; its `repr` is part of a protocol's. It works on normalised images and needs no mean or deviation: a
zero there is the mean colour that the network takes out (ImageNet's for most), not black. Kernel sizes are
pixels of the images as they are given.

Two papers that both print "Gaussian blur, 11 x 11, sigma 5" do not mean the same picture: see
`GaussianBlur` and `RiseBlur`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from .bands import filtered, gaussian
from .hardware import widest


def baseline_of(baseline: Callable[[Tensor], Tensor], images: Tensor, name: str = "baseline") -> Tensor:
    """What a baseline, perhaps one's own, makes of images (B, C, H, W); they stay as they are. Raises ValueError."""
    found = baseline(images.clone())  # it may work in place
    if not isinstance(found, Tensor) or found.shape != images.shape:
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"{name} must return images of the shape {tuple(images.shape)}; got {got}")
    return found.to(images)


@dataclass(frozen=True)
class Zeros:
    """Zero in normalised space: the mean colour of the training set. Built in chapter 14."""

    def __call__(self, images: Tensor) -> Tensor:
        return torch.zeros_like(images)


@dataclass(frozen=True)
class Constant:
    """One value per channel, in normalised space; (0.5, 0.5, 0.5) is Poly-CAM's "grey".

    Which colour that is depends on the network's mean and deviation: with ImageNet's a light grey, with 0.5 and 0.5
    a lighter one.
    """

    values: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        given = self.values if isinstance(self.values, Iterable) and not isinstance(self.values, str) else ()
        if not (given := tuple(given)) or not all(isinstance(value, Real) for value in given):
            raise ValueError(f"values must hold one number for each channel, such as (0, 0, 0); got {self.values!r}")
        object.__setattr__(self, "values", given)  # a list could not be hashed

    def __call__(self, images: Tensor) -> Tensor:
        if len(self.values) != images.shape[1]:
            raise ValueError(
                f"values must hold one number for each of the {images.shape[1]} channels; got {self.values!r}"
            )
        return images.new_tensor(self.values)[:, None, None].expand_as(images).clone()


@dataclass(frozen=True)
class MeanColour:
    """Each image's own mean, channel by channel."""

    def __call__(self, images: Tensor) -> Tensor:
        return images.mean((2, 3), keepdim=True).expand_as(images).clone()


@dataclass(frozen=True)
class GaussianBlur:
    """A Gaussian cut off at the kernel and scaled to sum 1; borders mirrored (reflect-101).

    Equals torchvision's and kornia's. 11 x 11 with sigma 5 has a standard deviation of 2.9 pixels;
    51 x 51 with sigma 50 is nearly a box, 14.5 pixels. Built in chapter 14.
    """

    kernel: int = 11
    sigma: float = 5.0

    def __post_init__(self) -> None:
        _check(self.kernel, self.sigma)

    def __call__(self, images: Tensor) -> Tensor:
        return _blur(images, gaussian(self.kernel // 2, self.sigma), "reflect")


@dataclass(frozen=True)
class RiseBlur:
    """RISE's kernel: a Gaussian whose tails are folded back into the window, hence almost flat.

    Its authors filter a single dot of a kernel x kernel array with a Gaussian of four sigmas that
    mirrors at the array's borders, repeating the edge. The image is zero-padded: near its borders
    it fades to the mean colour. At 11 and 5 the centre weighs only 1.14 times a corner; cut off it
    would be 2.72.
    """

    kernel: int = 11
    sigma: float = 5.0

    def __post_init__(self) -> None:
        _check(self.kernel, self.sigma)

    def __call__(self, images: Tensor) -> Tensor:
        return _blur(images, self.weights(), "zeros")

    def weights(self) -> Tensor:
        """(kernel,) float64: the kernel along one axis."""
        k, reach = self.kernel, int(4 * self.sigma + 0.5)
        at = (k // 2 + torch.arange(-reach, reach + 1)) % (2 * k)
        at = torch.minimum(at, 2 * k - 1 - at)  # dcba|abcd|dcba
        tails = gaussian(reach, self.sigma)
        return torch.zeros(k, dtype=torch.float64).scatter_add_(0, at, tails)


Baseline = Zeros | Constant | MeanColour | GaussianBlur | RiseBlur


def _check(kernel: int, sigma: float) -> None:
    if isinstance(kernel, bool) or not isinstance(kernel, int) or kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel must be an odd number of pixels, such as 11; got {kernel!r}")
    if isinstance(sigma, bool) or not isinstance(sigma, (int, float)) or not sigma > 0:
        raise ValueError(f"sigma must be a positive number of pixels; got {sigma!r}")


def _blur(images: Tensor, weights: Tensor, border: str) -> Tensor:
    """In float64 where there is one: TF32 stays out."""
    return filtered(images.to(widest(images.device)), weights, border).to(images.dtype)
