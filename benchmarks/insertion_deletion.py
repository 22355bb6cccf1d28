"""What insertion and deletion cost beyond their forwards: python benchmarks/insertion_deletion.py

Both sides run in this process, in turn, with the same model batches: 57 plain forwards an image and the metric at 28
steps, 449 and the metric at 224. Medians of CPU seconds, so that other work on the machine weighs little. The gate is
1.05. Writes benchmarks/results/insertion_deletion.json.
"""

import json
import platform
import statistics
import sys
import time
from pathlib import Path

import torch

import holicam as hc
from holicam.core import batched

RESULT = Path(__file__).parent / "results" / "insertion_deletion.json"
CHUNK, GATE = 64, 1.05
# Protocol, images, their side, forwards an image, rounds. RISE takes one row of pixels a step: 224 at 224 pixels.
CASES = (("holistic-cam", 4, 128, 57, 7), ("rise", 1, 224, 449, 3))


def measured(model: torch.nn.Module, protocol: str, images: int, side: int, forwards: int, rounds: int) -> dict:
    """One row: both sides of one protocol."""
    batch = hc.toyland.batch(images, split="test", size=side)
    maps = hc.GradCAM()(model, batch.images, "layer4")
    steps = len(hc.metrics.protocol_of(protocol).counts(side, side)) - 1
    owner = torch.arange(images).repeat(forwards)  # inputs are copied a batch at a time, as the metric builds them

    @torch.no_grad()
    def plain():
        for part in owner.split(batched.model_batch(CHUNK, batch.images)):
            model(batch.images[part])

    def metric():
        hc.metrics.insertion_deletion(
            model, batch.images, maps, batch.target, ids=batch.ids, chunk=CHUNK, protocol=protocol
        )

    seconds = {plain: [], metric: []}
    for round_ in range(rounds + 1):
        for run, taken in seconds.items():
            began = time.process_time()
            run()
            if round_:  # the first round warms up
                taken.append(time.process_time() - began)
    whole, bare = (statistics.median(seconds[run]) for run in (metric, plain))
    return {
        "what": f"insertion + deletion, {steps} steps, {images} image{'s' * (images > 1)} of {side} px, toy-resnet50, "
        "float32, one thread",
        "protocol": protocol,
        "forwards_an_image": forwards,
        "plain_cpu_s": round(bare, 3),
        "metric_cpu_s": round(whole, 3),
        "ratio": round(whole / bare, 3),
        "gate": GATE,
        "rounds": rounds,
    }


def main() -> int:
    torch.set_num_threads(1)
    model = hc.load_model("toy-resnet50")
    rows = [measured(model, *case) for case in CASES]
    result = {
        "rows": rows,
        "torch": torch.__version__,
        "device": "cpu",
        "processor": platform.machine(),
        "date": time.strftime("%Y-%m-%d"),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for row in rows:
        sys.stdout.write(f"{row['protocol']}: ratio {row['ratio']}, gate {GATE}\n")
    return int(any(row["ratio"] > GATE for row in rows))


if __name__ == "__main__":
    sys.exit(main())
