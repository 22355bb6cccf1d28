"""Write book/speed.md from the result files of benchmarks/: python tools/speed_page.py

The page says what each explainer costs in forwards of the network, beside the peers that have it, and which of the
promises about speed were kept. It holds no number that is not in a result file.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import holicam as hc  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "book" / "speed.md"
HEAD = """(sec-speed)=
# What it costs

Costs are counted in F: one F is one plain forward of the network on one image.
A ratio survives a change of machine better than seconds do.
`make bench` measures these tables again; all sides run in one process, in turn.
A peer's number is its own cost in F for the same work at its own defaults; *–* means that it does not have the method.
Methods that ask the network about masks are timed on about 256 masks and reported a mask, beside how many a map takes.
The same machine gives these numbers again to within some per cent.
"""


def machine(result: dict) -> str:
    """The line that says where the numbers come from."""
    peers = ", ".join(f"{name} {number}" for name, number in result["peers"].items())
    return f"{result['device']} ({result['processor']}), torch {result['torch']}, {result['date']}; {peers}."


def explainers(result: dict) -> list[str]:
    """One table: a row an explainer."""
    peers = sorted({peer.split(",")[0] for row in result["rows"] for peer in row["peers"]})
    out = [f"## Every explainer on {result['network']}", "", f"Measured on {machine(result)}", "",
           "| explainer | at | F | extra MB | " + " | ".join(peers) + " |", "|---" * (4 + len(peers)) + "|"]
    for row in result["rows"]:
        where = row["layers"] if isinstance(row["layers"], str) else ", ".join(row["layers"] or ["–"])
        cost = f"{row['F']:.2f}" + (f" a {row['unit']}, {row['total_units']:,} of them" if row["unit"] else "")
        theirs = [", ".join(f"{v['F']:.2f}" for name, v in row["peers"].items() if name.split(",")[0] == peer) or "–"
                  for peer in peers]
        out.append(f"| {row['explainer']} | {where} | {cost} | {row['extra_mb']:.0f} | {' | '.join(theirs)} |")
    missing = [name for name in hc.explainers if name not in {row["explainer"] for row in result["rows"]}]
    if missing:
        out += ["", f"Not measured yet: {', '.join(missing)}."]
    return [*out, ""]


def gates(result: dict) -> list[str]:
    """The promises, each with what was measured."""
    out = ["## Promises", "", f"Measured on {result['network']}, {machine(result)}", "",
           "| promise | measured | limit | kept |", "|---|---|---|---|"]
    for row in result["rows"]:
        sign = "≥" if row["at_least"] else "≤"
        kept = "yes" if row["kept"] else "no"
        out.append(f"| {row['what']} | {row['value']:.3f} | {sign} {row['limit']:g} | {kept} |")
    return [*out, ""]


def metrics() -> list[str]:
    """What a metric costs beyond its forwards."""
    out = ["## Metrics", "", "| what | measured | limit |", "|---|---|---|"]
    path = RESULTS / "insertion_deletion.json"
    row = json.loads(path.read_text())
    out.append(f"| {row['what']}: over {row['forwards_an_image']} forwards | {row['ratio']:.3f} | ≤ {row['gate']} |")
    return [*out, ""]


def main() -> int:
    lines = [HEAD]
    for path in sorted(RESULTS.glob("gates-*.json")):
        lines += gates(json.loads(path.read_text()))
    for path in sorted(RESULTS.glob("explainers-*.json")):
        lines += explainers(json.loads(path.read_text()))
    lines += metrics()
    if not list(RESULTS.glob("*-cuda.json")):
        lines += ["No accelerator was at hand when these tables were made, so there is no column for one.", ""]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
