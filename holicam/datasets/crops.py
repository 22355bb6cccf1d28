"""Pictures (H, W, 3) uint8: what counts as one, its middle, and another size."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def check_rgb(rgb: object, what: str = "a photograph") -> None:
    """Raise TypeError for what is no photograph: values from 0 to 1 would be taken for black."""
    got = type(rgb).__name__
    if isinstance(rgb, torch.Tensor):
        if rgb.dtype == torch.uint8 and rgb.dim() == 3 and rgb.shape[2] == 3 and 0 not in rgb.shape:
            return
        got = f"{tuple(rgb.shape)} {rgb.dtype}"
    raise TypeError(f"{what} must be a tensor (H, W, 3) uint8; got {got}")


def middle(rgb: torch.Tensor) -> torch.Tensor:
    """(H, W, 3) -> the square in the middle, for networks that take no other shape. Raises TypeError for others."""
    check_rgb(rgb)
    side = min(rgb.shape[:2])
    top, left = ((n - side) // 2 for n in rgb.shape[:2])
    return rgb[top : top + side, left : left + side].contiguous()


def resized(rgb: torch.Tensor, new: Sequence[int], mode: str) -> torch.Tensor:
    """(H, W, 3) -> (h, w, 3), smoothed where it shrinks; mode "bilinear" or "bicubic"."""
    planes = rgb.permute(2, 0, 1)[None].float()
    shrunk = torch.nn.functional.interpolate(planes, list(new), mode=mode, antialias=True)
    return shrunk[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous()
