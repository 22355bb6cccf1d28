"""Run the chapters that are stale and store their outputs, in a form that makes small diffs.

    python -m tools.execute                      every stale chapter in book/
    python -m tools.execute book/01-*.ipynb      these, if stale; --force: also if fresh

A chapter that fails is not written. What is stored in book/ never depends on the reader's choice of
a network (holicam/notebook/edition.py); a second edition with that choice: tools/second_edition.py.
"""

import argparse
import base64
import io
import json
import os
import platform
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

from tools.digest import changes, digest, parts
from tools.ipynb import BOOK, PICTURE, code_cells, read
from tools.tidy import tidied, tidy, write

SECONDS_A_CELL = 600
# A kernel that was ended for want of memory; a cell with a magic, which runs and cannot be read as Python.
FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError, SyntaxError)
GREY_LEVELS = 2
RECORDED = ("torch", "torchvision", "numpy", "matplotlib", "opencv-python-headless", "holicam")
# Run after the last cell; what it imports itself does not count.
REPORT = """\
import json, sys
modules = dict(sys.modules)
from holicam.experiments.code import loaded
print(json.dumps(loaded(modules)))"""


def pixels(jpeg: str) -> np.ndarray:
    """A base64 picture as (H, W, 3) numbers that can be subtracted."""
    raw = base64.b64decode("".join(jpeg))
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"), dtype=np.int16)


def same_picture(old: str, new: str) -> bool:
    """True where two JPEGs have one size and no pixel differs by more than two grey levels."""
    a, b = pixels(old), pixels(new)
    return a.shape == b.shape and int(np.abs(a - b).max(initial=0)) <= GREY_LEVELS


def keep_pictures(old, new) -> None:
    """Put the stored bytes back where a new picture shows the same, cell by cell."""
    stored = {cell.get("id"): cell for cell in code_cells(old)}
    for cell in code_cells(new):
        before = stored.get(cell.get("id"), {"outputs": []})
        for was, now in zip(before["outputs"], cell["outputs"], strict=False):
            a, b = was.get("data", {}).get(PICTURE), now.get("data", {}).get(PICTURE)
            if a and b and same_picture(a, b):
                now["data"][PICTURE] = "".join(a)


def provenance(seconds: float) -> dict:
    """Where the outputs came from; kept in the notebook's metadata, never in its outputs."""
    import torch

    versions = {"python": platform.python_version()}
    for name in RECORDED:
        with suppress(PackageNotFoundError):
            versions[name] = version(name).split("+")[0]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {"device": device, "seconds": round(seconds, 1), "versions": versions}


def executed(old, folder: Path = BOOK):
    """A copy of a notebook with the outputs of a run in `folder`, the seconds, and the files of holicam it loaded."""
    new = nbformat.from_dict({**json.loads(json.dumps(old)), "nbformat_minor": 5})
    for number, cell in enumerate(new["cells"]):
        cell.setdefault("id", f"cell-{number:02d}")
    for cell in code_cells(new):
        cell["outputs"], cell["execution_count"] = [], None
    new["cells"].append(nbformat.v4.new_code_cell(REPORT))
    began = time.perf_counter()
    NotebookClient(
        new,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    seconds = time.perf_counter() - began
    return new, seconds, json.loads(new["cells"].pop()["outputs"][0]["text"])


def store(notebook, path: Path, seconds: float, **about) -> None:
    """Write an executed notebook, tidied, with its provenance and what else is to be known `about` it."""
    notebook["metadata"]["holicam"] = {**about, **provenance(seconds)}
    tidy(notebook)
    nbformat.validate(notebook)
    write(notebook, path)


def run(path: Path) -> float:
    """Execute one chapter and store it; the seconds it took. Errors are raised."""
    old = nbformat.read(path, as_version=4)
    new, seconds, files = executed(old)
    keep_pictures(old, new)
    found = parts(new, files)
    store(new, path, seconds, digest=digest(found), **found)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", type=Path, help="default: all of book/")
    parser.add_argument("--force", action="store_true", help="run fresh chapters, too")
    options = parser.parse_args()
    for name in ("HOLICAM_MODEL", "HOLICAM_PHOTOS"):
        os.environ.pop(name, None)
    os.environ |= {"HOLICAM_DEVICE": "cpu", "HOLICAM_STORED": "1"}
    failed = []
    for path in options.chapters or sorted(BOOK.glob("*.ipynb")):
        if not options.force and not list(changes(read(path))):
            print(f"{path.name}: fresh{', tidied' if tidied(path) else ''}")
            continue
        print(f"{path.name}: running ...", end=" ", flush=True)
        try:
            print(f"{run(path):.0f} s")
        except FAILURES as error:
            print(f"failed, nothing written\n{error}")
            failed.append(path.name)
    if failed:
        print("Failed:", ", ".join(failed), file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
