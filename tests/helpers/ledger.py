"""Rows and tests of the claim ledger that are made up, so that a verdict can be computed by hand."""

from types import SimpleNamespace

import numpy as np

from tools.pages.asked import parts
from tools.pages.judging import judged
from tools.pages.shelf import Set

NET = "toy-resnet50"
STEPS = np.arange(1, 13) / 100  # mean 0.065, deviation 0.036056: [0.0421, 0.0879]
EVEN = np.array([1, -1] * 6)  # times x: mean 0, deviation 1.0445 x, interval ± 0.6636 x, 90 % interval ± 0.5415 x


class Made:
    """A shelf of sets that are made here: {set: {(label, layer, metric): values}}; images are counted from 0."""

    def __init__(self, sets):
        self.sets, self.ids = sets, None

    def known(self, name):
        cells = self.sets[name]
        metrics = tuple({metric for _, _, metric in cells})
        return Set(name, (NET,), tuple(dict.fromkeys(label for label, _, _ in cells)), metrics)

    def rows(self, name):
        cells = {(NET, layer, label, metric): np.array(v) for (label, layer, metric), v in self.sets[name].items()}
        if not (sizes := {len(v) for v in cells.values()} - {0}):
            return None
        images = self.ids or [str(i) for i in range(sizes.pop())]
        return SimpleNamespace(images=tuple(images), values=cells)


def asked(one="A", others=("B",), direction="more", n=12, **more):
    same = {"world": "toyland", "rows": ["set"], "network": NET, "layers": ["layer1"], "metrics": ["road"]}
    more |= {"others": list(others)} if others else {}
    return {**same, "one": one, "direction": direction, "family": "one", "n": n, **more}


def contrasts(*many):
    """A shelf on which B is 0, and A, C, ... are the values given."""
    labels = dict(zip("ACDE", many, strict=False))
    cells = {(label, "layer1", "road"): np.asarray(v, float) for label, v in labels.items()}
    return Made({"set": cells | {("B", "layer1", "road"): np.zeros(len(many[0]))}})


def answer(shelf, **more):
    (found,) = judged(parts(asked(**more), shelf), shelf)
    return found


def claim(place, *tests, kind="measured", **more):
    return {"paper": "ucag", "place": place, "kind": kind, "covers": ["Fig. 1"], "says": "It is so.", **more} | (
        {"test": list(tests)} if tests else {}
    )
