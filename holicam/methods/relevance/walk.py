"""One forward that remembers how relevance goes back; `torch.autograd.grad` is then the walk.

It sums relevance where paths meet, and goes only where it is asked to. While the network runs, a
mode (`mode.RelevanceMode`) turns its operations into steps with rules; nothing is hooked but the
layers asked for, and no weight, module or `forward` is replaced, so that nothing has to be put back
and a sum needs no module of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ...core.capture import NOT_FINITE, check_call, frozen, recorded
from ...core.checks import expect_finite
from ...core.graph import all_zero, pull_back, warn_zero, zero_images
from ...core.guard import guarded, turn
from ...core.layout import Layouts, watched
from ...core.network import detached, forward
from ...core.ops import Target, at_least_float32, resolve_target
from ...core.outputs import class_logits
from ...core.tokens import Reshape
from ...models.forms import see_inside
from ...models.layers import Layer, Layers, called, find_layers
from .mode import RelevanceMode
from .rules import Rules


@dataclass(eq=False)
class Walk:
    """A forward that is done, and may be walked back from any start, any number of times."""

    logits: Tensor  # (B, K), detached
    target: Tensor  # (B,) long
    places: dict[Layer | None, Tensor] = field(repr=False)  # {layer: A as it is} or {None: the image}
    _out: Tensor = field(repr=False)
    _model: nn.Module = field(repr=False)
    _wanted: dict[Layer, nn.Module] = field(repr=False)
    _mode: RelevanceMode = field(repr=False)
    _readers: dict[Layer, set[str]] = field(repr=False)

    def layouts(self, images: Tensor, reshape: Reshape | None = None) -> Layouts:
        """What brings places and their relevance to (B, C, h, w)."""
        return Layouts(self._model, self._wanted, self._readers, images, reshape)

    @property
    def one_hot(self) -> Tensor:
        """e_c, (B, K)."""
        return nn.functional.one_hot(self.target, self.logits.shape[1]).to(self.logits)

    @property
    def score(self) -> Tensor:
        """S_c, (B, 1)."""
        return self.logits.gather(1, self.target[:, None])

    def back(self, start: Tensor, layer: Layer | None = None) -> dict[Layer | None, Tensor]:
        """The relevance of every place, from the relevance `start` of the logits (B, K).

        layer: start there instead, from (B, C, h, w). Raises ValueError where that does not depend on a
        place.
        """
        out = self._out if layer is None else self.places[layer]
        with turn(self._model), frozen(self._model), recorded(self._wanted, True, "raise", again=True):
            found = pull_back(out, self.places, start.to(out), keep=True, mode=self._mode.again())
        for name, R in found.items():
            each = zero_images if R.dim() == 4 else all_zero  # tokens may have the images elsewhere
            warn_zero(each(R) & ~each(start), name)
        return found


@guarded
def walk(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    rules: Rules | None = None,
    layers: Layers | None = None,
    *,
    to_image: bool = True,
) -> Walk:
    """One forward under `rules`; the walk may end at the image and at the outputs of `layers`.

    to_image: False where only the layers are of interest: nothing below them is remembered.

    Raises what `capture.capture` raises, and ValueError for operations without a rule or a callable
    target. Networks of half precision are computed in float32. Model and caller keep their state.
    Built in chapter 11.
    """
    check_call(model, images)
    if callable(target):
        raise ValueError(
            "relevance starts at a class, so its target must be None or class indices, "
            "not a callable; gradient methods take callables"
        )
    see_inside(model)
    wanted = {} if layers is None else find_layers(model, layers)
    with torch.inference_mode(False), torch.enable_grad(), frozen(model):
        image = at_least_float32(detached(images))
        image = image.detach().requires_grad_(to_image)
        fed = image.clone()
        mode = RelevanceMode(rules or Rules(), fed, to_image)
        mode.seen.add(image, raw=True)
        with recorded(wanted, True, "raise") as A, watched(model, wanted) as readers, mode:
            out = class_logits(forward(model, fed, owned=True, autocast=False), len(images))
        if missing := [name for name in wanted if name not in A]:
            raise ValueError(f"layer {called(missing[0])} did not run in this forward pass, so it gets no relevance")
        logits = out.detach().clone()
        expect_finite(logits, NOT_FINITE.format("logits"))
    if mode.linear:
        mode.linear[-1].last = True
    places = {name: A[name] for name in wanted} | ({None: image} if to_image else {})
    return Walk(logits, resolve_target(logits, target), places, out, model, wanted, mode, readers)
