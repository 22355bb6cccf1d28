"""A network and its pictures by name: photographs of a folder, public ones that come with packages, and Toyland.

Pictures stand in an order of their own, which follows from their names alone, so the first 20 are among the first 100.
It is that of `Dataset.sample` with seed 0: the first n here are the n that a run of the runner draws.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL.Image import fromarray
from torch import Tensor, nn

import holicam as hc
from holicam.datasets import Dataset, Raw, Skipped, UnreadableError, image_folder, preset_of, toyland
from holicam.experiments.loading import fingerprint
from holicam.models import load_model

LITE0, RESNET, VGG = "efficientnet-lite0", "toy-resnet50", "toy-vgg16_bn"
SIDE, DRAWN = 224, 600  # pixels; how many pictures of Toyland there are to take from
REFERENCES = 8  # pictures over which norms are measured anew, the last in order


@dataclass(frozen=True, eq=False)
class Picture:
    """What is measured on.

    id: as in the rows. x: (1, 3, H, W) float32 as the network wants it. label: its class, None where that is not
    known. mask: (H, W) bool, where the object is, None likewise.
    """

    id: str
    x: Tensor
    label: int | None = None
    mask: Tensor | None = None


@dataclass(frozen=True, eq=False)
class World:
    """A network in eval mode, the stages at which it is read, and pictures.

    data: the pictures, already as the network wants them. about: the data set as a manifest has it. ids: in the order
    in which they are taken.
    """

    network: str
    model: nn.Module
    stages: tuple[str, ...]
    data: Dataset
    about: dict[str, object]
    ids: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(sorted(self.data.ids, key=drawn)))

    @property
    def located(self) -> bool:
        """Whether it is known where a picture's object is."""
        return self.data.name == "toyland"

    def picture(self, name: str) -> Picture:
        """One of `ids`. Raises UnreadableError, KeyError."""
        item = self.data.select([name])[0]
        if isinstance(item, Skipped):
            raise UnreadableError(item.reason)
        return Picture(
            name,
            item.image[None].contiguous(memory_format=torch.channels_last),
            item.targets[0] if self.located else None,
            item.region(item.targets[0]) if self.located else None,
        )

    def references(self) -> Tensor:
        """(8, 3, H, W), or fewer in a smaller world: the same pictures whatever is measured."""
        several = torch.cat([self.picture(name).x for name in self.ids[-REFERENCES:]])
        return several.contiguous(memory_format=torch.channels_last)

    def weights(self) -> str:
        """Twelve hex digits of the network."""
        return fingerprint(self.model)


def drawn(name: str) -> bytes:
    """What pictures are sorted by."""
    return hashlib.sha256(f"0/{name}".encode()).digest()


def _world(network: str, data: Dataset, about: dict[str, object]) -> World:
    model = load_model(network).to(memory_format=torch.channels_last)
    return World(network, model, tuple(hc.stages(model)), data.for_network(model), about)


def photographs(folder: str | Path) -> World:
    """The pictures below a folder, as EfficientNet-Lite0 was measured. Raises MissingDataError."""
    return _world(LITE0, image_folder(folder, "network"), {"name": "folder", "preset": "network"})


def samples() -> World:
    """The public photographs of `hc.photos.samples`, through the same steps."""
    public = hc.photos.samples()

    def read(name: str) -> Raw:
        return Raw(fromarray(public[name].picture.numpy()))

    data = Dataset("samples", (), tuple(public), read, preset_of("network"))
    return _world(LITE0, data, {"name": "samples", "preset": "network"})


def drawings(network: str = RESNET, size: int = SIDE, n: int = DRAWN) -> World:
    """Toyland's test pictures of one object."""
    return _world(network, toyland(n, split="test", size=size), {"name": "toyland", "size": size})


WORLDS = {"photographs": photographs, "samples": samples, "toyland": drawings, "toyland-vgg": lambda: drawings(VGG)}


def world_of(name: str, photos: str | Path | None = None) -> World:
    """One of `WORLDS`; photos: the folder that photographs need.

    Raises ValueError: photographs without a folder. MissingDataError: a folder without any.
    """
    if name != "photographs":
        return WORLDS[name]()
    if photos is None:
        raise ValueError("photographs are not part of this repository: say where they lie with --photos FOLDER")
    return photographs(photos)
