r"""What extremal perturbation is made of: images under many blurs, and masks that cannot be rough.

A mask value m in [0, 1] says how sharp a pixel is: images are blurred with several deviations, and
m chooses between them. A mask is held by few numbers p on a coarse grid; a pixel takes the largest
of its neighbours' values, softly, each weaker the farther away. Everything here is differentiable
in p and made on the images' device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...core.bands import filtered, gaussian


def blur(x: Tensor, sigma: float) -> Tensor:
    """x (..., H, W) under a Gaussian of `sigma` pixels, cut at 4 sigma, border pixels repeated."""
    return filtered(x, gaussian(-int(-4 * sigma // 1), max(sigma, 1e-12)), "replicate")


def blur_levels(images: Tensor, levels: int = 8, sigma: float = 20.0) -> Tensor:
    """(B, levels, 3, H, W): images blurred with `sigma` at level 0, in equal steps down to not."""
    return torch.stack([blur(images, sigma * (1 - k / (levels - 1))) for k in range(levels)], 1)


def blend(pyramid: Tensor, masks: Tensor) -> Tensor:
    """Masks (n, H, W) applied to pyramids (n, levels, 3, H, W): (n, 3, H, W).

    m = 1 is the image, m = 0 its strongest blur; between two levels it is linear in m.
    """
    at = masks * (pyramid.shape[1] - 1)
    low = at.detach().floor().clamp(0, pyramid.shape[1] - 2)
    index = low.long()[:, None, None].expand(-1, 1, *pyramid.shape[2:])
    below, above = pyramid.gather(1, index)[:, 0], pyramid.gather(1, index + 1)[:, 0]
    return torch.lerp(below, above, (at - low)[:, None])


class SoftMaximum(torch.autograd.Function):
    r"""\sum_k v_k softmax(coldness v)_k with v_k = weight_k near_k, one neighbour k after another.

    All v at once are 24 MB a mask at 224 pixels, several times over, and most of the time would go into moving them.
    weight (k, pixels), near (n, k, blocks) -> (n, pixels, blocks). No gradient reaches weight or coldness.
    """

    @staticmethod
    def forward(ctx: Any, near: Tensor, weight: Tensor, coldness: float) -> Tensor:
        top = torch.full_like(near[:, :1].expand(-1, weight.shape[1], -1), -torch.inf)
        for one, w in each(near, weight):
            torch.maximum(top, one * w, out=top)
        above, below = torch.zeros_like(top), torch.zeros_like(top)
        for one, w in each(near, weight):
            v = one * w
            share = (v - top).mul_(coldness).exp_()
            below += share
            above.addcmul_(v, share)
        found = above.div_(below)
        ctx.save_for_backward(near, weight, top, below, found)
        ctx.coldness = coldness
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        near, weight, top, below, found = ctx.saved_tensors
        scaled, to_near = gradient / below, torch.empty_like(near)
        for k, (one, w) in enumerate(each(near, weight)):
            v = one * w
            share = (v - top).mul_(ctx.coldness).exp_().mul_(scaled)
            slope = v.sub_(found).mul_(ctx.coldness).add_(1)  # of v softmax(coldness v), over softmax
            to_near[:, k] = share.mul_(slope).mul_(w).sum(1)
        return to_near, None, None


def each(near: Tensor, weight: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The neighbours, one after another: (n, 1, blocks) and (pixels, 1)."""
    for k in range(len(weight)):
        yield near[:, k : k + 1], weight[k, :, None]


class SmoothMasks:
    r"""Masks from parameters p on a grid: `masks(p)`, p (n, h, w) in [0, 1], gives the canvas.

        m(y) = \sum_i v_i softmax(coldness v)_i,  v_i = p_i exp(-2 max(0, |y - step i| / reach - 1/2)^2)

    over the parameters i up to ceil(reach / step) + 1 cells away, 0 beyond the grid. The canvas goes
    `reach` pixels beyond the outermost parameters; `crop` cuts the image's part out of it.

    Args: size (H, W) of the images; step, reach: whole pixels; like: the dtype and device wanted.
    Fong et al., "Extremal Perturbations and Smooth Masks", ICCV 2019. Built in chapter 12.
    """

    def __init__(self, size: tuple[int, int], step: int, reach: int, coldness: float, like: Tensor) -> None:
        self.size, self.reach, self.coldness = size, reach, coldness
        self.grid = tuple(-(-length // step) for length in size)
        self.radius = 1 - (-reach // step)
        self.pad = self.radius - (-reach // step)
        # The canvas as blocks of step x step pixels, one around each cell: the distance to a
        # neighbour depends on the place in the block alone. First pixel: a whole block before -reach.
        within = torch.arange(step, device=like.device)
        near = step * torch.arange(-self.radius, self.radius + 1, device=like.device)
        far = (within - near[:, None]).to(like).square()  # (2 radius + 1, step)
        z = (far[:, None, :, None] + far[None, :, None, :]).sqrt().flatten(0, 1) / reach
        self.weight = torch.exp(-2 * (z - 0.5).clamp_min(0).square()).flatten(1)  # (k neighbours, step step)
        self.step = step
        self.start = -reach % step
        self.canvas = tuple((cells - 1) * step + 2 * reach + 1 for cells in self.grid)

    def __call__(self, p: Tensor) -> Tensor:
        padded = F.pad(p[:, None], (self.pad,) * 4)
        near = F.unfold(padded, 2 * self.radius + 1)  # (n, k neighbours, blocks)
        down, right = (length - 2 * self.radius for length in padded.shape[-2:])
        blocks = SoftMaximum.apply(near, self.weight, self.coldness).unflatten(1, (self.step, self.step))
        blocks = blocks.unflatten(3, (down, right)).permute(0, 3, 1, 4, 2)  # (n, down, r, right, s)
        (height, width), at = self.canvas, self.start
        whole = blocks.flatten(1, 2).flatten(2, 3)
        return whole[:, at : at + height, at : at + width].clamp(0, 1)

    def crop(self, canvas: Tensor) -> Tensor:
        """The part (n, H, W) of a canvas that lies on the image."""
        (height, width), start = self.size, self.reach
        return canvas[:, start : start + height, start : start + width]
