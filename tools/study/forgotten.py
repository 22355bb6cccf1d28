"""Networks that have forgotten, from the output down: the same ones for every picture of a world.

    head                       the units behind the last stage alone: the classifier, which holds no norm
    half-reset, half-recalibrated      the first half of the units, from the output
    all-reset, all-recalibrated        all of them

Norms are newborn ("reset"), or measured anew over the world's eight reference pictures ("recalibrated"). New weights
follow from seed and name, as everywhere in `hc.sanity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

import holicam as hc

from .worlds import World

SEEDS = (0, 1)
TREATMENTS = {"reset": "reset", "recalibrated": "recalibrate"}
STATES = ("head", *(f"{depth}-{bn}" for depth in ("half", "all") for bn in TREATMENTS))
Weights = dict[str, Tensor]


def networks(world: World, states: Iterable[str] = STATES) -> dict[tuple[str, int], Weights]:
    """{(state, seed): tensors for `load_state_dict`}. The world's network is as it was at the end."""
    model, references = world.model, world.references()
    units = hc.sanity.units(model, references)
    found: dict[tuple[str, int], Weights] = {}
    for state in states:
        depth, _, bn = state.partition("-")
        some = units[: {"head": 1, "half": len(units) // 2, "all": len(units)}[depth]]
        for seed in SEEDS:
            with hc.sanity.kept(model):
                for unit in some:
                    hc.sanity.reinitialise(model, unit, seed, TREATMENTS[bn or "reset"])
                if bn == "recalibrated":
                    hc.sanity.recalibrate(model, some, references)
                found[state, seed] = {key: value.clone() for key, value in model.state_dict().items()}
    return found


def each(world: World, networks: dict[tuple[str, int], Weights]) -> Iterator[str]:
    """Turn the world's network into each of them, and back at the end; gives the state."""
    trained = {key: value.clone() for key, value in world.model.state_dict().items()}
    try:
        for (state, _), weights in networks.items():
            world.model.load_state_dict(weights)
            yield state
    finally:
        world.model.load_state_dict(trained)
