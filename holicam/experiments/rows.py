"""The rows of one unit: maps of its images, every metric of every map, one row a value.

An image that cannot be read has rows without values, with the reason in `note`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from .. import datasets, metrics
from ..core.network import forward
from ..core.outputs import class_logits
from ..methods.controls import GroundTruth
from ..methods.registry import explain_many
from ..metrics.energy import boxes_to_masks
from ..metrics.ranking import id_words
from .class_pairs import MARK, region
from .config import Config, ConfigError
from .joining import SKIPPED
from .manifest import layers_of
from .naming import named
from .scoring import Values, score
from .speed import bounded
from .units import Unit


@dataclass(frozen=True, eq=False)
class Work:
    """A unit with all that its rows are made of; `Plan.work` gives it.

    model, reference: networks on `device`. layers: those explained on this network.
    about: columns that are the same in all rows. settings: {label: how rows name the explainer}.
    """

    unit: Unit
    config: Config
    dataset: datasets.Dataset
    model: nn.Module = field(repr=False)
    device: str
    layers: tuple[str, ...]
    about: Mapping[str, object]
    settings: Mapping[str, str]
    reference: nn.Module | None = field(default=None, repr=False)

    def explainers(self) -> dict[str, object]:
        """{label: explainer} of this unit, with model batches as the configuration bounds them."""
        return {label: bounded(self.config.made[label], self.config.batch_size) for label in self.unit.labels}

    def read_by(self, label: str) -> list[str] | None:
        """The layers that an explainer is given: the run's, or those that a joint explainer joins."""
        single = getattr(self.config.made[label], "takes", "layer") == "layer"
        joined = self.config.entries[label].layers
        return list(self.layers) if single else None if joined is None else list(joined)


def rows(work: Work) -> Iterator[dict[str, object]]:
    """The rows of one unit, in no order that matters."""
    items = list(work.dataset.select(work.unit.ids))
    good = [item for item in items if isinstance(item, datasets.Item)]
    for some in _of_one_size(good, work.config.batch_size):
        yield from _of_batch(work, datasets.collate(some).to(work.device))
    for item in items:
        if isinstance(item, datasets.Skipped):
            yield from _of_skipped(work, item.id, item.reason)


def _of_batch(work: Work, batch: datasets.Batch) -> Iterator[dict[str, object]]:
    """The rows of images of one size."""
    with torch.no_grad():
        probability = class_logits(forward(work.model, batch.images), len(batch.images)).softmax(1)
    target = _target(work, batch, probability)
    p = probability.gather(1, target[:, None])[:, 0].tolist()
    made = {label: _with_truth(explainer, batch) for label, explainer in work.explainers().items()}
    clean = {} if work.reference is None else _maps(work, made, work.reference, batch, target)
    inside = [region(work.dataset.read(image)) for image in batch.ids] if work.config.pairs else None
    about = [_about(notes) for notes in batch.notes]
    for (label, layer), maps in _maps(work, made, work.model, batch, target).items():
        again = partial(_again, made[label], work.model, layer or work.read_by(label))
        found = score(
            maps,
            batch,
            work.config,
            work.model,
            target,
            explain=again,
            reference=clean.get((label, layer)),
            inside=inside,
        )
        kinds = metrics.rank(maps, on_nan="record").degenerate.tolist()
        for metric, values in found.items():
            for i, image in enumerate(batch.ids):
                yield {
                    **work.about,
                    "image": image,
                    "layer": layer,
                    "explainer": label,
                    "settings": work.settings[label],
                    "target": int(target[i]),
                    "probability": p[i],
                    "metric": metric,
                    "protocol": values.protocol,
                    "value": float(values.value[i]),
                    "degenerate": metrics.DEGENERATE[kinds[i]],
                    **_extras(work.about, values, i, *about[i]),
                }


def _of_skipped(work: Work, image: str, reason: str) -> Iterator[dict[str, object]]:
    """The rows of an image that could not be read."""
    for label in work.unit.labels:
        for layer in layers_of(work.config.made[label], work.layers):
            for metric in work.config.metrics:
                yield {
                    **work.about,
                    "image": image,
                    "layer": layer,
                    "explainer": label,
                    "settings": work.settings[label],
                    "target": None,
                    "probability": None,
                    "metric": metric,
                    "protocol": "",
                    "value": float("nan"),
                    "degenerate": "none",
                    "note": f"{SKIPPED}{reason}",
                }


def _maps(
    work: Work, made: Mapping[str, object], model: nn.Module, batch: datasets.Batch, target: Tensor
) -> dict[tuple[str, str], Tensor]:
    """{(label, layer): maps (B, H, W)}; layer is "" for a map that is not of one layer."""
    own, layers = set(work.config.seed_by_image), {label: work.read_by(label) for label in made}
    together = {label: explainer for label, explainer in made.items() if label not in own}
    found = explain_many(together, model, batch.images, {label: layers[label] for label in together}, target)
    for label in made:
        if label in own:
            found[label] = _one_by_one(made[label], model, batch, layers[label], target, work.config.protocol)
    each = {label: found[label] if isinstance(found[label], dict) else {"": found[label]} for label in made}
    return {(label, layer): maps for label, some in each.items() for layer, maps in some.items()}


def _one_by_one(
    explainer: object, model: nn.Module, batch: datasets.Batch, layers: list[str] | None, target: Tensor, protocol: str
) -> Tensor | dict[str, Tensor]:
    """The maps of an explainer that draws each image's noise by the image's id."""
    each = []
    for i, image in enumerate(batch.ids):
        seeded = replace(explainer, seed=image_seed(image, explainer, protocol))
        each.append(seeded(model, batch.images[i : i + 1], layers, target[i : i + 1]))
    if isinstance(each[0], Tensor):
        return torch.cat(each)
    return {layer: torch.cat([maps[layer] for maps in each]) for layer in each[0]}


def image_seed(image: str, explainer: object, protocol: str) -> int:
    """The seed of one image's noise, from its id, what names the explainer (`naming.named`), and the protocol."""
    return id_words([f"{image}/{named(explainer)}/{protocol}"], 1)[0][0]


def _again(
    explainer: object, model: nn.Module, layers: str | list[str] | None, images: Tensor, target: Tensor
) -> Tensor:
    """The maps of other images, for metrics that ask for them."""
    if isinstance(explainer, GroundTruth):  # whatever the pixels are, the object is where it is
        return explainer.masks[:1].float().expand(len(images), -1, -1)
    return explainer(model, images, layers, target)


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


def _target(work: Work, batch: datasets.Batch, probability: Tensor) -> Tensor:
    """(B,): the labels, which must be classes of this network, or the top-1 classes."""
    if work.config.target != "label":
        return probability.argmax(1)
    check_target(work.dataset, probability.shape[1], work.unit.network)
    if bool((batch.target < 0).any()):
        raise ConfigError(f'{work.dataset.name} has images without a label: give target = "top-1"')
    return batch.target


def check_target(dataset: datasets.Dataset, classes: int, network: str) -> None:
    """Raise ConfigError where the labels of a data set are no classes of a network that has so many."""
    try:
        datasets.check_labels(dataset, classes, network)
    except ValueError as error:
        raise ConfigError(f'{error}: give target = "top-1", or a network trained on it') from None


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
