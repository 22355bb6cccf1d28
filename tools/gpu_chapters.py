"""The printed numbers of the chapters, computed on a GPU: python -m tools.gpu_chapters --device cuda --results FOLDER

Each chapter's cells are run in this process as they are (`cells`). Its networks and Toyland's images are put on the
device, and tensors that a cell makes on the CPU follow where an operation meets both, as if `.to(device)` had been
written there. What it prints must be what is stored, but for one unit in the last digit. A chapter that cannot be moved
is run once more on the CPU, at the end. Short chapters first; after --seconds no other is begun. Writes
chapters-DEVICE.json, a row as soon as a chapter has ended; returns 1 where one printed other numbers, 3 where time was
short.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

import holicam as hc
from tools.cells import differences
from tools.gpu_sheet import Sheet, parser
from tools.ipynb import BOOK, read, run_of

EACH = 90.0  # seconds a chapter may take
APART = ("same device", "should be the same", "is on cpu", "either on cpu", "on CPU")


class Follow(TorchFunctionMode):
    """Tensors of the CPU follow to a device where an operation meets both, and NumPy gets a copy of the CPU.

    Not where the operation writes into one of them: what was written to a copy would be lost.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name in ("numpy", "__array__") and args[0].device.type == self.device.type:
            args = (args[0].cpu(), *args[1:])
        try:
            return func(*args, **kwargs)
        except RuntimeError as error:
            in_place = name.endswith("_") and not name.endswith("__") or name.startswith("__i") or name == "__setitem__"
            lost = in_place and args[0].device.type != self.device.type
            if lost or not any(word in str(error) for word in APART):
                raise
            return func(*tree_map(self._moved, args), **tree_map(self._moved, kwargs))

    def _moved(self, x: object) -> object:
        return x.to(self.device) if isinstance(x, Tensor) and x.device.type == "cpu" and x.dim() else x


@contextmanager
def moved_to(device: torch.device) -> Iterator[None]:
    """While it lasts chapters get networks and Toyland's images on the device."""
    load, draw = hc.models.load_model, hc.toyland.batch

    def load_model(name, place=device):
        return load(name, place)

    def batch(*args, **options):
        drawn = draw(*args, **options)
        if sys._getframe(1).f_globals.get("__name__", "").startswith("holicam"):
            return drawn
        tensors = {f.name: getattr(drawn, f.name) for f in fields(drawn) if f.name != "rgb"}
        return replace(drawn, **{name: x.to(device) for name, x in tensors.items() if isinstance(x, Tensor)})

    with ExitStack() as patches:
        for place, new in ((hc.models, load_model), (hc, load_model), (hc.toyland, batch)):
            patches.enter_context(mock.patch.object(place, new.__name__, new))
        patches.enter_context(Follow(device))
        yield


def run_chapter(path: Path, device: torch.device, seconds: float) -> dict:
    """One row: how many cells ran, which printed something else, and why it stopped, if it did."""
    row = {"chapter": path.stem, "device": device.type, "cells": 0, "differ": [], "stopped": ""}
    began = time.perf_counter()
    place = nullcontext() if device.type == "cpu" else moved_to(device)
    with alarm(seconds), mock.patch.dict(os.environ, HOLICAM_DEVICE=device.type), place:
        try:
            for found in differences(path):
                row["cells"] += 1
                if found:
                    cell, stored, now = found
                    row["differ"].append({"cell": cell.number, "stored": stored[:2000], "now": now[:2000]})
        except ModuleNotFoundError as error:
            row["stopped"] = f"cell {row['cells'] + 1} needs {error.name}, which is not installed"
        except TimeoutError:
            row["stopped"] = f"cell {row['cells'] + 1} was not done after {seconds:.0f} s"
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            row["stopped"] = f"cell {row['cells'] + 1}: {type(error).__name__}: {said}"
    return {**row, "seconds": round(time.perf_counter() - began, 1)}


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """TimeoutError after so many seconds."""

    def ring(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def stored_seconds(path: Path) -> float:
    return run_of(read(path)).get("seconds", 0.0)


def main(argv: list[str] | None = None) -> int:
    options = parser(__doc__)
    options.add_argument("chapters", nargs="*", type=Path, help="default: all of book/")
    options = options.parse_args(argv)
    sheet = Sheet("chapters", options)
    os.environ["MPLBACKEND"] = "Agg"
    for name in ("HOLICAM_MODEL", "HOLICAM_PHOTOS"):
        os.environ.pop(name, None)
    rows: dict[tuple[str, str], dict] = {}
    chapters = sorted(options.chapters or BOOK.glob("[0-9][0-9]-*.ipynb"), key=stored_seconds)
    todo, again = [(path, sheet.device) for path in chapters], []
    while (todo or again) and sheet.left() > 0:
        path, where = (todo or again).pop(0)
        row = rows[path.stem, where.type] = run_chapter(path, where, min(EACH, sheet.left()))
        if row["stopped"] and where.type != "cpu" and "installed" not in row["stopped"]:
            again.append((path, torch.device("cpu")))
        sheet.write(list(rows.values()), [p.stem for p, _ in todo])
        other = f"other numbers in cells {', '.join(str(d['cell']) for d in row['differ'])}"
        said = row["stopped"] or (other if row["differ"] else "the same")
        print(f"{path.stem:44} {where.type:5} {row['seconds']:6.1f} s  {said}", flush=True)
    if todo:
        print("no time left for", ", ".join(path.stem for path, _ in todo))
    if any(row["differ"] for row in rows.values()):
        return 1
    return 3 if todo or any("was not done" in row["stopped"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
