"""A unit of work with all that it is made of, and its maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from .. import datasets
from ..methods.controls import GroundTruth
from ..methods.registry import explain_many
from ..metrics.energy import boxes_to_masks
from ..metrics.ranking import id_words
from .config import Config
from .naming import named
from .speed import bounded
from .units import Unit


@dataclass(frozen=True, eq=False)
class Work:
    """A unit with all that its rows are made of; `Plan.work` gives it.

    model, reference: networks, which `there` brings to `device`. layers: those explained on this network.
    about: columns that are the same in all rows. settings: {label: how rows name the explainer}.
    """

    unit: Unit
    config: Config
    dataset: datasets.Dataset
    model: nn.Module = field(repr=False)
    device: str
    layers: tuple[str, ...]
    about: Mapping[str, object]
    settings: Mapping[str, str]
    reference: nn.Module | None = field(default=None, repr=False)

    def there(self) -> Work:
        """The same with its networks on `device`."""
        reference = None if self.reference is None else self.reference.to(self.device)
        return replace(self, model=self.model.to(self.device), reference=reference)

    def explainers(self) -> dict[str, object]:
        """{label: explainer} of this unit, with model batches as the configuration bounds them."""
        return {label: bounded(self.config.made[label], self.config.batch_size) for label in self.unit.labels}

    def read_by(self, label: str) -> list[str] | None:
        """The layers that an explainer is given: the run's, or those that a joint explainer joins."""
        single = getattr(self.config.made[label], "takes", "layer") == "layer"
        joined = self.config.entries[label].layers
        return list(self.layers) if single else None if joined is None else list(joined)


def maps_of(
    work: Work, made: Mapping[str, object], model: nn.Module, batch: datasets.Batch, target: Tensor
) -> dict[tuple[str, str], Tensor]:
    """{(label, layer): maps (B, H, W)}; layer is "" for a map that is not of one layer."""
    own, layers = set(work.config.seed_by_image), {label: work.read_by(label) for label in made}
    together = {label: explainer for label, explainer in made.items() if label not in own}
    found = explain_many(together, model, batch.images, {label: layers[label] for label in together}, target)
    for label in made:
        if label in own:
            found[label] = _one_by_one(made[label], model, batch, layers[label], target, work.config.protocol)
    each = {label: found[label] if isinstance(found[label], dict) else {"": found[label]} for label in made}
    return {(label, layer): maps for label, some in each.items() for layer, maps in some.items()}


def _one_by_one(
    explainer: object, model: nn.Module, batch: datasets.Batch, layers: list[str] | None, target: Tensor, protocol: str
) -> Tensor | dict[str, Tensor]:
    """The maps of an explainer that draws each image's noise by the image's id."""
    each = []
    for i, image in enumerate(batch.ids):
        seeded = replace(explainer, seed=image_seed(image, explainer, protocol))
        each.append(seeded(model, batch.images[i : i + 1], layers, target[i : i + 1]))
    if isinstance(each[0], Tensor):
        return torch.cat(each)
    return {layer: torch.cat([maps[layer] for maps in each]) for layer in each[0]}


def image_seed(image: str, explainer: object, protocol: str) -> int:
    """The seed of one image's noise, from its id, what names the explainer (`naming.named`), and the protocol."""
    return id_words([f"{image}/{named(explainer)}/{protocol}"], 1)[0][0]


def again(
    explainer: object, model: nn.Module, layers: str | list[str] | None, images: Tensor, target: Tensor
) -> Tensor:
    """The maps of other images, for metrics that ask for them."""
    if isinstance(explainer, GroundTruth):  # whatever the pixels are, the object is where it is
        return explainer.masks[:1].float().expand(len(images), -1, -1)
    return explainer(model, images, layers, target)


def with_truth(explainer: object, batch: datasets.Batch) -> object:
    """The explainer; "ground-truth" with the masks of these images, or what their boxes enclose."""
    if not isinstance(explainer, GroundTruth):
        return explainer
    masks = batch.masks if batch.masks is not None else boxes_to_masks(batch.boxes, batch.images[:, 0])
    return replace(explainer, masks=masks)
