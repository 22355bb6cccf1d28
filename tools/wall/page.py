"""What the built page loads: a picture and a sprite for each of the eight, an index of all, and the still picture."""

from __future__ import annotations

import io
import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from holicam.methods.table import TABLE
from holicam.notebook.explorer.figure import table
from holicam.notebook.explorer.packed import jpeg, png
from tools.ipynb import ROOT

from . import draw, pictures, settings, store

SIDE, THUMB = 336, 96  # pixels of a picture on the page, and of its button
QUALITY = 82
WIDTH = 224  # of a sprite: four maps of 56 cells


class Entry(NamedTuple):
    """What the reference says of an explainer: its name as a title, keys of its papers, its formula in Markdown."""

    title: str
    papers: str
    formula: str


@cache
def reference() -> dict[str, Entry]:
    """{explainer: its entry}, read from book/api-*.md."""
    found = {}
    entry = re.compile(r"^## ([^\n]+)\n\n```\{explainer\} (\S+)\n(?::paper: ([^\n]+)\n)?\n?(.*?)^```$", re.M | re.S)
    for path in sorted((ROOT / "book").glob("api-*.md")):
        for title, name, papers, formula in entry.findall(path.read_text(encoding="utf-8")):
            found[name] = Entry(title, papers, formula.strip())
    return found


def explained() -> list[str]:
    """The explainers that have maps, in the table's order."""
    return [name for name in TABLE if store.read(name)[1]]


def said(method: str) -> str:
    """Why an explainer has no map here, or only at some stages; "" where it has all."""
    about, tiles = store.read(method)
    if "refused" in about:
        stages = sorted({str(stage) for _, stage in tiles})
        return f"Only at stage {' and '.join(stages)}. {about['refused']}"
    return settings.LEFT_OUT.get(method) or about.get("said") or ""


def missing() -> list[str]:
    """A sentence for each photograph whose package is not installed."""
    found = []
    for part in pictures.PARTS:
        try:
            pictures.sample(part)
        except pictures.NOT_THERE as error:
            found.append(f"{part}: {error}")
    return found


def sprite(picture: str) -> tuple[np.ndarray, dict[str, list[list[float]]]]:
    """All maps of a picture in one grey image, and {explainer: [[stage, x, y, w, h, rows, columns, low, high]]}."""
    y, places, rows = 0, [], {}
    for method in explained():
        x, height = 0, 0
        for (name, stage), tile in sorted(store.read(method)[1].items()):
            if name == picture:
                h, w = tile.bits.shape
                rows.setdefault(method, []).append([stage, x, y, w, h, *tile.grid, tile.low, tile.high])
                places.append((x, y, tile.bits))
                x, height = x + w, max(height, h)
        y += height
    out = np.zeros((max(y, 1), WIDTH), np.uint8)
    for x, top, bits in places:
        out[top : top + bits.shape[0], x : x + bits.shape[1]] = bits
    return out, rows


def index() -> dict[str, object]:
    """What the script reads first."""
    names = reference()
    one = store.read("grad-cam")[0]
    grids = [store.tile("cat", "grad-cam", stage).grid for stage in (1, 2, 3, 4)]
    return {
        "stages": [{"layer": layer, "grid": list(grid)} for layer, grid in zip(one["stages"], grids, strict=True)],
        "methods": [
            {"name": name, "title": names[name].title, "family": TABLE[name].family,
             "signed": store.signed(name), "takes": store.read(name)[0]["takes"], "call": settings.code(name)}
            for name in explained()
        ],
        "tables": {"evidence": table(False).tobytes().hex(), "signed": table(True).tobytes().hex()},
        "pictures": [],
    }  # fmt: skip


def write(folder: Path) -> None:
    """All files of the page into a folder of the built site."""
    folder.mkdir(parents=True, exist_ok=True)
    found = index()
    for one in pictures.ALL:
        maps, rows = sprite(one.name)
        (folder / f"{one.name}.png").write_bytes(png(maps))
        entry = {"name": one.name, "title": one.title, "label": one.label,
                 "sprite": f"{one.name}.png", "maps": rows}  # fmt: skip
        try:
            (folder / f"{one.name}.jpg").write_bytes(jpeg(pictures.pixels(one.name, SIDE), QUALITY))
            (folder / f"{one.name}-small.jpg").write_bytes(jpeg(pictures.pixels(one.name, THUMB), QUALITY))
            entry |= {"credit": pictures.credit(one.name), "photo": f"{one.name}.jpg", "small": f"{one.name}-small.jpg"}
        except pictures.NOT_THERE as error:
            entry["missing"] = str(error)
        found["pictures"].append(entry)
    (folder / "wall.json").write_text(json.dumps(found, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    titles = {name: entry.title for name, entry in reference().items()}
    out = io.BytesIO()
    draw.still(titles).save(out, "JPEG", quality=85, optimize=True)
    (folder / "still.jpg").write_bytes(out.getvalue())


def still_size() -> tuple[int, int]:
    """(width, height) of the still picture, for the page's layout."""
    picture: Image.Image = draw.still({})
    return picture.size
