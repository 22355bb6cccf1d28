"""What a map costs, from benchmarks/results: the numbers that readers see, and book/figures/costs.svg.

A method is never shown cheaper than the forward passes that it makes. Where the clock said less, the passes are shown
and marked: a measurement on a machine that does other work as well is off by some per cent, one of batches of 64
against a forward in batches of four by more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from holicam.methods.table import TABLE
from tools.ipynb import BOOK, ROOT
from tools.pages.dots import Dot, draw

RESULTS = ROOT / "benchmarks" / "results"
PAGE = BOOK / "figures" / "costs.svg"
NETWORK = "resnet50"
TICKS = (1, 10, 100, 1000, 10_000, 100_000)
FAMILIES = {  # family in the registry: words of the chart
    "CAM": "Class activation maps",
    "multi-scale CAM": "At eight sizes",
    "relevance": "Relevance",
    "gradient": "Gradients of the input",
    "wrapper": "Around another method",
    "perturbation": "Hide and ask again",
    "Poly-CAM": "Poly-CAM: ask once per channel",
}


@dataclass(frozen=True)
class Cost:
    """What a map costs in F. measured: by the clock; passes: forwards that the method makes; `shown` is the larger."""

    measured: float
    passes: float

    @property
    def shown(self) -> float:
        return max(self.measured, self.passes)

    @property
    def floored(self) -> bool:
        """Whether the clock said less than the method's own forwards."""
        return self.measured < self.passes

    def __str__(self) -> str:
        value = self.shown
        return f"{'≈ ' * self.floored}{value:,.0f}" if value >= 100 else f"{'≈ ' * self.floored}{value:.1f}"


def cost(row: dict) -> Cost:
    """Of one map of one image, from a row of a result file: masks and steps are counted to a whole map."""
    count, made = row["total_units"] or 1, TABLE[row["explainer"]].forwards
    return Cost(row["F"] * count, count if row["unit"] == "mask" else made)


def read(results: Path = RESULTS, network: str = NETWORK, device: str = "cpu") -> dict:
    """A result file."""
    return json.loads((results / f"explainers-{network}-{device}.json").read_text(encoding="utf-8"))


def costs(result: dict) -> dict[str, Cost]:
    """{explainer: its cost}."""
    return {row["explainer"]: cost(row) for row in result["rows"]}


def shortfall(result: dict) -> float:
    """By how much the clock fell short of the passes at most, a share."""
    return max(1 - c.measured / c.passes for c in costs(result).values() if c.passes)


def groups(result: dict) -> dict[str, list[Dot]]:
    """Rows of the chart, the cheapest family and the cheapest method first."""
    found: dict[str, list[Dot]] = {}
    for name, one in costs(result).items():
        family = TABLE[name].family
        if family in FAMILIES:
            found.setdefault(FAMILIES[family], []).append(Dot(name, one.shown, str(one), one.floored))
    return {word: sorted(found[word], key=lambda dot: dot.value) for word in FAMILIES.values() if word in found}


def told(result: dict) -> str:
    """The chart in a sentence, for those who cannot see it."""
    ends = [
        f"{word} from {dots[0].said} ({dots[0].name}) to {dots[-1].said} ({dots[-1].name})"
        for word, dots in groups(result).items()
    ]
    return (
        f"Costs of a map in forward passes, by family, on a scale from {TICKS[0]} to {TICKS[-1]:,}: {'; '.join(ends)}."
    )


def page() -> list[str]:
    """The drawing, line by line."""
    result = read()
    return draw(groups(result), TICKS, title="What a map costs", told=told(result), unit="F").split("\n")
