"""Photographs from files: any JPEG or PNG a phone makes, upright, RGB, ready for a network."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..models.preprocessing import IMAGENET, MODES, Preprocessing, preprocessing
from .crops import check_rgb, resized
from .crops import middle as middle
from .depth import DepthError, Stored, eight_bit
from .samples import Sample as Sample
from .samples import samples as samples
from .tiles import Mosaic as Mosaic
from .tiles import mosaic as mosaic
from .upright import orientation, turned

LONGEST = 4096  # pixels a side kept when reading; no map is computed at more
MOST = 2**28  # pixels of a picture, 268 megapixels; the largest phones make 200


class PhotoError(ValueError):
    """A file that cannot be read as a photograph; the message names it and says why."""


def read_photo(path: str | Path) -> torch.Tensor:
    """A photograph as it should be seen.

    EXIF rotation is applied, grey becomes three equal channels, transparency is laid over white, values of 16 bits
    and floats become 8 bits, and a side of more than `LONGEST` pixels is reduced while reading.

    Returns:
        (H, W, 3) uint8.

    Raises:
        PhotoError: no such file, not a picture, one that breaks off, one of more than `MOST` pixels, or one whose
            scale cannot be told (negative or infinite floats, 12 bits kept in 16).
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    if said := _missing(path):
        raise PhotoError(f"{path} {said}: name a JPEG or PNG file.")
    try:
        with _opened(path) as picture:
            if picture.width * picture.height > MOST:
                raise Image.DecompressionBombError
            return torch.from_numpy(np.array(_upright(picture)))
    except DepthError as error:
        said = str(error)
    except Image.DecompressionBombError:
        said = f"has more than {MOST / 1e6:.0f} megapixels, the most that is read: make a smaller copy of it."
    except MemoryError:
        said = "is too large for the memory of this machine: make a smaller copy of it."
    except UnidentifiedImageError:
        said = "cannot be read as a picture: it is damaged, or Pillow does not know its kind; save it as JPEG or PNG."
    except Exception as error:  # Pillow raises many kinds for broken files
        said = f"cannot be read as a picture ({' '.join(str(error).split()) or type(error).__name__})."
    raise PhotoError(f"{path} {said}")


def _missing(path: Path) -> str:
    """Why there is no file of that name; nothing where there is."""
    try:
        if path.is_file():
            return ""
        return "is a folder" if path.is_dir() else "is no file" if path.exists() else "is not there"
    except OSError as error:  # a folder that may not be entered, a name that is too long
        return f"cannot be opened ({error.strerror})"


_ALONE = threading.Lock()  # Pillow's limit and Python's filters, which `_opened` changes, belong to all threads


@contextmanager
def _opened(path: Path) -> Iterator:
    """Pillow's picture, with `MOST` in place of its own limit, less than half a phone's largest photograph.

    Its warnings, of large panoramas or odd palettes, are left out: what matters raises.
    """
    from PIL import Image

    with _ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MOST
        try:
            with Image.open(path) as picture:
                yield picture
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _upright(picture):
    """RGB of at most `LONGEST` pixels a side. A large picture is made small before anything is copied."""
    picture.draft("RGB", (LONGEST, LONGEST))  # lets the JPEG decoder skip detail it need not keep
    stored = Stored.of(picture)
    picture.load()
    smooth = not picture.mode.startswith(("I", "F", "P", "1"))  # these are resized by leaving pixels out, or not at all
    if smooth and not stored.deep:
        picture.thumbnail((LONGEST, LONGEST))
    seen = eight_bit(turned(picture), stored)
    seen = seen if smooth else _opaque(seen)
    seen.thumbnail((LONGEST, LONGEST))
    return _opaque(seen)


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) of a photograph that can be read, as it is shown and before it is reduced."""
    with _opened(path) as picture:
        return picture.size[::-1] if orientation(picture) >= 5 else picture.size  # from 5 on it lies on a side


def _opaque(picture):
    """RGB; what shines through is white."""
    from PIL import Image

    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def fit(rgb: torch.Tensor, size: int = 224, longest: int = 3, mode: str = "bilinear") -> torch.Tensor:
    """Resize so that the shorter side has `size` pixels; the aspect is kept up to `longest` : 1.

    Args:
        rgb: (H, W, 3) uint8.
        mode: "bilinear" or "bicubic", always smoothed where the picture shrinks.

    Returns:
        (h, w, 3) uint8; a longer picture than `longest` : 1 is squeezed to it.

    Raises TypeError for rgb that is no such tensor, ValueError for another size, aspect or mode.
    """
    check_rgb(rgb)
    for name, value in (("size", size), ("longest", longest)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}; got {mode!r}")
    height, width = rgb.shape[:2]
    short = min(height, width)
    new = [min(round(side * size / short), longest * size) for side in (height, width)]
    return resized(rgb, new, mode)


def prepare(rgb: torch.Tensor, network: str | nn.Module | Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    """A photograph resized and cut as a network was measured, and the same as its images.

    Args:
        rgb: (H, W, 3) uint8, as `read_photo` gives it.
        network: a name that `load_model` knows, a module that says, or its `preprocessing`, which see.

    Returns:
        The square that is seen, (size, size, 3) uint8, to draw maps over; and (1, 3, size, size) float32.

    Raises:
        ValueError, TypeError: as `preprocessing`.

    Example:
        >>> import torch, holicam as hc
        >>> rgb = torch.zeros(300, 400, 3, dtype=torch.uint8)
        >>> shown, images = hc.photos.prepare(rgb, "efficientnet-lite0")
        >>> shown.shape, images.shape
        (torch.Size([224, 224, 3]), torch.Size([1, 3, 224, 224]))
    """
    check_rgb(rgb)
    wanted = preprocessing(network)
    short = wanted.resize or wanted.size
    rgb = _cut(rgb, 3 * min(rgb.shape[:2]))  # a panorama's ends would be enlarged for nothing
    new = [int(short * side / min(rgb.shape[:2])) for side in rgb.shape[:2]]
    shown = _cut(resized(rgb, new, wanted.mode), wanted.size)
    return shown, to_images(shown, wanted)


def _cut(rgb: torch.Tensor, most: int) -> torch.Tensor:
    """The middle, of at most so many pixels a side; an odd one is left out as torchvision does."""
    (top, height), (left, width) = ((round(max(n - most, 0) / 2), min(n, most)) for n in rgb.shape[:2])
    return rgb[top : top + height, left : left + width].contiguous()


def to_images(rgb: torch.Tensor, network: str | nn.Module | Preprocessing = IMAGENET) -> torch.Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 with a network's mean and deviation taken out.

    Args:
        network: a name that `load_model` knows, a module that says, or its `preprocessing`, which see; ImageNet's
            by default, which is right for Toyland's networks and most of torchvision's, and for no others.

    Raises TypeError for rgb that is no such tensor; ValueError and TypeError as `preprocessing`.
    """
    check_rgb(rgb)
    wanted = preprocessing(network)
    x = rgb.permute(2, 0, 1)[None].contiguous().float()
    mean, std = (x.new_tensor(v)[:, None, None] * 255 for v in (wanted.mean, wanted.std))
    return x.sub_(mean).div_(std)


def to_rgb(images: torch.Tensor, network: str | nn.Module | Preprocessing) -> torch.Tensor:
    """(B, 3, H, W) as a network sees them -> (B, H, W, 3) uint8: `to_images` undone.

    Raises TypeError for images that are no such floats; ValueError and TypeError as `preprocessing`.
    """
    wanted, given = preprocessing(network), images if isinstance(images, torch.Tensor) else None
    if given is None or given.dim() != 4 or not given.is_floating_point() or given.shape[1] != len(wanted.mean):
        got = type(images).__name__ if given is None else f"{tuple(given.shape)} {given.dtype}"
        raise TypeError(f"images must be normalised floats (B, {len(wanted.mean)}, H, W); got {got}")
    mean, std = (images.new_tensor(v)[:, None, None] for v in (wanted.mean, wanted.std))
    rgb = (images.detach() * std + mean).clamp(0, 1) * 255
    return rgb.round().byte().permute(0, 2, 3, 1)
