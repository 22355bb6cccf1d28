"""data/wall: every map of the wall as bytes on its own grid.

For an explainer and a question there are two files, `grad-cam.png` and `grad-cam.json`, or `grad-cam.another.png` for
a question other than the first. The sprite is grey, one row for a picture, stages from left to right. The index says
for each map where it lies and what its lowest and highest byte stand for,

    value = low + (high - low) · byte / 255,

with which settings, network and code it was made, and the seconds it took. An explainer that cannot explain this
network has an index without maps, with the sentence that it gives.
"""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from holicam.experiments.whole_files import write_whole
from holicam.notebook.explorer.packed import png, quantised
from tools.ipynb import ROOT

FOLDER = ROOT / "data" / "wall"
CELLS = {"layer": 56, "joint": 112, "input": 112}  # a larger map is averaged down to this many a side
DIGITS = 5


class Tile(NamedTuple):
    """A stored map: bits (h, w) uint8, what bytes 0 and 255 stand for, and the grid (rows, columns) it was made on."""

    bits: np.ndarray
    low: float
    high: float
    grid: tuple[int, int]

    @property
    def values(self) -> np.ndarray:
        """(h, w) float64, as far as bytes tell them."""
        return self.low + (self.high - self.low) * self.bits / 255


Tiles = dict[tuple[str, int], Tile]  # {(picture, stage): tile}; stages are 1..4, 0 for a map without one


def reduced(m: np.ndarray, cells: int) -> np.ndarray:
    """(h, w) -> at most `cells` a side, each the mean of what it covers."""
    if max(m.shape) <= cells:
        return m
    whole = [Image.fromarray(m.astype(np.float32)).resize((cells, cells), Image.Resampling.BOX)]
    return np.asarray(whole[0], dtype=np.float64)


def packed(m: np.ndarray, cells: int) -> Tile:
    """A map (h, w) as it is stored. Raises ValueError where it holds a value that is no number."""
    if not np.isfinite(m).all():
        raise ValueError("the map holds values that are not finite")
    bits, low, high = quantised(reduced(m, cells))
    return Tile(bits, float(f"{low:.{DIGITS}g}"), float(f"{high:.{DIGITS}g}"), (m.shape[0], m.shape[1]))


def file(method: str, question: str = "asked") -> Path:
    """The index of an explainer and a question; its sprite stands beside it."""
    return FOLDER / (f"{method}.json" if question == "asked" else f"{method}.{question}.json")


def write(about: dict[str, Any], tiles: Tiles) -> None:
    """Sprite and index; `about` has at least method and question."""
    rows, y = [], 0
    order = list(dict.fromkeys(picture for picture, _ in tiles))
    places = []
    for picture in order:
        row = sorted((stage, tile) for (name, stage), tile in tiles.items() if name == picture)
        x = 0
        for stage, tile in row:
            (h, w), at = tile.bits.shape, (x, y)
            places.append((at, tile.bits))
            rows.append({"picture": picture, "stage": stage, "x": x, "y": y, "w": w, "h": h,
                         "grid": list(tile.grid), "low": tile.low, "high": tile.high})  # fmt: skip
            x += w
        y += max(tile.bits.shape[0] for _, tile in row)
    path = file(about["method"], about["question"])
    path.parent.mkdir(parents=True, exist_ok=True)
    if places:
        sprite = np.zeros((y, max(x + bits.shape[1] for (x, _), bits in places)), np.uint8)
        for (x, top), bits in places:
            sprite[top : top + bits.shape[0], x : x + bits.shape[1]] = bits
        write_whole(path.with_suffix(".png"), png(sprite))
    head = json.dumps(about, ensure_ascii=False, indent=1)[:-2]
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    write_whole(path, f'{head},\n "maps": [\n  {lines}\n ]\n}}\n'.encode())
    _read.cache_clear()


def read(method: str, question: str = "asked") -> tuple[dict[str, Any], Tiles]:
    """(the index without its maps, the tiles); both empty where nothing is stored."""
    return _read(file(method, question))


@cache
def _read(path: Path) -> tuple[dict[str, Any], Tiles]:
    if not path.exists():
        return {}, {}
    about = json.loads(path.read_text(encoding="utf-8"))
    rows, tiles = about.pop("maps"), {}
    if rows:
        sprite = np.asarray(Image.open(io.BytesIO(path.with_suffix(".png").read_bytes())))
        for row in rows:
            x, y, w, h = (row[key] for key in "xywh")
            bits = sprite[y : y + h, x : x + w]
            tiles[row["picture"], row["stage"]] = Tile(bits, row["low"], row["high"], tuple(row["grid"]))
    return about, tiles


def tile(picture: str, method: str, stage: int = 4, question: str = "asked") -> Tile:
    """A stored map; one that has no stage, of the input or of several layers, is found at every stage.

    Raises KeyError where there is none.
    """
    tiles = read(method, question)[1]
    for key in ((picture, stage), (picture, 0)):
        if key in tiles:
            return tiles[key]
    raise KeyError(f"data/wall has no map of {method} for {picture} at stage {stage}, question {question!r}")


def signed(method: str, question: str = "asked") -> bool:
    """Whether its maps have two signs: anywhere, by more than rounding."""
    tiles = read(method, question)[1].values()
    return any(min(-one.low, one.high) > 1e-3 * max(-one.low, one.high) for one in tiles)


def stored() -> list[dict[str, Any]]:
    """All indexes, without their maps."""
    return [_read(path)[0] for path in sorted(FOLDER.glob("*.json"))]
