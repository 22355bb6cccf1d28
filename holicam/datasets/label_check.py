"""Whether a network can be asked for the labels of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..models import class_names
from .checks import check_label
from .items import Dataset, WrongDataError


def check_labels(dataset: Dataset, classes: int | Sequence[str], network: str = "the network") -> None:
    """Raise ValueError where a network of so many classes cannot be asked for the labels of a data set.

    Args:
        classes: the network's, by name in the order of its outputs, or how many it has: their numbers are
            0 to classes - 1.
        network: its name, for the message; where `classes` is a number and `load_model` knows the name, its classes
            have names too.

    The number of classes must be the data set's, and the same names must stand in the same order, else
    WrongDataError, which is a ValueError: folders are numbered by the alphabet. Labels that a reader knows without
    the pictures are looked at one by one, others when their picture is read.
    """
    count = classes if isinstance(classes, int) else len(classes)
    if not dataset.classes:
        raise ValueError(f"{dataset.name} has images without a label")
    if len(dataset.classes) != count:
        raise ValueError(
            f"{network} has {count} classes and {dataset.name} has {len(dataset.classes)}, so a label "
            "is no class of the network"
        )
    _check_order(dataset, _known_names(network) if isinstance(classes, int) else classes, network)
    labels: Mapping[str, int] = getattr(dataset.read, "labels", {})
    for name in dataset.ids:
        if name in labels:
            check_label(labels[name], count, f"{dataset.name}, image {name}")


def _known_names(network: str) -> Sequence[str]:
    """The names of the classes of a network that is known by name; none of others."""
    try:
        return class_names(network)
    except (ValueError, ImportError, OSError):  # no such network, its package or its card is not there
        return ()


def _check_order(dataset: Dataset, names: Sequence[str], network: str) -> None:
    """Raise WrongDataError where both have the same names in another order. Other names say nothing of the order."""
    ours, theirs = ([_plain(name) for name in some] for some in (dataset.classes, names))
    if ours != theirs and sorted(ours) == sorted(theirs):
        k = next(k for k, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
        raise WrongDataError(
            f"{dataset.name} numbers the classes of {network} in another order, in which {k} is "
            f"{dataset.classes[k]!r} and not {names[k]!r}; give it classes=[{names[0]!r}, …] in the network's order"
        )


def _plain(name: str) -> str:
    """A name as far as it must agree: "Tabby_cat" is "tabby cat"."""
    return " ".join(name.replace("_", " ").casefold().split())
