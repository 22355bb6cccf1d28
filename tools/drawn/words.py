"""The glossary's small pictures: what a word means, on one drawing and one trained network."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

import holicam as hc
from holicam.methods.cams.lowpass import low_pass
from holicam.metrics.truth import drawn as drawn_again
from holicam.notebook.explorer.figure import drawn as over
from holicam.notebook.explorer.figure import table
from holicam.toyland import CLASSES, Recipe, render
from tools.drawn import Panel
from tools.drawn.toyland import INDEX, SUBSETS, network

SIDE = 224
NAME = "house"  # its class
STAGES = ("layer1", "layer2", "layer3", "layer4")
GREY = np.full(3, 124, np.uint8)


@cache
def photo() -> np.ndarray:
    """The drawing that all pictures begin with, (224, 224, 3) uint8."""
    return render(Recipe(index=INDEX[NAME])).numpy()


def images() -> Tensor:
    return hc.toyland.standardise(torch.from_numpy(photo())[None])


@cache
def seen():
    """Activations and gradients of all stages."""
    return hc.capture.capture(network(), images(), list(STAGES), CLASSES.index(NAME))


@cache
def maps(kind: str, layer: str) -> np.ndarray:
    """A method's map, (224, 224)."""
    return hc.explainers[kind]()(network(), images(), layers=[layer], target=CLASSES.index(NAME))[layer][0].numpy()


def cells(grid: np.ndarray, signed: bool = False) -> np.ndarray:
    """A grid as squares of colour, as large as the picture."""
    top = np.abs(grid).max()
    v = (grid / top + 1) / 2 if signed else (grid - grid.min()) / (grid.max() - grid.min())
    side = grid.shape[0]
    place = np.arange(SIDE) * side // SIDE
    return table(signed)[np.clip(np.round(255 * v), 0, 255).astype(int)][np.ix_(place, place)]


def strongest(layer: str, count: int) -> list[int]:
    """The channels whose gradient weighs most."""
    return seen().G[layer][0].mean((1, 2)).topk(count).indices.tolist()


def brightest(share: float) -> np.ndarray:
    """(224, 224) bool: the best pixels of a map."""
    m = maps("layer-cam", "layer1")
    return m >= np.quantile(m, 1 - share)


def quarters(four: list[np.ndarray]) -> np.ndarray:
    """Four pictures in one."""
    small = [picture[::2, ::2] for picture in four]
    return np.vstack([np.hstack(small[:2]), np.hstack(small[2:])])


def on(picture: np.ndarray, m: np.ndarray | Tensor, signed: bool = False) -> np.ndarray:
    """A map over a picture."""
    return over(picture, np.asarray(m), signed=signed, side=SIDE)


def of_layers() -> list[Panel]:
    """What a layer holds."""
    first = strongest("layer1", 1)[0]
    A, G = (x["layer1"][0, first].numpy() for x in (seen().A, seen().G))
    four = quarters([cells(seen().A["layer3"][0, k].numpy()) for k in strongest("layer3", 4)])
    each = quarters([on(photo(), maps("layer-cam", layer)) for layer in STAGES])
    return [
        Panel("activation", "a channel of layer1", "A fine grid of cells, some of them bright.", cells(A)),
        Panel("channel", "four channels of layer3", "Four grids, bright in different places.", four),
        Panel("gradient", "red: more is better", "The fine grid in red and blue cells.", cells(G, signed=True)),
        Panel("stage", "maps of four stages", "Four maps of the house, from fine to coarse.", each),
    ]


def of_maps() -> list[Panel]:
    """Maps and what is done to them."""
    net, target = network(), CLASSES.index(NAME)
    coarse = maps("grad-cam", "layer4")
    signed = hc.GradCAM(relu=False)(net, images(), layers=["layer4"], target=CLASSES.index("rocket"))["layer4"][0]
    fused = hc.HolisticCAM(fsd=False)(net, images(), layers=["layer1"], target=target)["layer1"][0]
    grid = seen().A["layer4"][0, strongest("layer4", 1)[0]]
    large = hc.ops.upsample(grid[None], (SIDE, SIDE))[0]
    halves = np.hstack([cells(grid.numpy())[:, : SIDE // 2], cells(large.numpy())[:, SIDE // 2 :]])
    wrap = low_pass(torch.from_numpy(maps("layer-cam", "layer1"))[None])[0]
    alone = on(photo(), coarse)
    return [
        Panel("class-activation-map", "Grad-CAM at layer4", "The house under a soft bright patch.", alone),
        Panel("map", "Layer-CAM at layer1", "The house with bright dots.", on(photo(), maps("layer-cam", "layer1"))),
        Panel(
            "signed-map",
            "asked for a rocket: red for, blue against",
            "Red and blue patches on the house and beside it.",
            on(photo(), signed, True),
        ),
        Panel("upsample", "cells, and enlarged", "Square cells at the left, smooth ones at the right.", halves),
        Panel("fused-map", "eight sizes in one", "The house with fine bright lines.", on(photo(), fused)),
        Panel("low-pass-wrap", "a soft region", "A wide soft patch over the house.", on(photo(), wrap)),
        Panel(
            "fundamental-scale-denoising",
            "fused map times wrap",
            "Fine lines on the house, little around it.",
            on(photo(), maps("holistic-cam", "layer1")),
        ),
    ]


def of_pixels() -> list[Panel]:
    """What is done to a picture."""
    best, picture = brightest(0.15)[..., None], photo()
    hidden = picture.copy()
    hidden[80:136, 80:136] = GREY
    truth = drawn_again(Recipe(index=INDEX[NAME]))
    mask = np.where(truth.object_mask[0].numpy()[..., None], 255, 0).repeat(3, 2).astype(np.uint8)
    blurred = cv2.GaussianBlur(picture, (0, 0), 8)
    four = quarters([render(Recipe(index=INDEX[name])).numpy() for name in ("house", "car", "mushroom", "sailboat")])
    edges = hc.SobelMap()(network(), images())[0]
    piece = picture[40:152, 40:152].repeat(2, 0).repeat(2, 1)
    without = render(Recipe(index=INDEX[NAME]), "roof").numpy()
    shown = {name: render(Recipe(name, index=SUBSETS[name][0])).numpy() for name in ("shortcut", "twins")}
    return [
        Panel("deletion", "the best 15 % gone", "The house, its best pixels grey.", np.where(best, GREY, picture)),
        Panel("insertion", "the best 15 % alone", "Pixels of the house on grey.", np.where(best, picture, GREY)),
        Panel("baseline", "a blur", "The house, blurred.", blurred),
        Panel("occlusion", "one window hidden", "The house with a grey square on it.", hidden),
        Panel("mask", "the object's pixels", "The shape of the house, white on black.", mask),
        Panel("mosaic", "four in one", "Four drawings: a house, a car, a mushroom, a sailboat.", four),
        Panel("patch", "a piece, enlarged", "A piece of the house, large.", piece),
        Panel("control", "edges, no network", "The house with its edges lit.", on(picture, edges)),
        Panel("intervention", "drawn without its roof", "The house without a roof.", without),
        Panel("glyph", "in a corner", "A cactus, and a small sign in a corner.", shown["shortcut"]),
        Panel("twins", "three of one class", "Three rockets.", shown["twins"]),
    ]


def glossary() -> list[Panel]:
    """A panel for each word that has one; its name is the word with hyphens."""
    return [*of_layers(), *of_maps(), *of_pixels()]


SHEETS = {"glossary": glossary}
