"""Data set x networks x layers x explainers x metrics, unit by unit, surviving a kill at any moment.

    plan = Plan.of(from_toml("table6.toml"))
    evaluate(plan, out)            # skips what is there; any number of processes may do so at once
    rows = merge(out, plan.keys())

Processes need not know of each other: each takes every n-th unit, by the rank that torchrun or
Slurm gave it, and writes one part a unit (parts.py).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import torch
from torch import nn

from . import costs, datasets
from .models import class_names, default_layers, load_model
from .pairs import pairs_of
from .parts import open_run, part_path, write_part
from .plan import Config, ConfigError
from .rows import check_target, rows
from .units import Unit, mine, units_of

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
        dataset = pairs_of(dataset, config.difficult) if config.pairs else dataset
        plan = cls(config, dataset, loader(config.loaders), tuple(units_of(config, dataset.ids)))
        plan.layers  # noqa: B018  a network that is missing is missed now
        for name in config.networks if config.target == "label" else ():
            if name not in config.loaders:  # those are asked when they answer
                check_target(dataset, len(class_names(name)), name)
        return plan

    @cached_property
    def layers(self) -> dict[str, tuple[str, ...]]:
        """{network: the layers explained}."""
        models = {name: self.load(name) for name in self.config.networks}
        return {name: self.config.layers_for(name, ()) or default_layers(model) for name, model in models.items()}

    @cached_property
    def weights(self) -> dict[str, str]:
        """{network: twelve hex digits of all its parameters and buffers}."""
        names = dict.fromkeys([*self.config.networks, self.config.reference])
        return {name: fingerprint(self.load(name)) for name in names if name}

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

    @cached_property
    def scoring(self) -> float:
        """F of all metrics of one map, from a few of the images."""
        few = [item for item in self.dataset.select(self.dataset.ids[:costs.SAMPLE])
               if isinstance(item, datasets.Item)]
        size = tuple(few[0].image.shape[-2:]) if few else (224, 224)
        return costs.scoring(self.config, size, [item.recipe for item in few if item.recipe is not None])

    def cost(self, unit: Unit) -> float:
        """F of a unit, about."""
        maps = sum(len(self.layers_of(label, unit.network)) for label in unit.labels)
        return len(unit.ids) * (costs.explaining(self.config, unit, self.made) + maps * self.scoring)


def loader(own: Mapping[str, str]) -> Callable[[str], nn.Module]:
    """`load_model`, but for the names in {network: "module:function"}; each network is loaded once."""
    @cache
    def load(name: str) -> nn.Module:
        if name not in own:
            return load_model(name)
        module, _, function = own[name].partition(":")
        try:
            model = getattr(importlib.import_module(module), function)()
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f'loaders: {name} = "{own[name]}" must be "module:function" ({error})') from None
        if not isinstance(model, nn.Module) or model.training:
            raise ConfigError(f"loaders: {own[name]} must return a torch.nn.Module in eval mode; got {type(model)}")
        return model

    return load


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
            first = int(os.environ.get("SLURM_ARRAY_TASK_MIN", 0)) if rank.startswith("SLURM") else 0
            return int(os.environ[rank]) - first, int(os.environ[world])
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
