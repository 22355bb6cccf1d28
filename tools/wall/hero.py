"""The picture of the first page: one photograph, three methods at two stages, and three switches.

    python -m tools.wall.hero       asks the network again and writes data/measured/answers.json

The maps are the wall's. A state of the page is what is asked: the class the picture shows, another class, the same
class of a network that has forgotten its training, or an edge detector in the network's place.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import holicam as hc
from holicam.experiments.whole_files import write_whole
from holicam.notebook.explorer.packed import jpeg
from tools.ipynb import ROOT

from . import compute, draw, pictures, settings, store
from .settings import FOR_EVERY_QUESTION as METHODS

FILE = ROOT / "data" / "measured" / "answers.json"
STATES = ("asked", "another", "forgotten", "edges")
STAGES = (1, 4)
SIDE, QUALITY = 336, 80  # stored pixels of a panel
DIGITS = 3


class Panel(NamedTuple):
    """A map over its picture: the method's name in the registry, the stage (0: none), and the question."""

    method: str
    stage: int
    question: str


def panels(state: str) -> list[list[Panel]]:
    """Rows of panels: a stage each; where the network is exchanged for an edge detector, one row beside its own."""
    if state == "edges":
        return [[Panel("sobel", 0, "asked"), *(Panel(method, 1, "asked") for method in METHODS[1:])]]
    return [[Panel(method, stage, state) for method in METHODS] for stage in STAGES]


def drawn(picture: str, panel: Panel) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8."""
    tile = store.tile(picture, panel.method, panel.stage, panel.question)
    return draw.over(draw.under(picture, SIDE), tile)


def file(picture: str, panel: Panel | None = None) -> str:
    """The name of a panel's file in the built site; of the photograph alone without one."""
    return f"{picture}.jpg" if panel is None else f"{picture}-{panel.method}-{panel.stage}-{panel.question}.jpg"


def write(folder: Path, picture: str) -> None:
    """All panels of a picture, and the photograph, into a folder of the built site."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file(picture)).write_bytes(jpeg(draw.under(picture, SIDE), QUALITY))
    for panel in dict.fromkeys(panel for state in STATES for row in panels(state) for panel in row):
        (folder / file(picture, panel)).write_bytes(jpeg(drawn(picture, panel), QUALITY))


@cache
def answers() -> dict[str, dict[str, float]]:
    """{picture: {state: probability of the class asked for, answer: its class, p: that class's probability}}."""
    return json.loads(FILE.read_text(encoding="utf-8"))


@torch.no_grad()
def asked() -> dict[str, dict[str, object]]:
    """What `answers` holds, asked of the network now."""
    model, forgetful, found = compute.network(), compute.forgetful(), {}
    names = hc.class_names(settings.NETWORK)
    for one in pictures.ALL:
        p = model(compute.image(one.name)).softmax(1)[0]
        lost = forgetful(compute.image(one.name)).softmax(1)[0]
        values = {"asked": p[one.target], "another": p[one.other], "forgotten": lost[one.target], "p": p.max()}
        found[one.name] = {key: round(float(value), DIGITS) for key, value in values.items()}
        found[one.name]["answer"] = names[int(p.argmax())]
    return found


if __name__ == "__main__":
    write_whole(FILE, (json.dumps(asked(), indent=1) + "\n").encode())
