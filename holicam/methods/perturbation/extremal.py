r"""Extremal perturbation: the best place to look, if only so much of the image may be seen.

    m_a = argmax_m S_c(m applied to X)   over smooth masks of area a

found by gradient ascent on the mask, for several areas a, which are then summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...core.batched import check_chunk, stream
from ...core.capture import NOT_FINITE, frozen
from ...core.checks import expect_finite, look
from ...core.graph import all_zero, pull_back, warn_zero
from ...core.hardware import moved
from ...core.input_gradients import InputExplainer
from ...core.network import forward
from ...core.ops import Target, at_least_float32, select_score
from ...core.options import check_count, check_flag, check_number, fill_preset, speed
from ...core.outputs import logits_of
from ...core.targets import targets_of
from .smooth_masks import SmoothMasks, blend, blur, blur_levels

# Values within 1 / TIES are ties, and of ties the later pixel counts as the larger. At the start
# thousands are equal up to rounding; which of them the area takes must not depend on the device.
TIES = 8192


@dataclass(frozen=True)
class ExtremalPerturbation(InputExplainer):
    r"""Extremal perturbation (preservation), Fong et al., ICCV 2019.

        energy = S_c(m X) - \lambda_t mean((sort(m) - r_a)^2),   M = blur(\sum_a m_a)

    where m X is as sharp as m says, r_a is 0 and then 1 on the last share a of the canvas, and
    \lambda_t = weight growth^t. Masks and blurs are those of `smoothmasks`. Each step is a gradient
    with momentum on the masks' parameters, clamped to [0, 1]; the first is taken whole. Every
    other step, from the first on, sees the image mirrored (`flip`). Images and areas share batches.

    Args:
        preset: the areas, "default" for PASCAL VOC, "coco" for COCO, if `areas` is None.
        steps, rate, momentum: of the ascent; new velocity = momentum old + (1 - momentum) gradient.
        weight, growth: the price of a wrong area, and its factor a step.
        step, reach, coldness: of the masks, in pixels. levels, blur: how many, the widest sigma.
        smooth: sigma of the final blur as a share of the image's shorter side.
        score: "logit", "prob" or "sigmoid". chunk: masks optimised together, which bounds memory: at 224
            pixels each takes about 100 MB beside the network's own.

    intermediate=True: {"map", "masks": (B, areas, H, W), "scores": (B, areas, steps)}.
    Cost 1 F and, for each area and step, 1 F and 1 B. Deterministic. Built in chapter 12.
    """

    preset: str = "default"
    areas: tuple[float, ...] | None = None
    steps: int = 800
    rate: float = 0.01
    momentum: float = 0.9
    weight: float = 300.0
    growth: float = 1.0035
    step: int = 7
    reach: int = 21
    coldness: float = 20.0
    levels: int = 8
    blur: float = 20.0
    smooth: float = 0.09
    flip: bool = True
    score: str = "logit"
    chunk: int = speed(8)
    has_stages: ClassVar[bool] = True
    presets: ClassVar[dict] = {
        "default": {"areas": (0.025, 0.05, 0.1, 0.2)},
        "coco": {"areas": (0.018, 0.025, 0.05, 0.1)},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        fill_preset(self, self.presets)
        areas = (self.areas,) if isinstance(self.areas, (int, float)) else tuple(self.areas)
        object.__setattr__(self, "areas", areas)
        if not areas:
            raise ValueError("areas must hold at least one share of the image")
        for area in areas:
            check_number("areas", area, 0, 1, above=True)
        for name, low in {"steps": 1, "step": 1, "reach": 1, "levels": 2}.items():
            check_count(name, getattr(self, name), low)
        for name in ("rate", "weight", "growth", "coldness", "blur", "smooth"):
            check_number(name, getattr(self, name))
        check_number("momentum", self.momentum, 0, 1)
        check_flag("flip", self.flip)
        if self.reach < self.step:
            raise ValueError(
                "reach must be at least step, or masks do not cover the image; got "
                f"reach {self.reach} and step {self.step}"
            )
        check_chunk(self.chunk)

    def explain(
        self, model: nn.Module, images: Tensor, target: Target, intermediate: bool
    ) -> Tensor | dict[str, Tensor]:
        target, _, _ = stream(model, images, None, 0, target, score=self.score, chunk=self.chunk)  # checks, top-1
        look()  # hundreds of steps follow
        like = at_least_float32(images[:0])
        masks = SmoothMasks(tuple(images.shape[-2:]), self.step, self.reach, self.coldness, like)
        # Where r_a turns from 0 to 1, exact; made on the CPU, for MPS has no float64.
        first = masks.canvas[0] * masks.canvas[1] * (1 - torch.tensor(self.areas, dtype=torch.float64))
        first = moved(first.floor().long(), images.device)
        found, scores = [], []
        rows = torch.arange(len(images) * len(first), device=images.device)  # areas of image 0, ...
        for row in rows.split(self.chunk):
            owner = row // len(first)
            m, s = self.ascend(model, images[owner], targets_of(target, owner), first[row % len(first)], masks)
            found.append(m)
            scores.append(s)
        m = torch.cat(found).unflatten(0, (len(images), -1))  # (B, areas, H, W)
        total = blur(m.sum(1), self.smooth * min(images.shape[-2:]))
        return (
            {"map": total, "masks": m, "scores": torch.cat(scores).unflatten(0, m.shape[:2])} if intermediate else total
        )

    def ascend(
        self, model: nn.Module, images: Tensor, target: Target, first: Tensor, masks: SmoothMasks
    ) -> tuple[Tensor, Tensor]:
        """The best masks (n, H, W) for n pairs of image and area, and all scores (n, steps). first: the place where
        r_a turns from 0 to 1."""
        pyramid = blur_levels(at_least_float32(images), self.levels, self.blur)
        p = pyramid.new_ones(len(images), *masks.grid)
        place = torch.arange(masks(p[:1]).numel(), device=p.device)
        wanted = (place >= first[:, None]).to(p)  # r_a, (n, pixels)
        velocity, weight, scores = None, self.weight, []
        for t in range(self.steps):
            with torch.enable_grad(), frozen(model):
                p.requires_grad_()
                canvas = masks(p)
                x = blend(pyramid, masks.crop(canvas))
                x = x.flip(-1) if self.flip and t % 2 == 0 else x
                score = select_score(logits_of(forward(model, x.to(images.dtype)), len(x), target), target, self.score)
                order = (canvas.detach() * TIES).round().flatten(1).argsort(stable=True)
                ranked = canvas.flatten(1).gather(1, order)
                energy = score - weight * (ranked - wanted).square().mean(1)  # (n,)
                # The area's own gradient must not hide that the score has none: x is the score's alone.
                found = pull_back(energy.sum(), {None: x, "mask": p})
            if t == 0:
                warn_zero(all_zero(found[None]))
            gradient = found["mask"]
            rest = gradient if velocity is None else (1 - self.momentum) * gradient
            velocity = rest if velocity is None else self.momentum * velocity + rest
            p = (p.detach() + self.rate * velocity).clamp(0, 1)
            weight *= self.growth
            scores.append(score.detach())
        scores = torch.stack(scores, 1)
        expect_finite(scores, NOT_FINITE.format("scores"))
        return masks.crop(masks(p)), scores
