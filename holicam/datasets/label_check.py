"""Whether a network can be asked for the labels of a data set."""

from __future__ import annotations

from collections.abc import Mapping

from .checks import check_label
from .items import Dataset


def check_labels(dataset: Dataset, classes: int, network: str = "the network") -> None:
    """Raise ValueError where a network of so many classes cannot be asked for the labels of a data set.

    Args:
        classes: how many the network has: their numbers are 0 to classes - 1.
        network: its name, for the message.

    The number of classes must be the data set's; labels that a reader knows without the pictures are
    looked at one by one, others when their picture is read.
    """
    if not dataset.classes:
        raise ValueError(f"{dataset.name} has images without a label")
    if len(dataset.classes) != classes:
        raise ValueError(
            f"{network} has {classes} classes and {dataset.name} has {len(dataset.classes)}, so a label "
            "is no class of the network"
        )
    labels: Mapping[str, int] = getattr(dataset.read, "labels", {})
    for name in dataset.ids:
        if name in labels:
            check_label(labels[name], classes, f"{dataset.name}, image {name}")
