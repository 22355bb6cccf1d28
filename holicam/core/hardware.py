"""What devices differ in: waiting for copies, and what MPS lacks.

A copy from the CPU waits, unless told otherwise, until the device has done all that it was asked for
before. MPS has no float64 and finds no eigenvectors: there the CPU does what needs them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

NARROW = {"mps"}  # kinds of devices without float64


def moved(x: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of the CPU on a device, in `dtype` if given; the device is not waited for.

    Only where the copy is known to have left x before this returns: MPS may still be reading it.
    """
    return x.to(device, dtype or x.dtype, non_blocking=device.type in ("cuda", "meta"))


def widest(device: torch.device) -> torch.dtype:
    """float64, for sums that must be exact or far from float32's rounding; float32 where there is none."""
    return torch.float32 if device.type in NARROW else torch.float64


def wide(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of tensors that works in float64; where there is none the CPU does it, and float32 returns."""

    @functools.wraps(function)
    def call(*tensors: Tensor, **options: object) -> Tensor:
        device = tensors[0].device
        if device.type not in NARROW:
            return function(*tensors, **options)
        return function(*(x.cpu() for x in tensors), **options).float().to(device)

    return call


def eigenvectors(K: Tensor) -> Tensor:
    """Those of symmetric K (..., n, n), in the columns, by rising eigenvalue."""
    if K.device.type in NARROW:
        return torch.linalg.eigh(K.cpu()).eigenvectors.to(K.device)
    return torch.linalg.eigh(K).eigenvectors
