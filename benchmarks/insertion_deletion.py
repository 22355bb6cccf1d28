"""What insertion and deletion cost beyond their forwards: python benchmarks/insertion_deletion.py

Both sides run in this process, in turn, with the same model batches: 57 plain forwards an image, and the metric at 28
steps. Medians of CPU seconds, so that other work on the machine weighs little. The gate is 1.05.
Writes benchmarks/results/insertion_deletion.json.
"""

import json
import platform
import statistics
import sys
import time
from pathlib import Path

import torch

import holicam as hc

RESULT = Path(__file__).parent / "results" / "insertion_deletion.json"
IMAGES, SIDE, CHUNK, FORWARDS, ROUNDS, GATE = 4, 128, 64, 57, 7, 1.05


def main() -> int:
    torch.set_num_threads(1)
    model = hc.load_model("toy-resnet50")
    batch = hc.toyland.batch(IMAGES, split="test", size=SIDE)
    maps = hc.GradCAM()(model, batch.images, "layer4")
    packed = batch.images.repeat(FORWARDS, 1, 1, 1)

    @torch.no_grad()
    def forwards():
        for part in packed.split(CHUNK):
            model(part)

    def metric():
        hc.metrics.insertion_deletion(model, batch.images, maps, batch.target, ids=batch.ids, chunk=CHUNK)

    seconds = {forwards: [], metric: []}
    for round_ in range(ROUNDS + 1):
        for run, taken in seconds.items():
            began = time.process_time()
            run()
            if round_:  # the first round warms up
                taken.append(time.process_time() - began)
    plain, whole = (statistics.median(taken) for taken in seconds.values())
    row = {
        "what": f"insertion + deletion, 28 steps, {IMAGES} images of {SIDE} px, toy-resnet50, float32, one thread",
        "forwards_an_image": FORWARDS, "plain_cpu_s": round(plain, 3), "metric_cpu_s": round(whole, 3),
        "ratio": round(whole / plain, 3), "gate": GATE, "rounds": ROUNDS, "torch": torch.__version__,
        "device": "cpu", "processor": platform.machine(), "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(row, indent=1) + "\n")
    sys.stdout.write(f"ratio {row['ratio']}, gate {GATE}\n")
    return int(row["ratio"] > GATE)


if __name__ == "__main__":
    sys.exit(main())
