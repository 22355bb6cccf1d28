r"""Many sizes of one image, and the fusion of what a layer answers to them.

    M = \sum_k mean_t up(W^t_k) * mean_t up(A^t_k)                    (Holistic-CAM, eqs. 10-12)

The means are taken apart and multiplied before the channels are summed, so M is not a sum of maps of single scales.
Upsampling all channels to H x W would take 2 C H W floats (0.8 GB for 2048). Here the output is cut into tiles, which
need few cells of each scale, as up(X) = R X R' with banded matrices. A tile takes the way of fewer operations:

- upsample A and W of a chunk of channels by two matrix products, multiply, sum; or
- Gram form: put the weights with which P cells make the tile's pixels into U. Then M = diag(U G U') with G = W'A, a
  P x P matrix summed over the channels at the layer's own resolution.

Seconds for layer4, 3, 2, 1 of a ResNet-50 at 8 scales, 224 x 224, one CPU thread: this 0.4, 0.8, 0.8, 0.8 with at most
60 MB; matrix products without tiles 1.5, 1.3, 1.1, 1.2; F.interpolate on chunks of channels 13, 9, 4, 2. The forwards
and backwards take 10 (layer4) and 18 (all four).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.guard import guarded
from ...core.hardware import moved
from ...core.ops import at_least_float32, upsample
from ...core.pyramid import pyramid, rescale, scale_sizes
from .weights import weighted_sum

__all__ = ["fuse", "pyramid", "rescale", "scale_sizes"]  # chapter 05 reads them side by side
_CELLS = 1 << 22  # elements of a temporary: 16 MB in float32
_PIXELS = 1 << 19  # pixels of all maps made at a time: 10 maps of 224 x 224


@guarded
def fuse(A: Sequence[Tensor], W: Sequence[Tensor], size: Sequence[int], keep: Tensor | None = None) -> Tensor:
    """The fused map of one layer, exact up to rounding and in bounded memory.

    Args:
        A, W: one tensor per scale, (B, C, h_t, w_t). Channel-wise weights (B or 1, C or 1, 1, 1)
            are welcome: a weighted sum of channels needs no upsampling of each.
        size: (H, W) of the map.
        keep: (B, T) bool, the scales that count for each image; None for all of them.

    Returns (B, H, W), float32 or float64, signed. Raises ValueError where A and W do not match.
    Holistic-CAM eqs. 10-12. Built in chapter 05.
    """
    if not len(A) or len(A) != len(W) or (keep is not None and keep.shape != (len(A[0]), len(A))):
        raise ValueError(
            f"A and W must hold one tensor per scale, and keep (B, scales) flags; got {len(A)} and {len(W)}"
        )
    A, W = [at_least_float32(a) for a in A], [at_least_float32(w) for w in W]
    flags = A[0].new_ones(len(A[0]), len(A)) if keep is None else keep.to(A[0])
    share = flags / flags.sum(1, keepdim=True)  # (B, T), the weights of the mean over scales
    share = share.T[:, :, None, None, None]  # (T, B, 1, 1, 1)
    if all(w.shape[-2:] == (1, 1) for w in W):
        mean = sum(s * w for s, w in zip(share, W, strict=True))  # (B, C or 1, 1, 1)
        return sum(s[:, 0] * upsample(weighted_sum(a, mean), size) for s, a in zip(share, A, strict=True))
    if any(a.shape != w.shape for a, w in zip(A, W, strict=True)):
        raise ValueError("W must have the shape of A at each scale, or be (B, C, 1, 1) at all")
    some = max(1, _PIXELS // (size[0] * size[1]))  # images at a time
    return torch.cat(
        [
            _tiles([a[i : i + some] for a in A], [w[i : i + some] for w in W], size, share[:, i : i + some])
            for i in range(0, len(A[0]), some)
        ]
    )


def _bands(n: int, N: int, like: Tensor) -> list[tuple[slice, Tensor]]:
    """Linear resize of n cells to N, cut in four: the cells a quarter needs, and its weights."""
    return (_cut if n * N <= 1 << 18 else _cut.__wrapped__)(n, N, like.dtype, like.device)


@lru_cache(maxsize=64)  # two axes, four layers, eight scales; at most 1 MB each
def _cut(n: int, N: int, dtype: torch.dtype, device: torch.device) -> list[tuple[slice, Tensor]]:
    with torch.inference_mode(False):  # the next call may differentiate
        R = F.interpolate(torch.eye(n, dtype=dtype)[None], N, mode="linear")[0].T  # (N, n)
        parts = [(part, part.any(0).nonzero()[:, 0].tolist()) for part in R.split(-(-N // 4))]
        return [(slice(used[0], used[-1] + 1), moved(part[:, used[0] : used[-1] + 1], device)) for part, used in parts]


def _tiles(A: list[Tensor], W: list[Tensor], size: Sequence[int], share: Tensor) -> Tensor:
    rows = zip(*(_bands(a.shape[2], size[0], a) for a in A), strict=True)
    cols = list(zip(*(_bands(a.shape[3], size[1], a) for a in A), strict=True))
    return torch.cat([torch.cat([_tile(A, W, y, x, share) for x in cols], 2) for y in rows], 1)


def _tile(A: list[Tensor], W: list[Tensor], rows: tuple, cols: tuple, share: Tensor) -> Tensor:
    """One tile (B, Y, X) from the cells that it needs of each scale."""
    A, W = (
        [s * t[:, :, y, x] for s, t, (y, _), (x, _) in zip(share, tensors, rows, cols, strict=True)]
        for tensors in (A, W)
    )
    R, Q = [r for _, r in rows], [q for _, q in cols]  # (Y, h_t), (X, w_t)
    c, Y, X = A[0].shape[1], len(R[0]), len(Q[0])
    cells, height = sum(a[0, 0].numel() for a in A), sum(a.shape[2] for a in A)
    # Multiplications of either form; the long products of the Gram form run twice as fast.
    gram = cells**2 * (c + Y * X) < 2 * 2 * c * X * (cells + Y * height)
    return (_gram if gram else _direct)(A, W, R, Q)


def _gram(A: list[Tensor], W: list[Tensor], R: list[Tensor], Q: list[Tensor]) -> Tensor:
    a, w = (torch.cat([t.flatten(2) for t in tensors], 2) for tensors in (A, W))  # (B, C, P)
    G = w.transpose(1, 2) @ a  # (B, P, P)
    Y, X = len(R[0]), len(Q[0])
    step, out = max(1, _CELLS // (len(G) * X * G.shape[1])), []
    for first in range(0, Y, step):  # U of some of the tile's rows: whole it would outgrow G
        U = torch.cat(
            [(r[first : first + step, None, :, None] * q[:, None, :]).flatten(2) for r, q in zip(R, Q, strict=True)], 2
        ).flatten(0, 1)  # (some X, P)
        out.append((U @ G).mul_(U).sum(2))
    return torch.cat(out, 1).unflatten(1, (Y, X))


def _direct(A: list[Tensor], W: list[Tensor], R: list[Tensor], Q: list[Tensor]) -> Tensor:
    (b, c), tall = A[0].shape[:2], torch.cat(R, 1)  # (Y, h_1 + ... + h_T)
    step = max(1, _CELLS // (b * len(Q[0]) * sum(tall.shape)))
    out = A[0].new_zeros(b, len(tall), len(Q[0]))
    for first in range(0, c, step):
        k = slice(first, first + step)
        up_A, up_W = (
            tall @ torch.cat([t[:, k] @ q.T for t, q in zip(tensors, Q, strict=True)], 2) for tensors in (A, W)
        )  # (B, some, Y, X)
        out = out + up_A.mul_(up_W).sum(1)
    return out
