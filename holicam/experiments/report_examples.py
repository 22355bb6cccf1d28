"""Example maps of a run for its report: a few of its images explained again, and laid over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..core.network import forward
from ..core.ops import probabilities
from ..core.outputs import class_logits
from ..datasets import Item, collate
from ..methods.registry import info
from ..models.preprocessing import Preprocessing
from .manifest import changes, config_of_run
from .pictures import other
from .plan import Plan
from .report_charts import literal
from .storage import part_path
from .trying import reason
from .units import Unit
from .work import Work, maps_of, with_truth

DEAR = 300.0  # F of one map: what costs more is left out of a report, and the page says so


@dataclass(frozen=True)
class Example:
    """A picture of maps. title: image, network and class. picture: a JPEG in base64. alt: what is seen."""

    title: str
    picture: str
    alt: str


@dataclass(frozen=True)
class Examples:
    """What a report shows of maps, and one sentence on what it leaves out, "" for nothing."""

    shown: tuple[Example, ...] = ()
    said: str = ""


def examples(out: Path, manifest: Mapping[str, object], images: int) -> Examples:
    """The first `images` images of the run in a folder, explained by each of its networks.

    Explainers of more than 300 F a map are left out. Where configuration, data set or network cannot be found any
    more, or are not those of the run, there is no picture, and `said` has the reason.
    """
    if not images:
        return Examples()
    try:
        plan = _plan(out, manifest)
    except (ValueError, LookupError, OSError, ImportError) as error:
        return Examples(said=f"There are no example maps: {' '.join(str(error).split())}")
    config, chosen = plan.config, plan.dataset.ids[:images]
    dear = {label for label, entry in config.entries.items() if _cost(entry.name) > DEAR}
    labels = tuple(label for label in config.made if label not in dear)
    said = f"Not among the examples, as a map costs more than {DEAR:.0f} F: {', '.join(sorted(dear))}." if dear else ""
    others = _others(plan, out, chosen)
    replaced = [f"Not among the examples: {name} is another picture than when its rows were made." for name in others]
    shown, failed = [], []
    for network in config.networks:
        for name in [name for name in chosen if name not in others]:
            work = plan.work(Unit(network, "examples", 0, labels, (name,)), "", "cpu")
            some, why = _tried(work, plan.wants[network])
            shown += some
            failed += why
    return Examples(tuple(shown), " ".join(filter(None, [said, *replaced, *failed])))


def _plan(out: Path, manifest: Mapping[str, object]) -> Plan:
    """What a run was made of. Raises ValueError where that is other images, weights or settings now."""
    plan = Plan.of(config_of_run(manifest, out))
    now = plan.manifest()
    then = {**manifest, "holicam": now["holicam"]}  # another version shows the same images and networks
    if changed := changes(then, now, plan.config.made):
        raise ValueError(f"they would not be those of this run ({'; '.join(changed)})")
    return plan


def _others(plan: Plan, out: Path, ids: Sequence[str]) -> list[str]:
    """Those of the images whose pictures are not those of the run's parts any more, as far as these are there."""
    found = set()
    for unit in plan.units:
        part = part_path(out, unit.name)
        if part.exists() and not set(ids).isdisjoint(unit.ids):
            found.update(other(plan.dataset, part))
    return [name for name in ids if name in found]


def _tried(work: Work, wants: Preprocessing) -> tuple[list[Example], list[str]]:
    """The pictures of one image, and why some are missing: an explainer that failed in the run fails here too."""
    unit, batch = work.unit, work.config.batch_size
    try:
        return list(_of_image(work, wants)), []
    except (Exception, SystemExit) as error:  # explainers and networks may be anybody's
        if len(unit.labels) == 1:
            where = f"{unit.labels[0]} failed on image {unit.ids[0]} with {unit.network}"
            return [], [f"Not among the examples: {where}: {reason(error, batch)}."]
    each = [_tried(replace(work, unit=replace(unit, labels=(label,))), wants) for label in unit.labels]
    return [one for some, _ in each for one in some], [said for _, why in each for said in why]


def _cost(name: str) -> float:
    about = info(name)
    return about.forwards + about.backwards


def _of_image(work: Work, wants: Preprocessing) -> Iterator[Example]:
    """A picture of the maps of layers and one of those of the whole network; none of an image that cannot be read."""
    from ..notebook import plot

    (item,) = work.dataset.select(work.unit.ids)
    if not isinstance(item, Item):
        return
    batch = collate([item])
    with torch.no_grad():
        p = probabilities(class_logits(forward(work.model, batch.images), 1))
    target = batch.target if work.config.target == "label" else p.argmax(1)
    made = {label: with_truth(explainer, batch) for label, explainer in work.explainers().items()}
    lines: dict[str, dict[str, Tensor]] = {}
    for (label, layer), M in maps_of(work, made, work.model, batch, target).items():
        lines.setdefault(label, {})[layer] = M[0]
    rgb = _shown(item.image, wants)
    whole = {label: some[""] for label, some in lines.items() if "" in some}
    layered = {label: some for label, some in lines.items() if "" not in some}
    title = f"{work.unit.network}, {item.id}: class {int(target)}, {float(p[0, target]):.0%}"
    if layered:
        yield _example(title, plot.grid(rgb, {literal(label): some for label, some in layered.items()}), layered)
    if whole:
        yield _example(title, plot.maps(rgb, {literal(label): M for label, M in whole.items()}), whole)


def _shown(image: Tensor, wants: Preprocessing) -> Tensor:
    """(H, W, 3) uint8 of what a network is shown, (3, H, W)."""
    mean, std = (torch.tensor(three).view(3, 1, 1) for three in (wants.mean, wants.std))
    return ((image * std + mean).clamp(0, 1) * 255).round().byte().permute(1, 2, 0)


def _example(title: str, figure, lines: Collection[str]) -> Example:
    data = io.BytesIO()
    figure.savefig(data, format="jpeg", dpi=110)
    return Example(title, base64.b64encode(data.getvalue()).decode(), f"Maps by {', '.join(lines)} over the image.")
