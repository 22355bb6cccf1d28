"""The part of the speed page that says what a GPU said: read from the *-cuda.json files that `make gpu` writes."""

from __future__ import annotations

import json
from pathlib import Path

NOTHING = "Nothing has been measured on a GPU yet: `make gpu` does it where there is one."
PARTS = ("tests", "parity", "chapters")


def page_lines(results: Path) -> list[str]:
    """What the tests, the comparison with the CPU and the chapters gave; one sentence where no file is there."""
    if not list(results.glob("*-cuda.json")):
        return [NOTHING, ""]
    out = ["## On a GPU", ""]
    for name, part in zip(PARTS, (tests, parity, chapters), strict=True):
        path = results / f"{name}-cuda.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            out += [*part(result), f"{result['device']}, torch {result['torch']}, {result['date']}.", ""]
    return out


def tests(result: dict) -> list[str]:
    counts = ", ".join(f"{result[word]} {word}" for word in ("passed", "failed", "error", "skipped") if result[word])
    names = f": {', '.join(f'`{name}`' for name in result['names'])}" if result["names"] else ""
    cut = "" if result["complete"] else " They were stopped before the end."
    return [f"Of the tests that need a GPU: {counts or 'none ran'}{names}.{cut}"]


def parity(result: dict) -> list[str]:
    """A row a method: the largest difference between a GPU's and the CPU's values, over the largest value."""
    limits, rows = result["limits"], result["rows"]
    out = [
        f"The largest difference from the CPU, over the largest value: {result['network']}.",
        f"In float64 it should stay below {limits['float64']:g}; in float32 it is rounding, below "
        f"{limits['float32']:g}.",
        "",
        "| | float32 | float64 |",
        "|---|---|---|",
    ]
    for row in rows:
        values = (
            "| failed | failed |"
            if "failed" in row
            else "|" + "".join(f" {row[d]:.0e}{'' if row[d] <= limits[d] else ' !'} |" for d in ("float32", "float64"))
        )
        out.append(f"| {row['name']} {values}")
    failed = [f"{row['name']} ({row['failed']})" for row in rows if "failed" in row]
    out += [
        "",
        *([f"Failed there: {'; '.join(failed)}."] if failed else []),
        *([f"No time was left for {', '.join(result['not_run'])}."] if result["not_run"] else []),
    ]
    return out


def chapters(result: dict) -> list[str]:
    """A row a chapter, as it ran last: what it printed beside what is stored."""
    out = [
        "The chapters' printed text, computed there and compared with what is stored.",
        "",
        "| chapter | ran on | cells | printed |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        said = f"stopped in {row['stopped']}" if row["stopped"] else "the same"
        if row["differ"]:
            said = f"other numbers in cells {', '.join(str(d['cell']) for d in row['differ'])}"
        out.append(f"| {row['chapter']} | {row['device']} | {row['cells']} | {said.replace('|', ' ')} |")
    return [*out, "", *([f"No time was left for {', '.join(result['not_run'])}."] if result["not_run"] else [])]
