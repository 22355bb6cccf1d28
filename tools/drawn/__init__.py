"""Pictures that are drawn while the site is built, from code and networks that are here: nothing of them is stored.

A sheet is a row or a grid of panels, each a picture with a name; `python -m tools.drawn FOLDER` draws them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np

QUALITY = 82
MODULES = ("toyland", "words")  # each has SHEETS, {name: a function that returns its panels}


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture: its file's stem, what stands below it, what it shows in words, and its pixels (H, W, 3) uint8.

    keys: pairs of a colour (r, g, b) and the word that it stands for.
    """

    name: str
    title: str
    alt: str
    pixels: np.ndarray
    note: str = ""
    keys: tuple[tuple[tuple[int, int, int], str], ...] = ()


def sheets() -> dict[str, Callable[[], list[Panel]]]:
    """{name of a sheet: a function that draws it}."""
    return {
        f"{module}-{name}": function
        for module in MODULES
        for name, function in import_module(f"tools.drawn.{module}").SHEETS.items()
    }


@cache
def panels(sheet: str) -> tuple[Panel, ...]:
    """A sheet's panels. Raises ValueError where there is no such sheet."""
    known = sheets()
    if sheet not in known:
        raise ValueError(f"there is no sheet {sheet!r}; there are {', '.join(known)}")
    return tuple(known[sheet]())


def file(sheet: str, panel: Panel) -> str:
    """The name of a panel's file."""
    return f"{sheet}-{panel.name}.jpg"
