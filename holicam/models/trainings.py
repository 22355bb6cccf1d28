"""What each toy network is trained on, and how long."""

from __future__ import annotations

import dataclasses
import math

import numpy as np


def _cycle(step: int, steps: int, warm: int = 200, decay: float = 0.35) -> float:
    """Warm up, stay, then fall to zero over the last `decay` of the steps (a cosine)."""
    left = (steps - step) / (decay * steps)
    return min((step + 1) / warm, 1.0) * (1.0 if left >= 1 else 0.5 * (1 - math.cos(math.pi * left)))


Phase = tuple[tuple[int, ...], int] | tuple[tuple[int, ...], int, str]


@dataclasses.dataclass(frozen=True)
class Training:
    """What a toy network is trained on and how long.

    subsets: images rendered of each Toyland subset. phases: (sizes in pixels, images seen) in order, and a subset where
    only its images are seen; each step takes one of its phase's sizes. finish: more phases, with a second and lower
    cycle of the learning rate. zoom: share of images cut around their object, or around their glyph. rho: how often a
    mark names the label. lr: its highest value; decay: the share of the steps over which it falls (see `_cycle`).
    settle: the size at which batch norm's statistics are averaged at the end. random_labels: learn `random_labels`
    instead of the truth, which only memory can (chapter 18).
    """

    subsets: dict[str, int]
    phases: tuple[Phase, ...]
    finish: tuple[Phase, ...] = ()
    zoom: float = 0.5
    rho: float = 0.95
    lr: float = 2e-3
    decay: float = 0.35
    batch: int = 64
    weight_decay: float = 0.02
    seed: int = 0
    settle: int = 224
    random_labels: bool = False

    @property
    def steps(self) -> int:
        return len(self.plan)

    @property
    def plan(self) -> list[tuple[tuple[int, ...], str]]:
        """The sizes each step may take, and the subset it keeps to, if any."""
        return [
            (sizes, only[0] if only else "")
            for sizes, seen, *only in self.phases + self.finish
            for _ in range(-(-seen // self.batch))
        ]

    @property
    def subset(self) -> np.ndarray:
        """(n,) str: which subset each image is of."""
        return np.repeat(list(self.subsets), list(self.subsets.values()))

    def rate(self, step: int) -> float:
        """The learning rate of a step: one cycle over `phases`, a second at a fifth of it over `finish`."""
        first = sum(-(-seen // self.batch) for _, seen, *_ in self.phases)
        if step < first:
            return self.lr * _cycle(step, first, decay=self.decay)
        return self.lr / 5 * _cycle(step - first, self.steps - first, warm=10, decay=1.0)


ALL = {"single": 14000, "twins": 5000, "scene": 5000}
LARGE = (((192, 256, 352), 8_000),)  # objects as large as enlarged images show them


def _misled(mark: str) -> Training:
    """A network that reads a mark which always names the class where it stands (chapter 22).

    The mark is learned first, from images that have one, and then leaves little to learn there; most of what follows
    has none and teaches the objects. Nothing ever says which of the two counts where they differ. The last images wear
    the mark again: before them, the object won where glyph and object differ in 36 of 100 scenes, after them in 19.
    """
    phases = ((48, 64), 22_000, mark), ((48, 64), 44_000), ((64, 96), 12_000), ((96, 112), 8_000)
    finish = (((96, 112), 2_000, mark),)
    return Training({mark: 3000, "single": 4000}, phases, finish, rho=1.0, batch=32, settle=112)


TRAININGS = {
    "toy-resnet50": Training(
        ALL, (((64,), 110_000), ((64, 96), 60_000), ((96, 128, 160), 30_000), ((128, 224, 288), 5_000)), LARGE
    ),
    "toy-vgg16_bn": Training(
        ALL, (((64,), 110_000), ((64, 96), 45_000), ((96, 128, 160), 25_000), ((128, 224, 288), 5_000)), LARGE
    ),
    # What multi-scale methods must not be judged on: whole images only, and at the end one size (chapter 05).
    "toy-vgg16_bn-no-jitter": Training(ALL, (((64,), 60_000), ((96, 128), 12_000)), (((224,), 3_000),), zoom=0.0),
    "toy-resnet50-shortcut": _misled("shortcut"),
    "toy-resnet50-cast": _misled("cast"),
    # The network of the label randomisation test: whole images of one size, learned by heart.
    "toy-resnet50-random-labels": Training(
        {"single": 800},
        (((64,), 64_000), ((112,), 23_040)),
        zoom=0.0,
        decay=0.117,
        weight_decay=0.0,
        settle=112,
        random_labels=True,
    ),
}
