r"""Extremal perturbation: the best place to look, if only so much of the image may be seen.

    m_a = argmax_m S_c(m applied to X)   over smooth masks of area a

found by gradient ascent on the mask, for several areas a, which are then summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ...core.batched import stream
from ...core.capture import NOT_FINITE, frozen
from ...core.checks import expect_finite, look
from ...core.explainer import Call, InputExplainer
from ...core.graph import all_zero, pull_back, warn_zero
from ...core.hardware import moved
from ...core.network import forward
from ...core.ops import at_least_float32, select_score, size_of
from ...core.options import Chunk, Count, NotNegative, Score, Share, check_count, check_number, speed
from ...core.outputs import logits_of
from ...core.stages import Stages
from ...core.targets import Resolved, targets_of
from .smooth_masks import SmoothMasks, blend, blur, blur_levels

# Values within 1 / TIES are ties, and of ties the later pixel counts as the larger. At the start
# thousands are equal up to rounding; which of them the area takes must not depend on the device.
TIES = 8192


@dataclass(frozen=True, kw_only=True)
class ExtremalPerturbation(InputExplainer):
    r"""Extremal perturbation (preservation): the best place to look, if only so much may be seen.

        energy = S_c(m X) - \lambda_t mean((sort(m) - r_a)^2),   M = blur(\sum_a m_a)

    where m X is as sharp as m says, r_a is 0 and then 1 on the last share a of the canvas, and
    \lambda_t = weight growth^t. Masks and blurs are those of `smooth_masks`. Each step is a gradient
    with momentum on the masks' parameters, clamped to [0, 1]; the first is taken whole. Images and areas
    share batches.

    Each step is 1 F and 1 B for each area, and there is 1 F before. Deterministic. Fong et al., "Understanding
    Deep Networks via Extremal Perturbations and Smooth Masks", ICCV 2019. Built in chapter 12.

    Stages: `masks` (B, areas, H, W) and `scores` (B, areas, steps).

    Args:
        preset: the areas, "default" for PASCAL VOC, "coco" for COCO.
        areas: shares of the image, one or several, each greater than 0 and at most 1.
        steps: of the ascent.
        rate: of the ascent.
        momentum: 0 to 1; new velocity = momentum old + (1 - momentum) gradient.
        weight: the price of a wrong area.
        growth: the price's factor a step.
        step: of the masks' grid, in pixels.
        reach: how far a parameter acts, in pixels, at least `step`.
        coldness: how hard the maximum over parameters is.
        levels: how many blurs, at least 2.
        blur: sigma of the widest, in pixels.
        smooth: sigma of the final blur as a share of the image's shorter side.
        flip: every other step, from the first on, sees the image mirrored.
        score: "logit", "prob" or "sigmoid".
        chunk: masks optimised together, which bounds memory: at 224 pixels each takes about 15 MB beside the
            network's own. It does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.ExtremalPerturbation(areas=0.2, steps=2)(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    preset: str = "default"
    areas: tuple[float, ...] = (0.025, 0.05, 0.1, 0.2)
    steps: Count = 800
    rate: NotNegative = 0.01
    momentum: Share = 0.9
    weight: NotNegative = 300.0
    growth: NotNegative = 1.0035
    step: Count = 7
    reach: Count = 21
    coldness: NotNegative = 20.0
    levels: Annotated[int, partial(check_count, low=2)] = 8
    blur: NotNegative = 20.0
    smooth: NotNegative = 0.09
    flip: bool = True
    score: Score = "logit"
    chunk: Chunk = speed(8)
    has_stages: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "coco": {"areas": (0.018, 0.025, 0.05, 0.1)},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        given = isinstance(self.areas, Iterable) and not isinstance(self.areas, str)
        areas = tuple(self.areas) if given else (self.areas,)
        object.__setattr__(self, "areas", areas)
        if not areas:
            raise ValueError("areas must hold at least one share of the image")
        for area in areas:
            check_number("areas", area, 0, 1, above=True)
        if self.reach < self.step:
            raise ValueError(
                "reach must be at least step, or masks do not cover the image; got "
                f"reach {self.reach} and step {self.step}"
            )

    def maps(self, call: Call) -> Tensor | Stages:
        model, images = call.model, call.images
        target, _, _ = stream(model, images, None, 0, call.target, score=self.score, chunk=self.chunk)  # checks, top-1
        look()  # hundreds of steps follow
        like = at_least_float32(images[:0])
        masks = SmoothMasks(size_of(images), self.step, self.reach, self.coldness, like)
        # Where r_a turns from 0 to 1, exact; made on the CPU, for MPS has no float64.
        first = masks.canvas[0] * masks.canvas[1] * (1 - torch.tensor(self.areas, dtype=torch.float64))
        first = moved(first.floor().long(), images.device)
        found, scores = [], []
        rows = torch.arange(len(images) * len(first), device=images.device)  # areas of image 0, ...
        for row in rows.split(self.chunk):
            owner = row // len(first)
            with frozen(model):
                m, s = self.ascend(model, images[owner], targets_of(target, owner), first[row % len(first)], masks)
            found.append(m)
            scores.append(s)
        m = torch.cat(found).unflatten(0, (len(images), -1))  # (B, areas, H, W)
        total = blur(m.sum(1), self.smooth * min(images.shape[-2:]))
        if not call.intermediate:
            return total
        return Stages(total, {"masks": m, "scores": torch.cat(scores).unflatten(0, m.shape[:2])})

    def ascend(
        self, model: nn.Module, images: Tensor, target: Resolved, first: Tensor, masks: SmoothMasks
    ) -> tuple[Tensor, Tensor]:
        """The best masks (n, H, W) for n pairs of image and area, and all scores (n, steps).

        model: frozen, see `network.frozen`. first: the place where r_a turns from 0 to 1.
        """
        pyramid = blur_levels(at_least_float32(images), self.levels, self.blur)
        p = pyramid.new_ones(len(images), *masks.grid)
        place = torch.arange(masks(p[:1]).numel(), device=p.device)
        wanted = (place >= first[:, None]).to(p)  # r_a, (n, pixels)
        velocity, weight, found_scores = None, self.weight, []
        for t in range(self.steps):
            with torch.enable_grad():
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
            found_scores.append(score.detach())
        scores = torch.stack(found_scores, 1)
        expect_finite(scores, NOT_FINITE.format("scores"))
        return masks.crop(masks(p)), scores
