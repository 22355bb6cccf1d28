"""Finding and reading files: folders that may be missing, lists that may be wrong, pictures that may be broken.

Names in a list must lead below the data set's folder. A link that lies in that folder is followed wherever it
points: whoever owns the folder put it there.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from PIL import Image

from ..models.extras import extra
from .depth import DepthError, Stored, eight_bit
from .items import NOT_ITS_FAULT, MissingDataError, UnreadableError, WrongDataError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def pictures_below(root: Path) -> list[Path]:
    """The paths of all pictures below a folder, from it, in order; links are followed, also those that point nowhere.

    Left out is what programs leave behind: names that begin with a dot, and macOS's folder `__MACOSX`; and a link
    to a folder around it, which would lead on for ever.
    """
    return sorted(path.relative_to(root) for path in _below(root, frozenset()))


def _below(folder: Path, around: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in around or not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name == "__MACOSX":
            continue
        if path.is_dir():
            yield from _below(path, around | {real})
        elif path.suffix.lower() in PICTURES:
            yield path


def folder_of(root: str | Path) -> Path:
    """The path, with ~ filled in. Raises MissingDataError for the home of a user who is not there."""
    try:
        return Path(root).expanduser()
    except RuntimeError as error:
        raise MissingDataError(f"{root} was not found ({error}).") from None


def first(root: str | Path, candidates: Iterable[str], what: str, how: str, holds: str = "*") -> Path:
    """The first of root/candidates that is a folder with a file `holds` in it.

    Raises MissingDataError: what was looked for, where, how to get it.
    """
    root, candidates = folder_of(root), list(candidates)
    for name in candidates:
        folder = root / name
        if folder.is_dir() and next(folder.glob(holds), None) is not None:
            return folder
    raise MissingDataError(f"{what} were not found: looked for {holds} in {_places(root, candidates)}; {how}.")


def first_file(root: str | Path, candidates: Iterable[str], what: str, how: str) -> Path:
    """The first of root/candidates that is a file. Raises MissingDataError as `first` does."""
    root, candidates = folder_of(root), list(candidates)
    for name in candidates:
        if (root / name).is_file():
            return root / name
    raise MissingDataError(f"{what} was not found: looked for {_places(root, candidates)}; {how}.")


def _places(root: Path, candidates: Sequence[str]) -> str:
    return " and ".join(str(root / name) if name != "." else str(root) for name in candidates)


def whole(found: int, expected: int, what: str, where: str | Path, how: str, partial: bool) -> None:
    """Raise MissingDataError where there are fewer than there should be, or with `partial` none at all."""
    if not isinstance(partial, bool):
        raise TypeError(f"partial must be True or False; got {partial!r}")
    if found < expected and not partial:
        raise MissingDataError(
            f"{where} holds {found} of the {expected} {what}, so it is only half unpacked: "
            f"{how}, or pass partial=True to use what is there."
        )
    if not found:
        raise MissingDataError(f"{where} holds none of the {expected} {what}: {how}.")


def needs(module: str, what: str):
    """The module, imported; ImportError with a sentence where it is not installed."""
    with extra(what):
        return importlib.import_module(module)


def lines(path: Path) -> list[tuple[str, str]]:
    """(place, text) of every line that is not empty; the place names file and line. Raises WrongDataError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise WrongDataError(f"{path} is no text in UTF-8 ({error}): fetch the file again.") from None
    return [(f"{path}, line {number}", line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def below(name: str, place: str) -> str:
    """The name, which must lead to a file below the data set's folder. Raises WrongDataError."""
    windows = PureWindowsPath(name)  # understands both slashes
    if not name or "\0" in name or ".." in windows.parts or windows.anchor or PurePosixPath(name).is_absolute():
        raise WrongDataError(
            f"{place}: {name!r} lies outside the data set's folder: a list may only name files below it."
        )
    return name


def plain(name: str, place: str) -> str:
    """The name, which must be that of a file without a folder. Raises WrongDataError."""
    if "/" in below(name, place) or "\\" in name or name == ".":
        raise WrongDataError(f"{place}: {name!r} must be an image's name without a folder.")
    return name


def each_once(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{name: place} of (place, name). Raises WrongDataError: both places of a name that stands there twice."""
    places: dict[str, str] = {}
    for place, name in named:
        if name in places:
            raise WrongDataError(f"{name!r} stands in {places[name]}, and again in {place}: each must be listed once.")
        places[name] = place
    return places


def known(name: str, numbers: Mapping[str, int], place: object, what: str, error: type = WrongDataError) -> int:
    """The number of a name. Raises `error` with the place and close names."""
    if name not in numbers:
        close = difflib.get_close_matches(name, numbers, n=3, cutoff=0.5) or list(numbers)[:3]
        raise error(f"{place}: there is no {what} {name!r}; close names are {', '.join(close)}")
    return numbers[name]


def whole_number(text: str, place: str, what: str) -> int:
    """The number that a text is. Raises WrongDataError."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise WrongDataError(f"{place}: {what} must be a whole number; got {text[:40]!r}")
    return int(text)


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes an UnreadableError that names the file."""
    if not path.is_file():
        raise UnreadableError(f"{path} is not there")
    try:
        yield
    except (UnreadableError, *NOT_ITS_FAULT):
        raise
    except DepthError as error:
        raise UnreadableError(f"{path} {error}") from None
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise UnreadableError(f"{path} has more than {most:.0f} megapixels") from None
    except Exception as error:  # Pillow, SciPy, HDF5 and XML raise many kinds for broken files
        raise UnreadableError(f"{path} cannot be read as {what} ({error or type(error).__name__})") from None


def read_picture(path: Path, decoder: str = "pillow") -> Image.Image:
    """An RGB picture as it is stored, without turning it by its EXIF tag: boxes refer to this.

    Grey values of 16 bits and floats become 8 bits as in photographs (`depth`).
    decoder: "pillow", or "opencv" as Holistic-CAM's code reads it. Without a word OpenCV paints grey
    where a file breaks off, and black where it keeps 12 bits in 16, so Pillow looks at it first; grey of
    more than 8 bits is read by Pillow alone.
    Raises UnreadableError: no such file, one that is broken or of a depth that cannot be told.
    """
    with reading(path, "a picture"):
        with Image.open(path) as picture:
            stored = Stored.of(picture)
            if decoder != "pillow":
                picture.draft("RGB", (1, 1))
            seen = eight_bit(picture, stored)
            if decoder == "pillow" or seen is not picture:
                return seen.convert("RGB")
            picture.load()
        import cv2

        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise UnreadableError(f"{path} cannot be read as a picture by OpenCV: choose a preset that reads by Pillow")
        return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
