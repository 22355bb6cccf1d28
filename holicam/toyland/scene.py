"""From a recipe to a scene: every random choice of a Toyland image, made once and independent of its size.

Positions and extents are fractions of the image side. Drawing (`draw.py`) makes no choice of its own, so leaving
a thing out changes nothing else: that is what makes the counterfactual images exact.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np

from .shapes import CLASSES, MATERIALS, ellipse, parts

SPLITS = ("train", "val", "test")
SUBSETS = ("single", "twins", "scene", "shortcut", "cast")
GLYPH_SIDE = 20 / 224  # of the image side
OCTAVES = (3, 5, 9, 17, 33)  # grid sizes of the fractal textures


def check_world(split: object, subset: object) -> None:
    """Raise ValueError for a split or subset that Toyland does not have."""
    for value, known, what in ((split, SPLITS, "split"), (subset, SUBSETS, "subset")):
        if value not in known:
            raise ValueError(f"There is no Toyland {what} {value!r}; choose one of {', '.join(known)}.")


def check_whole(**numbers: object) -> None:
    """Raise TypeError for the first of the named values that is no whole number."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name} must be a whole number; got {value!r}.")


@dataclass(frozen=True)
class Recipe:
    """The address of one Toyland image: the same recipe gives the same image anywhere.

    `rho` is the probability that the glyph (`shortcut`) or the band (`cast`) agrees with the label.
    Raises ValueError for an unknown subset or split and a seed or index below 0, TypeError for no whole numbers.
    """

    subset: str = "single"
    split: str = "test"
    seed: int = 0
    index: int = 0
    rho: float = 0.95
    size: int = 224

    def __post_init__(self) -> None:
        check_world(self.split, self.subset)
        check_whole(seed=self.seed, index=self.index, size=self.size)
        if min(self.seed, self.index) < 0:
            raise ValueError(f"seed and index must be at least 0; got {self.seed} and {self.index}.")

    @property
    def id(self) -> str:
        tail = f"/rho{self.rho:g}" if self.subset in ("shortcut", "cast") else ""
        return f"toyland/{self.split}/{self.subset}/{self.seed}/{self.index}{tail}"


@dataclass
class Shape:
    """One filled outline: polygon (k, 2) in image fractions, colour in [0, 255], texture strength, name."""

    polygon: np.ndarray
    colour: np.ndarray
    texture: float = 0.35
    name: str = ""


@dataclass
class Thing:
    """One object: its class index and its parts from back to front."""

    label: int
    shapes: list[Shape]
    extent: float


@dataclass
class Scene:
    """What is drawn, from the back to the front: all that `draw` needs, and no pixel."""

    label: int
    background: dict
    clutter: list[Shape]
    things: list[Thing]
    texture: list[np.ndarray]
    grain: float
    grain_seed: int
    mark: dict = field(default_factory=dict)  # the glyph or the band: kind, cls, centre, angle, width


def _colour(rng, material="any") -> np.ndarray:
    hue, saturation, value = (rng.uniform(*bounds) for bounds in MATERIALS[material])
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _grids(rng) -> list[np.ndarray]:
    return [rng.standard_normal((k, k)).astype(np.float32) for k in OCTAVES]


def _background(rng) -> dict:
    kind = ("cloud", "cloud", "stripes", "checks", "ground")[rng.integers(5)]
    hue = rng.uniform()
    pair = []
    for _ in range(2):  # two muted colours of neighbouring hue
        rgb = colorsys.hsv_to_rgb((hue + rng.uniform(-0.12, 0.12)) % 1, rng.uniform(0.1, 0.65), rng.uniform(0.3, 0.95))
        pair.append(255 * np.array(rgb))
    return {
        "kind": kind,
        "colours": pair,
        "grids": _grids(rng),
        "angle": rng.uniform(0, np.pi),
        "frequency": rng.uniform(4, 18),
        "strength": rng.uniform(0.1, 0.35),
        "horizon": rng.uniform(0.35, 0.75),
    }


def _clutter(rng) -> list[Shape]:
    """Two to six label-independent things: shards, discs, bars and rings in the objects' own materials."""
    shapes = []
    for number in range(rng.integers(2, 7)):
        centre, extent = rng.uniform(0, 1, 2), rng.uniform(0.025, 0.11)
        kind = rng.integers(4)
        if kind == 0:
            angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
            outline = np.c_[np.cos(angles), np.sin(angles)]
        elif kind == 1:
            outline = ellipse(0, 0, 1, rng.uniform(0.5, 1), 28)
        elif kind == 2:
            outline = np.array([[-1, -0.18], [1, -0.18], [1, 0.18], [-1, 0.18]])
        else:
            outline = np.r_[ellipse(0, 0, 1, 1, 28), ellipse(0, 0, 0.55, 0.55, 28)[::-1]]
        material = list(MATERIALS)[rng.integers(len(MATERIALS))]
        polygon = _rotate(outline * extent, rng.uniform(0, 2 * np.pi)) + centre
        shapes.append(Shape(polygon, _colour(rng, material), 0.35, f"clutter {number + 1}"))
    return shapes


def _rotate(points, angle) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def _thing(rng, label, centre, extent) -> Thing:
    angle, mirror, aspect = rng.uniform(-0.4, 0.4), rng.choice([-1, 1]), rng.uniform(0.85, 1.15)
    # Parts of one kind ("wheel 1", "wheel 2") share a colour half of the time, as in the real world.
    shared = rng.random() < 0.5
    colours: dict[str, np.ndarray] = {}
    shapes = []
    for name, polygon, material in parts(CLASSES[label], rng):
        kind, colour = name.rstrip(" 0123456789"), _colour(rng, material)
        colour = colours.setdefault(kind, colour) if shared or material == "green" else colour
        placed = _rotate(polygon * [mirror * aspect, 1] * extent, angle) + centre
        shapes.append(Shape(placed, colour, rng.uniform(0.15, 0.5), name))
    return Thing(label, shapes, extent)


def _place(rng, extent, taken) -> np.ndarray | None:
    """A centre that keeps the object in the frame and off the others; None when there is no room."""
    margin = min(0.95 * extent, 0.5)
    for _ in range(40):
        centre = rng.uniform(margin, 1 - margin, 2) if margin < 0.5 else np.full(2, 0.5)
        if all(np.hypot(*(centre - c)) > 1.05 * (extent + e) for c, e in taken):
            return centre
    return None


def _things(rng, subset, label) -> list[Thing]:
    """The objects of a scene; the first is the labelled one and, in `scene`, clearly the largest."""
    if subset == "twins":
        count = rng.integers(1, 4)
        wanted = [(label, e) for e in rng.uniform(0.14, (0.42, 0.26, 0.23)[count - 1], count)]
    elif subset == "scene":
        count, largest = rng.integers(2, 5), rng.uniform(0.22, 0.3)
        others = rng.permutation([k for k in range(len(CLASSES)) if k != label])[: count - 1]
        wanted = [(label, largest), *((int(k), largest * rng.uniform(0.45, 0.72)) for k in others)]
    else:
        wanted = [(label, float(np.exp(rng.uniform(np.log(0.13), np.log(0.47)))))]
    things: list[Thing] = []
    taken: list[tuple[np.ndarray, float]] = []
    for cls, extent in wanted:
        centre = _place(rng, extent, taken)
        if centre is not None:
            taken.append((centre, extent))
            things.append(_thing(rng, cls, centre, extent))
    return things


def _mark(rng, subset, label, rho, thing) -> dict:
    """The glyph or the band: its class is the label with probability rho, else another class."""
    agrees = rng.random() < rho
    other = int(rng.integers(len(CLASSES) - 1))
    cls = label if agrees else other + (other >= label)
    points = np.concatenate([s.polygon for s in thing.shapes])
    low, high = points.min(0), points.max(0)
    corner = rng.integers(0, 2, 2)
    return {
        "kind": "glyph" if subset == "shortcut" else "band",
        "cls": cls,
        "agrees": agrees,
        "centre": GLYPH_SIDE * 0.75 + corner * (1 - 1.5 * GLYPH_SIDE)
        if subset == "shortcut"
        else low + (high - low) * rng.uniform(0.35, 0.65, 2),
        "angle": rng.uniform(0, np.pi),
        "width": 0.22 * thing.extent,
        "length": 1.05 * thing.extent,
    }


def scene(recipe: Recipe) -> Scene:
    """Every choice of the image, drawn from a generator that depends on the recipe alone (not on size or rho)."""
    entropy = [recipe.seed, SPLITS.index(recipe.split), SUBSETS.index(recipe.subset), recipe.index]
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
    label = int(rng.integers(len(CLASSES)))
    background, clutter = _background(rng), _clutter(rng)
    things = _things(rng, recipe.subset, label)
    texture, grain, grain_seed = _grids(rng), rng.uniform(0, 8), int(rng.integers(2**32))
    marked = recipe.subset in ("shortcut", "cast")
    mark = _mark(rng, recipe.subset, label, recipe.rho, things[0]) if marked else {}
    return Scene(label, background, clutter, things, texture, grain, grain_seed, mark)
