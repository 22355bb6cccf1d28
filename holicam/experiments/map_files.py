"""Files of maps: named after all they depend on, never over an input or another result, whole or not at all.

    STEM.NETWORK.EXPLAINER.LAYERS[.CLASS].png          the picture
    STEM.NETWORK.EXPLAINER.LAYERS[.CLASS].safetensors  the raw maps, with what made them in the metadata

LAYERS are joined by +, and left out where an explainer reads none or its own; CLASS is the class asked for. Both files
carry a key of everything that decides the maps (photograph, network, explainer, layers, class, size, layout). A file is
replaced only by a result of the same key. Another result of the same name, such as that of a photograph with the same
name in another folder, gets ~ and the first digits of its key.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..models.files import OutputError

ENDS = (".safetensors", ".png")
NAME = "holicam"  # of the key in a file's metadata
ROOM = len(ENDS[0]) + 9  # bytes that an ending and a key need


@dataclass(frozen=True)
class Made:
    """What a result depends on. wanted: the class asked for, as "281-tabby", or nothing for the likeliest."""

    photo: Path
    network: str
    explainer: str  # its name
    settings: str  # what names it, see `naming`
    layers: tuple[str, ...]
    wanted: str
    size: int
    layout: str

    @property
    def key(self) -> str:
        """16 hexadecimal digits."""
        parts = (
            os.path.realpath(self.photo),
            self.network,
            self.settings,
            self.layers,
            self.wanted,
            self.size,
            self.layout,
        )
        return hashlib.sha256(json.dumps(parts).encode(errors="surrogateescape")).hexdigest()[:16]

    def name(self, most: int = 255) -> str:
        """The file's name without its ending; long ones are cut, and say so by ~ and a hash."""
        rest = [self.network, _cut(self.explainer, 80), _cut("+".join(self.layers), 80), _cut(self.wanted, 40)]
        end = "".join(f".{re.sub(r'[^A-Za-z0-9_.+~-]+', '-', part)}" for part in rest if part)
        return _cut(self.photo.stem, max(20, most - ROOM - len(end))) + end


def _cut(text: str, most: int) -> str:
    """At most `most` bytes."""
    whole = os.fsencode(text)
    if len(whole) <= most:
        return text
    kept = whole[: most - 9].decode(errors="ignore")
    return f"{kept}~{hashlib.sha256(whole).hexdigest()[:8]}"


def place(out: Path, made: Made, inputs: Iterable[Path], ends: Sequence[str] = ENDS) -> tuple[list[Path], bool]:
    """Where a result goes, as files that end as `ends`, and whether it replaces the one of an earlier run.

    Raises:
        OutputError: one of them is an input, or something that no such command wrote.
    """
    inputs, name = list(inputs), made.name(_longest(out))
    for base in (name, f"{name}~{made.key[:8]}"):
        files = [out / f"{base}{end}" for end in ends]
        there = [file for file in files if os.path.lexists(file)]
        for file in there:
            if any(_same(file, other) for other in inputs):
                raise OutputError(
                    f"{file} is one of the photographs, and no result is written over these: choose another --out."
                )
        if all(_key(file) == made.key for file in there):
            return files, bool(there)
    raise OutputError(f"{there[0]} is there and was not written by this command: move it, or choose another --out.")


def packed(maps: Mapping[str, Tensor], about: Mapping[str, str]) -> bytes:
    """Raw maps as a safetensors file, with `about` in its metadata; the same maps are the same bytes.

    The library itself writes metadata in another order each time.
    """
    from safetensors.torch import save

    whole = save({name: m.contiguous() for name, m in maps.items()})
    end = 8 + int.from_bytes(whole[:8], "little")
    header = json.dumps({"__metadata__": dict(about), **json.loads(whole[8:end])}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + whole[end:]


def _longest(out: Path) -> int:
    """Bytes that a file's name may have there."""
    try:
        return min(255, os.pathconf(out, "PC_NAME_MAX"))
    except (AttributeError, OSError, ValueError):  # Windows knows no pathconf
        return 255


def _same(file: Path, other: Path) -> bool:
    """One file under two names: links, and letters of another case where the disk does not tell them apart."""
    try:
        return os.path.samefile(file, other)
    except OSError:  # one of them is not there
        return False


def _key(file: Path) -> str:
    """The key of what wrote a file, or nothing."""
    try:
        if file.suffix == ".png":
            from PIL import Image

            with Image.open(file) as picture:
                return picture.info.get(NAME, "")
        from safetensors import safe_open

        with safe_open(file, "pt") as stored:
            return (stored.metadata() or {}).get(NAME, "")
    except Exception:  # a folder, a broken file, another kind of file: not ours
        return ""
