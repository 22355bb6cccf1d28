"""What an explorer holds, packed into small files.

CAMs are coarse by nature, so a page needs no rendered overlays: it gets the photograph once and every map as
bytes on the map's own grid, all in one greyscale picture, the *sprite*. A manifest says where each map lies in it
and what its lowest and highest byte stand for:

    value = low + (high - low) · byte / 255
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from .data import Content, ends

SPRITE_WIDTH = 256
QUALITY = 88  # of the photograph: a JPEG of 224 pixels has about 15 kB


def quantised(m: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(h, w) -> bytes, and the values of byte 0 and byte 255; a constant map is all zeros."""
    low, high = ends(m)
    bits = np.zeros(m.shape, np.uint8) if high == low else np.round(255 * (m - low) / (high - low)).astype(np.uint8)
    return bits, low, high


def pack(content: Content) -> tuple[dict[str, Any], np.ndarray]:
    """The manifest without names of files, and the sprite (H, 256) uint8: maps on shelves, left to right."""
    shelf = x = y = 0
    rows, placed = [], []
    for entry in content.entries:
        bits, low, high = quantised(entry.values)
        h, w = bits.shape
        if x + w > SPRITE_WIDTH:
            x, y, shelf = 0, y + shelf, 0
        placed.append((x, y, bits))
        rows.append(
            {
                "target": entry.target,
                "method": entry.method,
                "layer": entry.layer,
                "random": entry.random,
                "x": x,
                "y": y,
                "w": w,
                "h": h,
                "grid": list(entry.grid),
                "min": _short(low, low, high),
                "max": _short(high, low, high),
            }
        )
        x, shelf = x + w, max(shelf, h)
    sprite = np.zeros((y + shelf, SPRITE_WIDTH), np.uint8)
    for x, y, bits in placed:
        sprite[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
    height, width = next(iter(content.pictures.values())).shape[:2]
    manifest = {
        "version": 1,
        "size": [height, width],
        "signed": content.signed,
        "start": content.start,
        "targets": [{"name": name, "scores": list(content.scores.get(name, ()))} for name in content.pictures],
        "maps": rows,
        "digest": hashlib.sha256(sprite.tobytes()).hexdigest(),
    }
    return manifest, sprite


def _short(value: float, low: float, high: float) -> float:
    """Five digits: more than a byte's step tells, and short in a file; more where the two ends share some.

    So the ends are equal in the file only where the map is constant: a page need not ask that again.
    """
    shared = math.log10(max(-low, high) / (high - low)) if high > low else 0
    return float(f"{value:.{5 + (math.ceil(shared) if shared > 2 else 0)}g}")


def png(pixels: np.ndarray) -> bytes:
    """Greyscale, nothing but the pixels: no colour profile may change a byte on its way to the page."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return out.getvalue()


def jpeg(pixels: np.ndarray, quality: int = QUALITY) -> bytes:
    """A picture, (h, w) grey or (h, w, 3) colour, uint8; quality as Pillow counts it."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def text(manifest: Mapping[str, Any]) -> str:
    """A manifest as it is stored: one line a map, so that changes are small."""
    rest = {k: v for k, v in manifest.items() if k != "maps"}
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in manifest["maps"])
    return f'{json.dumps(rest, ensure_ascii=False, indent=1)[:-2]},\n "maps": [\n  {rows}\n ]\n}}\n'
