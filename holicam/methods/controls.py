"""Maps that know nothing of the network: what an explanation has to beat, and the one it cannot.

None of them runs the network. They are called like any explainer, so that every metric, wrapper and
table takes them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.edges import sobel
from ..core.explainer import Call, InputExplainer
from ..core.hardware import moved
from ..core.ops import at_least_float32
from ..core.options import Seed
from ..models.preprocessing import IMAGENET, carried


@dataclass(frozen=True, kw_only=True)
class RandomMap(InputExplainer):
    """Each pixel a number drawn evenly from [0, 1): the same map for every image of a size.

    A map that knows nothing. Built in chapter 10.

    Args:
        seed: the map follows from it alone, not from device, batch or target.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.RandomMap(seed=1)(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    seed: Seed = 0

    def maps(self, call: Call) -> Tensor:
        images = call.images
        generator = torch.Generator().manual_seed(self.seed)
        one = torch.rand(*images.shape[2:], generator=generator, dtype=torch.float32, device="cpu")  # (H, W)
        return moved(one, images.device, at_least_float32(images[:0]).dtype).repeat(len(images), 1, 1)


@dataclass(frozen=True, kw_only=True)
class CenterMap(InputExplainer):
    """Minus the distance in pixels to the middle of the image, ((H - 1) / 2, (W - 1) / 2).

    The "Center" row of UCAG's Table 2: photographers put things in the middle, and a map that bets
    on this alone finds many. Built in chapter 10.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.CenterMap()(model, batch.images)[0, 0, :3]
        tensor([-21.9203, -21.2250, -20.5548])
    """

    def maps(self, call: Call) -> Tensor:
        images = call.images
        like = at_least_float32(images)
        y, x = (torch.arange(n, device=like.device, dtype=like.dtype) - (n - 1) / 2 for n in like.shape[2:])
        away = (y[:, None].square() + x.square()).sqrt()  # (H, W)
        return -away.repeat(len(images), 1, 1)


@dataclass(frozen=True, kw_only=True)
class SobelMap(InputExplainer):
    r"""How fast the luminance changes: sqrt(L_x^2 + L_y^2) with Sobel's 3 x 3 differences.

    L = 0.299 R + 0.587 G + 0.114 B of the image before it was normalised, from 0 to 1; of images that
    have not three channels, their mean as they are. The network says by what they were divided; one that does not
    (`models.preprocessing`) is taken for one with ImageNet's deviations, see `core.edges`. The change is that of a
    pixel, borders are repeated. An edge detector looks like many explanations and explains nothing. Adebayo et al.,
    "Sanity Checks for Saliency Maps", NeurIPS 2018. Built in chapter 10.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.SobelMap()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    def maps(self, call: Call) -> Tensor:
        return sobel(call.images, (carried(call.model) or IMAGENET).std)


@dataclass(frozen=True, eq=False, kw_only=True)
class GroundTruth(InputExplainer):
    """The object itself: 1 inside, 0 outside. The best map for localisation, not for the network.

    Built in chapter 10.

    Args:
        masks: (B, H, W), bool or numbers, one for each image of the call; may be given without its name.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.GroundTruth(batch.object_mask)(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    masks: Tensor | None = field(default=None, repr=False, kw_only=False)

    def maps(self, call: Call) -> Tensor:
        images = call.images
        wanted = len(images), *images.shape[2:]
        if not isinstance(self.masks, Tensor) or tuple(self.masks.shape) != wanted:
            got = tuple(self.masks.shape) if isinstance(self.masks, Tensor) else self.masks
            raise ValueError(
                f"GroundTruth must be given the true masks of these images, "
                f"GroundTruth(masks) with masks of shape {wanted}; got {got!r}"
            )
        return self.masks.to(at_least_float32(images))
