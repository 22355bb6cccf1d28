"""Photographs from files: any JPEG or PNG a phone makes, upright, RGB, ready for a network."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch

from .toyland import normalise

LONGEST = 4096  # pixels a side kept when reading; no map is computed at more


class PhotoError(ValueError):
    """A file that cannot be read as a photograph; the message names it and says why."""


def read_photo(path: str | Path) -> torch.Tensor:
    """A photograph as it should be seen.

    EXIF rotation is applied, grey becomes three equal channels, transparency is laid over white, 16-bit values
    become 8-bit, and a side of more than `LONGEST` pixels is reduced while reading.

    Returns:
        (H, W, 3) uint8.

    Raises:
        PhotoError: no such file, not a picture, or a picture that breaks off.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    if not path.is_file():
        raise PhotoError(f"{path} is {'a folder' if path.is_dir() else 'not there'}: name a JPEG or PNG file.")
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a large panorama is no attack
            picture.draft("RGB", (LONGEST, LONGEST))  # lets the JPEG decoder skip detail it need not keep
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            upright = _eight_bit(upright)
            upright.thumbnail((LONGEST, LONGEST))
            return torch.from_numpy(np.array(_opaque(upright)))
    except PhotoError:
        raise
    except Exception as error:  # Pillow raises many kinds for broken files
        raise PhotoError(f"{path} cannot be read as a picture ({error}).") from None


def _eight_bit(picture):
    """16-bit and 32-bit grey pictures scaled to 8 bits by their nominal range; others as they are."""
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture).astype(np.float64)
    top = 65535.0 if values.max() > 255 else 255.0
    return Image.fromarray(np.clip(np.rint(values * (255 / top)), 0, 255).astype(np.uint8))


def _opaque(picture):
    """RGB; what shines through is white."""
    from PIL import Image

    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def fit(rgb: torch.Tensor, size: int = 224, longest: int = 3) -> torch.Tensor:
    """Resize so that the shorter side has `size` pixels; the aspect is kept up to `longest` : 1.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (h, w, 3) uint8; a longer picture than `longest` : 1 is squeezed to it.
    """
    height, width = rgb.shape[:2]
    short = min(height, width)
    new = [min(round(side * size / short), longest * size) for side in (height, width)]
    planes = rgb.permute(2, 0, 1)[None].float()
    shrunk = torch.nn.functional.interpolate(planes, new, mode="bilinear", antialias=True)
    return shrunk[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous()


def to_images(rgb: torch.Tensor) -> torch.Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) with the ImageNet mean and deviation taken out."""
    return normalise(rgb[None])
