"""The packed stream: many perturbed inputs through a network, one score each, forward only.

Insertion, deletion and every method that asks a network "and what if these pixels were gone?" need
thousands of forwards of inputs that are cheap to build and large to keep. So inputs have numbers
0..count-1, are built a chunk at a time on the images' device, and only their scores stay. A chunk
holds any mixture of images and steps: every model batch but the last is full, whatever B is.

The images themselves go first. Their scores are an end of every curve, and their logits resolve
`target=None` before the first perturbed input needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from .capture import NOT_FINITE, check_call
from .checks import expect_finite
from .guard import guarded
from .network import forward
from .ops import SCORES, Target, at_least_float32, one_of, resolve_target, select_score
from .options import check_chunk
from .outputs import logits_of, remark
from .targets import Resolved, resolved, targets_of

Build = Callable[[Tensor], tuple[Tensor, Tensor]]
_CPU_PIXELS = 8 * 224 * 224


@guarded
def stream(
    model: nn.Module,
    images: Tensor,
    build: Build | None,
    count: int,
    target: Target = None,
    *,
    score: str = "prob",
    chunk: int = 64,
    clean: bool = True,
    numbers: str = "device",
) -> tuple[Resolved, Tensor, Tensor]:
    """Scores of B images and of `count` inputs built from them.

    Args:
        images: (B, 3, H, W), normalised as the network expects.
        build: takes numbers (n,) of inputs, rising; returns the inputs (n, 3, H, W) and the image
            that each is made from, (n,) in 0..B-1, whose target it is scored for. None where count is 0.
        count: how many inputs there are.
        target: None (top-1 of each original image), a class, one class per image, or a callable
            (n, K) -> (n,), which sees packed rows and must treat each row alike.
        score: "prob", "logit" or "sigmoid", as in `ops.select_score`.
        chunk: the largest model batch. Memory grows with it and not with `count`. On a CPU the
            batches are smaller where images are large.
        clean: False leaves the images themselves out, for callers who have captured them already;
            the target must then be given.
        numbers: where `build` gets its numbers, on the images' "device", or on the "cpu" for one that
            works there; reading them from the device would wait for it.

    Returns the target as `ops.resolve_target` gives it (as given, where no input was run), the
    images' scores (B,), or (0,) without `clean`, and the inputs' scores (count,), float32 or
    float64. Costs B + count forwards in ceil((B + count) / batch) batches, without `clean` count.
    Raises ValueError (training mode, scores that are not finite, a bad shape), TypeError.
    """
    one_of("score", score, SCORES)
    one_of("numbers", numbers, ("device", "cpu"))
    check_chunk(chunk)
    check_call(model, images)
    if target is None and not clean:
        raise ValueError("target must be given where the images themselves are not scored")
    chunk = model_batch(chunk, images)
    first = images if clean else images[:0]
    size, total = len(first), len(first) + count
    best: Tensor | None = None  # the images' top-1, filled as they are seen
    chosen: Resolved | None = None
    parts = [at_least_float32(images.new_empty(0))]
    builds = cast(Build, build)  # it is None only where there is nothing to build
    where = images.device if numbers == "device" else "cpu"
    with torch.no_grad():
        for start in range(0, total, chunk):
            stop = min(start + chunk, total)
            inputs, owner = _inputs(first, builds, start, stop, where)
            logits = logits_of(forward(model, inputs, compiled=True), stop - start, target)
            if start == 0:
                remark(model, logits, score)
            if target is None and start < size:  # top-1, as far as the images have been seen
                seen, top = min(stop, size), resolve_target(logits, None)
                best = top.new_empty(size) if best is None else best
                best[start:seen] = top[: seen - start]
                chosen = best
            elif chosen is None:
                chosen = resolve_target(logits, target, len(images))
            wanted = targets_of(chosen, owner)
            parts.append(select_score(logits, wanted, score))
    scores = torch.cat(parts)
    if best is not None and isinstance(logits, Tensor):
        resolved(best, logits.shape[1])
    expect_finite(scores, NOT_FINITE.format("scores"))
    if chosen is None:
        return target, scores[:size], scores[size:]  # type: ignore[return-value]  # as given: no input was run
    return chosen, scores[:size], scores[size:]


def model_batch(chunk: int, images: Tensor) -> int:
    """How many inputs a forward takes: the chunk, but on a CPU at most 8 images of 224 pixels.

    What no longer fits a CPU's caches costs up to twice as much a forward: see benchmarks/results.
    """
    if images.device.type != "cpu":
        return chunk
    return min(chunk, max(1, _CPU_PIXELS // (images.shape[2] * images.shape[3])))


def _inputs(images: Tensor, build: Build, start: int, stop: int, where: torch.device | str) -> tuple[Tensor, Tensor]:
    """Inputs number start..stop-1 of the whole stream, the images first, and their owners."""
    size = len(images)
    if start >= size:
        return build(torch.arange(start - size, stop - size, device=where))
    clean = torch.arange(start, min(stop, size), device=images.device)
    if stop <= size:
        return images[start:stop], clean
    built, owner = build(torch.arange(stop - size, device=where))
    return torch.cat([images[start:], built]), torch.cat([clean, owner])
