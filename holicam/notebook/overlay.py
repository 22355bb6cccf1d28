"""A map over its image, and the key to its colours.

The more evidence, the more opaque the map and the greyer the image below it, so that colours belong to the map; where
there is no evidence the image is seen as it is. The key shows the same colours over a grey of middle brightness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.extras import extra
from .panels import measured, wrapped

with extra("A picture"):
    import matplotlib

EVIDENCE, SIGNED = "magma", "RdBu_r"
SMOOTH = 96  # pixels: a photograph is enlarged smoothly, a drawing of a few cells is not
BAR, LONGEST, UNDER = 0.06, 1.9, 0.6  # the key: inches high and long, and the grey below its colours
LETTERS, LINE = 11.5, 0.205  # points, and inches of a line
CLOSE, APART = 0.05, 0.14  # inches beside a number, and before the words


def cover(m: np.ndarray, low: float, high: float, signed: bool) -> np.ndarray:
    """How much of the image a map hides, 0 to 1: nothing without evidence, all of it from half the scale on."""
    relative = np.abs(m) / max(-low, high) if signed else (m - low) / (high - low)
    return np.clip(2 * relative, 0, 1)


@dataclass(frozen=True)
class Key:
    """One colour scale: its ends, colour map and words, and the opacity of its strongest colours; 0 is a map alone."""

    low: float
    high: float
    colours: str
    label: str
    opacity: float

    def cover(self, m: np.ndarray) -> np.ndarray:
        return cover(m, self.low, self.high, self.colours == SIGNED)

    @property
    def ends(self) -> list[str]:
        return [f"{value:.3g}".replace("-", "−") for value in (self.low, self.high)]

    def _room(self, across: float) -> tuple[float, float, float, list[str]]:
        """Inches before and along the bar, where the words begin if they fit beside it, and the words in lines."""
        before, after = (measured(text, LETTERS) + 2 * CLOSE for text in self.ends)
        long = min(LONGEST, across - before - after)
        words = before + long + after + APART - CLOSE
        beside = words + measured(self.label, LETTERS) <= across
        return before, long, words if beside else 0.0, wrapped(self.label, LETTERS, across).split("\n")

    def height(self, across: float) -> float:
        """Inches that the key takes below panels of that width."""
        _, _, words, lines = self._room(across)
        return 0.32 if words else 0.32 + LINE * len(lines)

    def add(self, figure: Any, left: float) -> None:
        """Draw it at the foot of a figure that has kept the room; its axes are the last."""
        width, height = figure.get_size_inches()
        before, long, words, lines = self._room(width - left)
        level = 0.1 if words else 0.1 + LINE * len(lines)
        at = ((left + before) / width, level / height, long / width, BAR / height)
        axes = figure.add_axes(at, xlim=(self.low, self.high), ylim=(0, 1), xticks=[], yticks=[], frame_on=False)
        shown = matplotlib.colormaps[self.colours](np.linspace(0, 1, 256))[:, :3]
        if self.opacity > 0:
            share = self.opacity * self.cover(np.linspace(self.low, self.high, 256))[:, None]
            shown = UNDER + share * (shown - UNDER)
        strip = np.round(255 * shown).astype(np.uint8)[None]
        axes.imshow(strip, extent=(self.low, self.high, 0, 1), aspect="auto")
        low, high = self.ends
        for x, text, side in ((-CLOSE / long, low, "right"), (1 + CLOSE / long, high, "left")):
            axes.text(x, 0.4, text, transform=axes.transAxes, ha=side, va="center", fontsize=LETTERS)
        place = ((words - before) / long, 0.4) if words else (-before / long, -0.08 / BAR)
        axes.xaxis.set_label_coords(*place)
        axes.set_xlabel("\n".join(lines), fontsize=LETTERS, ha="left", va="center" if words else "top")


def draw(axes: Any, rgb: np.ndarray, m: np.ndarray | None, key: Key | None) -> None:
    """A panel: an image (H, W, 3), and over it a map (h, w) where there is one, in the cells of its own grid."""
    smooth = "hanning" if min(rgb.shape[:2]) >= SMOOTH else "nearest"
    frame = (-0.5, rgb.shape[1] - 0.5, rgb.shape[0] - 0.5, -0.5)
    if m is None or key is None:
        axes.imshow(rgb, interpolation=smooth)
        return
    alpha = None
    if key.opacity > 0:
        alpha = key.opacity * key.cover(m)
        axes.imshow(rgb, interpolation=smooth)
        grey = (rgb @ np.array([0.299, 0.587, 0.114]))[..., None].repeat(3, axis=2)
        under = np.dstack([grey, np.round(255 * _enlarged(alpha, rgb.shape[:2]))])
        axes.imshow(under.astype(np.uint8), interpolation=smooth)
    limits = {"vmin": key.low, "vmax": key.high}
    axes.imshow(m, cmap=key.colours, **limits, extent=frame, alpha=alpha, interpolation="nearest")


def _enlarged(m: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cell by cell to the image's pixels, as `imshow` draws it."""
    rows, columns = (((np.arange(n) + 0.5) * k / n).astype(int) for n, k in zip(size, m.shape, strict=True))
    return m[rows[:, None], columns[None]]
