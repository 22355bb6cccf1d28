r"""Integrated gradients: the gradient averaged on the way from a baseline to the image.

The gradient at the image says nothing of what a saturated network has already taken for granted.
The straight way from a baseline X_0 passes through the places where the score rises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...core.baselines import baseline_of
from ...core.batched import stream
from ...core.explainer import Call, InputExplainer
from ...core.hardware import moved
from ...core.input_gradients import REDUCTIONS, Reduction, input_gradients
from ...core.ops import at_least_float32
from ...core.options import Chunk, Count, Score, among, speed
from ...core.stages import Stages


def _gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    at, weight = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
    return (1 + at) / 2, weight / 2


# steps -> places on the way from baseline (0) to image (1), and the weight of each.
RULES: dict[str, Callable[[int], tuple[np.ndarray, np.ndarray]]] = {
    "gauss-legendre": _gauss_legendre,
    "right": lambda n: (np.arange(1, n + 1) / n, np.full(n, 1 / n)),
    "ends": lambda n: (np.arange(n + 1) / n, np.full(n + 1, 1 / n)),
}


def _callable(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise TypeError(
            f"{name} must be None (zero, the mean colour) or a function of images (B, 3, H, W); got {value!r}"
        )


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(InputExplainer):
    r"""sum_ch (X - X_0) \int_0^1 D(X_0 + a (X - X_0)) da: what the way from X_0 to X adds up to.

    Its sum over an image is S_c(X) - S_c(X_0), as far as the steps resolve the kinks on the way. One forward
    and backward a step, and one forward where target is None. Sundararajan et al., "Axiomatic Attribution for
    Deep Networks", ICML 2017. Built in chapter 13.

    Stages: `attribution` (B, 3, H, W) before the reduction, and S_c(X) and S_c(X_0) as `score` and
    `baseline_score` (B,), for one forward each.

    Args:
        preset: "default" and "polycam", captum's 50 Gauss-Legendre nodes; "zennit", 20 points; "ucag", 101
            points of weight 1/100 without the factor X - X_0.
        steps: points on the way.
        rule: where they lie and what they weigh, "gauss-legendre", "right" or "ends".
        multiply: by X - X_0.
        reduction: from three channels to one number, "max-abs", "sum" or "sum-abs".
        center: take each map's mean off.
        baseline: X_0 of the images, a function such as those of `core.baselines`; None is zero, the mean
            colour that the network takes out.
        score: what is differentiated, "logit", "prob" or "sigmoid".
        chunk: the largest model batch; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.IntegratedGradients(steps=4)(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    steps: Count = 50
    rule: Annotated[str, among(RULES)] = "gauss-legendre"
    multiply: bool = True
    reduction: Reduction = "sum"
    center: bool = False
    baseline: Annotated[Callable[[Tensor], Tensor] | None, _callable] = None
    score: Score = "logit"
    chunk: Chunk = speed(64)
    has_stages: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "polycam": {},
        "zennit": {"steps": 20, "rule": "right"},
        "ucag": {"steps": 100, "rule": "ends", "multiply": False, "reduction": "sum-abs", "center": True},
    }

    def maps(self, call: Call) -> Tensor | Stages:
        model, images, target = call.model, call.images, call.target
        start = torch.zeros_like(images) if self.baseline is None else baseline_of(self.baseline, images)  # X_0
        stages: dict[str, Tensor] = {}
        if call.intermediate:
            target, stages["score"], stages["baseline_score"] = stream(
                model, images, lambda n: (start[n], n), len(images), target, score=self.score, chunk=self.chunk
            )
        start = at_least_float32(start)
        way = at_least_float32(images) - start  # (B, 3, H, W)
        at, weight = (
            moved(torch.as_tensor(v), way.device, way.dtype)[:, None, None, None] for v in RULES[self.rule](self.steps)
        )
        mean = input_gradients(
            model,
            images,
            target,
            count=len(at),
            score=self.score,
            chunk=self.chunk,
            points=lambda b, m: (start[b] + at[m] * way[b]).to(images.dtype),
            each=lambda D, m: weight[m] * D,
        ).total
        stages["attribution"] = way * mean if self.multiply else mean
        maps = REDUCTIONS[self.reduction](stages["attribution"])
        maps = maps - maps.mean((1, 2), True) if self.center else maps
        return Stages(maps, stages) if call.intermediate else maps
