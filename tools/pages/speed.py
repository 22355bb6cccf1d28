"""Write book/speed.md from the result files of benchmarks/.

The page says what each explainer costs in forwards of the network, beside the peers that have it. Which of the promises
about speed the code keeps is folded at its end. It holds no number that is not in a result file.
"""

import json
from pathlib import Path

import holicam as hc
from tools.ipynb import BOOK, ROOT
from tools.pages import costs, folded, speed_gpu, written

RESULTS = ROOT / "benchmarks" / "results"
PAGE = BOOK / "speed.md"


def machine(result: dict) -> str:
    """The line that says where the numbers come from."""
    peers = ", ".join(f"{name} {number}" for name, number in result["peers"].items()) or "no peer was installed"
    return f"{result['device']} ({result['processor']}), torch {result['torch']}, {result['date']}; {peers}."


def place(result: dict) -> str:
    """For a heading: the device, where it is not the CPU."""
    return "" if result["device"].startswith("cpu") else f", {result['device']}"


def findings(result: dict) -> str:
    """What the chart says, in sentences."""
    found = costs.costs(result)
    cheap, dear = found["layer-cam"], found["holistic-cam"]
    ask = {name: found[name] for name in ("score-cam", "pcam+", "rise")}
    said = ", ".join(f"{name} {one}" for name, one in ask.items())
    return (
        f"Layer-CAM costs {cheap} F at the last stage and Holistic-CAM {dear} F, {dear.shown / cheap.shown:.0f} times "
        f"as much; {{ref}}`sec-which-method` says what one gets for it.\n"
        f"Methods that need no gradients pay for it with questions: {said} F."
    )


def shown(row: dict) -> str:
    """A row's cost: never below the passes that it makes, of a mask or a map."""
    unit = f" a {row['unit']}, {row['total_units']:,} of them" if row["unit"] else ""
    return floored(row["F"], least(row)) + unit


def least(row: dict) -> float:
    """The forwards that a map makes, or one of its masks or steps."""
    return costs.cost(row).passes / (row["total_units"] or 1)


def floored(measured: float, passes: float) -> str:
    """What is shown for a measurement."""
    return f"{'≈ ' * (measured < passes)}{max(measured, passes):.2f}"


def explainers(result: dict) -> list[str]:
    """One table: a row an explainer."""
    peers = sorted({peer.split(",")[0] for row in result["rows"] for peer in row["peers"]})
    out = [
        f"Measured on {machine(result)}",
        "A peer's number is its own cost for the same work at its own defaults; *–*: it does not have the method.",
        "",
        "| " + " | ".join(["explainer", "at", "F", "extra MB", *peers]) + " |",
        "|---" * (4 + len(peers)) + "|",
    ]
    for row in result["rows"]:
        where = row["layers"] if isinstance(row["layers"], str) else ", ".join(row["layers"] or ["–"])
        theirs = [
            ", ".join(floored(v["F"], least(row)) for name, v in row["peers"].items() if name.split(",")[0] == peer)
            or "–"
            for peer in peers
        ]
        out.append("| " + " | ".join([row["explainer"], where, shown(row), f"{row['extra_mb']:.0f}", *theirs]) + " |")
    missing = [name for name in hc.explainers if name not in {row["explainer"] for row in result["rows"]}]
    if missing:
        out += ["", f"Not measured yet: {', '.join(missing)}."]
    title = f"## Every explainer on {result['network']}{place(result)}"
    return [title, "", *folded("The table", out)]


def gates(result: dict) -> list[str]:
    """The promises, each with what was measured."""
    out = [
        f"Measured on {result['network']}, {machine(result)}",
        "",
        "| promise | measured | limit | kept |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        sign = "≥" if row["at_least"] else "≤"
        kept = "yes" if row["kept"] else "no"
        out.append(f"| {row['what']} | {row['value']:.3f} | {sign} {row['limit']:g} | {kept} |")
    return folded(f"What the code promises itself{place(result)}", out)


def metrics(results: Path) -> list[str]:
    """What a metric costs beyond its forwards, and ROAD beside its peer."""
    out = ["| what | measured | limit |", "|---|---|---|"]
    for row in json.loads((results / "insertion_deletion.json").read_text())["rows"]:
        name = f"{row['what']}: over {row['forwards_an_image']} forwards"
        out.append(f"| {name} | {row['ratio']:.3f} | ≤ {row['gate']} |")
    row = json.loads((results / "road.json").read_text())
    out += [
        f"| {row['what']}: filling the removed pixels, over grad-cam's | {row['fill_ratio']:.3f} | – |",
        f"| the same: the whole metric, over grad-cam's {row['grad-cam']} | {row['metric_ratio']:.3f} | – |",
    ]
    return [*out, ""]


def runs(result: dict) -> list[str]:
    """Whether a run's cost follows its images and its memory its chunk."""
    out = [
        "## Long runs",
        "",
        f"{result['what']}; {result['device']} ({result['processor']}), torch {result['torch']}, {result['date']}.",
        "Seconds are of evaluating; memory is the most that the process held beyond what it held before.",
        "",
        "| images | chunk | CPU seconds | ms an image | extra MB |",
        "|---|---|---|---|---|",
    ]
    for row in (*result["by_images"], *result["by_chunk"]):
        out.append(
            f"| {row['images']:,} | {row['chunk']} | {row['cpu_s']:.1f} | {row['ms_an_image']:.1f} | "
            f"{row['extra_mb']:.0f} |"
        )
    first, last = (f"{result['by_images'][i]['images']:,}" for i in (0, -1))
    out += [
        "",
        f"Cost grows with the number of images to the power of {result['exponent']:.3f} from {first} to {last} "
        f"(limit {result['gate']}).",
        f"At one chunk, the largest run holds {result['memory_ratio']:.2f} times the memory of a run of "
        f"{result['by_images'][1]['images']:,} images (limit {result['memory_gate']}).",
    ]
    return [*out, ""]


def fast(result: dict) -> list[str]:
    """What fewer sizes cost, and whether they are equivalent: benchmarks/fast.py."""
    out = [
        "## Holistic-CAM with fewer sizes",
        "",
        f"{result['what']}, which were set before the rows were made.",
        "An interval is of the mean over pictures, at the stage that does worst; over-all is averaged over the stages.",
        f"Seconds are of one picture at four stages on {result['device']} ({result['processor']}), torch "
        f"{result['torch']}, {result['date']}.",
        "",
        "| sizes | F | pictures | measure | n | mean | 95 % interval | margin | within |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["worst"]:
        limit = result["margins"][row["measure"]]
        margin = f"> {limit}" if row["measure"] == "correlation" else f"± {limit}"
        out.append(
            f"| {row['setting']} | {result['cost_F'][row['setting']]} | {row['world']}, {row['pictures']} | "
            f"{row['measure']} | {row['n']} | {row['mean']:.3f} | {row['low']:.3f} to {row['high']:.3f} | {margin} | "
            f"{'yes' if row['passes'] else 'no'} |"
        )
    for world, taken in result["seconds"].items():
        network = result["networks"][world]["network"]
        out += ["", f'{network}: {taken["default"]:.1f} s by default, {taken["fast"]:.1f} s with `preset="fast"`.']
    return [*out, ""]


def laboratory(result: dict) -> list[str]:
    """How long a reader of the laboratory waits: benchmarks/laboratory.py."""
    out = [
        "## In the reader's browser",
        "",
        f"What {{ref}}`sec-laboratory` takes, in seconds by the clock: Chromium {result['browser']} "
        f"({result['processor']}), ONNX Runtime {result['runtime']} on one thread, files from this machine, "
        f"{result['date']}; while it was measured {result['load']} processes wanted to run.",
        "",
        "| what | median seconds | limit | kept |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        kept = "yes" if row["seconds"] <= row["limit"] else "no"
        out.append(f"| {row['what']} | {row['seconds']:.2f} | ≤ {row['limit']:g} | {kept} |")
    return [*out, ""]


def page(results: Path = RESULTS) -> list[str]:
    """The lines of the page."""
    first = costs.read(results)
    opening = written(
        "speed",
        told=costs.told(first),
        findings=findings(first),
        machine=machine(first),
        gradient=str(costs.costs(first)["gradient"]),
        shortfall=f"{100 * costs.shortfall(first):.0f} %",
    )
    lines = [opening, ""]
    for name, part in (("explainers-*", explainers), ("fast", fast), ("linear", runs)):
        for path in sorted(results.glob(f"{name}.json")):
            lines += part(json.loads(path.read_text()))
    lines += speed_gpu.page_lines(results)
    for path in sorted(results.glob("laboratory.json")):
        lines += laboratory(json.loads(path.read_text()))
    lines += ["## For those who change the code", "", *folded("Metrics beside their forwards", metrics(results))]
    for path in sorted(results.glob("gates-*.json")):
        lines += gates(json.loads(path.read_text()))
    return lines
