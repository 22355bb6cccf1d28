"""Compute the maps of the wall that are missing and keep them in data/wall: `python -m tools.wall`."""

import argparse
import time

import torch

from holicam.experiments.made_by import shortened
from holicam.methods.table import TABLE

from . import compute


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", action="append", help="only this explainer; may be given several times")
    parser.add_argument("--limit", type=float, default=float("inf"), help="begin nothing after so many seconds")
    parser.add_argument("--again", action="store_true", help="also what is there, such as maps that newer code makes")
    parser.add_argument("--stale", action="store_true", help="compute nothing, say which code has changed since")
    given = parser.parse_args(words)
    if unknown := sorted({*(given.method or ())} - {*TABLE}):
        parser.error(f"there is no explainer {unknown[0]!r}; holicam.explainers has their names")
    if given.stale:
        for name, files in compute.stale().items():
            print(f"{name}: {shortened(files)}")
        return
    torch.set_num_threads(1)
    began, done = time.time(), 0
    for unit in compute.missing(given.method, given.again):
        if time.time() - began > given.limit:
            break
        start = time.time()
        compute.do(unit)
        done += 1
        print(f"{', '.join(unit[0])} · {unit[1]} · {unit[2]}: {time.time() - start:.1f} s", flush=True)
    compute.sweep()
    left = len(list(compute.missing(given.method)))
    print(f"{done} computed, {left} left, {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
