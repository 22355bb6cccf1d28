"""How sure a network stays of a picture that is enlarged: the probability of the class it saw, and its rank."""

from __future__ import annotations

import torch
from torch import Tensor

import holicam as hc

from .made import Cell
from .worlds import World

SCALES = hc.holistic.REFERENCE_SCALES[:5]
SAID = tuple(f"{scale:.5g}" for scale in SCALES)  # 1, 1.4464, ..., 2.7857
METRICS = tuple(f"{word}-{said}" for word in ("confidence", "kept") for said in SAID)


@torch.no_grad()
def measured(world: World, x: Tensor, target: int) -> dict[Cell, float]:
    """x: (1, 3, H, W); target: the class seen in it. The sizes are those of Holistic-CAM, as chapter 05 asks them."""
    found: dict[Cell, float] = {}
    for said, larger in zip(SAID, hc.fusion.pyramid(x, SCALES), strict=True):
        p = world.model(larger).softmax(1)[0]
        found["network", "", f"confidence-{said}"] = float(p[target])
        found["network", "", f"kept-{said}"] = float(p.argmax() == target)
    return found
