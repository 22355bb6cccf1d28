"""A score that does not move, whatever is hidden: methods that only ask have nothing to tell from it.

It is for them what a gradient of 0 is for others (`graph.ZeroGradientWarning`): a map comes out, of zeros or of the
method's own masks, and looks like an answer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.layers import Layer, called
from .checks import warn_where
from .floats import changes


class SameScoreWarning(RuntimeWarning):
    """Every score that was asked for is that of the image itself, up to rounding."""


def warn_still(
    scores: Tensor, origin: Tensor, kind: str, name: Layer | None = None, asked: Tensor | None = None
) -> None:
    """A SameScoreWarning where no score differs from the image's own by more than rounding, for all images.

    Args: scores (B, n) of what was hidden, origin (B, 1), kind "logit", "prob" or "sigmoid". name: the layer whose
    channels say what is hidden, None for pixels. asked: (B, n), False for what is no answer; None for all.
    """
    some = scores.new_ones(()).bool() if asked is None else asked.any()
    told = scores if asked is None else torch.where(asked, scores, origin)
    where = "" if name is None else f" by the channels of layer {called(name)}"
    warn_where(
        some & (changes(told, origin, kind) == 0).all(),
        f"the score is the same whatever is hidden{where}, for all images, so the map says nothing: the network "
        "does not use what was hidden, or is saturated",
        SameScoreWarning,
    )
