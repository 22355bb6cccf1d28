"""Every metric of one batch of maps, with what only a run asks for beside the value.

The run's protocol holds where a metric knows it, else the metric's own. A map that is not finite is
recorded, never a reason to stop. Curves are kept where the run wants them, pairs are scored at the
picture's own size, and a part-faithfulness of changes that are rounding is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import datasets
from ..core.ops import upsample
from ..metrics import insertion_deletion, interventions, measure, registry, remove_and_debias
from ..metrics.energy import boxes_to_masks
from .config import Config

NO_CHANGE = "no part changes the score"


@dataclass(frozen=True, eq=False)
class Values:
    """One metric of B maps: protocol, value (B,); share (n,) and curve (B, n) where kept; notes (B)."""

    protocol: str
    value: Tensor
    share: Tensor | None = None
    curve: Tensor | None = None
    notes: Sequence[str] = ()


def score(
    maps: Tensor,
    batch: datasets.Batch,
    config: Config,
    model: nn.Module,
    target: Tensor,
    *,
    explain: Callable[[Tensor, Tensor], Tensor],
    reference: Tensor | None = None,
    inside: Sequence[Tensor] | None = None,
) -> dict[str, Values]:
    """{metric: values} of maps (B, H, W) of the images of a batch, in the run's order.

    explain: (images, target) -> maps, for metrics that ask about other images. reference: the clean network's
    maps, for shortcut-contrast. inside: for pairs, where each class is at its picture's own size, (h, w) bool each.
    """
    # What a crop leaves of a box may be less than a pixel: as a mask it is not taken for a share of the picture.
    masks = batch.masks if batch.masks is not None else boxes_to_masks(batch.boxes, maps)
    given = {
        "masks": masks,
        "boxes": batch.boxes,
        "ids": batch.ids,
        "recipes": batch.recipes,
        "explain": explain,
        "chunk": config.batch_size,
        "on_nan": "record",
    }
    values: dict[str, Values] = {}
    for protocol in (config.protocol, ""):
        names = [name for name in config.metrics if (config.protocol in registry[name].protocols) == bool(protocol)]
        options = {**given, "protocol": protocol} if protocol else given
        if inside is not None:
            here = [name for name in names if _reads_regions(name)]
            values |= _in_the_file(inside, here, batch.ids, maps, protocol)
            names = [name for name in names if name not in here]
        for special in ((_curves,) if config.curves else ()) + (_parts,):
            found = special(names, model, batch.images, maps, target, options, protocol)
            values |= found
            names = [name for name in names if name not in found]
        if names:
            more = {"reference": reference} if "shortcut-contrast" in names else {}
            found = measure(names, model, batch.images, maps, target, **options, **more)
            values |= {name: Values(protocol, found[name]) for name in names}
    return {name: values[name] for name in config.metrics}


def _reads_regions(name: str) -> bool:
    return registry[name].needs == ("masks or boxes",)


def _in_the_file(
    inside: Sequence[Tensor], names: Sequence[str], ids: Sequence[str], maps: Tensor, protocol: str
) -> dict[str, Values]:
    """Games on regions at the pictures' own sizes, as the papers play them."""
    if not names:
        return {}
    options = {"on_nan": "record"} | ({"protocol": protocol} if protocol else {})
    each = []
    for i, region in enumerate(inside):
        own = options | {"ids": [ids[i]], "masks": region[None].to(maps.device)}
        each.append(measure(names, None, None, upsample(maps[i : i + 1], region.shape), None, **own))
    return {name: Values(protocol, torch.cat([found[name] for found in each])) for name in names}


def _curves(
    names: Sequence[str],
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Tensor,
    options: Mapping[str, object],
    protocol: str,
) -> dict[str, Values]:
    """Insertion, deletion and over-all from one run, and ROAD, with their curves.

    A curve has one score for each share of the image; ROAD's has the shares twice, MoRF first.
    """
    found = {}
    games = [name for name in ("insertion", "deletion", "over-all") if name in names]
    if games:
        kinds = games if len(games) == 1 and games != ["over-all"] else ("insertion", "deletion")
        run = insertion_deletion(model, images, maps, target, games=kinds, **options)
        of = {
            "insertion": (run.insertion, run.insertion_curve),
            "deletion": (run.deletion, run.deletion_curve),
            "over-all": (run.over_all, None),
        }
        found = {name: Values(protocol, of[name][0], run.fraction, of[name][1]) for name in games}
    if "road" in names:
        run = remove_and_debias(model, images, maps, target, **options)
        share = maps.new_tensor(run.ratios).repeat(2)
        found["road"] = Values(protocol, run.half, share, torch.cat([run.morf, run.lerf], 1))
    return found


def _parts(
    names: Sequence[str],
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Tensor,
    options: Mapping[str, object],
    protocol: str,
) -> dict[str, Values]:
    """Part-faithfulness, unknown where no change is more than rounding; Shapley's from the same run."""
    if "part-faithfulness" not in names:
        return {}
    both = "shapley-faithfulness" in names
    run = interventions(model, images, maps, target, truths=("change", "shapley") if both else "change", **options)
    still = run.still if run.change.shape[1] else run.part.isnan()
    part = Values(protocol, run.part, notes=[NO_CHANGE if s else "" for s in still])
    return {"part-faithfulness": part} | ({"shapley-faithfulness": Values(protocol, run.shapley)} if both else {})
