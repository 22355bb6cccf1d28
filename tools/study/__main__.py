"""Measure a study on one world and store its rows: python -m tools.study STUDY --world WORLD

Each picture is a part in results/NAME, so a run that was stopped goes on. What is done lies in data/results/NAME.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

import holicam as hc

from . import made
from .sets import STUDIES, set_name, study_of
from .worlds import WORLDS, world_of


def main(words: list[str] | None = None, stored: Path | None = None) -> int:
    """Returns the exit status; stored: where the rows go, by default data/results."""
    parser = argparse.ArgumentParser(prog="python -m tools.study", description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--world", choices=WORLDS, required=True)
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="where the photographs lie")
    parser.add_argument(
        "--n", type=int, help="pictures, the first in the world's order; by default 100, or all of fewer"
    )
    parser.add_argument("--limit", type=float, default=float("inf"), metavar="SECONDS", help="begin none after it")
    parser.add_argument("--out", type=Path, help="the run's folder, by default results/NAME")
    said = parser.parse_args(words)
    torch.set_num_threads(1)
    try:
        name = set_name(said.study, said.world)
        world = world_of(said.world, said.photos)
        stored = (stored or hc.models.data_folder() / "results") / name
        n = min(100, len(world.ids)) if said.n is None else said.n
        done = made.run(study_of(said.study), world, n, said.out or Path("results") / name, stored, said.limit)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{name}: {done} pictures are stored; {n} were asked for")
    return 0


if __name__ == "__main__":
    sys.exit(main())
