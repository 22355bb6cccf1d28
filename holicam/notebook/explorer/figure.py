"""What a notebook shows: a figure with a real picture, which a script on the page brings to life.

The picture is the default view. It is what a reader without scripts, on paper or on a code host sees.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from PIL import Image

from ...core import ops
from ..live import live
from ..overlay import EVIDENCE, SIGNED, cover
from . import data, packed, store

SIDE = 448  # pixels: a picture is enlarged by whole numbers up to this, so that maps look smooth
VIEW_SIDE = 336  # of the stored picture
QUALITY = 80
HINT = (
    "On the book's site, and where this notebook runs, this figure has controls for method, layer, opacity "
    "and threshold."
)


def table(signed: bool) -> np.ndarray:
    """(256, 3) uint8: the book's colours, as in `holicam.notebook.plot`."""
    colours = matplotlib.colormaps[SIGNED if signed else EVIDENCE](np.arange(256))
    return np.round(255 * colours[:, :3]).astype(np.uint8)


def relative(m: np.ndarray, signed: bool) -> np.ndarray:
    """A map on its own scale: [0, 1] between its extremes, or [-1, 1] about zero. A constant one is zeros."""
    if signed:
        top = np.abs(m).max()
        return m / top if top > 0 else np.zeros_like(m)
    low, high = data.ends(m)
    return (m - low) / (high - low) if high > low else np.zeros_like(m)


def drawn(
    picture: np.ndarray,
    m: np.ndarray,
    *,
    signed: bool = False,
    opacity: float = 0.85,
    threshold: float = 0.0,
    side: int = SIDE,
) -> np.ndarray:
    """A map over its photograph, as the page draws it.

    As in a figure of `hc.plot`: the more evidence, the more opaque the map and the greyer the photograph below it.
    Where there is no evidence, or the map's magnitude is below the threshold, the photograph alone is seen.

    Args:
        picture: (H, W, 3) uint8, RGB.
        m: (h, w), resampled bilinearly with half-pixel centres.
        signed: the map has two signs, and colours for both.
        opacity: 0..1, of the map where evidence is strong.
        threshold: 0..1, of the map's magnitude on its own scale.
        side: pixels up to which the picture is enlarged by a whole number.

    Returns:
        uint8 (H', W', 3).
    """
    zoom = max(1, side // picture.shape[1])
    size = picture.shape[0] * zoom, picture.shape[1] * zoom
    photo = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR)).astype(float)
    v = ops.upsample(torch.from_numpy(relative(m, signed))[None], size)[0].numpy()  # (H, W)
    grey = photo @ np.array([0.299, 0.587, 0.114])
    level = (v + 1) / 2 if signed else v
    colours = table(signed)[np.clip(np.round(255 * level), 0, 255).astype(int)]
    strength = cover(v, -1.0 if signed else 0.0, 1.0, signed)
    share = np.where(np.abs(v) >= threshold, opacity * strength, 0.0)[..., None]
    under = photo + share * (grey[..., None] - photo)
    return np.round(under + share * (colours - under)).astype(np.uint8)


def words(content: data.Content, target: str, method: str, layer: str, random: bool = False) -> str:
    """What is seen, in words."""
    who = " of a network with random weights" if random else ""
    what = f" for {target}" if target else ""
    scale = "red speaks for the class, blue against it" if content.signed else "brighter is more evidence"
    return f"The map of {method} at {layer}{who}{what} over the image; {scale}."


class Explorer:
    """One figure; a notebook shows it, `str` of it is its HTML."""

    def __init__(self, content: data.Content, name: str | None, caption: str, alt: str) -> None:
        self.content, self.name, self.caption = content, name, caption
        start = content.start
        entry = content.map_of(start["target"], start["method"], start["layer"])
        picture = content.pictures[start["target"]]
        seen = drawn(
            picture,
            entry.values,
            signed=content.signed,
            opacity=start["opacity"],
            threshold=start["threshold"],
            side=VIEW_SIDE,
        )
        view = packed.jpeg(seen, QUALITY)
        self.alt = alt or words(content, start["target"], start["method"], start["layer"])
        folder = None if live() else store.place(name)
        if folder is not None and name is not None:
            file, self.manifest = store.written(folder, name.split("/")[1], content, view)
            stored = folder / self.manifest["view"]  # not there where outputs are compared only, and differ
            view, self._script = stored.read_bytes() if stored.exists() else view, ""
            self._source = f"{store.FOLDER}/{folder.name}/{file}"
        else:
            self.manifest = store.inline(content)
            self._source = store.address("application/json", json.dumps(self.manifest).encode())
            self._script = _script()
        self._view, self._size = view, seen.shape[:2]

    def __repr__(self) -> str:
        inside = self.content
        layers = dict.fromkeys(e.layer for e in inside.entries)
        random = ", with a randomised network" if inside.has_random else ""
        return (
            f"Explorer({len(inside.method_names)} methods, {len(layers)} layers, {len(inside.pictures)} targets"
            f"{random})"
        )

    def __str__(self) -> str:
        return self._repr_html_()

    def _repr_html_(self) -> str:
        """The same bytes for the same maps: the identifier is the name, and nothing is random."""
        who = self.name.replace("/", "-") if self.name else self.manifest["digest"][:12]
        height, width = self._size
        picture = store.address("image/jpeg", self._view)
        return (
            f'<figure class="cam-explorer" id="explorer-{who}" data-manifest="{self._source}">\n'
            f'<img src="{picture}" width="{width}" height="{height}" alt="{html.escape(self.alt)}">\n'
            f'<figcaption>{html.escape(self.caption)} <span class="cam-explorer-hint">{HINT}</span></figcaption>\n'
            f"</figure>{self._script}"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


def _script() -> str:
    """The page's style and script for a figure outside the book; nothing where they are not at hand."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "static", package.parent / "book" / "_static"):
        if (folder / "explorer.mjs").is_file():
            style, script = ((folder / f"explorer.{kind}").read_text(encoding="utf-8") for kind in ("css", "mjs"))
            return f'\n<style>\n{style}</style>\n<script type="module">\n{script}</script>'
    return ""
