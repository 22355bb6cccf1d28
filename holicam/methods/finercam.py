r"""Finer-CAM: what tells a class from those most like it, by any explainer that takes a callable target.

    s = y_c - gamma mean_d y_d,    d the classes whose scores lie next to y_c

takes the place of y_c. What a class shares with its neighbours falls out of s, and of the map. Zhang et al.,
"Finer-CAM: Spotting the Difference Reveals Finer Details for Visual Explanation", CVPR 2025.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from ..core.explainer import Call, Result
from ..core.nearest import nearest_classes
from ..core.options import Count, NotNegative, among
from ..core.targets import PerImage
from .any_explainer import Wrapper, ask
from .cams.gradcam import GradCAM

# How the differences y_c - gamma y_d (n, D) are joined, given all scores y (n, K) and the classes d (n, D).
JOINS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mean": lambda differences, y, d: differences.mean(1),
    "softmax": lambda differences, y, d: (
        (differences * y.softmax(1).gather(1, d)).sum(1) / (y.softmax(1).gather(1, d).sum(1) + 1e-9)
    ),
}


@dataclass(frozen=True, kw_only=True)
class FinerCAM(Wrapper):
    r"""Finer-CAM around any explainer: y_c - \gamma mean_d y_d is explained in place of the class's score y_c.

    The classes d are chosen once for each image, by its logits: those nearest to y_c. y are what base's own
    `score` names, logits for Grad-CAM. A forward of the images, and what base costs. The target must be a class,
    and base one that takes a callable. Zhang et al., "Finer-CAM", CVPR 2025.

    Args:
        base: an explainer of this package, or anything callable as base(model, images, target=...) that returns maps
            (m, h, w), or a dict of them. May be given without its name.
        preset: "default" and "paper", the mean of the differences; "reference", those of pytorch-grad-cam, weighted
            by the probabilities of d, through which gradients flow too.
        gamma: how much of the others is taken away, at least 0; at 0 the map is base's own.
        classes: how many are compared, at most all others.
        join: "mean" or "softmax", how their differences are joined.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.FinerCAM(hc.LayerCAM(), classes=1)(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    takes: ClassVar[str] = "layer"  # of an instance: what its base takes

    base: object = field(default=GradCAM(), kw_only=False)
    preset: str = "default"
    gamma: NotNegative = 1.0
    classes: Count = 3
    join: Annotated[str, among(JOINS)] = "mean"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {},
        "reference": {"join": "softmax"},
    }

    def maps(self, call: Call) -> Result:
        given = self.for_base(call) | {"size": call.size or "native"}  # base may enlarge in a way of its own
        c, d = nearest_classes(call, self.classes, "Finer-CAM")

        def difference(y: Tensor, owner: Tensor) -> Tensor:
            return JOINS[self.join](y.gather(1, c[owner]) - self.gamma * y.gather(1, d[owner]), y, d[owner])

        target = PerImage(difference, torch.arange(len(c), device=c.device))
        maps: dict[Any, Any] = ask(self.base, call.model, call.images, target, **given)
        return maps[None] if None in maps else maps
