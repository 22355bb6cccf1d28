"""The photographs of the study, made of a clone of the public repository they come from.

    git clone --depth 1 https://github.com/EliSchwartz/imagenet-sample-images clone
    python -m tools.small_photos clone photos
    make rows PHOTOS=photos

Of its 1,000 photographs those are taken that the study lists, 600 of them; each gets a short side of 256 pixels
(bicubic) and is written as a JPEG of quality 88 under its own name, n01440764_tench.jpg. The library that writes JPEG
files may round otherwise than the one that wrote ours, so values repeat to about a grey level, not to the last bit.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from holicam.experiments.results import read
from holicam.experiments.whole_files import write_whole
from holicam.models import data_folder

SHORT, QUALITY, SET = 256, 88, "structure-photographs"


def shrunk(source: Path) -> bytes:
    """One photograph as JPEG. Raises OSError, UnidentifiedImageError."""
    with Image.open(source) as file:
        picture = file.convert("RGB")
    scale = SHORT / min(picture.size)
    size = tuple(max(SHORT, round(side * scale)) for side in picture.size)
    written = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def make(clone: Path, folder: Path, names: list[str]) -> int:
    """All photographs of these names that are not there yet. Returns how many were written.

    Raises FileNotFoundError where the clone lacks one, or one cannot be read, and OSError where one cannot be written:
    what was written stays.
    """
    there = {path.stem: path for path in sorted(clone.rglob("*")) if path.suffix.lower() in (".jpeg", ".jpg")}
    if missing := [name for name in names if Path(name).stem not in there]:
        raise FileNotFoundError(
            f"{clone} lacks {len(missing)} of {len(names)} photographs, the first: {missing[0]}; "
            "clone github.com/EliSchwartz/imagenet-sample-images there"
        )
    todo = [name for name in names if not (folder / name).exists()]
    for name in todo:
        source = there[Path(name).stem]
        try:
            photograph = shrunk(source)
        except (OSError, UnidentifiedImageError) as error:
            raise FileNotFoundError(f"{source} cannot be read as a photograph ({error}): fetch it again") from None
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, photograph)  # half a photograph would count as there the next time
    return len(todo)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.small_photos", description=__doc__.splitlines()[0])
    parser.add_argument("clone", type=Path)
    parser.add_argument("folder", type=Path)
    said = parser.parse_args(words)
    try:
        written = make(said.clone, said.folder, read(SET, data_folder() / "results")["images"])
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{written} photographs written to {said.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
