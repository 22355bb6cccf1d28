"""Whether fewer scales are equivalent: the rows that fast.py measured, held against its margins."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from worlds import World

import holicam as hc

RESULTS = Path(__file__).parent / "results"
CHAPTER = hc.models.data_folder() / "results" / "chapter05-scales.csv"
SCALES = hc.holistic.REFERENCE_SCALES
CANDIDATES = {"1": (0,), "1-2": (0, 1), "1,3": (0, 2), "1-3": (0, 1, 2), "1-4": (0, 1, 2, 3), "1-5": (0, 1, 2, 3, 4)}
MARGINS = {"correlation": 0.95, "pointing": 0.05, "over-all": 0.02}


def cost(setting: str) -> float:
    """F: forwards and backwards at the image's own size."""
    return sum(SCALES[t] ** 2 for t in CANDIDATES.get(setting, range(len(SCALES))))


class Rows:
    """One a picture, in a file of JSON lines that grows."""

    def __init__(self, path: Path):
        self.path = path
        self.all = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def of(self, kind: str, world: str) -> list[dict]:
        return [row for row in self.all if (row["kind"], row["world"]) == (kind, world)]

    def add(self, **row: object) -> None:
        row = json.loads(json.dumps(row), parse_float=lambda text: round(float(text), 5))
        self.all.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of (n,), without NaN: what the margins were written down with."""
    real, generator = values[np.isfinite(values)], np.random.default_rng(0)
    means = real[generator.integers(0, len(real), (2000, len(real)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def estimate(rows: Rows, kind: str, world: str, measure: str, name: str) -> dict:
    """{stage number or "mean": (mean, low, high)} of a candidate's correlation or difference from the default."""
    seen = [row[measure] for row in rows.of(kind, world) if name in row.get(measure, {})]
    if len(seen) < 2:
        return {}
    values = np.array([row[name] for row in seen])  # (n, stages)
    if measure != "correlation":
        values = values - np.array([row["default"] for row in seen])
    columns = {str(i + 1): column for i, column in enumerate(values.T)} | {"mean": values.mean(1)}
    found = {key: (float(np.nanmean(column)), *interval(column)) for key, column in columns.items()}
    return found | {"n": len(seen)}


def passes(found: dict, measure: str) -> bool:
    margin, stages = MARGINS[measure], [v for k, v in found.items() if k in "1234"]
    if not stages:
        return False
    if measure == "correlation":
        return all(low > margin for _, low, _ in stages)
    stages = [found["mean"]] if measure == "over-all" else stages
    return all(-margin < low and high < margin for _, low, high in stages)


def chosen(rows: Rows) -> str | None:
    """The cheapest that passes on the mosaics of both worlds."""
    worlds = sorted({row["world"] for row in rows.all})
    for name in sorted(CANDIDATES, key=cost):
        if all(passes(estimate(rows, "mosaics", w, m, name), m) for w in worlds for m in ("correlation", "pointing")):
            return name
    return None


def verdict(worlds: list[World], rows: Rows) -> str | None:
    """The chosen one, or the next dearer, if correlation and over-all of the singles are within the margins too."""
    names = sorted(CANDIDATES, key=cost)
    at = names.index(chosen(rows) or names[-1])
    for name in names[at : at + 2]:
        asked = [(w.name, measure) for w in worlds for measure in ("correlation", "over-all")]
        if chosen(rows) and all(passes(estimate(rows, "singles", w, m, name), m) for w, m in asked):
            return name
    return None


def report(worlds: list[World], rows: Rows) -> dict:
    asked = (("mosaics", "correlation"), ("mosaics", "pointing"), ("singles", "correlation"), ("singles", "over-all"))
    table = []
    for name in sorted(CANDIDATES, key=cost):
        for world in worlds:
            for kind, measure in asked:
                if found := estimate(rows, kind, world.name, measure, name):
                    rounded = {k: v if k == "n" else [round(x, 4) for x in v] for k, v in found.items()}
                    row = {"setting": name, "world": world.name, "pictures": kind, "measure": measure}
                    table.append({**row, **rounded, "passes": passes(found, measure)})
    costs = {name: round(cost(name), 1) for name in [*CANDIDATES, "default"]}
    return {
        "what": "Holistic-CAM with fewer sizes against its eight, float32, 224 px; margins as in benchmarks/fast.py",
        "margins": MARGINS,
        "scales": {name: [round(SCALES[t], 4) for t in which] for name, which in CANDIDATES.items()},
        "cost_F": costs,
        "networks": {world.name: {"network": world.network, "stages": world.stages} for world in worlds},
        "chosen_on_mosaics": chosen(rows),
        "equivalent": verdict(worlds, rows),
        "worst": worst(table, costs),
        "rows": table,
    }


def deciding(found: dict) -> tuple[str, list[float]]:
    """Of a row of the report, the stage that does worst, or the mean over stages where that is tested."""
    stages = {key: value for key, value in found.items() if key in "1234"}
    if found["measure"] == "over-all":
        return "mean", found["mean"]
    if found["measure"] == "correlation":
        return min(stages.items(), key=lambda stage: stage[1][1])
    return max(stages.items(), key=lambda stage: max(-stage[1][1], stage[1][2]))


def worst(table: list[dict], costs: dict[str, float]) -> list[dict]:
    """What decides about each candidate, world, kind of pictures and measure."""
    out = []
    for row in table:
        stage, (mean, low, high) = deciding(row)
        named = {key: row[key] for key in ("world", "pictures", "measure")}
        values = {"stage": stage, "n": row["n"], "mean": mean, "low": low, "high": high, "passes": row["passes"]}
        out.append({"setting": row["setting"], "cost": costs[row["setting"]], **named, **values})
    return out


def write_csv(result: dict) -> None:
    """What chapter 05 draws."""
    with CHAPTER.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(result["worst"][0]), lineterminator="\n")
        table.writeheader()
        table.writerows(result["worst"])
