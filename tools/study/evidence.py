"""Where the evidence of a map lies: the share of its positive part that is on the object, where the object is known.

Five weightings of one layer's channels, as chapter 04 compares them, and three steps of Holistic-CAM. Where the network
sees another class than the object's there is no value: nobody asked for the object.
"""

from __future__ import annotations

from torch import Tensor

import holicam as hc
from holicam.core.capture import Captured
from holicam.core.ops import size_of, upsample

from .classes import FIRST
from .made import Cell
from .worlds import Picture, World

WEIGHTS = {
    "none": hc.cam.activation_sum,
    "channel": hc.cam.grad_cam_pp,
    "PGE": hc.cam.pge,
    "ReLU(G)": hc.cam.layer_cam,
    "G": hc.cam.hires_cam,
}
WHOLE = hc.HolisticCAM()
KINDS = {
    "none": "the sum of the channels",
    "channel": "one weight a channel, as Grad-CAM++",
    "ReLU(G)": "positive gradients",
    "G": "gradients, the map cut at 0",
    "one scale": "first size of HolisticCAM()",
    "eight scales fused": "HolisticCAM(fsd=False)",
    "wrapped": "HolisticCAM()",
}


def measured(world: World, picture: Picture, seen: Captured, target: int) -> dict[Cell, float]:
    """seen: the pass at the picture's own size, whose first image is of the class that is seen, `target`."""
    size, found = size_of(picture.x), {}
    passes = list(hc.holistic.multi_scale(world.model, picture.x, list(world.stages), target, WHOLE.scales))
    one = FIRST.from_passes(passes[:1], size)
    fused = hc.HolisticCAM(fsd=False).from_passes(passes, size)
    for layer in world.stages:
        A, G = seen.A[layer][:1], seen.G[layer][:1]
        maps = {name: upsample(hc.cam.weighted_sum(A, W(A, G)).relu(), size) for name, W in WEIGHTS.items()}
        maps |= {"one scale": one[layer], "eight scales fused": fused[layer]}
        maps["wrapped"] = fused[layer] * WHOLE.wrap(one[layer])[-1]
        for name, M in maps.items():
            found[name, layer, "on-object"] = share(M, picture.mask) if target == picture.label else float("nan")
    return found


def share(M: Tensor, mask: Tensor) -> float:
    """Of the positive part of a map (1, H, W), what lies inside (H, W); NaN where there is none."""
    positive = M[0].clamp_min(0).double()
    total = positive.sum()
    return float((positive * mask).sum() / total) if total > 0 else float("nan")
