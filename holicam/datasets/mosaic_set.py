"""Mosaics of a folder of labelled photographs: a data set for the grid pointing game.

any/n02123045_tabby.jpg      a file whose name begins with its synset
any/n02123045/1.jpg          or a folder named by synset,
any/tabby/1.jpg              by class,
any/281/1.jpg                or by the class's number

Four photographs of four classes make a mosaic, and each question asks about one of them; its mask and box are the
photograph's cell. Which photographs meet, where they stand and which are asked about follows from their names and the
seed alone.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL.Image import fromarray

from ..models import class_names
from ..models.extras import extra
from .files import PICTURES, folder_of, known, pictures_below
from .items import Dataset, MissingDataError, Raw, UnreadableError, WrongDataError
from .photos import PhotoError, read_photo
from .presets import Preset, preset_of
from .tiles import mosaic

CELLS = 4
SYNSET = re.compile(r"n\d{8}(?![^\W_])")  # at the start of a name; then it ends, or there is no letter or digit
HOW = "begin its name with a synset such as n02123045, or put it into a folder named by synset, class or class number"


@dataclass(frozen=True, eq=False)
class MosaicReader:
    """Draws the mosaic of a question from its four files; the truth is the cell of the photograph asked about."""

    root: Path
    asked: dict[str, tuple[tuple[str, ...], int]]  # {id: the four files, the place of the one asked about}
    labels: dict[str, int]
    side: int

    def place(self, name: str) -> Path:
        """The file of the photograph asked about."""
        files, cell = self.asked[name]
        return self.root / files[cell]

    def places(self, name: str) -> list[Path]:
        """All four files."""
        return [self.root / file for file in self.asked[name][0]]

    def __call__(self, name: str) -> Raw:
        files, cell = self.asked[name]
        try:
            drawn = mosaic([read_photo(self.root / file) for file in files], self.side)
        except PhotoError as error:
            raise UnreadableError(str(error)) from None
        return Raw(
            fromarray(drawn.picture.numpy()),
            (self.labels[name],),
            drawn.boxes[cell : cell + 1],
            torch.tensor([self.labels[name]]),
            drawn.masks[cell : cell + 1].byte(),
        )


def mosaics(
    root: str | Path,
    preset: str | Preset = "as-is",
    *,
    each: int = 1,
    questions: int = 2,
    side: int = 224,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Mosaics of two by two photographs from a folder, one item for each question.

    An id is the mosaic's number, its four files row by row, and the place asked about, 0 to 3:
    "3/n01440764_tench.jpg+n02123045_tabby.jpg+...+.../1". A mosaic that has a damaged file is skipped with that file.

    Args:
        each: in how many mosaics a photograph stands; where classes have unequally many, some are left out of a round.
        questions: for each mosaic, 1 to 4, about different photographs in it.
        side: of the mosaic in pixels, even: that of the network.
        seed: of who meets whom, where, and what is asked.
        classes: names of the network's classes in their order; ImageNet's where it is left out.

    Raises MissingDataError: no pictures. WrongDataError, which is a ValueError too: a picture without a class, a synset
    or folder that is no class, pictures of fewer than four classes. ValueError: an option that cannot be.
    ImportError: synsets are used and timm, which knows them, is not installed.
    """
    _check_number("each", each, 1, 10_000)
    _check_number("questions", questions, 1, CELLS)
    _check_number("seed", seed, 0, 2**63)
    if isinstance(side, bool) or not isinstance(side, int) or side < 2 or side % 2:
        raise ValueError(f"side must be an even number of pixels; got {side!r}")
    if isinstance(classes, str):
        raise TypeError(f"classes must be a list of names; got {classes!r}")
    if len(set(classes or ())) < len(classes or ()):
        raise ValueError("classes must have each name once")
    chosen, root = preset_of(preset), folder_of(root)
    names = class_names("resnet50") if classes is None else tuple(classes)
    labels = _labels(root, names, imagenet=classes is None)
    asked, wanted = {}, {}
    for number, files in enumerate(_groups(labels, each, seed)):
        cells = sorted(range(CELLS), key=lambda cell: _drawn(seed, number, "asked", files[cell]))
        for cell in sorted(cells[:questions]):
            name = f"{number}/{'+'.join(files)}/{cell}"
            asked[name], wanted[name] = (files, cell), labels[files[cell]]
    return Dataset("mosaics", tuple(names), tuple(asked), MosaicReader(root, asked, wanted, side), chosen)


def _check_number(what: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{what} must be a whole number from {low} to {high}; got {value!r}")


def _labels(root: Path, names: Sequence[str], imagenet: bool) -> dict[str, int]:
    """{file below root: its class}. Raises MissingDataError, WrongDataError."""
    found = pictures_below(root)
    if not found:
        raise MissingDataError(
            f"Photographs were not found: looked for {', '.join(PICTURES)} below {root}; name a folder that holds some."
        )
    number = _numbers(names, imagenet)
    labels = {}
    for path in found:
        file, synset = path.as_posix(), SYNSET.match(path.name) if imagenet else None
        if synset is None and len(path.parts) == 1:
            raise WrongDataError(f"{root / file} has no class: {HOW}.")
        labels[file] = number(synset[0] if synset else path.parts[-2], root / file)
    if (kinds := len(set(labels.values()))) < CELLS:
        raise WrongDataError(f"{root} holds photographs of {kinds} classes: a mosaic takes four of different classes.")
    return labels


def _numbers(names: Sequence[str], imagenet: bool) -> Callable[[str, Path], int]:
    """The number of a class by its synset, its name or its number; it raises WrongDataError with the file."""
    exact = {name: k for k, name in enumerate(names)}
    alike: dict[str, list[int]] = {}  # ImageNet has the dog Cardigan and the garment cardigan
    for k, name in enumerate(names):
        alike.setdefault(_plain(name), []).append(k)
    synsets: dict[str, int] = {}

    def number(said: str, file: Path) -> int:
        if imagenet and SYNSET.fullmatch(said):
            synsets.update(synsets or _synsets())
            return known(said, synsets, file, "synset of ImageNet's 1,000 classes")
        for spelt in (said, said.replace("_", " ")):  # first: a class may be called "7" and not be number 7
            if spelt in exact:
                return exact[spelt]
        if said.isascii() and said.isdigit() and int(said) < len(names):
            return int(said)
        if len(same := alike.get(_plain(said), [])) > 1:
            raise WrongDataError(
                f"{file}: classes {' and '.join(map(str, same))} are both called {said!r}: name the folder by number."
            )
        return same[0] if same else known(_plain(said), {name: k[0] for name, k in alike.items()}, file, "class")

    return number


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _synsets() -> dict[str, int]:
    """{synset: class} of ImageNet's 1,000, as timm lists them."""
    with extra("Reading classes from synsets"):
        from timm.data import ImageNetInfo
    told = ImageNetInfo("imagenet-1k")
    return {told.index_to_label_name(k): k for k in range(told.num_classes())}


def _drawn(*said: object) -> bytes:
    """What decides an order: a hash of what is said."""
    return hashlib.sha256("/".join(map(str, said)).encode("utf-8", "surrogatepass")).digest()


def _groups(labels: dict[str, int], each: int, seed: int) -> Iterator[tuple[str, ...]]:
    """Four files of four classes at a time; every file once a round, as far as its class finds three others.

    Those classes meet that have most left, which leaves out as few as can be.
    """
    for turn in range(each):
        left: dict[int, list[tuple[bytes, str]]] = {}
        for file, label in labels.items():
            left.setdefault(label, []).append((_drawn(seed, turn, file), file))
        waiting = [(-len(files), *max(files), label) for label, files in left.items()]
        for files in left.values():
            files.sort()
        heapq.heapify(waiting)
        while len(waiting) >= CELLS:
            met = [heapq.heappop(waiting)[-1] for _ in range(CELLS)]
            four = [left[label].pop()[1] for label in met]
            for label in met:
                if files := left[label]:
                    heapq.heappush(waiting, (-len(files), *files[-1], label))
            yield tuple(sorted(four, key=lambda file: _drawn(seed, turn, "place", file)))
