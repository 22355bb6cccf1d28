"""A configuration with its data set and networks at hand: what there is to do, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import nn

from .. import __version__, datasets
from ..core.places import is_place
from ..models import class_names, default_layers, find_layers
from ..models.preprocessing import IMAGENET, Preprocessing, carried, preprocessing
from . import costs
from .class_pairs import pairs_of
from .commit import commit
from .config import Config, ConfigError
from .loading import fingerprint, loader
from .manifest import Key, layers_of, unit_keys
from .naming import named
from .own import code_of, data_set, places_of
from .rows import check_target
from .units import Unit, units_of
from .work import Work


@dataclass(frozen=True, eq=False)
class Plan:
    """A configuration with its data set and networks at hand."""

    config: Config
    dataset: datasets.Dataset
    load: Callable[[str], nn.Module] = field(repr=False)
    units: tuple[Unit, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, config: Config) -> Plan:
        """Find data set and networks.

        Raises ConfigError, MissingDataError, LayerNotFoundError, WeightsNotFoundError.
        """
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in config.dataset.items()}
        name = options.pop("name")
        try:
            dataset = data_set(name, options) if is_place(name) else datasets.load(name, **options)
        except TypeError as error:
            raise ConfigError(f"dataset {name!r}: {error}") from None
        dataset = dataset.sample(config.n, config.seed) if config.n else dataset
        dataset = pairs_of(dataset, config.difficult) if config.pairs else dataset
        plan = cls(config, dataset, loader(config.loaders), tuple(units_of(config, dataset.ids)))
        plan = replace(plan, dataset=dataset.for_network(plan.wants[config.networks[0]]))
        for network, layers in plan.layers.items():  # what is missing is missed now
            if layers:
                find_layers(plan.load(network), layers)
        for name in config.networks if config.target == "label" else ():
            if name not in config.loaders:  # those are asked when they answer
                check_target(dataset, len(class_names(name)), name)
        return plan

    def in_units_of(self, count: int) -> Plan:
        """The same work in units of so many images, as a run that is there has them."""
        if count == self.config.images_per_unit:
            return self
        config = replace(self.config, images_per_unit=count)
        other = replace(self, config=config, units=tuple(units_of(config, self.dataset.ids)))
        known = ("layers", "wants", "weights", "scoring")
        other.__dict__.update({name: self.__dict__[name] for name in known if name in self.__dict__})
        return other

    def work(self, unit: Unit, run: str, where: str, settings: Mapping[str, str] | None = None) -> Work:
        """A unit with all that its rows are made of, on the device `where`.

        run: the run's name, which stands in every row. settings: {label: how rows name the explainer}, where the
        run has begun and has names already.
        """
        config, dataset = self.config, self.dataset
        about = {
            "run": run,
            "dataset": dataset.name,
            "split": dataset.split_hash,
            "network": unit.network,
            "weights": self.weights[unit.network],
            "preset": dataset.preset.name,
            "target_policy": "each label" if config.pairs else config.target,
        }
        about |= {"subset": ""} if config.pairs else {}
        about |= {"share": None, "curve": None} if config.curves else {}
        contrast = "shortcut-contrast" in config.metrics
        return Work(
            unit,
            config,
            dataset.for_network(self.wants[unit.network]),
            self.load(unit.network),
            where,
            self.layers[unit.network],
            about,
            settings or {label: named(made) for label, made in config.made.items()},
            self.load(config.reference) if contrast else None,
        )

    @cached_property
    def layers(self) -> dict[str, tuple[str, ...]]:
        """{network: the layers explained}."""
        return {name: self.config.layers_for(name, ()) or self._usual_layers(name) for name in self.config.networks}

    def _usual_layers(self, network: str) -> tuple[str, ...]:
        """Those that are read where none are named; of a network without such, none where no explainer asks for them.

        They stand in the manifest even where nobody reads them: a run that has begun must stay the same.
        """
        try:
            return default_layers(self.load(network))
        except ValueError:
            if any(self._asks_for_layers(label) for label in self.config.made):
                raise
            return ()

    def _asks_for_layers(self, label: str) -> bool:
        takes = getattr(self.config.made[label], "takes", "layer")
        return takes == "layer" or (takes == "joint" and self.config.entries[label].layers is None)

    @cached_property
    def wants(self) -> dict[str, Preprocessing]:
        """{network: how its images are prepared}.

        A network of one's own that does not say is given Toyland's images as Toyland's networks are, and those of a
        preset that states mean and deviation. Raises ConfigError for others, and for a reference unlike its network.
        """
        found = {
            name: self._wants(name) for name in dict.fromkeys([*self.config.networks, self.config.reference]) if name
        }
        if self.config.reference:
            other = found[self.config.reference]
            for name in self.config.networks:
                if (found[name].mean, found[name].std) != (other.mean, other.std):
                    raise ConfigError(
                        f"reference: {self.config.reference} and {name} are shown the same images and must have the "
                        "same mean and deviation (holicam.preprocessing)"
                    )
        return found

    def _wants(self, name: str) -> Preprocessing:
        if (found := carried(self.load(name))) is not None:
            return found
        if name not in self.config.loaders:
            return preprocessing(name)
        states = self.dataset.preset.for_network(IMAGENET) is self.dataset.preset
        if self.dataset.name == "toyland" or states:
            return IMAGENET
        raise ConfigError(
            f"loaders: {self.config.loaders[name]} makes the network {name}, which does not say how its images are "
            "normalised: set model.preprocessing = holicam.Preprocessing(size=224, mean=(…), std=(…)) there"
        )

    @cached_property
    def weights(self) -> dict[str, str]:
        """{network: twelve hex digits of all its parameters and buffers}."""
        names = dict.fromkeys([*self.config.networks, self.config.reference])
        return {name: fingerprint(self.load(name)) for name in names if name}

    def manifest(self) -> dict[str, object]:
        """What the rows depend on, what joins them without the data, and the commit."""
        return {
            "config": self.config.plain(),
            "ids": self.dataset.split_hash,
            "preset": repr(self.dataset.preset),
            **self._others(),
            **({"own": code} if (code := code_of(places_of(self.config))) else {}),
            "weights": self.weights,
            "layers": {name: list(layers) for name, layers in self.layers.items()},
            "holicam": __version__,
            "given": self.config.given(),
            "images": list(self.dataset.ids),
            "commit": commit(),
        }

    def _others(self) -> dict[str, object]:
        """The preprocessing of each network, where one differs from another or the data set follows it."""
        found = {name: repr(wanted) for name, wanted in self.wants.items()}
        plain = {(w.mean, w.std) for w in self.wants.values()} == {(IMAGENET.mean, IMAGENET.std)}
        return {} if plain and self.dataset.preset.name != "network" else {"preprocessing": found}

    def layers_of(self, label: str, network: str) -> tuple[str, ...]:
        """What stands in the column `layer`: names, or "" for a map that is not of one layer."""
        return layers_of(self.config.made[label], self.layers[network])

    def keys(self) -> Iterator[Key]:
        """(network, image, explainer, layer, metric) of every row there must be."""
        for unit in self.units:
            yield from self.unit_keys(unit)

    def unit_keys(self, unit: Unit) -> Iterator[Key]:
        """The same of one unit."""
        return unit_keys(unit, self.config.made, self.layers, self.config.metrics)

    @cached_property
    def scoring(self) -> float:
        """F of all metrics of one map, from a few of the images."""
        few = [
            item for item in self.dataset.select(self.dataset.ids[: costs.SAMPLE]) if isinstance(item, datasets.Item)
        ]
        size = tuple(few[0].image.shape[-2:]) if few else (224, 224)
        return costs.scoring(self.config, size, [item.recipe for item in few if item.recipe is not None])

    def cost(self, unit: Unit) -> float:
        """F of a unit, about."""
        maps = sum(len(self.layers_of(label, unit.network)) for label in unit.labels)
        return len(unit.ids) * (costs.explaining(self.config, unit) + maps * self.scoring)
