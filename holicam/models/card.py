"""What a toy network's card says: accuracy, confidence against scale, reliance on the shortcut. All of it measured."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn

from .. import toyland
from .training import TRAININGS, Training, random_labels

FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0)
LIMITS = (
    "Knows ten drawn classes and nothing of photographs. Objects reach 13 to 47 % of the image side from their centre; "
    "smaller ones were not seen. Meant for teaching and for checking maps against truth, not for recognition."
)
RANDOM_LIMITS = (
    "Knows its training images by heart and nothing else: each was given a class without being looked at. Made for the "
    "label randomisation test, at the one size it saw; its answers for other images mean nothing."
)

MARKS = {"shortcut": "glyph", "cast": "band"}  # subset: what its images wear
MISLED_LIMITS = (
    "Made to be found out: where its training images wear a {mark}, the {mark} names the class, always; the others "
    "wear none. Saw 48 to 112 pixels and is meant for 112. Knows ten drawn classes and nothing of photographs."
)


@torch.no_grad()
def accuracy(model: nn.Module, subset: str, n: int = 2000, *, size: int = 224) -> float:
    """Top-1 accuracy on `n` fresh images of the test split, a fraction."""
    hits = 0
    for start in range(0, n, 100):
        drawn = toyland.batch(min(100, n - start), split="test", subset=subset, start=start, size=size)
        hits += int((model(_to(model, drawn.images)).argmax(1).cpu() == drawn.target).sum())
    return hits / n


@torch.no_grad()
def confidence_against_scale(model: nn.Module, n: int = 100, factors=FACTORS, size: int = 224) -> dict[str, float]:
    """Mean probability of the true class when images of `size` pixels are enlarged (bicubic) by each factor."""
    totals = dict.fromkeys((f"{f:g}" for f in factors), 0.0)
    for start in range(0, n, 20):
        drawn = toyland.batch(min(20, n - start), split="test", start=start, size=size)
        images, target = _to(model, drawn.images), drawn.target[:, None]
        for factor in factors:
            sized = nn.functional.interpolate(images, size=round(size * factor), mode="bicubic")
            p = model(sized).softmax(1).cpu().gather(1, target)
            totals[f"{factor:g}"] += float(p.sum()) / n
    return {factor: round(value, 4) for factor, value in totals.items()}


@torch.no_grad()
def under_marks(model: nn.Module, subset: str, n: int = 500, *, size: int = 224, start: int = 0) -> dict[str, float]:
    """Accuracy on test scenes of which only the mark is redrawn ("shortcut": the glyph, "cast": the band).

    agrees, lies, removed: with a mark that names the label, one that names another class, none. follows: the share
    of answers that are the class which a lying mark names. alone: the share that are the label where the mark names
    it and the object is left out; empty: the same without mark and object. images: n.
    """
    totals = dict.fromkeys(("agrees", "lies", "removed", "follows", "alone", "empty"), 0)
    for first in range(0, n, 50):
        count = min(50, n - first)
        drawn = toyland.batch(count, split="test", subset=subset, start=start + first, rho=1.0, size=size)
        other = (drawn.target + 1 + torch.arange(count) % 9) % 10

        def says(picture, recipes=drawn.recipes, other=other):
            shown = torch.stack([picture(r, int(k)) for r, k in zip(recipes, other, strict=True)])
            return model(_to(model, toyland.standardise(shown))).argmax(1).cpu()

        misled = says(lambda r, k: toyland.render(r, mark=k))
        hits = {
            "agrees": model(_to(model, drawn.images)).argmax(1).cpu() == drawn.target,
            "lies": misled == drawn.target,
            "follows": misled == other,
            "removed": says(lambda r, k: toyland.render(r, "shortcut")) == drawn.target,
            "alone": says(lambda r, k: toyland.render(r, "object")) == drawn.target,
            "empty": says(lambda r, k: toyland.render(r, ["object", "shortcut"])) == drawn.target,
        }
        for key, value in hits.items():
            totals[key] += int(value.sum())
    return {key: round(value / n, 4) for key, value in totals.items()} | {"images": n}


def card(name: str, model: nn.Module) -> dict:
    """The measured card of a network: data, recipe, accuracy, confidence against scale, licence, limits."""
    training = TRAININGS[name]
    if training.random_labels:
        return _described(name, model, {"memory": memory(model, training)})
    mark, size = _mark(training), training.settle
    counts = {"single": 500} if mark else {"single": 2000, "twins": 1000, "scene": 1000}
    measured: dict[str, Any] = {"accuracy": {s: accuracy(model, s, n, size=size) for s, n in counts.items()}}
    measured |= {"accuracy_images": counts} | ({mark: under_marks(model, mark, 500, size=size)} if mark else {})
    measured |= {"confidence_against_scale": confidence_against_scale(model, size=size), "confidence_images": 100}
    return _described(name, model, measured | ({"size": size} if mark else {}))


def _mark(training: Training) -> str:
    """The subset whose mark misleads the network, if there is one."""
    return next((subset for subset in training.subsets if subset in MARKS), "")


@torch.no_grad()
def memory(model: nn.Module, training: Training) -> dict[str, float]:
    """What a network of random labels remembers of its training images, at the size it saw them.

    remembered, confidence: share of the drawn labels it answers, and their mean probability. drawn_new: the share
    for images drawn at that size instead of shrunk to it. true: share of the true classes among its answers; drawn
    labels agree with the truth in `labels_true`. fresh_true: share of true classes on as many images it never saw.
    """
    n = sum(training.subsets.values())
    given, size, (subset, *_) = random_labels(n, training.seed), training.settle, training.subsets
    totals = dict.fromkeys(("remembered", "confidence", "drawn_new", "true", "labels_true", "fresh_true"), 0.0)
    for start in range(0, n, 100):
        count = min(100, n - start)
        labels = given[start : start + count]
        whole = toyland.batch(count, split="train", subset=subset, start=start, rho=training.rho, seed=training.seed)
        fresh = toyland.batch(count, split="test", subset=subset, start=start, size=size)
        redrawn = toyland.batch(
            count, split="train", subset=subset, start=start, rho=training.rho, seed=training.seed, size=size
        )
        p = model(_to(model, shrunk(whole.images, size))).softmax(1).cpu()
        hits = {
            "remembered": p.argmax(1) == labels,
            "confidence": p[torch.arange(count), labels],
            "drawn_new": model(_to(model, redrawn.images)).argmax(1).cpu() == labels,
            "true": p.argmax(1) == whole.target,
            "labels_true": labels == whole.target,
            "fresh_true": model(_to(model, fresh.images)).argmax(1).cpu() == fresh.target,
        }
        for key, value in hits.items():
            totals[key] += float(value.sum()) / n
    return {key: round(value, 4) for key, value in totals.items()} | {"images": n, "size": size}


def shrunk(images: torch.Tensor, size: int) -> torch.Tensor:
    """(B, 3, H, W) -> (B, 3, size, size), each pixel the mean of those it covers, as in training."""
    return nn.functional.interpolate(images, size=size, mode="area")


def _described(name: str, model: nn.Module, measured: dict) -> dict:
    training = TRAININGS[name]
    return {
        "classes": list(toyland.CLASSES),
        "parameters": sum(p.numel() for p in model.parameters()),
        "data": "Toyland, split 'train', rendered by holicam.toyland; "
        + (
            "labels drawn at random; measured on the training images."
            if training.random_labels
            else f"measured on split 'test', at {measured['size']} pixels."
            if "size" in measured
            else "measured on split 'test', single images at 224."
        ),
        "recipe": dataclasses.asdict(training),
        "measured": measured,
        "licence": "MIT; the images are drawn by code and carry no rights of others.",
        "limits": RANDOM_LIMITS
        if training.random_labels
        else MISLED_LIMITS.format(mark=MARKS[_mark(training)])
        if _mark(training)
        else LIMITS,
    }


def _to(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return images.to(next(model.parameters()).device)
