"""Where an explorer's files lie: in the book's folder under names made of their content, or inside the figure.

    book/_static/explorers/holistic/layers-0a1b2c3d4e5f.json     the manifest, which names the others
                                    layers-….png                 the sprite
                                    layers-….jpg                 the photograph of a target; the default view

Files are only ever added. On another machine sums end in other digits, so a map may differ in the last bit; where
a stored explorer shows the same within two grey levels, it is taken as it is, and a page stays the same to the byte.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...models.files import write_whole
from ..live import compared
from . import packed
from .data import Content

GREY_LEVELS = 2  # of 255: maps that differ by no more are the same
PHOTO_LEVELS = 12  # of a photograph that another JPEG encoder wrote
LIMIT = 150_000  # bytes of an explorer's files
FOLDER = "_static/explorers"
NAME = re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*")


def place(name: str | None) -> Path | None:
    """The folder in which a chapter keeps the files of `name`, or None where this is no book that can be written.

    A chapter is run in book/, beside `_static`. Raises ValueError for a name of another form.
    """
    if name is None:
        return None
    if not NAME.fullmatch(name):
        raise ValueError(f'name must be "<chapter>/<what>" in small letters, digits and hyphens; got {name!r}.')
    here = Path.cwd()
    if not (here / "_static").is_dir() or not (here.parent / "_config.yml").is_file():
        return None
    folder = here / FOLDER / name.split("/")[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def named(what: str, suffix: str, content: bytes) -> str:
    """ "layers-0a1b2c3d4e5f.png": twelve digits of the content's sha256."""
    return f"{what}-{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"


def written(folder: Path, what: str, content: Content, view: bytes) -> tuple[str, dict[str, Any]]:
    """The manifest's file name and the manifest; its files lie in `folder`, unless outputs are compared only.

    Raises ValueError where they would have more than `LIMIT` bytes together.
    """
    manifest, sprite = packed.pack(content)
    pictures = list(content.pictures.values())
    for path in sorted(folder.glob(f"{what}-{'?' * 12}.json")):
        if (found := _stored(path)) and _same(found, folder, manifest, sprite, pictures):
            return path.name, found
    files = {named(what, "png", raw := packed.png(sprite)): raw, named(what, "jpg", view): view}
    manifest |= {"sprite": named(what, "png", raw), "view": named(what, "jpg", view)}
    for target, picture in zip(manifest["targets"], pictures, strict=True):
        photo = packed.jpeg(picture)
        target["image"] = named(what, "jpg", photo)
        files[target["image"]] = photo
    own = packed.text(manifest).encode()
    files[named(what, "json", own)] = own
    if (size := sum(map(len, files.values()))) > LIMIT:
        raise ValueError(
            f"an explorer has at most {LIMIT // 1000} kB, this one would have {size // 1000} kB: "
            "give it fewer methods, layers or targets, or a smaller image."
        )
    for name, raw in ({} if compared() else files).items():
        file = folder / name
        if not (file.is_file() and file.read_bytes() == raw):  # a file that a kill left half written is named here, too
            write_whole({file: raw})
    return named(what, "json", own), manifest


def inline(content: Content) -> dict[str, Any]:
    """The manifest with data addresses instead of names of files."""
    manifest, sprite = packed.pack(content)
    manifest["sprite"] = address("image/png", packed.png(sprite))
    for target, picture in zip(manifest["targets"], content.pictures.values(), strict=True):
        target["image"] = address("image/jpeg", packed.jpeg(picture))
    return manifest


def address(kind: str, raw: bytes) -> str:
    """A data address, which needs no file and no network."""
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def pixels(path: Path) -> np.ndarray:
    """A stored picture as numbers that can be subtracted."""
    return np.asarray(Image.open(io.BytesIO(path.read_bytes()))).astype(np.int16)


def _stored(path: Path) -> dict[str, Any] | None:
    """A manifest, or None where it or one of its files is damaged or missing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        names = [found["sprite"], found["view"], *(t["image"] for t in found["targets"])]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    files = [path, *(path.parent / name for name in names)]
    whole = all(f.is_file() and hashlib.sha256(f.read_bytes()).hexdigest()[:12] in f.name for f in files)
    return found if whole else None


def _same(found: dict, folder: Path, manifest: dict, sprite: np.ndarray, pictures: list[np.ndarray]) -> bool:
    """True where a stored explorer shows what this one would."""
    if _comparable(found) != _comparable(manifest) or not all(map(_scaled_alike, found["maps"], manifest["maps"])):
        return False
    if not _near(pixels(folder / found["sprite"]), sprite, GREY_LEVELS):
        return False
    photos = [pixels(folder / target["image"]) for target in found["targets"]]
    fresh = [np.asarray(Image.open(io.BytesIO(packed.jpeg(picture)))) for picture in pictures]
    return all(_near(a, b, PHOTO_LEVELS) for a, b in zip(photos, fresh, strict=True))


def _comparable(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal: all but names of files, sums over bytes, and the ends of scales."""
    own = {k: v for k, v in manifest.items() if k not in ("sprite", "view", "digest")}
    targets = [
        {k: v for k, v in t.items() if k != "image"} | {"scores": [round(s, 2) for s in t["scores"]]}
        for t in own["targets"]
    ]
    return own | {
        "targets": targets,
        "maps": [{k: v for k, v in row.items() if k not in ("min", "max")} for row in own["maps"]],
    }


def _scaled_alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """True where two rows have one scale, to a thousandth of its largest value."""
    largest = max(abs(row[end]) for row in (a, b) for end in ("min", "max"))
    return all(abs(a[end] - b[end]) <= 1e-3 * largest for end in ("min", "max"))


def _near(a: np.ndarray, b: np.ndarray, levels: int) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(np.int16) - b.astype(np.int16)).max(initial=0)) <= levels
