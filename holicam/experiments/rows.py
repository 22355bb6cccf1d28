"""The rows of one unit: maps of its images, every metric of every map, one row a value.

An image that cannot be read has rows without values, with the reason in `note`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from .. import datasets, metrics
from ..core.network import forward
from ..core.outputs import class_logits
from ..methods.controls import GroundTruth
from ..methods.perturbation.ask_once import ask_once, same_questions
from ..methods.registry import explain_many
from ..metrics.energy import boxes_to_masks
from ..metrics.ranking import id_words
from .class_pairs import MARK
from .config import ConfigError
from .joining import SKIPPED
from .plan import Plan, check_target
from .scoring import Values, measured
from .speed import bounded, named
from .units import Unit


def rows(plan: Plan, unit: Unit, run: str, where: str) -> Iterator[dict[str, object]]:
    """The rows of one unit on the device `where`; run: the run's name, which stands in every row."""
    config, model = plan.config, plan.load(unit.network).to(where)
    items = list(plan.dataset.select(unit.ids))
    shared = {
        "run": run,
        "dataset": plan.dataset.name,
        "split": plan.dataset.split_hash,
        "network": unit.network,
        "weights": plan.weights[unit.network],
        "preset": plan.dataset.preset.name,
        "target_policy": "each label" if config.pairs else config.target,
    }
    shared |= {"subset": ""} if config.pairs else {}
    shared |= {"share": None, "curve": None} if config.curves else {}
    good = [item for item in items if isinstance(item, datasets.Item)]
    bad = {item.id: item.reason for item in items if isinstance(item, datasets.Skipped)}
    for same in _of_one_size(good, config.batch):
        batch = datasets.collate(same).to(where)
        with torch.no_grad():
            probability = class_logits(forward(model, batch.images), len(batch.images)).softmax(1)
        target = _target(plan, unit, batch, probability)
        p = probability.gather(1, target[:, None])[:, 0].tolist()
        made = {label: _with_truth(bounded(plan.made[label], config.batch), batch) for label in unit.labels}
        clean = _reference(plan, unit, made, batch, target, where)
        about = [_about(notes) for notes in batch.notes]
        for label, layer, maps in _maps(plan, unit, made, model, batch, target):
            values = measured(plan, model, label, made[label], layer, batch, maps, target, clean.get((label, layer)))
            kinds = metrics.rank(maps, on_nan="record").degenerate.tolist()
            for metric, found in values.items():
                for i, image in enumerate(batch.ids):
                    yield {
                        **shared,
                        "image": image,
                        "layer": layer,
                        "explainer": label,
                        "settings": named(made[label]),
                        "target": int(target[i]),
                        "probability": p[i],
                        "metric": metric,
                        "protocol": found.protocol,
                        "value": float(found.value[i]),
                        "degenerate": metrics.DEGENERATE[kinds[i]],
                        **_extras(shared, found, i, *about[i]),
                    }
    for image, reason in bad.items():
        for label in unit.labels:
            for layer in plan.layers_of(label, unit.network):
                for metric in config.metrics:
                    yield {
                        **shared,
                        "image": image,
                        "layer": layer,
                        "explainer": label,
                        "settings": named(plan.made[label]),
                        "target": None,
                        "probability": None,
                        "metric": metric,
                        "protocol": "",
                        "value": float("nan"),
                        "degenerate": "none",
                        "note": f"{SKIPPED}{reason}",
                    }


def image_seed(image: str, settings: str, protocol: str) -> int:
    """The seed of one image's noise, from its id, the explainer as `speed.named` names it, and the protocol."""
    return id_words([f"{image}/{settings}/{protocol}"], 1)[0][0]


def _of_one_size(items: list[datasets.Item], most: int) -> Iterator[list[datasets.Item]]:
    """Neighbours that fit one batch, at most so many at a time."""
    run: list[datasets.Item] = []
    for item in items:
        if run and (item.image.shape != run[0].image.shape or len(run) == most):
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def _target(plan: Plan, unit: Unit, batch: datasets.Batch, probability: Tensor) -> Tensor:
    """(B,): the labels, which must be classes of this network, or the top-1 classes."""
    if plan.config.target != "label":
        return probability.argmax(1)
    check_target(plan.dataset, probability.shape[1], unit.network)
    if bool((batch.target < 0).any()):
        raise ConfigError(f'{plan.dataset.name} has images without a label: give target = "top-1"')
    return batch.target


def _with_truth(explainer: object, batch: datasets.Batch) -> object:
    """The explainer; "ground-truth" with the masks of these images, or what their boxes enclose."""
    if not isinstance(explainer, GroundTruth):
        return explainer
    masks = batch.masks if batch.masks is not None else boxes_to_masks(batch.boxes, batch.images[:, 0])
    return replace(explainer, masks=masks)


def _about(notes: tuple[str, ...]) -> tuple[str, str]:
    """(note, subset) of an item."""
    marked = [note.removeprefix(MARK) for note in notes if note.startswith(MARK)]
    return "; ".join(note for note in notes if not note.startswith(MARK)), "".join(marked)


def _extras(shared: Mapping[str, object], found: Values, i: int, note: str, subset: str) -> dict[str, object]:
    """The columns that not every run has, and the note."""
    more: dict[str, object] = {"subset": subset} if "subset" in shared else {}
    if "curve" in shared and found.curve is not None:
        more |= {"share": found.share.tolist(), "curve": found.curve[i].half().tolist()}
    said = [note, found.notes[i] if found.notes else ""]
    return more | {"note": "; ".join(filter(None, said))}


def _reference(
    plan: Plan, unit: Unit, made: Mapping[str, object], batch: datasets.Batch, target: Tensor, where: str
) -> dict[tuple[str, str], Tensor]:
    """{(label, layer): maps} of the clean network, for shortcut-contrast."""
    if "shortcut-contrast" not in plan.config.metrics:
        return {}
    model = plan.load(plan.config.reference).to(where)
    return {(label, layer): maps for label, layer, maps in _maps(plan, unit, made, model, batch, target)}


def _maps(
    plan: Plan, unit: Unit, made: Mapping[str, object], model: nn.Module, batch: datasets.Batch, target: Tensor
) -> Iterator[tuple[str, str, Tensor]]:
    images, own = batch.images, set(plan.config.seed_by_image)
    together = {label: explainer for label, explainer in made.items() if label not in own}
    found = {
        label: _one_by_one(plan, label, made[label], model, batch, _layers(plan, unit, label), target)
        for label in made
        if label in own
    }
    if unit.group == "cams" and together:
        found |= explain_many(together, model, images, list(plan.layers[unit.network]), target)
    elif together and all(map(same_questions, together.values())):
        least = min(explainer.chunk for explainer in together.values())
        found |= ask_once(
            {label: (bounded(explainer, least), _layers(plan, unit, label)) for label, explainer in together.items()},
            model,
            images,
            target,
        )
    else:
        for label, explainer in together.items():
            found[label] = explainer(model, images, _layers(plan, unit, label), target)
    for label in made:
        maps = found[label]
        for layer, one in maps.items() if isinstance(maps, dict) else [("", maps)]:
            yield label, layer, one


def _one_by_one(
    plan: Plan,
    label: str,
    explainer: object,
    model: nn.Module,
    batch: datasets.Batch,
    layers: list[str] | None,
    target: Tensor,
) -> Tensor | dict[str, Tensor]:
    """The maps of an explainer that draws each image's noise by the image's id."""
    each = []
    for i, image in enumerate(batch.ids):
        seeded = replace(explainer, seed=image_seed(image, named(explainer), plan.config.protocol))
        each.append(seeded(model, batch.images[i : i + 1], layers, target[i : i + 1]))
    if isinstance(each[0], Tensor):
        return torch.cat(each)
    return {layer: torch.cat([maps[layer] for maps in each]) for layer in each[0]}


def _layers(plan: Plan, unit: Unit, label: str) -> list[str] | None:
    """The run's layers, or those that a joint explainer joins."""
    single = getattr(plan.made[label], "takes", "layer") == "layer"
    return list(plan.layers[unit.network]) if single else plan.config.joined(label)
