"""The rows of one unit: maps of its images, every metric of every map, one row a value.

An image that cannot be read has rows without values, with the reason in `note`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from .. import datasets, metrics
from ..core.network import forward
from ..core.ops import probabilities
from ..core.outputs import class_logits
from .class_pairs import MARK, region
from .config import ConfigError
from .joining import SKIPPED
from .manifest import layers_of
from .scoring import Values, score
from .work import Work, again, maps_of, with_truth

ELSEWHERE = "the network answers another class than that of the region"


def rows(work: Work) -> Iterator[dict[str, object]]:
    """The rows of one unit, in no order that matters."""
    work, items = work.there(), list(work.dataset.select(work.unit.ids))
    good = [item for item in items if isinstance(item, datasets.Item)]
    for some in _of_one_size(good, work.config.batch_size):
        yield from _of_batch(work, _laid_out(datasets.collate(some).to(work.device)))
    for item in items:
        if isinstance(item, datasets.Skipped):
            yield from _of_skipped(work, item.id, item.reason)


def _laid_out(batch: datasets.Batch) -> datasets.Batch:
    """On a CPU a pixel's channels lie together: convolutions take up to half the time, and say the same to rounding."""
    if batch.images.device.type != "cpu":
        return batch
    return replace(batch, images=batch.images.contiguous(memory_format=torch.channels_last))


def _of_batch(work: Work, batch: datasets.Batch) -> Iterator[dict[str, object]]:
    """The rows of images of one size."""
    with torch.no_grad():
        probability = probabilities(class_logits(forward(work.model, batch.images), len(batch.images)))
    target = _target(work, batch, probability)
    p = probability.gather(1, target[:, None])[:, 0].tolist()
    made = {label: with_truth(explainer, batch) for label, explainer in work.explainers().items()}
    clean = {} if work.reference is None else maps_of(work, made, work.reference, batch, target)
    inside = [region(work.dataset.read(image)) for image in batch.ids] if work.config.pairs else None
    ours = len(work.dataset.classes) == probability.shape[1]  # else a label is no class of this network
    elsewhere = ((batch.target >= 0) & (batch.target != target) & ours).tolist()
    for (label, layer), maps in maps_of(work, made, work.model, batch, target).items():
        explain = partial(again, made[label], work.model, layer or work.read_by(label))
        found = score(
            maps,
            batch,
            work.config,
            work.model,
            target,
            explain=explain,
            reference=clean.get((label, layer)),
            inside=inside,
        )
        kinds = metrics.rank(maps, on_nan="record").degenerate.tolist()
        for metric, values in found.items():
            regional = bool({"masks or boxes", "boxes"} & set(metrics.registry[metric].needs))
            for i, image in enumerate(batch.ids):
                # The region is where the label is: a map of another class is not to be held against it.
                apart = regional and elsewhere[i]
                notes = (*batch.notes[i], ELSEWHERE) if apart else batch.notes[i]
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
                    "value": float("nan") if apart else float(values.value[i]),
                    "degenerate": metrics.DEGENERATE[kinds[i]],
                    **_extras(work.about, values, i, *_about(notes)),
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
    count, names = probability.shape[1], getattr(work.model, "class_names", None)
    check_target(work.dataset, names if names and len(names) == count else count, work.unit.network)
    if bool((batch.target < 0).any()):
        raise ConfigError(f'{work.dataset.name} has images without a label: give target = "top-1"')
    return batch.target


def check_target(dataset: datasets.Dataset, classes: int | Sequence[str], network: str) -> None:
    """Raise ConfigError where the labels of a data set are no classes of a network that has these, or so many."""
    try:
        datasets.check_labels(dataset, classes, network)
    except datasets.WrongDataError as error:  # the classes are the same, and another order is all that is wrong
        raise ConfigError(str(error)) from None
    except ValueError as error:
        raise ConfigError(f'{error}: give target = "top-1", or a network trained on it') from None


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
