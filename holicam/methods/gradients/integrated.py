r"""Integrated gradients: the gradient averaged on the way from a baseline to the image.

The gradient at the image says nothing of what a saturated network has already taken for granted.
The straight way from a baseline X_0 passes through the places where the score rises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.batched import check_chunk, stream
from ...core.hardware import moved
from ...core.input_gradients import REDUCTIONS, InputExplainer, input_gradients
from ...core.ops import Target, at_least_float32, one_of
from ...core.options import check_count, check_flag, fill_preset, speed


def _gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    at, weight = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
    return (1 + at) / 2, weight / 2


# steps -> places on the way from baseline (0) to image (1), and the weight of each.
RULES: dict[str, Callable[[int], tuple[np.ndarray, np.ndarray]]] = {
    "gauss-legendre": _gauss_legendre,
    "right": lambda n: (np.arange(1, n + 1) / n, np.full(n, 1 / n)),
    "ends": lambda n: (np.arange(n + 1) / n, np.full(n + 1, 1 / n)),
}
IG_PRESETS = {"default": {"steps": 50, "rule": "gauss-legendre", "multiply": True, "reduction": "sum", "center": False}}
IG_PRESETS["polycam"] = IG_PRESETS["default"]
IG_PRESETS["zennit"] = IG_PRESETS["default"] | {"steps": 20, "rule": "right"}
IG_PRESETS["ucag"] = {"steps": 100, "rule": "ends", "multiply": False, "reduction": "sum-abs", "center": True}


@dataclass(frozen=True)
class IntegratedGradients(InputExplainer):
    r"""sum_ch (X - X_0) \int_0^1 D(X_0 + a (X - X_0)) da: what the way from X_0 to X adds up to.

    Its sum over an image is S_c(X) - S_c(X_0), as far as the steps resolve the kinks on the way.

    preset: "default" and "polycam", captum's 50 Gauss-Legendre nodes; "zennit", 20 points; "ucag",
    101 points of weight 1/100 without the factor X - X_0. steps, rule: see `RULES`. multiply: by
    X - X_0. baseline: X_0 of the images, a function such as those of `metrics.baselines`; None is
    zero, the mean colour of ImageNet. center: take each map's mean off. chunk: the largest model
    batch. One forward and backward a step, and one forward where target is None.

    intermediate adds "attribution" (B, 3, H, W) before the reduction, and S_c(X) and S_c(X_0) as
    "score" and "baseline_score" (B,), for one forward each.
    Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017. Built in chapter 13.
    """

    preset: str = "default"
    steps: int | None = None
    rule: str | None = None
    multiply: bool | None = None
    reduction: str | None = None
    center: bool | None = None
    baseline: Callable[[Tensor], Tensor] | None = None
    score: str = "logit"
    chunk: int = speed(64)
    has_stages: ClassVar[bool] = True

    def __post_init__(self) -> None:
        fill_preset(self, IG_PRESETS)
        super().__post_init__()
        check_count("steps", self.steps)
        one_of("rule", self.rule, RULES)
        check_flag("multiply", self.multiply)
        check_flag("center", self.center)
        check_chunk(self.chunk)
        if self.baseline is not None and not callable(self.baseline):
            raise TypeError(
                "baseline must be None (zero, the mean colour) or a function of "
                f"images (B, 3, H, W); got {self.baseline!r}"
            )

    def explain(
        self, model: nn.Module, images: Tensor, target: Target, intermediate: bool
    ) -> Tensor | dict[str, Tensor]:
        start = _baseline(self.baseline, images)  # X_0
        stages = {}
        if intermediate:
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
        return {"map": maps, **stages} if intermediate else maps


def _baseline(make: Callable[[Tensor], Tensor] | None, images: Tensor) -> Tensor:
    start = torch.zeros_like(images) if make is None else make(images.clone())  # it may work in place
    if not isinstance(start, Tensor) or start.shape != images.shape:
        got = tuple(start.shape) if isinstance(start, Tensor) else type(start).__name__
        raise ValueError(f"baseline must return images of the shape {tuple(images.shape)}; got {got}")
    return start.to(images)
