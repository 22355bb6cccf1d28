"""Noisy linear imputation: a removed pixel becomes the mean of its neighbours, all at once.

Let R be the removed pixels and w weigh a pixel's neighbours, 1/6 along an edge and 1/12 along a
diagonal. A removed pixel shall be the weighted mean of those of its neighbours that the image has,

    sum_j w_ij (u_i - u_j) = 0   for i in R,    u_j = x_j   for j not in R,

one sparse symmetric system A u = b per image and channel (ROAD, Rong et al., ICML 2022). Nothing
is assembled here: A is two shifts along each axis, and conjugate gradients need no more than A u.

Plain conjugate gradients carry news one pixel an iteration, so a hole 200 pixels wide takes
hundreds. Here the residual is also summed onto grids 2 to 16 times coarser and corrected
there, at places whose whole reach was removed (Bramble, Pasciak and Xu, 1990): at 224 pixels
60 iterations instead of 535 for a wide ring, and no more than before for scattered pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.hardware import moved
from ..core.ops import at_least_float32

EVERY, FARTHER = 4, 16  # iterations between looks at the residual, on a CPU and where a look waits for the device
COARSEST = 4  # halvings of the grid at most; 224 pixels become 14


def impute(images: Tensor, removed: Tensor, *, tolerance: float = 1e-6, most: int = 800) -> Tensor:
    """Images with their removed pixels filled in, without the noise. Built in chapter 15.

    Args:
        images: (n, C, H, W).
        removed: (n, H, W) bool, the same pixels in all channels.
        tolerance: the largest ||b - A u|| / ||b|| that a channel may keep.
        most: iterations.

    Returns:
        (n, C, H, W) in the images' dtype; the other pixels are untouched. An image of which nothing is left
        becomes its channels' means.

    Raises:
        ValueError: `removed` is not bool or of another size.

    Example:
        >>> import torch, holicam as hc
        >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5)
        >>> hole = torch.zeros(1, 5, 5, dtype=torch.bool)
        >>> hole[0, 2, 2] = True
        >>> round(hc.metrics.impute(ramp, hole)[0, 0, 2, 2].item(), 4)
        2.0
    """
    if not isinstance(images, Tensor) or images.dim() != 4:
        raise ValueError(f"images must be a tensor (B, C, H, W); got {images!r}")
    if (
        not isinstance(removed, Tensor)
        or removed.dtype != torch.bool
        or (removed.shape != (len(images), *images.shape[-2:]))
    ):
        got = (tuple(removed.shape), removed.dtype) if isinstance(removed, Tensor) else removed
        raise ValueError(
            f"removed must be bool, one (H, W) per image, for images of shape {tuple(images.shape)}; got {got}"
        )
    if not len(images):
        return images
    centre = at_least_float32(images).mean((2, 3), keepdim=True)
    x = at_least_float32(images) - centre  # what is left of nothing is then 0: the mean
    filled = _solve(x, removed[:, None], tolerance, most) + centre
    return torch.where(removed[:, None], filled.to(images.dtype), images)


def _solve(x: Tensor, removed: Tensor, tolerance: float, most: int) -> Tensor:
    """Conjugate gradients on (n, C, H, W); images whose channels have all arrived leave."""
    height, width = x.shape[-2:]
    halvings = min(COARSEST, max(min(height, width).bit_length() - 2, 0))
    cell = 1 << halvings
    pad = (0, -width % cell, 0, -height % cell)  # the margin is neither removed nor kept
    hole = F.pad(removed.to(x), pad)  # (n, 1, H', W')
    kept = F.pad((~removed).to(x), pad)
    degree = around(F.pad(torch.ones_like(x[:1, :1]), pad))  # less at the border: weights drop out
    degree.clamp_(min=1e-9)  # far out in the margin, where nothing is ever removed
    rest = hole * around(kept * F.pad(x, pad))  # b, and the residual of u = 0
    grids = coarse_places(kept, halvings)
    goal = tolerance**2 * _dot(rest, rest)
    out, active = torch.zeros_like(rest), torch.arange(len(x), device=x.device)
    u, step, before = out.clone(), torch.zeros_like(rest), torch.ones_like(goal)
    every = EVERY if x.device.type == "cpu" else FARTHER
    for number in range(most + 1):
        if number % every == 0 or number == most:
            on = (_dot(rest, rest) > goal).any(1).flatten().cpu()  # (active,)
            if number == most or not bool(on.all()):
                out[active] = u
                if number == most or not bool(on.any()):
                    break
                on = moved(on.nonzero()[:, 0], x.device)
                active, u, rest, step, hole = active[on], u[on], rest[on], step[on], hole[on]
                before, goal, grids = before[on], goal[on], [grid[on] for grid in grids]
        better = _from_coarse(rest, grids).addcdiv(rest, degree).mul_(hole)
        now = _dot(rest, better)
        step = better.addcmul_(now / before, step)
        pushed = around(step).neg_().addcmul_(degree, step).mul_(hole)  # A step
        length = torch.where(now > 0, now / _dot(step, pushed), torch.zeros_like(now))
        u.addcmul_(length, step)
        rest.addcmul_(length, pushed, value=-1)
        before = torch.where(now > 0, now, torch.ones_like(now))
    return out[..., :height, :width]


def around(u: Tensor) -> Tensor:
    """(..., H, W): the weighted sum over the eight neighbours, with zeros beyond the border.

    The weights 1 2 1 / 2 0 2 / 1 2 1, over 12, are those of 1 2 1 along both axes less the middle.
    """
    rows = 2 * u
    rows[..., 1:, :] += u[..., :-1, :]
    rows[..., :-1, :] += u[..., 1:, :]
    both = 2 * rows
    both[..., 1:] += rows[..., :-1]
    both[..., :-1] += rows[..., 1:]
    return both.sub_(u, alpha=4).div_(12)


def coarse_places(kept: Tensor, halvings: int) -> list[Tensor]:
    """Per grid, finest first, 1 at the places whose whole reach was removed; (n, 1, h, w) each."""
    grids = []
    for _ in range(halvings):
        kept = _halve(kept)
        grids.append((kept == 0).to(kept))
    some = torch.stack([grid.any() for grid in grids]).tolist() if grids else []
    return grids[: sum(some)]  # where a grid has none, no coarser one has any either


def _from_coarse(rest: Tensor, grids: list[Tensor]) -> Tensor:
    """The residual summed onto every coarser grid, and brought back: (n, C, H, W)."""
    sums = []
    for grid in grids:
        rest = _halve(rest)
        sums.append(rest * grid)
    back = torch.zeros_like(rest[..., :1, :1])
    for number, place in enumerate(reversed(sums)):
        back = _double(place if number == 0 else place + back)
    return back


def _halve(u: Tensor) -> Tensor:
    """(..., H, W) -> (..., H / 2, W / 2): sums with weights 1 3 3 1, over 4, along both axes."""
    for axis in (-2, -1):
        left, right = u.unflatten(axis, (-1, 2)).unbind(axis)
        half = 0.75 * (left + right)
        size = half.shape[axis]
        half.narrow(axis, 1, size - 1).add_(right.narrow(axis, 0, size - 1), alpha=0.25)
        half.narrow(axis, 0, size - 1).add_(left.narrow(axis, 1, size - 1), alpha=0.25)
        u = half
    return u


def _double(u: Tensor) -> Tensor:
    """The transpose of `_halve`: each place goes out with weights 1 3 3 1, over 4."""
    for axis in (-1, -2):
        left, right, size = 0.75 * u, 0.75 * u, u.shape[axis]
        right.narrow(axis, 0, size - 1).add_(u.narrow(axis, 1, size - 1), alpha=0.25)
        left.narrow(axis, 1, size - 1).add_(u.narrow(axis, 0, size - 1), alpha=0.25)
        u = torch.stack([left, right], axis).flatten(axis - 1, axis)
    return u


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(n, C, 1, 1): one product a channel."""
    return (a * b).sum((2, 3), keepdim=True)
