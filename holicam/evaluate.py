"""Data set x networks x layers x explainers x metrics, unit by unit, surviving a kill at any moment.

    plan = Plan.of(from_toml("table6.toml"))
    evaluate(plan, out)            # skips what is there; any number of processes may do so at once
    rows = merge(out, plan.keys())

Processes need not know of each other: each takes every n-th unit, by the rank that torchrun or
Slurm gave it, and writes one part a unit (parts.py).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from . import datasets, metrics
from .askonce import ask_once, same_questions
from .explain import explain_many
from .models import default_layers, load_model
from .parts import open_run, part_path, write_part
from .plan import Config, ConfigError, Unit, cost, mine, units_of

Progress = Callable[[Unit, float, float], None]  # a finished unit, its cost in F, its seconds


@dataclass(frozen=True, eq=False)
class Plan:
    """A configuration with its data set and networks at hand."""

    config: Config
    dataset: datasets.Dataset
    load: Callable[[str], nn.Module] = field(repr=False)
    units: tuple[Unit, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, config: Config) -> Plan:
        """Find data set and networks. Raises ConfigError, MissingDataError, WeightsNotFoundError."""
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in config.dataset.items()}
        name = options.pop("name")
        try:
            dataset = datasets.load(name, **options)
        except TypeError as error:
            raise ConfigError(f"dataset {name!r}: {error}") from None
        dataset = dataset.sample(config.n, config.seed) if config.n else dataset
        plan = cls(config, dataset, cache(load_model), tuple(units_of(config, dataset.ids)))
        plan.layers  # noqa: B018  a network that is missing is missed now
        return plan

    @cached_property
    def layers(self) -> dict[str, tuple[str, ...]]:
        """{network: the layers explained}."""
        return {name: self.config.layers_for(name, default_layers(self.load(name))) for name in self.config.networks}

    @cached_property
    def weights(self) -> dict[str, str]:
        """{network: twelve hex digits of all its parameters and buffers}."""
        return {name: fingerprint(self.load(name)) for name in self.config.networks}

    @cached_property
    def made(self) -> dict[str, object]:
        """{label: explainer}."""
        return self.config.made()

    def manifest(self) -> dict[str, object]:
        """What the rows depend on."""
        return {"config": self.config.plain(), "ids": self.dataset.split_hash, "preset": repr(self.dataset.preset),
                "weights": self.weights,
                "layers": {name: list(layers) for name, layers in self.layers.items()},
                "holicam": importlib.metadata.version("holicam")}  # fmt: skip

    def layers_of(self, label: str, network: str) -> tuple[str, ...]:
        """What stands in the column `layer`: names, or "" for a map that is not of one layer."""
        takes = getattr(self.made[label], "takes", "layer")
        return self.layers[network] if takes == "layer" else ("",)

    def keys(self) -> Iterator[tuple[str, ...]]:
        """(network, image, explainer, layer, metric) of every row there must be."""
        for unit in self.units:
            for label in unit.labels:
                for layer in self.layers_of(label, unit.network):
                    for image in unit.ids:
                        for metric in self.config.metrics:
                            yield unit.network, image, label, layer, metric

    def cost(self, unit: Unit) -> float:
        """F of a unit, about."""
        return cost(self.config, unit, sum(len(self.layers_of(label, unit.network)) for label in unit.labels))


def fingerprint(model: nn.Module) -> str:
    """Twelve hex digits of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + str(tensor.dtype).encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def shard() -> tuple[int, int]:
    """(rank, number of processes) as torchrun or a Slurm array gave them, else (0, 1)."""
    for rank, world in (("RANK", "WORLD_SIZE"), ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")):
        if rank in os.environ and world in os.environ:
            return int(os.environ[rank]), int(os.environ[world])
    return 0, 1


def device() -> str:
    """This process's device: the GPU of its local rank, or the CPU."""
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"


def evaluate(plan: Plan, out: Path, *, part: tuple[int, int] | None = None, on: str | None = None,
             progress: Progress | None = None) -> int:
    """Run every unit of this process that is not there yet. Returns how many were run.

    part: (rank, processes), default `shard()`, see `plan.mine`. on: device.
    Raises ConfigError where `out` holds another run, OSError where nothing can be written: parts
    that were finished before stay whole.
    """
    rank, world = part or shard()
    if not 0 <= rank < world:
        raise ConfigError(f"rank must lie in 0..{world - 1}; got {rank}")
    run, where, done = open_run(out, plan.manifest()), on or device(), 0
    for unit in mine(plan.units, rank, world):
        path = part_path(out, unit.name)
        if path.exists():
            continue
        began = time.perf_counter()
        write_part(path, list(rows(plan, unit, run, where)))
        done += 1
        if progress:
            progress(unit, plan.cost(unit), time.perf_counter() - began)
    return done


def rows(plan: Plan, unit: Unit, run: str, where: str) -> Iterator[dict[str, object]]:
    """The rows of one unit; an image that cannot be read has rows without values, and the reason."""
    config, model = plan.config, plan.load(unit.network).to(where)
    items = list(plan.dataset.select(unit.ids))
    shared = {"run": run, "dataset": plan.dataset.name, "split": plan.dataset.split_hash, "network": unit.network,
              "weights": plan.weights[unit.network], "preset": plan.dataset.preset.name, "target_policy": config.target}
    good = [item for item in items if isinstance(item, datasets.Item)]
    bad = {item.id: item.reason for item in items if isinstance(item, datasets.Skipped)}
    made = {label: plan.made[label] for label in unit.labels}
    for same in _of_one_size(good):
        batch = datasets.collate(same).to(where)
        with torch.no_grad():
            probability = model(batch.images).softmax(1)
        target = batch.target if config.target == "label" else probability.argmax(1)
        p = probability.gather(1, target[:, None])[:, 0].tolist()
        for label, layer, maps in _maps(plan, unit, made, model, batch.images, target):
            values = _measure(config, model, label, made[label], layer, batch, maps, target)
            kinds = _degenerate(maps)
            for metric, (protocol, value) in values.items():
                for i, image in enumerate(batch.ids):
                    yield {**shared, "image": image, "layer": layer, "explainer": label, "settings": repr(made[label]),
                           "target": int(target[i]), "probability": p[i], "metric": metric, "protocol": protocol,
                           "value": float(value[i]), "degenerate": kinds[i], "note": "; ".join(batch.notes[i])}
    for image, reason in bad.items():
        for label in unit.labels:
            for layer in plan.layers_of(label, unit.network):
                for metric in config.metrics:
                    yield {**shared, "image": image, "layer": layer, "explainer": label, "settings": repr(made[label]),
                           "target": None, "probability": None, "metric": metric, "protocol": "", "value": float("nan"),
                           "degenerate": "none", "note": f"skipped: {reason}"}


def _of_one_size(items: list[datasets.Item]) -> Iterator[list[datasets.Item]]:
    """Neighbours that fit one batch."""
    run: list[datasets.Item] = []
    for item in items:
        if run and item.image.shape != run[0].image.shape:
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def _maps(plan: Plan, unit: Unit, made: Mapping[str, object], model: nn.Module, images: Tensor,
          target: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    if unit.group == "cams":
        found = explain_many(made, model, images, list(plan.layers[unit.network]), target)
    elif all(map(same_questions, made.values())):
        found = ask_once({label: (explainer, _layers(plan, unit, label)) for label, explainer in made.items()},
                         model, images, target)
    else:
        label, explainer = next(iter(made.items()))
        found = {label: explainer(model, images, _layers(plan, unit, label), target)}
    for label, maps in found.items():
        for layer, one in (maps.items() if isinstance(maps, dict) else [("", maps)]):
            yield label, layer, one


def _layers(plan: Plan, unit: Unit, label: str) -> list[str] | None:
    """The run's layers, or those that a joint explainer joins."""
    single = getattr(plan.made[label], "takes", "layer") == "layer"
    return list(plan.layers[unit.network]) if single else plan.config.joined(label)


def _measure(config: Config, model: nn.Module, label: str, explainer: object, layer: str, batch: datasets.Batch,
             maps: Tensor, target: Tensor) -> dict[str, tuple[str, Tensor]]:
    """{metric: (protocol, values)}: the run's protocol where the metric knows it, else its own."""
    def again(images: Tensor, target: Tensor) -> Tensor:
        return explainer(model, images, layer or config.joined(label), target)

    given = {"masks": batch.masks, "boxes": None if batch.masks is not None else batch.boxes, "ids": batch.ids,
             "recipes": batch.recipes, "explain": again}
    values = {}
    for protocol in (config.protocol, ""):
        names = [name for name in config.metrics
                 if (config.protocol in metrics.registry[name].protocols) == bool(protocol)]
        options = {**given, "protocol": protocol} if protocol else given
        if names:
            found = metrics.measure(names, model, batch.images, maps, target, **options)
            values |= {name: (protocol, found[name]) for name in names}
    return {name: values[name] for name in config.metrics}


def _degenerate(maps: Tensor) -> list[str]:
    """What is wrong with each map, as `metrics.rank` names it."""
    return [metrics.DEGENERATE[int(kind)] for kind in metrics.rank(maps).degenerate]
