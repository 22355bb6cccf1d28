"""Means over images with bootstrap intervals, and which of several methods is surely the best.

Methods are compared on the same images: intervals of differences come from resampling images, the
same draw for all methods. Values that are NaN are left out. Where an image has several values, one
for each class in it, its values are drawn together, and the mean is that of the classes' means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

DRAWS, SEED = 2000, 0
FEWEST = 12  # images: a bootstrap of fewer finds differences where there are none
AT_ONCE = 4_000_000  # values that are weighted at a time


@dataclass(frozen=True, eq=False)
class Grouping:
    """Of n values: the image (n,) and the class (n,) of each, as whole numbers from 0."""

    images: np.ndarray
    classes: np.ndarray


def mean(values: np.ndarray, grouping: Grouping | None = None) -> float:
    """The mean of (n,), or of the classes' means; NaN without any value."""
    known = np.isfinite(values)
    if not known.any():
        return float("nan")
    if grouping is None:
        return float(values[known].mean())
    classes = grouping.classes[known]
    return float(np.mean([values[known][classes == k].mean() for k in np.unique(classes)]))


def interval(values: np.ndarray, grouping: Grouping | None = None) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of (n,), from a fixed seed. Raises ValueError without any value."""
    known = np.isfinite(values)
    if not known.any():
        raise ValueError("an interval needs at least one value that is finite")
    generator = np.random.default_rng(SEED)
    if grouping is None:
        real = values[known]
        means = real[generator.integers(0, len(real), (DRAWS, len(real)))].mean(1)
    else:
        means = _class_means(values[known], grouping.images[known], grouping.classes[known], generator)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _class_means(
    values: np.ndarray, images: np.ndarray, classes: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """(DRAWS,) means over classes, each draw of as many images as there are, with all their values."""
    which, owner = np.unique(images, return_inverse=True)
    member = (classes[:, None] == np.unique(classes)).astype(float)  # (n, classes)
    step, means = max(1, AT_ONCE // len(values)), []
    for start in range(0, DRAWS, step):
        size = min(step, DRAWS - start)
        drawn = generator.integers(0, len(which), (size, len(which)))
        times = np.stack([np.bincount(row, minlength=len(which)) for row in drawn])[:, owner]  # (size, n)
        count = times @ member
        with np.errstate(invalid="ignore"):
            means.append(np.nanmean((times * values) @ member / count, 1))  # a class that was not drawn: 0 / 0
    return np.concatenate(means)


def surely_better(one: np.ndarray, other: np.ndarray, higher: bool, grouping: Grouping | None = None) -> bool:
    """Whether the paired interval of the difference leaves out zero, on the images that both have."""
    difference = (one - other) * (1 if higher else -1)
    difference = np.where(np.isfinite(one) & np.isfinite(other), difference, np.nan)
    return bool(np.isfinite(difference).sum() >= 2 and interval(difference, grouping)[0] > 0)


def common(one: np.ndarray, other: np.ndarray, grouping: Grouping | None = None) -> int:
    """How many images have a value in both."""
    both = np.isfinite(one) & np.isfinite(other)
    return int(both.sum()) if grouping is None else len(np.unique(grouping.images[both]))


def marks(columns: Mapping[str, np.ndarray], higher: bool, grouping: Grouping | None = None) -> dict[str, str]:
    """{explainer: "best" or "second"}, where there are `FEWEST` images that two have in common, and they allow it."""
    usable = {name: v for name, v in columns.items() if np.isfinite(v).any()}
    order = sorted(usable, key=lambda name: mean(usable[name], grouping), reverse=higher)
    found = {}
    for place, name in zip(("best", "second"), order[:2], strict=False):
        rest = order[order.index(name) + 1 :]
        if not rest or not all(
            common(usable[name], usable[other], grouping) >= FEWEST
            and surely_better(usable[name], usable[other], higher, grouping)
            for other in rest
        ):
            break
        found[name] = place
    return found
