"""The low-pass wrap: clip, median, mean (Holistic-CAM, eqs. 13-15).

A box sum is R X R' with banded matrices that also carry the border rule. So the mean is two matrix products; and the
median counts, for rising thresholds t, the pixels of each window at or below t: the first that reaches half is it.

Measured on one 224 x 224 map, one CPU thread. Median 51 in bytes: OpenCV 1.5 ms, box counts 0.2 s; in floats, all
exact: OpenCV on the digits of ranks 0.1-0.35 s, box counts 0.4-0.9 s, kthvalue of the unfolded windows 2.5-3.6 s.
Mean 91: OpenCV 0.1 ms, here 0.9 ms, not worth a second road.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.bands import band, filtered
from ...core.floats import extent
from ...core.guard import guarded
from ...core.hardware import widest
from ...core.ops import at_least_float32, normalise, one_of

_CELLS = 1 << 23  # elements of the largest temporary: 32 MB in float32
_BASE = 254  # digits 1..254, with 0 for below and 255 for above


def _check(name: str, k: int, maps: Tensor | None = None) -> None:
    if type(k) is not int or k < 1 or k % 2 == 0:
        raise ValueError(f"{name} must be an odd number of pixels, such as 51; got {k!r}")
    if maps is None:
        return
    if maps.dim() != 3 or 0 in maps.shape:
        raise ValueError(f"maps must be (B, H, W), none of them 0; got {tuple(maps.shape)}")
    if maps.dtype != torch.uint8 and not maps.is_floating_point():
        raise TypeError(f"maps must be floating or uint8; got {maps.dtype}")


def box_blur(maps: Tensor, k: int) -> Tensor:
    """Mean over a k x k window; borders mirrored without repeating the edge (reflect-101).

    Args, returns and errors as for `median_blur`, but uint8 is rounded and equals cv2.blur. Holistic-CAM eq. 15. Built
    in chapter 06.
    """
    _check("mean", k, maps)
    work = widest(maps.device)  # sums of bytes are exact in float64, and TF32, which MPS lacks, stays out
    mean = filtered(maps.to(work), torch.ones(k, dtype=work, device=maps.device), "reflect") / k**2  # (B, H, W)
    return (mean if maps.is_floating_point() else mean.round()).to(maps.dtype)


def median_blur(maps: Tensor, k: int) -> Tensor:
    """Median over a k x k window; borders replicated. Exact, for bytes and for floats.

    Args: maps (B, H, W), uint8 or floating; k odd, which may exceed the map. Returns the same shape and type; uint8
    equals cv2.medianBlur bit for bit. Raises ValueError, TypeError. Holistic-CAM eq. 14. Built in chapter 06.
    """
    _check("median", k, maps)
    if maps.device.type == "cpu" and k <= 255:  # OpenCV counts in 16 bits
        return torch.stack([_median_opencv(m, k) for m in maps.detach()])
    if maps.dtype == torch.uint8:
        return _median_label(maps.long(), 256, k)[0].byte()
    return _median_ranked(maps, k)


def _counts(k: int, maps: Tensor) -> tuple[Tensor, Tensor]:
    """How often the window around row i holds row j, (H, H), and the same of columns; the ends are repeated."""
    ones = torch.ones(k, dtype=torch.float32, device=maps.device)
    return band(maps.shape[1], ones, "replicate"), band(maps.shape[2], ones, "replicate")


def _median_label(labels: Tensor, n: int, k: int) -> tuple[Tensor, Tensor]:
    """Median of labels 0..n-1 (B, H, W), and how many entries of each window lie below it."""
    rows, cols = _counts(k, labels)
    median, below = torch.zeros_like(labels), torch.zeros_like(labels, dtype=torch.float32)
    for t in torch.arange(n, device=labels.device).split(max(1, _CELLS // labels.numel())):
        under = (labels[:, None] <= t[:, None, None]).float()  # (B, t, H, W)
        count = rows @ under @ cols.T  # small whole numbers, exact in TF32 too
        short = count < (k * k + 1) // 2
        median += short.sum(1)
        below = torch.maximum(below, (count * short).amax(1))
    return median, below


def _median_ranked(maps: Tensor, k: int) -> Tensor:
    """Cut the sorted values into sqrt(N) buckets, find each window's bucket, then look inside."""
    (b, h, w), n, device = maps.shape, maps[0].numel(), maps.device
    values, order = maps.flatten(1).sort(dim=1)  # (B, N)
    size = int(n**0.5) + 1
    place = torch.arange(n, device=device)
    ranks = torch.empty_like(order).scatter_(1, order, place.expand(b, n))
    found = _median_label((ranks // size).view(b, h, w), -(-n // size), k)
    bucket, below = (x.flatten(1) for x in found)
    wanted = (k * k + 1) // 2 - below  # (B, N): which entry of the bucket is the median
    rows, cols = _counts(k, maps)
    out = torch.empty_like(values)
    for p in place.split(max(1, _CELLS // (4 * b * size))):
        entry = bucket[:, p, None] * size + place[:size]  # (B, p, size), in the order of values
        entry = entry.clamp_(max=n - 1)
        at = order.gather(1, entry.flatten(1)).view(entry.shape)
        times = rows[p[:, None] // w, at // w] * cols[p[:, None] % w, at % w]
        here = (times.cumsum(2) < wanted[:, p, None]).sum(2, keepdim=True)
        out[:, p] = values.gather(1, entry.gather(2, here)[..., 0])
    return out.view(b, h, w)


def _median_opencv(m: Tensor, k: int) -> Tensor:
    """One map on the CPU. OpenCV knows 256 levels: a float goes by the digits of its rank.

    A median commutes with rising functions, so the median of the leading digits is the leading digit of the median;
    where it is d, the next digit is the median of an image that reads 0 for ranks below d's and 255 for those above.
    """
    import cv2
    import numpy as np

    if m.dtype == torch.uint8:
        return torch.from_numpy(cv2.medianBlur(m.contiguous().numpy(), k))
    values, inverse = torch.unique(m, return_inverse=True)
    ranks, r, step = inverse.numpy(), k // 2, 1
    while step * _BASE < len(values):
        step *= _BASE
    out, jobs = np.zeros_like(ranks), [(0, step, np.ones(m.shape, bool))]
    while jobs:
        low, step, todo = jobs.pop()
        ys, xs = np.flatnonzero(todo.any(1)), np.flatnonzero(todo.any(0))
        part = np.s_[max(ys[0] - r, 0) : ys[-1] + r + 1, max(xs[0] - r, 0) : xs[-1] + r + 1]
        digit = ((ranks[part] - low) // step + 1).clip(0, _BASE + 1).astype(np.uint8)
        found = low + (cv2.medianBlur(digit, k).astype(ranks.dtype) - 1) * step
        out[part][todo[part]] = found[todo[part]]
        for v in np.unique(found[todo[part]]) if step > 1 else ():
            jobs.append((v, step // _BASE, todo & (out == v)))
    return values[torch.from_numpy(out)]


def kernel_size(k: int, size: tuple[int, int]) -> int:
    """The odd number nearest to k min(H, W) / 224, at least 1; 0 (off) stays 0.

    The shorter side decides for both axes: the window stays square, as in the paper and in OpenCV. Built in chapter 06.
    """
    return k and max(1, 2 * round((k * min(size) / 224 - 1) / 2) + 1)


def low_pass(maps: Tensor, median: int = 51, mean: int = 91, clip: bool | str = True, quantize: bool = False) -> Tensor:
    """The low-pass wrap of fundamental maps: soft masks of where the evidence lies.

    Args:
        maps: (B, H, W), floating.
        median, mean: odd kernel sizes in pixels; 0 leaves that filter out (eqs. 14, 15).
        clip: True stretches to [0, 1], cuts at one half and stretches again, which is eq. 13 up to
            an affine map; "raw" is eq. 13 on the values as they are; False only stretches.
        quantize: work in 256 levels, as 8-bit image libraries do.

    Returns (B, H, W), float32 or float64, in [0, 1] unless raw; ones for a constant map, which says
    nothing, NaN for one not finite. Raises ValueError. Holistic-CAM, section 3.3. Built in chapter 06.
    """
    return low_pass_stages(maps, median, mean, clip, quantize)[-1]


def check_options(median: int, mean: int, clip: bool | str, quantize: bool) -> None:
    """Raise ValueError where these are not options of `low_pass`."""
    one_of("clip", clip, (True, False, "raw"))
    if quantize and clip == "raw":
        raise ValueError("quantize needs maps in [0, 1], so it does not go with clip='raw'")
    for name, k in (("median", median), ("mean", mean)):
        if k is False or k != 0:
            _check(name, k)


@guarded
def low_pass_stages(
    maps: Tensor, median: int, mean: int, clip: bool | str, quantize: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """What `low_pass` gives after clip, median and mean: three maps (B, H, W)."""
    check_options(median, mean, clip, quantize)
    maps = at_least_float32(maps)
    low, span = extent(maps, keepdim=True)
    if clip == "raw":
        clipped = torch.minimum(maps, (low + maps.amax((-2, -1), keepdim=True)) / 2)
    else:
        clipped = normalise(normalise(maps).clamp(max=0.5)) if clip else normalise(maps)
    clipped = (clipped * 255).round().byte() if quantize else clipped
    middle = median_blur(clipped, median) if median else clipped
    smooth = box_blur(middle, mean) if mean else middle
    known = span.isfinite()  # bytes know no NaN

    def done(x: Tensor) -> Tensor:
        x = x.to(maps.dtype) / 255 if quantize else x
        return torch.where(known, torch.where(span == 0, 1, x), torch.nan)

    return done(clipped), done(middle), done(smooth)
