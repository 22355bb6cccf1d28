"""Copy the picture of chapter 07 that the README shows: python -m tools.figures.readme"""

import base64

from tools.ipynb import BOOK, PICTURE, figure, read


def picture(name: str = "fig-holistic-resnet") -> bytes:
    """The JPEG of a figure of chapter 07, by the name in its cell's metadata."""
    for cell in read(BOOK / "07-holistic-cam.ipynb")["cells"]:
        if figure(cell).get("name") == name:
            data = next(o["data"][PICTURE] for o in cell["outputs"] if PICTURE in o.get("data", {}))
            return base64.b64decode("".join(data))
    raise KeyError(f"chapter 07 has no figure {name!r}")


if __name__ == "__main__":
    (BOOK / "figures" / "readme.jpg").write_bytes(picture())
