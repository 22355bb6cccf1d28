"""The picture that `explain` adds where it was given several methods: all of them on all photographs, to compare.

A line is a photograph, or one of its layers where several are read; a map that is of no layer stands in each of them.
After so many lines a new sheet begins.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten

from ..models.files import write_whole
from ..notebook.sheet import Line, sheet
from . import map_files as mapfiles
from .explain_photos import ONE, Explained, PhotoExplainer

LINES = 10  # of one sheet, at most
MANY = "contact-sheet"  # begins the name of a sheet of several photographs
LONGEST = 120  # letters of a reason


class ContactSheets:
    """Collects what was made of each photograph and writes full sheets; `close` writes the last."""

    def __init__(self, readies: Sequence[PhotoExplainer], photos: Sequence[Path], out: Path, many: int = LINES):
        self.readies, self.photos, self.out, self.many = readies, photos, out, many
        self.lines: list[Line] = []
        self.keys: list[str] = []
        self.written: list[Path] = []

    def add(self, photo: Path, made: Mapping[str, Explained | str]) -> None:
        """What each method made of a photograph, or why it failed; nothing where all of them did."""
        done = [one for one in made.values() if isinstance(one, Explained)]
        if not done:
            return
        first = done[0]
        said = [photo.name, f"{first.target} {100 * first.probability:.1f} %"]
        layers = [*dict.fromkeys(layer for one in done for layer in one.maps if layer != ONE)]
        self.keys += [f"{name} {one.key if isinstance(one, Explained) else one}" for name, one in made.items()]
        for layer in layers or [ONE]:
            maps = {name: _map(one, layer) for name, one in made.items()}
            self.lines.append(Line([*said, *([layer] if layers else [])], first.rgb.numpy(), maps))
        while len(self.lines) >= self.many:
            self._write(self.lines[: self.many])
            self.lines = self.lines[self.many :]

    def close(self) -> list[Path]:
        """Write what is left. Returns the files."""
        if self.lines:
            self._write(self.lines)
            self.lines = []
        return self.written

    def _write(self, lines: Sequence[Line]) -> None:
        one, number = self.readies[0], len(self.written) + 1
        layers = [*dict.fromkeys(name for ready in self.readies for name in ready.layers or ())]
        made = mapfiles.Made(
            self.photos[0] if len(self.photos) == 1 else Path(MANY),
            one.network,
            "+".join(ready.explainer for ready in self.readies),
            hashlib.sha256("\n".join([str(number), *self.keys]).encode()).hexdigest(),
            tuple(layers),
            "" if one.target is None else f"{one.target}-{one.names[one.target]}",
            one.size,
            f"{number}" if number > 1 else "",
        )
        (file,), _ = mapfiles.place(self.out, made, self.photos, (".png",))
        asked = "the likeliest class of each photograph" if one.target is None else one.names[one.target]
        title = f"{one.network}: what speaks for {asked}"
        toy = ["This network knows only its ten drawn classes."] if one.toy else []
        data = io.BytesIO()
        figure = sheet(lines, [title, *toy])
        figure.savefig(data, format="png", dpi=200, metadata={mapfiles.NAME: made.key, "Description": title})
        write_whole({file: data.getvalue()})
        self.written.append(file)


def _map(one: Explained | str, layer: str):
    """The map of a layer, or of the whole network; else words."""
    if isinstance(one, str):
        return shorten(f"failed: {one}", LONGEST, placeholder=" …")
    return one.maps.get(layer, one.maps.get(ONE, "reads other layers"))
