"""Toyland's pictures: its classes, their parts, its subsets, one scene drawn again, and a map beside the truth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch

import holicam as hc
from holicam.metrics.truth import drawn as drawn_again
from holicam.notebook.explorer.figure import drawn as over
from holicam.toyland import CLASSES, Recipe, render
from tools.drawn import Panel

SIDE = 336  # pixels of a picture here; the networks see the same recipe at 224
NETWORK = "toy-resnet50"
# A test image of each class: one large object, and a network that is sure of it.
INDEX = {
    "car": 443,
    "house": 644,
    "butterfly": 235,
    "sailboat": 307,
    "mushroom": 880,
    "rocket": 498,
    "flower": 483,
    "cactus": 9,
    "key": 390,
    "fish": 850,
}
PARTS_OF = ("car", "butterfly", "sailboat")
SUBSETS = {  # subset: (index, what it shows)
    "single": (193, "one object"),
    "twins": (18, "one to three objects of one class"),
    "scene": (13, "several classes in one picture"),
    "shortcut": (16, "a coloured glyph in a corner"),
    "cast": (94, "a coloured band over the object"),
}
REDRAWN = {
    "whole": (None, "as it was drawn"),
    "wheels": ("wheel", "without its wheels"),
    "cabin": ("cabin", "without its cabin"),
    "body": ("body", "without its body"),
    "car": ("object", "without the car"),
    "background": ("background", "without the background"),
}
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0), (204, 121, 167), (240, 228, 66), (0, 114, 178))


@cache
def network() -> torch.nn.Module:
    return hc.load_model(NETWORK)


def recipe(name: str) -> Recipe:
    """The picture of a class."""
    return Recipe(index=INDEX[name])


def picture(one: Recipe, without: str | None = None) -> np.ndarray:
    return render(one, without, size=SIDE).numpy()


@torch.no_grad()
def logits(pictures: list[torch.Tensor]) -> torch.Tensor:
    """(n, 10) of pictures (224, 224, 3) uint8."""
    return network()(hc.toyland.standardise(torch.stack(pictures)))


def share(p: float) -> str:
    return "under 1 %" if p < 0.01 else "over 99 %" if p > 0.99 else f"{100 * p:.0f} %"


def classes() -> list[Panel]:
    """Ten panels, a class each."""
    return [Panel(name, name, f"A drawing of a {name}.", picture(recipe(name))) for name in INDEX]


def parts() -> list[Panel]:
    """Three objects whose parts are coloured, beside nothing else."""
    found = []
    for name in PARTS_OF:
        masks = drawn_again(replace(recipe(name), size=SIDE)).part_masks[0]
        shown = picture(recipe(name)).astype(float)
        shown = 255 - (255 - shown.mean(2, keepdims=True).repeat(3, 2)) * 0.25
        keys = []
        for colour, (part, mask) in zip(COLOURS, masks.items(), strict=False):
            shown[mask.numpy()] = 0.25 * shown[mask.numpy()] + 0.75 * np.array(colour)
            keys.append((colour, part))
        said = ", ".join(part for _, part in keys)
        alt = f"The {name} with each of its parts in a colour of its own: {said}."
        found.append(Panel(name, name, alt, shown.round().astype(np.uint8), keys=tuple(keys)))
    return found


def subsets() -> list[Panel]:
    """Five panels, a subset each."""
    return [
        Panel(name, name, f"A drawing from the subset {name}: {title}.", picture(Recipe(name, index=index)), title)
        for name, (index, title) in SUBSETS.items()
    ]


def redrawn() -> list[Panel]:
    """One scene with parts left out, and what the network says of each."""
    one = recipe("car")
    p = logits([render(one, without) for without, _ in REDRAWN.values()]).softmax(1)[:, CLASSES.index("car")]
    return [
        Panel(
            name,
            title,
            f"A drawing of a car, {title}." if name != "car" else "The drawing without the car.",
            picture(one, without),
            f"car: {share(float(value))}",
        )
        for (name, (without, title)), value in zip(REDRAWN.items(), p, strict=True)
    ]


def truth() -> list[Panel]:
    """The picture, a map, the outline that the map should keep to, and what each part is worth to the network."""
    one = recipe("car")
    there = drawn_again(replace(one, size=SIDE))
    shown = picture(one)
    maps = hc.LayerCAM()(network(), drawn_again(one).images, layers=["layer1"], target=CLASSES.index("car"))
    names = [None, *there.part_masks[0]]
    car = logits([render(one, name) for name in names])[:, CLASSES.index("car")]
    worth = np.zeros((SIDE, SIDE), np.float32)
    for name, value in zip(names[1:], car[0] - car[1:], strict=True):
        worth[there.part_masks[0][name].numpy()] = float(value)
    outline = there.object_mask[0].numpy()
    kept = np.where(outline[..., None], shown, 255 - (255 - shown.mean(2, keepdims=True)) * 0.25)
    said = ", ".join(f"{n} {v:+.1f}".replace("-", "−") for n, v in zip(names[1:], car[0] - car[1:], strict=True))
    return [
        Panel("picture", "the picture", "An orange car on a dark red ground.", shown),
        Panel(
            "map",
            "a map",
            "The car with a map that lights parts of it.",
            over(shown, maps["layer1"][0].numpy(), side=SIDE),
            "Layer-CAM at layer1",
        ),
        Panel(
            "mask",
            "the object",
            "The car alone in colour; all else is pale.",
            kept.round().astype(np.uint8),
            "every pixel of it is known",
        ),
        Panel(
            "worth",
            "what each part is worth",
            f"The car with its parts coloured by the fall of the score: {said}.",
            over(shown, worth, signed=True, side=SIDE),
            "fall of the score without it",
        ),
    ]


SHEETS = {"classes": classes, "parts": parts, "subsets": subsets, "redrawn": redrawn, "truth": truth}
