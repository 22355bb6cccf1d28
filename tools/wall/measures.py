"""What can be counted in the stored maps, for the words below the wall."""

from __future__ import annotations

import numpy as np
from PIL import Image

from . import pictures, store

SIDE = 56


def share(picture: str, method: str, stage: int) -> float:
    """Of the positive evidence in a mosaic, the share in the quarter that shows the asked class; chance is 0.25.

    nan for a map without any. Raises KeyError where there is no map.
    """
    one = pictures.PICTURES[picture]
    quarter = next(i for i, part in enumerate(one.parts) if one.target in pictures.sample(part).labels)
    positive = np.maximum(store.tile(picture, method, stage).values, 0).astype(np.float32)
    evidence = np.asarray(Image.fromarray(positive).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    half, (row, column) = SIDE // 2, divmod(quarter, 2)
    inside = evidence[row * half : (row + 1) * half, column * half : (column + 1) * half]
    return float(inside.sum() / evidence.sum()) if evidence.any() else float("nan")


def likeness(picture: str, method: str, stage: int, question: str) -> float:
    """The correlation of a map with the one for another question."""
    first, second = (store.tile(picture, method, stage, q).values.ravel() for q in ("asked", question))
    return float(np.corrcoef(first, second)[0, 1])
