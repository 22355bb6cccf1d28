"""The public photographs of `hc.photos.samples` as a data set: labels, outlines as masks, boxes round them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL.Image import fromarray

from ..models import class_names
from .items import Dataset, Raw
from .presets import Preset, preset_of
from .samples import Sample, samples


@dataclass(frozen=True, eq=False)
class SampleReader:
    """Gives one of the samples, which it holds."""

    public: dict[str, Sample]

    def place(self, name: str) -> str:
        """What a reason names: the file is one of some package."""
        return f"the sample {name!r}"

    def __call__(self, name: str) -> Raw:
        return _raw(self.public[name])


def public_samples(preset: str | Preset = "network") -> Dataset:
    """The eight photographs that come with scikit-image, scikit-learn and matplotlib, by their names.

    Classes are ImageNet's. A photograph of which ImageNet has no class has neither target, mask nor box.

    Raises ImportError: a package is not installed. MissingDataError: it brings another picture than the one outlined.
    """
    public = samples()
    classes = tuple(class_names("resnet50"))
    return Dataset("samples", classes, tuple(public), SampleReader(public), preset_of(preset))


def _raw(one: Sample) -> Raw:
    picture = fromarray(one.picture.numpy())
    if one.label is None:
        return Raw(picture, ())
    return Raw(picture, (one.label,), one.box[None], torch.tensor([one.label]), one.mask[None].byte())
