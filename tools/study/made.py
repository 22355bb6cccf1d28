"""Rows of a study: a part a picture, so that a run that was stopped goes on, and their union in data/results.

Parts lie in results/NAME, as those of any run. How many pictures are taken is no setting: the manifest lists all that
the world has, in order, and the stored set holds those that are done. On another machine, where results/NAME is not
there, the parts are taken out of data/results again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

import holicam as hc
from holicam.datasets import Dataset
from holicam.experiments.code import file_hash
from holicam.experiments.made_by import note
from holicam.experiments.manifest import complete, run_name
from holicam.experiments.storage import open_run, write_part

from .kept import place, restore, store
from .worlds import Picture, World

Cell = tuple[str, str, str]  # explainer, layer, metric
Measure = Callable[[Picture, Tensor], dict[Cell, float]]


@dataclass(frozen=True)
class Study:
    """What is measured of a picture.

    name: of the set, with the world's behind it. explainers: {what stands in the rows: its settings in words}. begin:
    given a world, it returns what is called as measure(picture, p) with the probabilities p (K,) of a picture's
    classes, and gives {(explainer, layer, metric): value}, the same cells for every picture of a world. metrics: all
    that there may be. files: where its formulas stand. of_objects: explainers of worlds where the object is known.
    """

    name: str
    explainers: Mapping[str, str]
    begin: Callable[[World], Measure]
    metrics: tuple[str, ...]
    files: tuple[str, ...]
    of_objects: Mapping[str, str] = field(default_factory=dict)

    def made_of(self, world: World) -> dict[str, str]:
        """All that stands in the rows of a world, with its settings in words."""
        return {**self.explainers, **(self.of_objects if world.located else {})}

    def formulas(self) -> dict[str, str]:
        """{file of this folder that moves a value: the hash of its definitions}, as they are now."""
        return {name: file_hash(Path(__file__).with_name(f"{name}.py")) for name in ("worlds", *self.files)}


def manifest(study: Study, world: World) -> dict[str, object]:
    """What the rows depend on."""
    ids = list(world.ids)
    return complete(
        {
            "config": {
                "study": study.name,
                "dataset": world.about,
                "networks": [world.network],
                "metrics": list(study.metrics),
                "explainers": {label: [said, None] for label, said in study.made_of(world).items()},
                "target": "top-1",
            },
            "ids": Dataset("", (), world.ids, None, None).split_hash,
            "images": ids,
            "weights": {world.network: world.weights()},
            "layers": {world.network: list(world.stages)},
            "holicam": hc.__version__,
            "given": {},
        }
    )


def rows(
    picture: Picture, p: Tensor, values: Mapping[Cell, float], about: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """Result rows of one picture, a cell each."""
    config = about["config"]
    network = config["networks"][0]
    for (explainer, layer, metric), value in values.items():
        yield {
            "run": run_name(about),
            "dataset": config["dataset"]["name"],
            "split": about["ids"],
            "image": picture.id,
            "network": network,
            "weights": about["weights"][network],
            "layer": layer,
            "explainer": explainer,
            "settings": config["explainers"][explainer][0],
            "preset": "",
            "target_policy": "top-1",
            "target": int(p.argmax()),
            "probability": float(p.max()),
            "metric": metric,
            "protocol": "",
            "value": float(value),
            "degenerate": "none",
            "note": "",
        }


@torch.no_grad()
def probabilities(world: World, picture: Picture) -> Tensor:
    """(K,) float32."""
    return world.model(picture.x).softmax(1)[0]


def one(world: World, measure: Measure, name: str) -> tuple[Picture, Tensor, dict[Cell, float]]:
    """A picture, what the network says of it, and its values."""
    picture = world.picture(name)
    p = probabilities(world, picture)
    return picture, p, measure(picture, p)


def run(study: Study, world: World, n: int, out: Path, stored: Path, limit: float = float("inf")) -> int:
    """Measure the first n pictures, none begun after `limit` seconds, and store what is done. Returns how many are.

    out: the run's folder. stored: NAME of the merged rows, NAME.parquet and NAME.json beside it.

    Raises ConfigError where `out` holds other settings, ValueError where there are not n pictures.
    """
    if not 0 < n <= len(world.ids):
        raise ValueError(f"there are {len(world.ids)} pictures: --n must lie in 1..{len(world.ids)}, got {n}")
    began = time.perf_counter()
    wanted = manifest(study, world)
    about = open_run(out, wanted, study.made_of(world))
    restore(out, stored, about)
    todo = [name for name in world.ids[:n] if not place(out, name).exists()]
    measure = study.begin(world) if todo else None
    for number, name in enumerate(todo, 1):
        if time.perf_counter() - began > limit:
            break
        picture, p, values = one(world, measure, name)
        write_part(place(out, name), list(rows(picture, p, values, about)), note(out))
        print(f"{number} of {len(todo)} pictures, {time.perf_counter() - began:.0f} s", flush=True)
    done = [name for name in world.ids if place(out, name).exists()]
    if done:
        store(out, stored, done, study.formulas())
    return len(done)
