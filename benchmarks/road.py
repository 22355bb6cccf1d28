"""ROAD beside pytorch-grad-cam's on the same maps and masks: python benchmarks/road.py

Both fill the same removed pixels of the same images (noise off), in turn, in this process, with one thread: ours all
masks at once by conjugate gradients, theirs one by one with a sparse matrix and a direct solver. Medians of CPU
seconds. Then the whole metric with percentile counts, and how far the scores lie apart.
Writes benchmarks/results/road.json.
"""

import json
import platform
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pytorch_grad_cam.metrics import road as theirs
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

import holicam as hc

RESULT = Path(__file__).parent / "results" / "road.json"
IMAGES, SIDE, ROUNDS, PERCENTILES = 1, 224, 3, (20, 40, 60, 80)


class Quiet(theirs.NoisyLinearImputer):
    """Theirs without noise, so that both can be compared."""

    def __init__(self):
        super().__init__(noise=0.0)


def medians(runs):
    taken = {name: [] for name in runs}
    for round_ in range(ROUNDS + 1):
        for name, run in runs.items():
            began = time.process_time()
            run()
            if round_:  # the first round warms up
                taken[name].append(time.process_time() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> int:
    torch.set_num_threads(1)
    theirs.NoisyLinearImputer = Quiet
    model = hc.load_model("toy-resnet50")
    batch = hc.toyland.batch(IMAGES, split="test", size=SIDE)
    images, target = batch.images, batch.target
    maps = hc.ops.normalise(hc.HolisticCAM()(model, images, "layer4", target))
    ranks = hc.metrics.rank(maps, ids=batch.ids).ranks
    pixels = SIDE * SIDE
    removed = torch.stack(
        [order < round(t * pixels) for t in (0.2, 0.4, 0.6, 0.8) for order in (ranks, pixels - 1 - ranks)]
    )  # (8, B, H, W)
    repeated, removed = images.repeat(len(removed), 1, 1, 1), removed.flatten(0, 1)
    kept = (~removed).float()
    combined = theirs.ROADCombined(percentiles=list(PERCENTILES))
    wanted = [ClassifierOutputSoftmaxTarget(t) for t in target.tolist()]
    filled = {}

    def fill_ours():
        filled["ours"] = hc.metrics.impute(repeated, removed)

    def fill_theirs():
        imputer = Quiet()
        filled["theirs"] = torch.stack([imputer(x, k) for x, k in zip(repeated, kept, strict=True)])

    @torch.no_grad()
    def score_theirs():
        filled["their_score"] = np.asarray(combined(images, maps.numpy(), wanted, model))

    def score_ours():
        run = hc.metrics.remove_and_debias(model, images, maps, target, noise=0, counts="percentile")
        filled["our_score"] = run.half.numpy()

    seconds = medians({f.__name__: f for f in (fill_ours, fill_theirs, score_ours, score_theirs)})
    gap = (filled["ours"] - filled["theirs"]).abs().max().item()
    score_gap = float(np.abs(filled["our_score"] - filled["their_score"]).max())
    row = {
        "what": f"ROAD, {IMAGES} image of {SIDE} px, 8 masks from Holistic-CAM at layer4, toy-resnet50, float32, "
        "one thread",
        "masks": len(removed),
        "fill_cpu_s": round(seconds["fill_ours"], 2),
        "grad_cam_fill_cpu_s": round(seconds["fill_theirs"], 2),
        "fill_ratio": round(seconds["fill_ours"] / seconds["fill_theirs"], 3),
        "metric_cpu_s": round(seconds["score_ours"], 2),
        "grad_cam_metric_cpu_s": round(seconds["score_theirs"], 2),
        "metric_ratio": round(seconds["score_ours"] / seconds["score_theirs"], 3),
        "largest_pixel_difference": float(f"{gap:.1e}"),
        "largest_score_difference": float(f"{score_gap:.1e}"),
        "rounds": ROUNDS,
        "torch": torch.__version__,
        "grad-cam": version("grad-cam"),
        "device": "cpu",
        "processor": platform.machine(),
        "date": time.strftime("%Y-%m-%d"),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(row, indent=1) + "\n")
    sys.stdout.write(json.dumps(row, indent=1) + "\n")
    return int(gap > 1e-3 or score_gap > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
