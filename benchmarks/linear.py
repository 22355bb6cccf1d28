"""Whether a run's cost is linear in its images and its memory bounded by its chunk: python benchmarks/linear.py

Each run is a process of its own: Grad-CAM at one layer and EPG on Toyland images of 64 px, drawn as they are needed.
Cost is CPU seconds of evaluating, without starting Python and loading the network; `exponent` is the slope of its
logarithm against that of n, 1 for a linear cost. Memory is the highest that the process ever held (maximum resident
set), less what it held before the first unit. Writes benchmarks/results/linear.json.
"""

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "linear.json"
COUNTS, CHUNKS, SIDE, CHUNK = (100, 300, 1000, 3000, 10_000), (4, 16, 64, 256), 64, 16
GATE, MEMORY_GATE = 1.05, 1.2


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def one(count: int, chunk: int) -> dict:
    """A run in this process: CPU seconds of evaluating and of merging, MB beyond what was there before."""
    import torch

    from holicam.experiments import storage as parts
    from holicam.experiments.config import from_table
    from holicam.experiments.plan import Plan
    from holicam.experiments.run import evaluate

    torch.set_num_threads(1)
    plan = Plan.of(
        from_table(
            {
                "dataset": {"name": "toyland", "n": count, "size": SIDE},
                "networks": ["toy-resnet50"],
                "layers": ["layer4"],
                "explainers": ["grad-cam"],
                "metrics": ["epg"],
                "images_per_unit": chunk,
            }
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        plan.manifest()
        with torch.no_grad():
            plan.load("toy-resnet50")(torch.zeros(1, 3, SIDE, SIDE))
        before, began = peak_mb(), time.process_time()
        evaluate(plan, out, part=(0, 1), on="cpu")
        evaluated, after = time.process_time(), peak_mb()
        rows = parts.merge(out, plan.keys()).num_rows
        return {
            "images": count,
            "chunk": chunk,
            "rows": rows,
            "cpu_s": round(evaluated - began, 2),
            "ms_an_image": round(1e3 * (evaluated - began) / count, 2),
            "extra_mb": round(after - before, 1),
            "merge_cpu_s": round(time.process_time() - evaluated, 2),
            "merge_extra_mb": round(peak_mb() - after, 1),
        }


def apart(count: int, chunk: int) -> dict:
    """`one` in a process of its own."""
    command = [sys.executable, __file__, "--one", str(count), str(chunk)]
    said = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return json.loads(said.stdout)


def slope(rows: list[dict]) -> float:
    """Of log cost against log n, by least squares."""
    x, y = ([math.log(row[key]) for row in rows] for key in ("images", "cpu_s"))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)


def write(images: list[dict], chunks: list[dict]) -> dict:
    """The result file as far as it goes."""
    import torch

    result = {
        "what": f"Grad-CAM at layer4 and EPG on Toyland images of {SIDE} px, toy-resnet50, float32, one thread",
        "by_images": images,
        "by_chunk": chunks,
        "exponent": round(slope(images), 3),
        "gate": GATE,
        "memory_ratio": round(images[-1]["extra_mb"] / images[1]["extra_mb"], 3),
        "memory_gate": MEMORY_GATE,
        "torch": torch.__version__,
        "device": "cpu",
        "processor": platform.machine(),
        "date": time.strftime("%Y-%m-%d"),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        sys.stdout.write(json.dumps(one(*given.one)))
        return 0
    images, chunks = [apart(count, CHUNK) for count in COUNTS[:3]], []
    for chunk in CHUNKS:
        chunks.append(apart(512, chunk))
        result = write(images, chunks)
    for count in COUNTS[3:]:  # the long ones last
        images.append(apart(count, CHUNK))
        result = write(images, chunks)
    sys.stdout.write(f"exponent {result['exponent']}, gate {GATE}; memory x {result['memory_ratio']}\n")
    return int(result["exponent"] > GATE or result["memory_ratio"] > MEMORY_GATE)


if __name__ == "__main__":
    sys.exit(main())
