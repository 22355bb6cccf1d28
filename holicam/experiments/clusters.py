"""Values that belong together: the questions about one mosaic, the mosaics of one photograph, the classes in one image.

They stand or fall together, so the cluster is what is counted, and not the value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Grouping:
    """Of n values: the cluster of each (image, photograph, mosaic), and its class where means are over classes.

    clusters, classes: (n,) of whole numbers or words.
    """

    clusters: np.ndarray
    classes: np.ndarray | None = None


def by_cluster(values: np.ndarray, grouping: Grouping | None = None) -> np.ndarray:
    """(J,): what each cluster contributes to the mean of (n,) values, which is the plain mean of the contributions.

    Without a grouping: the finite values. With clusters: the mean of each. With classes: the mean is that of the K
    classes' means, so a value weighs 1 / (K n of its class), and a cluster contributes J times its weighted sum.
    Raises ValueError where the grouping is of another number of values.
    """
    values = np.asarray(values, float)
    known = np.isfinite(values)
    if grouping is None:
        return values[known]
    if {len(of) for of in (grouping.clusters, grouping.classes) if of is not None} != {len(values)}:
        more = "" if grouping.classes is None else f" and {len(grouping.classes)} classes"
        raise ValueError(f"the grouping is of {len(grouping.clusters)} values{more}, the values are {len(values)}")
    which, owner = np.unique(np.asarray(grouping.clusters)[known], return_inverse=True)
    if grouping.classes is None:
        return np.bincount(owner, values[known], len(which)) / np.bincount(owner, minlength=len(which))
    _, kind, count = np.unique(np.asarray(grouping.classes)[known], return_inverse=True, return_counts=True)
    weights = 1 / (len(count) * count[kind])
    return len(which) * np.bincount(owner, weights * values[known], len(which))


def from_class_means(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(n,) distances of values from their classes' means, whose level is no scatter though it weighs differently.

    Widened by sqrt(n / (n - 1)), as a mean lies near the n values that it is of; one value alone counts from the mean
    of the classes.
    """
    known, far = np.isfinite(values), np.full(len(values), np.nan)
    _, kind, count = np.unique(classes[known], return_inverse=True, return_counts=True)
    means = np.bincount(kind, values[known]) / count
    n = count[kind]
    far[known] = np.where(n > 1, np.sqrt(n / np.maximum(n - 1, 1)), 0) * (values[known] - means[kind])
    far[known] += np.where(n == 1, values[known] - means.mean(), 0)
    return far
