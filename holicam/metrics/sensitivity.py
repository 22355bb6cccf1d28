"""Sensitivity-max: does a map hold still while the image does?

    max over draws of ||E(x) - E(x + d)|| / ||E(x)||, every value of d uniform in -radius..radius

(Yeh et al., NeurIPS 2019; Poly-CAM, table 5.) It runs the explainer, any callable (images, target)
-> maps. Holding still is no virtue on its own: a map that never changes, whatever the image, has a
perfect 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..core.checks import apart
from ..core.hardware import moved
from ..core.network import forward
from ..core.ops import Target, at_least_float32, normalise, one_of, resolve_target
from ..core.options import check_count, check_number
from ..core.outputs import logits_of
from ..core.targets import targets_of
from .call import run
from .draws import Key, keys, uniform
from .protocols import Protocol
from .ranking import Ids
from .table import metric

NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "raw": lambda maps: maps,
    "minmax": normalise,
    "l2": lambda maps: torch.nn.functional.normalize(maps.flatten(1)).view(maps.shape),
}


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """One run: how far a map moves, at most and in each draw.

    maximum (B,), NaN where a map is not finite; each (B, draws); norm (B,), of E(x): where it is 0, the division is
    by 1.
    """

    maximum: Tensor
    each: Tensor = field(repr=False)
    norm: Tensor


@run
def sensitivity(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    explain: Callable[..., Tensor] | None,
    ids: Ids,
    protocol: Protocol,
    chunk: int,
    on_nan: str,
    radius: float = 0.02,
    draws: int = 10,
    norm: str = "raw",
) -> Sensitivity:
    """How far a map moves under noise that no eye sees: draws + 1 explanations an image. Built in chapter 17.

    Maps that are given are not read: E(x) is computed like the others, so that nothing done to the maps since,
    such as a stretch, counts as a change.

    Args:
        model: in eval mode; it says which classes there are, and which is top-1 where target is None.
        images: (B, 3, H, W), normalised; 0.02 is about one grey level with ImageNet's deviations, 2.5 with 0.5.
        target: None (top-1 of each image), a class, one per image, or a callable; it stays.
        explain: (images, target) -> maps (n, h, w) of any size, images apart from each other.
        ids: one per image, for the noise; without ids images share it.
        protocol: its seed and target.
        chunk: the largest number of images that `explain` gets at once.
        on_nan: "raise" or "record" maps that are not finite.
        radius: of the noise, above 0.
        draws: of the noise, for each image.
        norm: "raw"; or "minmax" or "l2", of each map first.

    Returns:
        The largest relative change, 0 at best, and all of them.

    Raises:
        ValueError: no explain, or one that returns no maps; an option that does not fit.
        UnknownProtocolError: no protocol of that name.

    Example:
        >>> import torch, holicam as hc
        >>> model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
        >>> images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> edges = lambda x, target: hc.SobelMap()(model, x)
        >>> still = lambda x, target: torch.ones(len(x), 8, 8)
        >>> hc.metrics.sensitivity(model, images, None, 0, explain=still, draws=3).maximum
        tensor([0., 0.])
        >>> bool((hc.metrics.sensitivity(model, images, None, 0, explain=edges, draws=3).maximum > 0).all())
        True
    """
    check_number("radius", radius, above=True)
    check_count("draws", draws)
    one_of("norm", norm, NORMS)
    one_of("on_nan", on_nan, ("raise", "record"))
    if not callable(explain):
        raise ValueError("sensitivity-max needs explain=, a callable (images, target) -> maps")
    if callable(getattr(explain, "checked", None)):
        raise ValueError(
            "explain is called as explain(images, target): give "
            'lambda images, target: hc.GradCAM()(model, images, "layer4", target), for one'
        )
    settled, batch = _settled(model, images, target), len(images)
    size, noises = batch * (draws + 1), keys(ids, batch, "sensitivity", draws, protocol.seed)
    parts = []
    for start in range(0, size, chunk):
        numbers = torch.arange(start, min(start + chunk, size))  # on the CPU, which draws the noise
        owner = moved(numbers // (draws + 1), images.device)
        inputs = _moved(images[owner], numbers, noises, draws, radius)
        with apart():
            found = explain(inputs, targets_of(settled, owner))
        if not isinstance(found, Tensor) or found.dim() != 3 or len(found) != len(inputs):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"explain must return maps ({len(inputs)}, h, w); got {got}")
        parts.append(NORMS[norm](at_least_float32(found.detach())).flatten(1))
    rows = torch.cat(parts).unflatten(0, (batch, draws + 1))  # (B, 1 + draws, N)
    if on_nan == "raise" and not bool(rows.isfinite().all()):
        raise ValueError("explain gave NaN or infinite values: mend it, or give on_nan='record' to have NaN recorded")
    length = rows[:, 0].norm(dim=1)  # (B,)
    moves = (rows[:, 1:] - rows[:, :1]).norm(dim=2)
    each = moves / torch.where(length == 0, 1, length)[:, None]
    broken = ~rows.isfinite().flatten(1).all(1)
    return Sensitivity(maximum=each.amax(1).masked_fill(broken, torch.nan), each=each, norm=length)


def _moved(inputs: Tensor, numbers: Tensor, noises: list[Key], draws: int, radius: float) -> Tensor:
    """Inputs by number, draws + 1 an image: the image itself, then its noisy copies."""
    draw = numbers % (draws + 1)
    noisy = draw.nonzero()[:, 0]
    if not len(noisy):
        return inputs
    some = (numbers // (draws + 1) * draws + draw - 1)[noisy].tolist()
    shift = uniform([noises[k] for k in some], inputs[0].numel(), inputs)
    shift = ((2 * shift - 1) * radius).view(-1, *inputs.shape[1:]).to(inputs.dtype)
    return inputs.index_add(0, moved(noisy, inputs.device), shift)


def _settled(model: nn.Module, images: Tensor, target: Target) -> Tensor | Callable[[Tensor], Tensor]:
    """The target as every explanation gets it, from one forward."""
    if callable(target):
        return target
    with torch.no_grad():  # one image says how many classes there are
        seen = images if target is None else images[:1]
        return resolve_target(logits_of(forward(model, seen), len(seen)), target, len(images))


@metric("sensitivity-max", sensitivity, higher_is_better=False, protocols=("poly-cam",), forwards=1, explanations=11)
def sensitivity_max(run: Sensitivity) -> Tensor:
    """(B,) the largest relative change of the map, 0 at best. Built in chapter 17."""
    return run.maximum
