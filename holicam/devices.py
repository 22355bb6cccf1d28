"""What devices differ in: waiting for copies, and what MPS lacks.

A copy from the CPU waits, unless told otherwise, until the device has done all that it was asked for
before. MPS has no float64 and no eigenvectors.
"""

from __future__ import annotations

import torch
from torch import Tensor


def moved(x: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of the CPU on a device, in `dtype` if given; the device is not waited for.

    Only where the copy is known to have left x before this returns. MPS may still be reading it.
    """
    return x.to(device, dtype or x.dtype, non_blocking=device.type in ("cuda", "meta"))


def widest(device: torch.device) -> torch.dtype:
    """float64, for sums that must be exact or far from float32's rounding; float32 on MPS."""
    return torch.float32 if device.type == "mps" else torch.float64


def eigenvectors(K: Tensor) -> Tensor:
    """Those of symmetric K (..., n, n), in the columns, by rising eigenvalue; by the CPU for MPS."""
    if K.device.type == "mps":
        return torch.linalg.eigh(K.cpu()).eigenvectors.to(K.device)
    return torch.linalg.eigh(K).eigenvectors
