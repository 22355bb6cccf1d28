r"""Masks cut from a layer's channels, and the scores of what they leave of the images.

A channel, enlarged to the image and stretched to [0, 1], is a soft mask u_k. Score-CAM asks what
the network says when only the masked part is left, X u_k; Poly-CAM asks also what it says without
it, X (1 - u_k). Images are normalised, so a hidden pixel is the mean colour that was taken out, not black.

How to use it, for the activations A (B, C, h, w) of one layer (`capture(..., gradients=False)`):

    scores, live = channel_scores(model, images, A, captured.target, keep_and_drop, 2)
    keep, drop = scores.unbind(-1)  # f_c(X u_k) and f_c(X (1 - u_k)), (B, C) each

Where `live` (B, C) is False the channel is constant, its mask is 0 everywhere, it was never asked
and its scores are 0: leave it out with `live`. The masks of a chunk are built on the images'
device as its inputs are; the bank of C masks never exists. f_c(X) is in the capture already, see
`clean_scores`; f_c(0), the blank image, takes `blank_scores`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.batched import stream
from ...core.capture import Captured
from ...core.floats import is_constant, levelled
from ...core.guard import guarded
from ...core.hardware import moved
from ...core.ops import Target, normalise, one_of, select_score, size_of
from ...models.layers import Layer

# (images (n, 3, H, W), masks (n, 1, H, W), variant (n,), channel (n,)) -> inputs (n, 3, H, W)
Vary = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def keep(x: Tensor, u: Tensor, variant: Tensor, channel: Tensor) -> Tensor:
    """X u: what the mask shows. One variant."""
    return x * u


def drop(x: Tensor, u: Tensor, variant: Tensor, channel: Tensor) -> Tensor:
    """X (1 - u): what the mask hides. One variant. Built in chapter 12."""
    return x * (1 - u)


def keep_and_drop(x: Tensor, u: Tensor, variant: Tensor, channel: Tensor) -> Tensor:
    """Variant 0 is `keep`, variant 1 is `drop`."""
    return x * torch.where(variant[:, None, None, None] == 0, u, 1 - u)


def percentile(maps: Tensor, low: float = 0.1, high: float = 99.9) -> Tensor:
    """clip((x - q_low) / max(q_high, 1e-12), 0, 1) of each map (n, h, w), as Poly-CAM's code has it.

    It divides by the high percentile, not by the range; a constant map becomes zeros. Quantiles
    interpolate linearly.
    """
    maps = levelled(maps)
    ranked = maps.flatten(1).sort(1).values  # (n, h w); torch.quantile refuses large tensors
    last = ranked.shape[1] - 1

    def quantile(percent: float) -> Tensor:
        at = percent / 100 * last
        below = int(at)
        return torch.lerp(ranked[:, below], ranked[:, min(below + 1, last)], at - below)

    least, most = quantile(low), quantile(high).clamp_min(1e-12)
    return ((maps - least[:, None, None]) / most[:, None, None]).clamp(0, 1)


# What is done (before, after) the channel is enlarged.
STRETCH = {"after": (None, normalise), "before": (normalise, None), "percentile": (percentile, None)}


def soft_masks(maps: Tensor, size: tuple[int, int], stretch: str = "after", align_corners: bool = False) -> Tensor:
    """u: channels (n, h, w) as masks (n, H, W) in [0, 1].

    stretch: "after", min-max of the enlarged channel, as Score-CAM and Poly-CAM write it;
    "before", min-max on the channel's own grid; "percentile", Poly-CAM's code (`percentile`, on
    the channel's own grid). A constant channel becomes zeros. align_corners: as in F.interpolate.
    Built in chapter 12.
    """
    one_of("stretch", stretch, STRETCH)
    before, after = STRETCH[stretch]
    dead = is_constant(maps, keepdim=True)
    maps = maps if before is None else before(maps)
    if tuple(maps.shape[-2:]) != tuple(size):
        maps = F.interpolate(maps[:, None], tuple(size), mode="bilinear", align_corners=align_corners)[:, 0]
    return (maps if after is None else after(maps)).masked_fill(dead, 0)


def live_channels(A: Tensor) -> Tensor:
    """(B, C): the channels that are not constant. Asked on their own grid, before enlarging rounds."""
    return ~is_constant(A)


def live_in(layers: Mapping[Layer, Tensor]) -> dict[Layer, Tensor]:
    """{layer: `live_channels` (B, C) on the CPU} of {layer: A}. The device is waited for once."""
    each = torch.cat([live_channels(A) for A in layers.values()], 1).cpu()
    return dict(zip(layers, each.split([A.shape[1] for A in layers.values()], 1), strict=True))


@guarded
def channel_scores(
    model: nn.Module,
    images: Tensor,
    A: Tensor,
    target: Target,
    vary: Vary = keep,
    variants: int = 1,
    *,
    stretch: str = "after",
    align_corners: bool = False,
    constant: str = "skip",
    score: str = "prob",
    chunk: int = 64,
    live: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The target's score for every image, channel and variant of its mask.

    Args:
        images: (B, 3, H, W), normalised as the network expects.
        A: (B, C, h, w), one layer's activations of these images, float32 or float64.
        target: as `Captured.target`: one class per image, or a callable; None is refused, since
            the images themselves are not run again.
        vary, variants: what is made of an image and a mask, and how many variants of it; `keep`,
            `drop`, `keep_and_drop` (2), or any `Vary`.
        stretch, align_corners: as in `soft_masks`.
        constant: "skip" constant channels, or "once": all of an image share one question, since
            they share the mask 0. Only a softmax over channels needs their scores.
        score: "prob", "logit" or "sigmoid", as in `ops.select_score`.
        chunk: the largest model batch; it bounds memory and never changes a score.
        live: what `live_in` says of the layer, (B, C) on the CPU, for callers who have asked.

    Returns the scores (B, C, variants), 0 for channels that were skipped, and `live` (B, C). Costs
    `variants` forwards for each live channel and none for the others. Built in chapter 12.
    """
    one_of("stretch", stretch, STRETCH)
    one_of("constant", constant, ("skip", "once"))
    live = live_channels(A).cpu() if live is None else live  # (B, C); how many questions follows from it
    first = ~live & ((~live).cumsum(1) == 1)  # the first constant channel speaks for the others
    asked = live | first if constant == "once" else live
    owners, channels = (moved(at, A.device) for at in asked.nonzero(as_tuple=True))  # (asked of all images,) each
    live, first = moved(live, A.device), moved(first, A.device)
    size = size_of(images)

    def build(numbers: Tensor) -> tuple[Tensor, Tensor]:
        pair, variant = numbers // variants, numbers % variants  # (n,)
        b, k = owners[pair], channels[pair]
        # All variants of a channel share its mask: n numbers in a row meet at most so many channels.
        reach = torch.arange((len(numbers) + variants - 2) // variants + 1, device=pair.device)
        met = (pair[0] + reach).clamp(max=len(owners) - 1)
        u = soft_masks(A[owners[met], channels[met]], size, stretch, align_corners)
        u = u[pair - pair[0]][:, None]  # (n, 1, H, W)
        return vary(images[b].to(u), u, variant, k).to(images.dtype), b

    _, _, found = stream(model, images, build, len(owners) * variants, target, score=score, chunk=chunk, clean=False)
    scores = found.new_zeros(*live.shape, variants)
    scores[owners, channels] = found.view(-1, variants)
    if constant == "once":
        shared = (scores * first[..., None]).sum(1, keepdim=True)  # (B, 1, variants)
        scores = torch.where(live[..., None], scores, shared)
    return scores, live


def clean_scores(captured: Captured, score: str = "prob") -> Tensor:
    """f_c(X), (B,), from a capture that has been made: no forward."""
    return captured.score if captured.whole else select_score(captured.logits, captured.target, score)


def blank_scores(model: nn.Module, images: Tensor, target: Target, *, score: str = "prob", chunk: int = 64) -> Tensor:
    """f_c of the blank image, 0 everywhere after normalisation: (B,). One forward per image."""
    return stream(
        model,
        images,
        lambda n: (torch.zeros_like(images[n]), n),
        len(images),
        target,
        score=score,
        chunk=chunk,
        clean=False,
    )[2]
