"""One forward and one backward give the activations and gradients of every layer asked for.

Parameters are frozen for the length of the call. A forward hook takes each layer's output A; if A has no graph yet, no
requested layer lies below it and the graph starts here, as a leaf. This holds for parallel branches too, as autograd
knows what lies downstream of what. The network goes on with a clone of A, which an in-place ReLU may overwrite. One
`torch.autograd.grad` reads all layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..models.layers import Layer, Layers, called, find_layers
from .checks import expect_finite
from .graph import expect_some_of, pull_back, recorded
from .guard import guarded
from .layout import Layouts, watched
from .network import check_call, detached, forward, frozen
from .ops import SCORES, Target, at_least_float32, one_of, resolve_target, select_score
from .outputs import Whole, logits_of, remark
from .targets import Resolved
from .tokens import Reshape, channels_last, tokens_to_grid

__all__ = ["Captured", "Reshape", "capture", "channels_last", "check_call", "frozen", "logits_of", "tokens_to_grid"]

NOT_FINITE = (
    "the network's {} hold NaN or infinite values: check that the images are finite and normalised, and the "
    "weights sound"
)


@dataclass(frozen=True, eq=False)
class Captured:
    """What one pass gives: detached, on the images' device, float32 (float64 for such networks)."""

    logits: Tensor  # (B, K); (B, 1), the score, where the target chose from `outputs.Whole`
    target: Resolved
    score: Tensor  # (B,), the number that was differentiated
    A: dict[Layer, Tensor] = field(repr=False)  # {layer as given: (B, C, h, w)}
    G: dict[Layer, Tensor] = field(repr=False)  # the same, or empty without gradients
    last: dict[Layer, bool] = field(default_factory=dict, repr=False)  # whether channels came last; no `reshape` given
    whole: bool = False  # whether there are no logits of which scores could be made anew


@guarded
def capture(
    model: nn.Module,
    images: Tensor,
    layers: Layers,
    target: Target = None,
    *,
    score: str = "logit",
    gradients: bool = True,
    reshape: Reshape | None = None,
    repeated: str = "raise",
) -> Captured:
    """Activations, and gradients of the target's score, at some layers of a network in eval mode.

    Args:
        images: (B, 3, H, W), normalised as the network expects.
        layers: module paths, the papers' names or modules (`layers.find_layers`).
        target: None (top-1), a class, one class per image, or a callable (B, K) -> (B,), which
            receives what `score` names, see `ops.select_score`.
        score: differentiate the "logit", the "prob"(ability) or, of many labels, the "sigmoid".
        gradients: False runs one forward without a graph.
        reshape: takes A and G to (B, C, h, w), see `tokens_to_grid`. None where they lie so, or as
            (B, h, w, C), which is told by evidence (`layout`).
        repeated: what to do with a layer that runs several times in one forward: "raise", or
            "last" to read its last call.

    The model is left as it was, also after an exception: hooks, mode, requires_grad and .grad. The
    caller may be inside torch.no_grad(), torch.inference_mode() or torch.autocast. Raises ValueError
    (training mode, a layer that does not run or runs twice, or that the score does not depend on, a
    network that does not take the images, logits that are not finite, a bad shape), TypeError (no
    tensor where one is needed), LayerNotFoundError. Where all gradients of an image are
    exactly 0, there is a `graph.ZeroGradientWarning`. Built in chapter 01.
    """
    one_of("score", score, SCORES)
    one_of("repeated", repeated, ("raise", "last"))
    check_call(model, images)
    wanted = find_layers(model, layers)
    with torch.inference_mode(False), torch.set_grad_enabled(gradients):
        images = detached(images)
        with frozen(model, gradients):
            with recorded(wanted, gradients, repeated) as A, watched(model, wanted) as readers:
                logits = logits_of(forward(model, images), len(images), target)
            if missing := [name for name in wanted if name not in A]:
                raise ValueError(
                    f"layer {called(missing[0])} did not run in this forward pass (in eval "
                    "mode, uncompiled), so it has no activations"
                )
            A = {name: A[name] for name in wanted}  # in the order asked for, not in which they ran
            if isinstance(logits, Tensor):
                expect_finite(logits, NOT_FINITE.format("logits"))
            target = resolve_target(logits, target)
            chosen = select_score(logits, target, score)  # (B,)
            if callable(target):
                expect_finite(chosen, "the callable target gives NaN or infinite scores")
            remark(model, logits, score)
            # In eval mode images do not mix, so one sum serves the whole batch.
            with recorded(wanted, gradients, repeated, again=True):
                G = pull_back(chosen.sum(), A) if gradients else {}
    layouts = Layouts(model, wanted, readers, images, reshape)
    said = chosen[:, None] if isinstance(logits, Whole) else logits
    return Captured(
        logits=at_least_float32(said.detach()),
        target=target,
        score=chosen.detach(),
        A=layouts.maps(A),
        G=expect_some_of(G, layouts.maps(G)),
        whole=isinstance(logits, Whole),
        last=layouts.last,
    )
