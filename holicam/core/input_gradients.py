"""The gradient of the score in the image itself, at one point or at many points per image.

A method of this family asks for the gradient at the image, on the way to it from a baseline
(integrated gradients) or around it (SmoothGrad), and sums what it finds. So points have numbers
0..count-1 per image, are built a chunk at a time on the images' device, and only the sums stay. A
chunk holds any mixture of images and points; it bounds the model batch and with it the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .batched import model_batch, stream
from .capture import NOT_FINITE, check_call, frozen
from .checks import expect_finite
from .graph import pull_back, warn_zero, zero_images
from .guard import guarded
from .network import forward
from .ops import SCORES, Target, at_least_float32, one_of, resolve_target, select_score
from .options import among, check_chunk
from .outputs import logits_of, remark
from .targets import Resolved, targets_of

Points = Callable[[Tensor, Tensor], Tensor]
Each = Callable[[Tensor, Tensor], Tensor]

# How (B, 3, H, W) becomes (B, H, W): the largest magnitude, the signed sum, the sum of magnitudes.
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "max-abs": lambda D: D.abs().amax(1),
    "sum": lambda D: D.sum(1),
    "sum-abs": lambda D: D.abs().sum(1),
}
Reduction = Annotated[str, among(REDUCTIONS)]  # the type of a field


@dataclass(frozen=True, eq=False)
class InputGradients:
    """What the passes gave: detached, on the images' device, float32 (float64 for such a net)."""

    target: Resolved
    scores: Tensor  # (B, count), the target's score at every point
    total: Tensor  # (B, 3, H, W), or what `each` makes of it, summed over the points


@guarded
def input_gradients(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    points: Points | None = None,
    count: int = 1,
    each: Each | None = None,
    score: str = "logit",
    chunk: int | None = None,
    around: AbstractContextManager | None = None,
    mode: TorchFunctionMode | None = None,
) -> InputGradients:
    r"""sum_m D_m, where D = dS/dX at `count` points per image.

    Args:
        images: (B, 3, H, W), normalised as the network expects.
        target: None (top-1 of the original image, whatever the points say), a class, one class
            per image, or a callable (n, K) -> (n,), which must treat each row alike.
        points: takes the image and the number of each point, (n,) and (n,), and returns the points
            (n, 3, H, W); None is the images themselves.
        each: takes gradients (n, 3, H, W) and the numbers of their points (n,), and returns what is
            summed for each; None is the gradients.
        score: differentiate the "logit", the "prob"(ability) or the "sigmoid".
        chunk: the largest model batch, None for all at once; it never changes the result.
        around: a context for the forward passes, which may note what it sees.
        mode: one that changes what is computed, such as what a ReLU hands back. It is there when
            checkpointed blocks run again, too.

    Costs B count forwards and as many backwards; B forwards more where points are given and
    target is None. Everything is restored, as by `capture.capture`, whose errors these are.
    """
    one_of("score", score, SCORES)
    check_call(model, images)
    size = len(images) * count
    chunk = size if chunk is None else chunk
    check_chunk(chunk)
    chunk = model_batch(chunk, images)
    if points is not None and target is None:
        target = stream(model, images, None, 0, None, score=score, chunk=chunk)[0]
    total: Tensor | None = None
    parts: list[Tensor] = []
    chosen: list[Tensor] = []
    alive = torch.zeros(len(images), dtype=torch.long, device=images.device)  # points with a gradient
    with torch.enable_grad(), frozen(model):
        for start in range(0, size, chunk):
            numbers = torch.arange(start, min(start + chunk, size), device=images.device)
            owner, point = numbers // count, numbers % count  # (n,), image by image
            x = images[owner] if points is None else points(owner, point)
            x = x.detach().requires_grad_()
            with around or nullcontext(), mode or nullcontext():
                logits = logits_of(forward(model, x), len(x), target)
            if start == 0:
                remark(model, logits, score)
            target = None if target is None else resolve_target(logits, target, len(images))
            wanted = resolve_target(logits, None) if target is None else targets_of(target, owner)
            found = select_score(logits, wanted, score)  # (n,)
            D = at_least_float32(pull_back(found.sum(), {None: x}, mode=mode)[None])
            alive.index_add_(0, owner, (~zero_images(D)).long())
            D = D if each is None else each(D, point)
            if total is None:
                total = D.new_zeros(len(images), *D.shape[1:])
            # In rising order, so that on a CPU any chunk adds up alike. CUDA adds in no fixed order,
            # unless deterministic algorithms are on, as `setup` has them.
            total.index_add_(0, owner, D)
            parts.append(found.detach())
            if not callable(wanted):
                chosen.append(wanted)
    scores = torch.cat(parts).view(-1, count)
    expect_finite(scores, NOT_FINITE.format(f"logits{', or the scores made of them,' if callable(target) else ''}"))
    warn_zero(alive == 0)
    target = target if callable(target) else torch.cat(chosen)[::count]
    return InputGradients(target, scores, cast(Tensor, total))  # there is one chunk at least
