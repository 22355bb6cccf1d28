"""The images that the toy networks learn from: rendered once into a cache, by several processes.

Whatever ends a rendering, Ctrl-C, SIGTERM or a kill, its processes end with it; what a kill left half drawn is
removed by the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from .. import toyland
from .files import sweep
from .trainings import Training

PARTS = ("rgb", "boxes", "labels")  # of what is rendered, in this order


def cache_folder() -> Path:
    """Where rendered images and checkpoints lie: HOLICAM_CACHE, else ~/.cache/holicam."""
    return Path(os.environ.get("HOLICAM_CACHE") or "~/.cache/holicam").expanduser()


def _render_block(job: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    subset, start, count, rho, seed = job
    drawn = toyland.batch(count, split="train", subset=subset, start=start, rho=rho, seed=seed)
    if subset == "shortcut":
        hull = [(*at.amin(0), *(at.amax(0) + 1)) for at in (m.nonzero().flip(1) for m in drawn.shortcut_mask)]
    else:
        hull = [(*b[:, :2].amin(0), *b[:, 2:].amax(0)) for b in drawn.boxes]  # one box around all of the class
    return drawn.rgb.numpy(), drawn.target.numpy(), np.array(hull, np.float32)


def rendered(training: Training, progress=lambda items, total: items) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The training images (n, 224, 224, 3) uint8, labels (n,) and boxes (n, 4), rendered once and kept.

    A box holds what views are cut around: the objects of the labelled class, or the glyph where there is one.
    """
    key = hashlib.sha256(repr((training.subsets, training.rho, training.seed)).encode()).hexdigest()[:12]
    folder = cache_folder() / f"toyland-{key}"
    total = sum(training.subsets.values())
    for other in cache_folder().glob("toyland-" + 12 * "[0-9a-f]"):
        sweep(other, "tmp[a-z0-9_]{8}")  # as `tempfile` calls a folder
    if not (folder / "labels.npy").exists():  # written last: its presence says the rest is whole
        folder.mkdir(parents=True, exist_ok=True)
        with _ended_by_sigterm(), tempfile.TemporaryDirectory(dir=folder) as own:  # two trainings may render at once
            _render(training, total, Path(own), progress)
            for part in PARTS:
                os.replace(Path(own, f"{part}.npy"), folder / f"{part}.npy")
    try:
        found = tuple(np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("rgb", "labels", "boxes"))
        lengths = {len(part) for part in found}
    except (ValueError, EOFError, OSError, TypeError) as error:
        lengths = {" ".join(f"{type(error).__name__}: {error}".split())}  # type: ignore[arg-type]
    if lengths != {total}:
        said = ", ".join(map(str, lengths))
        raise ValueError(
            f"{folder} does not hold the {total} images drawn for training ({said}): delete it, to draw them anew"
        )
    return found


def _render(training: Training, total: int, folder: Path, progress) -> None:
    """Draw all images into files of a folder."""
    store = np.lib.format.open_memmap(folder / "rgb.npy", "w+", np.uint8, (total, 224, 224, 3))
    jobs = [
        (s, i, min(100, n - i), training.rho, training.seed)
        for s, n in training.subsets.items()
        for i in range(0, n, 100)
    ]
    labels, boxes, done = [], [], 0
    with ProcessPoolExecutor(initializer=_begin) as pool:
        try:
            for rgb, target, hull in progress(pool.map(_render_block, jobs), len(jobs)):
                store[done : done + len(rgb)] = rgb
                labels.append(target)
                boxes.append(hull)
                done += len(rgb)
                os.utime(folder)  # says to `sweep` that somebody is at work here
        finally:
            pool.shutdown(cancel_futures=True)  # else all that is left would be drawn before an error is seen
    store.flush()
    np.save(folder / "boxes.npy", np.concatenate(boxes))
    np.save(folder / "labels.npy", np.concatenate(labels))


def _begin() -> None:
    """What a process does before it draws."""
    torch.set_num_threads(1)  # one that is forked has none of its parent's threads, and would wait for them for ever
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not as its parent, which has something to clear away
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait until the parent has gone, however it went, and go: nobody else would end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM raises SystemExit, so that what is half done is cleared away. A handler that somebody has set stays."""
    main = threading.current_thread() is threading.main_thread()  # no other may set handlers
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)
