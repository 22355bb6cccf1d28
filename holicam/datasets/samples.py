"""Photographs that everybody can have: they come with scikit-image, scikit-learn and matplotlib.

None lies in this repository. `data/photos.json` says for each which file of which package it is, whose it is and under
what terms, in the package's own words, and holds what we add: a label of ImageNet's and an outline that we drew.
scikit-learn's flower.jpg is left out, since its README credits one person and links to another, and scikit-image's
motorcycle, whose terms the package does not state.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..models import class_names, data_folder
from ..models.alike import close_names
from ..models.extras import extra
from .items import MissingDataError, WrongDataError


@dataclass(frozen=True, eq=False)
class Sample:
    """A public photograph, and what we say about it.

    name: in `samples`. title: what it shows. picture: (H, W, 3) uint8. labels: ImageNet's classes that are right for
    what is outlined, the best first; none where ImageNet has no class for it. outlined: what the outline goes round.
    outline: polygons of (x, y) in pixels, whose union counts. credit, licence: to be shown beside every copy, with
    the word "changed" or what was changed. source: where the package has it from. terms: what the package says of its
    terms. where: the docstring or file that says so.
    """

    name: str
    title: str
    picture: Tensor
    labels: tuple[int, ...]
    outlined: str
    outline: tuple[tuple[tuple[float, float], ...], ...]
    credit: str
    licence: str
    source: str
    terms: str
    where: str

    @property
    def label(self) -> int | None:
        """The best of `labels`; None where ImageNet has none."""
        return self.labels[0] if self.labels else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of `labels`."""
        return tuple(class_names("resnet50")[k] for k in self.labels)

    @property
    def mask(self) -> Tensor:
        """(H, W) bool: inside the outline."""
        from PIL import Image, ImageDraw

        drawn = Image.new("L", (self.picture.shape[1], self.picture.shape[0]))
        for polygon in self.outline:
            ImageDraw.Draw(drawn).polygon(list(polygon), fill=1)
        return torch.from_numpy(np.array(drawn)) == 1

    @property
    def box(self) -> Tensor:
        """(4,) float32, x0 y0 x1 y1 in pixels, half open: the smallest box round the outline."""
        rows, columns = (self.mask.any(dim).nonzero().flatten() for dim in (1, 0))
        return torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]).float()

    def marked(self, width: int = 0) -> Tensor:
        """(H, W, 3) uint8: the picture with box (white) and outline (yellow), drawn just outside what they go round.

        width: of the lines in pixels; by default half a hundredth of the longer side.
        """
        height, wide = self.picture.shape[:2]
        width = width or max(1, round(max(height, wide) / 200))
        x0, y0, x1, y1 = self.box.long().tolist()
        box = torch.zeros(height, wide, dtype=torch.bool)
        box[y0:y1, x0:x1] = True
        drawn = self.picture.clone()
        for region, ink in ((box, (255, 255, 255)), (self.mask, (255, 220, 0))):
            for reach, colour in ((width + 1, (0, 0, 0)), (width, ink)):  # a dark rim, for light backgrounds
                drawn[_round(region, reach)] = torch.tensor(colour, dtype=torch.uint8)
        return drawn

    def caption(self, changed: str = "cropped") -> str:
        """One line for every copy: title, credit, licence and what was changed; nothing is said where that is ""."""
        return ", ".join(filter(None, [f"{self.title}: {self.credit}", self.licence, changed]))


def _round(region: Tensor, reach: int) -> Tensor:
    """(H, W) bool: what lies outside a region and at most `reach` pixels from it."""
    grown = torch.nn.functional.max_pool2d(region[None, None].float(), 2 * reach + 1, 1, reach)[0, 0] > 0
    return grown & ~region


def samples(*names: str) -> dict[str, Sample]:
    """Public photographs with label, outline and credit, from packages that are installed.

    Args:
        names: those wanted; all without any.

    Returns:
        {name: Sample}, in the order asked for.

    Raises:
        ValueError: there is no sample of that name.
        ImportError: a package is not installed; says which extra brings it.
        MissingDataError: the package is there and the picture is not, or is another one than we outlined.

    Example:
        >>> import holicam as hc
        >>> cat = hc.photos.samples("cat")["cat"]
        >>> cat.picture.shape, cat.classes
        (torch.Size([300, 451, 3]), ('tabby', 'tiger cat', 'Egyptian cat'))
        >>> cat.caption()
        'Chelsea, a tabby cat: Stefan van der Walt, CC0, cropped'
    """
    told = json.loads((data_folder() / "photos.json").read_text(encoding="utf-8"))
    for name in names:
        if name not in told:
            raise ValueError(f"there is no sample photograph {name!r}; there are {close_names(str(name), told)}")
    return {name: _sample(name, told[name]) for name in names or told}


def _sample(name: str, told: dict) -> Sample:
    """One entry of the list, with its picture."""
    return Sample(
        name=name,
        picture=_picture(told["file"], told["sha256"]),
        labels=tuple(told["labels"]),
        outline=tuple(tuple((x, y) for x, y in polygon) for polygon in told["outline"]),
        **{key: told[key] for key in ("title", "outlined", "credit", "licence", "source", "terms", "where")},
    )


def _picture(file: str, sha256: str) -> Tensor:
    """(H, W, 3) uint8 of a file in an installed package, which must be the very file that was outlined."""
    from PIL import Image

    path = _folder(file.partition("/")[0]).parent / file
    if not path.is_file():
        raise MissingDataError(f"{path} is not there: this version of the package does not bring the photograph.")
    data = path.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise WrongDataError(
            f"{path} is another picture than the one outlined: its sha256 is {found[:12]}…, not {sha256[:12]}…."
        )
    with Image.open(io.BytesIO(data)) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB")))


def _folder(package: str) -> Path:
    """Where a package lies, found without importing it. Raises ImportError."""
    with extra("A sample photograph"):
        if (found := importlib.util.find_spec(package)) is None or not found.submodule_search_locations:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(found.submodule_search_locations[0])
