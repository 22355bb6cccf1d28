"""Pictures in folders: anyone's, and MURA's radiographs, whose label stands in the path.

any/where/picture.jpg                              no labels
any/<class>/picture.jpg                            labels by folder
MURA-v1.1/valid/XR_WRIST/patient11185/study1_positive/image1.png
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import fromarray

from .files import PICTURES, below, each_once, first, folder_of, lines, pictures_below, read_picture, whole
from .items import Dataset, MissingDataError, Raw, UnreadableError, WrongDataError
from .photos import PhotoError, read_photo
from .presets import Preset, preset_of


@dataclass(frozen=True, eq=False)
class FolderReader:
    """Reads one photograph upright, with the label of its folder."""

    root: Path
    labels: dict[str, int]

    def place(self, name: str) -> Path:
        """The picture's file."""
        return self.root / name

    def __call__(self, name: str) -> Raw:
        try:
            rgb = read_photo(self.place(name))
        except PhotoError as error:
            raise UnreadableError(str(error)) from None
        return Raw(fromarray(rgb.numpy()), (self.labels[name],) if name in self.labels else ())


def image_folder(root: str | Path, preset: str | Preset = "std", *, classes: Sequence[str] | None = None) -> Dataset:
    """All JPEG, PNG, BMP, WebP and TIFF files below a folder, in order of their paths.

    Where every picture lies one folder deep, that folder's name is its class; `classes` gives their
    numbers, else they are numbered by the alphabet. Otherwise there are no labels. A link is followed
    wherever it points; one that points nowhere is an item that cannot be read. Names that begin with a
    dot, such as .ipynb_checkpoints, and the folder __MACOSX are left out.

    Raises MissingDataError; TypeError for `classes` that are no names; ValueError: a folder that is not
    among `classes`, a class given twice, a picture that does not lie in a class's folder where `classes`
    are given.
    """
    root = folder_of(root)
    found = pictures_below(root)
    if not found:
        raise MissingDataError(
            f"Pictures were not found: looked for {', '.join(PICTURES)} below {root}; name a folder that holds some."
        )
    names, labels = _class_names(classes), {}
    loose = [path for path in found if len(path.parts) != 2]
    if not loose:
        names = names or tuple(sorted({path.parts[0] for path in found}))
        if unknown := {path.parts[0] for path in found} - set(names):
            raise ValueError(f"{root} has a folder {min(unknown)!r}, which is not among the {len(names)} classes given")
        labels = {path.as_posix(): names.index(path.parts[0]) for path in found}
    elif names:
        raise ValueError(
            f"{root / loose[0]} does not lie in the folder of one of the {len(names)} classes given: every"
            " picture must lie one folder deep, or leave out classes"
        )
    return Dataset("folder", names, tuple(p.as_posix() for p in found), FolderReader(root, labels), preset_of(preset))


def _class_names(classes: Sequence[str] | None) -> tuple[str, ...]:
    """The names, each given once. Raises ValueError, TypeError."""
    given: object = () if classes is None else classes
    names = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (None,)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"classes must be a list of names; got {classes!r}"[:300])
    if len(set(names)) < len(names):
        raise ValueError(f"classes has {next(n for n in names if names.count(n) > 1)!r} twice: each has one number")
    return names


HOW_MURA = "request MURA v1.1 at stanfordmlgroup.github.io/competitions/mura and unpack it there"


@dataclass(frozen=True)
class MuraReader:
    """Reads one radiograph, grey, as three equal channels; positive studies are class 1."""

    root: Path
    decoder: str

    def place(self, name: str) -> Path:
        """The picture's file."""
        return self.root / name

    def __call__(self, name: str) -> Raw:
        image = read_picture(self.place(name), self.decoder)
        return Raw(image, (int(Path(name).parent.name.endswith("_positive")),))


def _study(name: str, place: str) -> str:
    """The name, whose folders say part and label. Raises WrongDataError."""
    parts = Path(below(name, place)).parts
    if len(parts) != 5 or not parts[3].endswith(("_positive", "_negative")):
        raise WrongDataError(
            f"{place}: expected a path such as valid/XR_WRIST/patient11185/study1_positive/image1.png,"
            f" whose study is positive or negative; got {name[:80]!r}"
        )
    return name


def mura(
    root: str | Path,
    preset: str | Preset = "std",
    *,
    split: str = "valid",
    part: str | None = None,
    partial: bool = False,
) -> Dataset:
    """MURA v1.1: radiographs of seven parts of the arm; class 1 where the study was found abnormal.

    Args:
        split: "valid" (3,197 images) or "train" (36,808).
        part: "WRIST", "ELBOW", ... for that part alone.

    Raises MissingDataError, ValueError; WrongDataError, which is both, with file and line: an image
    listed twice, one outside the folder, one whose study is neither positive nor negative.
    """
    counts, chosen = {"valid": 3197, "train": 36_808}, preset_of(preset)
    if split not in counts:
        raise ValueError(f"split must be 'valid' or 'train', got {split!r}")
    file = f"{split}_image_paths.csv"
    base = first(root, ("MURA-v1.1", "."), "MURA's lists of images", HOW_MURA, file)
    ids = list(each_once((place, _study(line.removeprefix("MURA-v1.1/"), place)) for place, line in lines(base / file)))
    whole(len(ids), counts[split], "listed images", base / file, HOW_MURA, partial)
    if part is not None and not isinstance(part, str):
        raise TypeError(f"part must be a name such as 'WRIST'; got {part!r}")
    if part is not None and not (mine := [i for i in ids if f"/XR_{part.upper()}/" in f"/{i}"]):
        parts = sorted({Path(i).parts[1].removeprefix("XR_") for i in ids})
        raise ValueError(f"MURA has no part {part!r}; there are {', '.join(parts)}")
    ids = ids if part is None else mine
    there = {p.relative_to(base).as_posix() for p in (base / split).rglob("*.png")}
    whole(sum(i in there for i in ids), len(ids), "listed files (*.png)", base / split, HOW_MURA, partial)
    return Dataset("mura", ("negative", "positive"), tuple(ids), MuraReader(base, chosen.decoder), chosen)
