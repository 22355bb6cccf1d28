"""Finding and reading files: folders that may be missing, pictures that may be broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .items import MissingDataError, UnreadableError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def first(root: str | Path, candidates: Iterable[str], what: str, how: str, holds: str = "*") -> Path:
    """The first of root/candidates that is a folder with a file `holds` in it.

    Raises MissingDataError: what was looked for, where, how to get it.
    """
    root, candidates = Path(root).expanduser(), list(candidates)
    for name in candidates:
        folder = root / name
        if folder.is_dir() and next(folder.glob(holds), None) is not None:
            return folder
    raise MissingDataError(f"{what} were not found: looked for {holds} in {_places(root, candidates)}; {how}.")


def first_file(root: str | Path, candidates: Iterable[str], what: str, how: str) -> Path:
    """The first of root/candidates that is a file. Raises MissingDataError as `first` does."""
    root, candidates = Path(root).expanduser(), list(candidates)
    for name in candidates:
        if (root / name).is_file():
            return root / name
    raise MissingDataError(f"{what} was not found: looked for {_places(root, candidates)}; {how}.")


def _places(root: Path, candidates: Sequence[str]) -> str:
    return " and ".join(str(root / name) if name != "." else str(root) for name in candidates)


def whole(found: int, expected: int, what: str, where: str | Path, how: str, partial: bool) -> None:
    """Raise MissingDataError where there are fewer than there should be, unless `partial`."""
    if found < expected and not partial:
        raise MissingDataError(f"{where} holds {found} of the {expected} {what}, so it is only half unpacked: "
                               f"{how}, or pass partial=True to use what is there.")


def needs(module: str, what: str):
    """The module, imported; ImportError with a sentence where it is not installed."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"{what} needs {module.partition('.')[0]}, which is not installed: "
                          "pip install 'holicam[data]'") from None


def read_picture(path: Path, decoder: str = "pillow") -> Image.Image:
    """An RGB picture as it is stored, without turning it by its EXIF tag: boxes refer to this.

    decoder: "pillow", or "opencv" as Holistic-CAM's code reads it; where a file breaks off OpenCV
    paints it grey without a word, so Pillow looks at it first.
    Raises UnreadableError: no such file, or one that is broken.
    """
    if not path.is_file():
        raise UnreadableError(f"{path} is not there")
    try:
        with Image.open(path) as picture:
            if decoder == "pillow":
                return picture.convert("RGB")
            picture.draft("RGB", (1, 1))
            picture.load()
        import cv2

        return Image.fromarray(np.ascontiguousarray(
            cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]))
    except Exception as error:  # Pillow raises many kinds for broken files
        raise UnreadableError(f"{path} cannot be read as a picture ({error})") from None
