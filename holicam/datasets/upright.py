"""How the camera was held, and the picture turned as it is seen.

Pillow's `exif_transpose` turns it as well, but writes the whole EXIF block anew and fails on any odd tag in it.
"""

from __future__ import annotations

from PIL import Image
from PIL.Image import Transpose

ORIENTATION = 0x0112  # EXIF's tag
TURNS = {  # from 5 on the picture lies on a side
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def orientation(picture: Image.Image) -> int:
    """EXIF's number of how the camera was held, 1 to 8; 1 where the file does not say."""
    try:
        said = picture.getexif().get(ORIENTATION, 1)
    except MemoryError:
        raise
    except Exception:  # a block that cannot be read says nothing, and the picture beside it is sound
        return 1
    return next((number for number in TURNS if number == said), 1)


def turned(picture: Image.Image) -> Image.Image:
    """The picture upright; itself where it is."""
    turn = TURNS.get(orientation(picture))
    return picture if turn is None else picture.transpose(turn)
