"""Small runs in tests: a tiny network on four drawn images, and a network that can be told to fail."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from holicam.experiments.config import from_table, from_toml
from holicam.experiments.plan import Plan
from holicam.experiments.run import Watch, evaluate
from holicam.experiments.storage import same_rows
from holicam.models.preprocessing import preprocessing
from tests.helpers import nets
from tools.kept_rows import publish

TABLE = {
    "dataset": {"name": "toyland", "n": 4, "size": 32},
    "networks": ["tiny"],
    "loaders": {"tiny": "tests.helpers.runs:tiny"},
    "explainers": ["grad-cam", "gradient"],
    "layers": ["relu1"],
    "metrics": ["epg"],
    "target": "label",  # a network without training answers anything, and has no score on another class's region
    "images_per_unit": 2,
}
TOML = """
networks = ["tiny"]
loaders = {tiny = "tests.helpers.runs:tiny"}
explainers = ["grad-cam", "gradient"]
layers = ["relu1"]
metrics = ["epg"]
target = "label"
images_per_unit = 2
dataset = {name = "toyland", n = 4, size = 32}
"""


SET = """
networks = ["tiny"]
loaders = {tiny = "tests.helpers.runs:tiny"}
explainers = [
    {name = "grad-cam", label = "Grad-CAM"},
    {name = "ucag", label = "UCAG", patches = 2},
]
layers = ["relu1"]
metrics = METRICS
protocol = "ucag"
target = "label"

[dataset]
name = "toyland"
n = 2
size = 32
"""


class Fragile(nets.TinyNet):
    """Raises `error` where `when(images)` is true."""

    error: BaseException = RuntimeError("one image is bad")
    when = staticmethod(lambda images: False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.when(images):
            raise self.error
        return super().forward(images)


def tiny() -> torch.nn.Module:
    net = Fragile(classes=10)
    net.preprocessing = preprocessing("toy-resnet50")
    return net


def planned(**more: object) -> Plan:
    return Plan.of(from_table({**TABLE, **more}))


def stored_set(folder: Path, name: str, metrics: tuple[str, ...] = ("epg", "pointing-game")) -> None:
    """NAME.toml, NAME.parquet and NAME.json of a small run, as data/results holds them."""
    path = folder / f"{name}.toml"
    path.write_text(SET.replace("METRICS", json.dumps(metrics)), encoding="utf-8")
    evaluate(Plan.of(from_toml(path)), folder / "run" / name, part=(0, 1))
    publish(name, folder / "run" / name, "cpu", folder)


def shows(plan: Plan, index: int):
    """Whether a batch holds this image of the plan's data set."""
    image = plan.dataset[index].image
    return lambda images: images.shape[1:] == image.shape and bool((images == image).flatten(1).all(1).any())


class Heard(Watch):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.there: list[str] = []
        self.images, self.skipped = [], {}

    def begin(self, there, todo) -> None:
        self.there = [unit.name for unit in there]

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def end(self, images, skipped) -> None:
        self.images, self.skipped = images, skipped


def run(plan: Plan, out: Path) -> tuple[int, Heard]:
    """(units run, what was said)."""
    heard = Heard()
    return evaluate(plan, out, part=(0, 1), on="cpu", watch=heard), heard


def parts_of(out: Path) -> list[Path]:
    return sorted((out / "parts").glob("*.parquet"))


def edit(path: Path, change) -> None:
    """Change a JSON file by hand."""
    value = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(value)), encoding="utf-8")


def same_run(one: pa.Table, other: pa.Table) -> bool:
    """Whether two runs gave the same rows: on one thread bit by bit, while several add up in any order."""
    if torch.get_num_threads() == 1:
        return same_rows(one, other)
    values = [np.array(table["value"].to_pylist(), float) for table in (one, other)]
    rest = [table.drop_columns(["value"]) for table in (one, other)]
    return same_rows(*rest) and np.allclose(*values, rtol=1e-5, atol=1e-6, equal_nan=True)
