"""Write book/stages.md from data/measured/stages.json, which `python -m tools.stages` measures."""

import json

from tools.ipynb import BOOK
from tools.pages import written
from tools.stages import FILE

PAGE = BOOK / "stages.md"


def cell(stage: dict) -> str:
    """One stage: where it lies and what it holds."""
    rows, columns = stage["grid"]
    marks = [mark for key, mark in (("stem", "stem"), ("signed", "signed"), ("channels_last", "last")) if stage[key]]
    return f"`{stage['name']}` {rows} × {columns}, {stage['channels']}" + (f" ({', '.join(marks)})" if marks else "")


def table(rows: list[dict]) -> list[str]:
    """A row a network."""
    out = ["| network | image | stages: layer, grid, channels |", "|---|---|---|"]
    for row in rows:
        name = row["network"].removeprefix("timm:")
        found = "<br>".join(map(cell, row["stages"])) if "stages" in row else "tokens on one grid, or on few"
        out.append(f"| {name} | {row['size'][0]} | {found} |")
    return [*out, ""]


def page() -> list[str]:
    """The lines of the page."""
    stored = json.loads(FILE.read_text())
    rows, made = stored["rows"], stored["made with"]
    every = [stage for row in rows for stage in row.get("stages", ())]
    some = [row for row in rows if "stages" in row]
    free = sum(not any(stage["signed"] for stage in row["stages"] if not stage["stem"]) for row in some)
    worst = max(stage["left"] for stage in every)
    theirs = [[row for row in rows if row["network"].startswith("timm:") is timm] for timm in (False, True)]
    return [
        written("stages"),
        f"The tables hold what was found in {len(rows)} networks with random weights: torch {made['torch']}, "
        f"torchvision {made['torchvision']}, timm {made['timm']}.",
        f"{len(some)} have stages, {len(every)} in all with those of the stem; in {free} networks none but the stem's "
        "is ever negative.",
        f"The most that a stage left of the difference between two images' logits, in float64, is {worst:.0e}.",
        "*Signed* marks tensors with negative values, *last* those with channels last.",
        "",
        "## torchvision",
        "",
        *table(theirs[0]),
        "## timm, one network a family",
        "",
        *table(theirs[1]),
    ]
