"""The waves of the map that becomes Holistic-CAM's wrap: what is fine in it before and after clip, median and mean.

What is fine is the share of the power above four cycles per image:

    fine-before, fine-clip, fine-median, fine-mean    one after the other, as the wrap runs them
    fine-median-alone, fine-mean-alone                each on the map as it was, as chapter 06 prints them
    area-clip, area-median                            the share of the map above one half before and after the median

The map is stretched to [0, 1] before and after the clip, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

import holicam as hc
from holicam.core.capture import Captured
from holicam.core.ops import normalise, size_of

from .classes import FIRST
from .made import Cell
from .worlds import World

MEDIAN, MEAN = 51, 91  # pixels
COARSE = 4  # cycles per image; what is above is fine
METRICS = (
    *(f"fine-{step}" for step in ("before", "clip", "median", "mean", "median-alone", "mean-alone")),
    "area-clip",
    "area-median",
)


def measured(world: World, seen: Captured, x: Tensor) -> dict[Cell, float]:
    """seen: the pass at the picture's own size, whose first image is of the class that is seen. x: (1, 3, H, W)."""
    maps = FIRST.from_passes([seen], size_of(x))
    return {
        ("Holistic-CAM", layer, metric): value for layer in world.stages for metric, value in of_map(maps[layer][:1])
    }


def of_map(M: Tensor) -> Iterator[tuple[str, float]]:
    """(metric, value) of a map (1, H, W) that has not been filtered."""
    stages = hc.lowpass.low_pass_stages
    clip, median, mean = stages(M, MEDIAN, MEAN, True, False)
    alone = {
        "before": normalise(M),
        "median-alone": stages(M, MEDIAN, 0, False, False)[1],
        "mean-alone": stages(M, 0, MEAN, False, False)[2],
    }
    for step, maps in {**alone, "clip": clip, "median": median, "mean": mean}.items():
        yield f"fine-{step}", fine(maps)
    for step, maps in {"clip": clip, "median": median}.items():
        yield f"area-{step}", float((maps > 0.5).float().mean())


def fine(maps: Tensor) -> float:
    """The share of a map's power above four cycles per image; NaN for a constant map.

    maps: (1, H, W). Its mean is taken out and its border faded, so that neither counts. Built in chapter 06.
    """
    side = maps.shape[-1]
    x = maps.double() - maps.double().mean((1, 2), keepdim=True)
    fade = torch.hann_window(side, periodic=False, dtype=torch.float64)
    wave = torch.fft.fftfreq(side, dtype=torch.float64) * side  # cycles per image
    ring = (wave[:, None] ** 2 + wave**2).sqrt().round()  # (H, W)
    power = torch.fft.fft2(x * fade * fade[:, None]).abs()[0] ** 2
    whole = power[ring > 0].sum()
    return float(power[ring > COARSE].sum() / whole) if whole > 0 else float("nan")
