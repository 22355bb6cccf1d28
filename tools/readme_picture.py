"""Copy the picture of chapter 07 that the README shows: python tools/readme_picture.py"""

import base64
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "book" / "figures" / "readme.jpg"


def picture(name: str = "fig-holistic-resnet") -> bytes:
    """The JPEG of a figure of chapter 07, by the name in its cell's metadata."""
    notebook = json.loads((ROOT / "book" / "07-holistic-cam.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") == name:
            data = next(o["data"]["image/jpeg"] for o in cell["outputs"] if "image/jpeg" in o.get("data", {}))
            return base64.b64decode("".join(data))
    raise KeyError(f"chapter 07 has no figure {name!r}")


if __name__ == "__main__":
    PICTURE.write_bytes(picture())
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)} written\n")
