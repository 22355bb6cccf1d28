"""What a user sees of a run: a bar on stderr, and sentences between."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tqdm import tqdm

from ..datasets import Dataset
from .looking import look, nothing_can_be_read, told
from .run import Watch
from .said import tell
from .units import Unit


class Shown(Watch):
    """Looks at the images before the first unit, draws the bar, keeps the counts for the last line."""

    def __init__(self, dataset: Dataset, cost: Callable[[Unit], float], pairs: bool = False) -> None:
        self.dataset, self.cost, self.what, self.bar = dataset, cost, "pairs" if pairs else "images", None
        self.there = self.done = self.count = 0
        self.images: Sequence[str] = ()
        self.skipped: dict[str, str] = {}

    def begin(self, there: Sequence[Unit], todo: Sequence[Unit]) -> None:
        """Raises ValueError where no image of the data set can be read."""
        data = self.dataset
        ids = list(dict.fromkeys(image for unit in todo for image in unit.ids))
        looked, bad = look(data, ids)
        if bad and len(bad) == len(ids) and not there and (none := nothing_can_be_read(data, bad)):
            raise ValueError(none)
        if words := told(looked, len(ids), bad, self.what):
            tell(words)
        before, after = (sum(map(self.cost, units)) for units in (there, todo))
        self.there, self.count = len(there), len(there) + len(todo)
        self.bar = tqdm(total=round(before + after), initial=round(before), unit="F", unit_scale=True)

    def unit(self, unit: Unit, cost: float, seconds: float) -> None:
        self.done += 1
        self.bar.set_postfix_str(f"{self.there + self.done} of {self.count} units", refresh=False)
        self.bar.update(round(cost))

    def say(self, sentence: str) -> None:
        tqdm.write(sentence, file=sys.stderr)

    def end(self, images: Sequence[str], skipped: dict[str, str]) -> None:
        self.images, self.skipped = images, skipped

    def close(self) -> None:
        """The bar's last state stays on the screen."""
        if self.bar is not None:
            self.bar.close()
