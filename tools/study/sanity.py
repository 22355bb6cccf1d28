"""Sanity: what is left of a map when the network has forgotten, of its own picture and beside another's.

Cells (method; stage; metric):

    MEASURE-STATE          the map of the trained network, and that of a network that has forgotten, of one picture
    MEASURE-STATE-other    the latter, and the trained network's map of the next picture in the world's order: what
                           two maps share without a picture in common
    constant-STATE         the share of the seeds for which the map is constant, and says nothing

MEASURE is of MEASURES, STATE of `forgotten.STATES`; means over the seeds for which neither map is constant, NaN where
there is none. The class is the one that the trained network sees. Sobel's edges stand at the layer "".

Of a cascade three positions are taken, of ten units (EfficientNet-Lite0) or eighteen (the toy ResNet): a picture takes
half a minute to a minute on one core, with all positions it would take five to ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

import holicam as hc
from holicam.experiments.naming import named

from . import forgotten
from .classes import FAST
from .made import Cell, Measure, Study
from .worlds import Picture, World

METHODS = {
    "Grad-CAM": hc.GradCAM(),
    "Grad-CAM++": hc.GradCAMpp(),
    "Layer-CAM": hc.LayerCAM(),
    "CAMERAS": hc.CAMERAS(scales=FAST.scales),
    "Holistic-CAM": FAST,
    "Sobel": hc.SobelMap(),
}
MEASURES = ("spearman", "ssim")
Maps = dict[tuple[str, str], Tensor]  # {(method, layer): (1, H, W)}


def metrics_of(states: Iterable[str]) -> tuple[str, ...]:
    """Their names."""
    alike = (f"{m}-{state}{tail}" for m in MEASURES for state in states for tail in ("", "-other"))
    return *alike, *(f"constant-{state}" for state in states)


def maps_of(methods: Mapping[str, object], world: World, x: Tensor, target: int) -> Maps:
    """What the methods draw, a map for each stage where they are of one."""
    found = hc.explain_many(methods, world.model, x, layers_for(methods, world), target)
    return {
        (label, layer): M
        for label, made in found.items()
        for layer, M in (made.items() if isinstance(made, dict) else [("", made)])
    }


def layers_for(methods: Mapping[str, object], world: World) -> dict[str, list[str] | None]:
    """The stages for maps of one layer; None for those that choose or need none."""
    return {
        label: list(world.stages) if getattr(explainer, "takes", "layer") == "layer" else None
        for label, explainer in methods.items()
    }


def beginning(methods: Mapping[str, object], states: tuple[str, ...]) -> Callable[[World], Measure]:
    """A study's `begin`."""

    def begin(world: World) -> Measure:
        drawn = forgotten.networks(world, states)
        after = dict(zip(world.ids, (*world.ids[1:], world.ids[0]), strict=True))

        def measure(picture: Picture, p: Tensor) -> dict[Cell, float]:
            target = int(p.argmax())
            own = maps_of(methods, world, picture.x, target)
            next_x = world.picture(after[picture.id]).x
            with torch.no_grad():
                next_target = int(world.model(next_x).argmax())
            other = maps_of(methods, world, next_x, next_target)
            values: dict[Cell, list[float]] = {}
            for state in forgotten.each(world, drawn):
                for key, M in maps_of(methods, world, picture.x, target).items():
                    values.setdefault((*key, f"constant-{state}"), []).append(float(hc.sanity.degenerate(M)))
                    for tail, before in (("", own[key]), ("-other", other[key])):
                        for name, value in hc.sanity.similarities(before, M, MEASURES).items():
                            values.setdefault((*key, f"{name}-{state}{tail}"), []).append(float(value))
            return {cell: float(torch.tensor(some, dtype=torch.float64).nanmean()) for cell, some in values.items()}

        return measure

    return begin


def named_all(methods: Mapping[str, object]) -> dict[str, str]:
    """{label: what the manifest says of it}."""
    return {label: named(explainer) for label, explainer in methods.items()}


STATES = forgotten.STATES
FILES = ("sanity", "forgotten", "classes")
STUDY = Study("sanity", named_all(METHODS), beginning(METHODS, STATES), metrics_of(STATES), FILES)
