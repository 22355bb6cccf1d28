"""Do maps depend on the class? Those of the class that is seen, beside those of three others.

The correlation of their pixels, of which a constant map has none:

    class-other       a class that follows from the picture's name
    class-runner-up   the second most probable
    class-least       the least probable: it is not in the picture

The maps have the picture's size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

import holicam as hc
from holicam.core.capture import Captured
from holicam.core.ops import size_of, upsample

from .made import Cell
from .worlds import World

FAST = hc.HolisticCAM(preset="fast")
FIRST = hc.HolisticCAM(scales=(1,), fsd=False)  # the map of which the wrap is made
MAPS = {
    "Grad-CAM": hc.GradCAM(),
    "Layer-CAM": hc.LayerCAM(),
    "CAMERAS": hc.CAMERAS(scales=FAST.scales),
    "Holistic-CAM": FAST,
}  # and "PGE", the channels weighted by enhanced positive gradients
OTHERS = ("other", "runner-up", "least")
METRICS = tuple(f"class-{name}" for name in OTHERS)


def asked(p: Tensor, name: str) -> dict[str, int]:
    """{"top": the most probable class, and one for each of OTHERS}. p: (K,) probabilities; name: the picture's."""
    order = p.argsort(descending=True, stable=True).tolist()
    others = sorted(order[1:])
    number = int.from_bytes(hashlib.sha256(f"other class/{name}".encode()).digest()[:8], "big")
    return {"top": order[0], "other": others[number % len(others)], "runner-up": order[1], "least": order[-1]}


def measured(world: World, x: Tensor, seen: Captured, asked: Mapping[str, int]) -> dict[Cell, float]:
    """x: (4, 3, H, W), the picture once for each class. seen: their pass at its own size."""
    maps = hc.explain_many(MAPS, world.model, x, list(world.stages), torch.tensor(list(asked.values())))
    maps["PGE"] = pge_maps(seen, size_of(x))
    return {
        (label, layer, f"class-{name}"): alike(M[:1], M[i : i + 1])
        for label, of in maps.items()
        for layer, M in of.items()
        for i, name in enumerate(asked)
        if name != "top"
    }


def pge_maps(seen: Captured, size: tuple[int, int]) -> dict[str, Tensor]:
    """{layer: (B, H, W)}: the channels weighted by enhanced positive gradients, and enlarged."""
    return {layer: upsample(hc.cam.weighted_sum(A, hc.cam.pge(A, seen.G[layer])), size) for layer, A in seen.A.items()}


def alike(one: Tensor, other: Tensor) -> float:
    """Pearson's correlation of the pixels of two maps (1, H, W); NaN where one of them is constant."""
    if hc.sanity.degenerate(one).any() or hc.sanity.degenerate(other).any():
        return float("nan")
    return float(hc.sanity.pearson(one.flatten(1), other.flatten(1)))
