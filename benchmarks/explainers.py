"""What every explainer costs, in forwards of the network, beside the peers: python benchmarks/explainers.py

    python benchmarks/explainers.py [--network resnet50|toy-resnet50] [--only NAME ...] [--rounds N] [--seconds S]

All sides run in this process, in turn, in float32 and (on a CPU) one thread; see timing.py. 1 F is one plain forward
of one image in a batch of four. A method that asks the network about masks is timed on about 256 of them and reported a
mask; its batches are of 64, where a forward costs a CPU more, so gates.py compares it with plain forwards of that size.
Extremal perturbation is timed on 8 of its 800 steps. Writes results/explainers-*.json, a row as soon as it is measured;
with --only, the other rows stay; after --seconds no other row is begun (returns 3). Runs on CUDA where there is a
device. tools/pages/speed.py turns the files into the table on the site.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from peers import PEERS
from timing import Clock, machine, medians, peak_mb

import holicam as hc

RESULTS = Path(__file__).parent / "results"
LAYER, MASK_LAYER, TOY_MASK_LAYER, STAGES = "layer4", "layer1", "layer3", ["layer1", "layer2", "layer3", "layer4"]


@dataclass(frozen=True)
class Work:
    """How one explainer is timed. units: masks or steps in this run; total: in a run with its defaults."""

    make: Callable[[], object]
    layers: object = LAYER
    images: int = 4
    unit: str = ""
    units: int = 0
    total: int = 0


def masks(make: Callable[[], object], total: int, units: int = 256, layers: object = MASK_LAYER) -> Work:
    return Work(make, layers, 1, "mask", units, total)


# What is not named here runs with its defaults: on layer4, 4 images (1 image where it costs more than 20 F).
WORK = {
    "score-cam": masks(hc.ScoreCAM, 2048),  # MASK_LAYER has 256 channels
    "ss-cam": masks(lambda: hc.SSCAM(samples=1), 35 * 2048),
    "is-cam": masks(lambda: hc.ISCAM(samples=1), 10 * 2048),
    "pcam+": masks(hc.PCAMPlus, 3904, layers=[MASK_LAYER]),
    "pcam-": masks(hc.PCAMMinus, 3904, layers=[MASK_LAYER]),
    "pcam+-": masks(hc.PCAM, 7808, 512, [MASK_LAYER]),
    "cam+": masks(hc.CAMPlus, 2048),
    "cam-": masks(hc.CAMMinus, 2048),
    "cam+-": masks(hc.CAMBoth, 4096, 512),
    "rise": masks(lambda: hc.RISE(masks=256), 6000, layers=None),
    "occlusion": masks(lambda: hc.Occlusion(window=64, stride=11), 441, layers=None),
    "extremal-perturbation": Work(lambda: hc.ExtremalPerturbation(steps=8), None, 1, "step", 8, 800),
    "fullgrad": Work(hc.FullGrad, None, 1),  # grad-cam's takes minutes for four images
    "ground-truth": Work(lambda: hc.GroundTruth(torch.ones(4, 224, 224)), None),
}


def network(name: str):
    """The model in eval mode; random weights for torchvision's network."""
    if name.startswith("toy"):
        return hc.load_model(name)
    from torchvision import models

    torch.manual_seed(0)
    return models.get_model(name, weights=None).eval()


def work_of(name: str, toy: bool) -> Work:
    if name in WORK:
        work = WORK[name]
        if not toy or work.layers not in (MASK_LAYER, [MASK_LAYER]):
            return work  # the narrow network has 256 channels two stages later
        return replace(work, layers=TOY_MASK_LAYER if isinstance(work.layers, str) else [TOY_MASK_LAYER])
    kind, row = hc.explainers[name], hc.info(name)
    layers = LAYER if getattr(kind(), "takes", "layer") == "layer" else None
    return Work(kind, layers, 1 if row.forwards > 20 else 4)


def measure(name: str, model: torch.nn.Module, images: torch.Tensor, target: int, rounds: int) -> dict:
    work = work_of(name, toy=len(model.layer1[0].conv1.weight) < 64)
    explainer, batch = work.make(), images[: work.images]
    layer = work.layers if isinstance(work.layers, str) else LAYER

    @torch.no_grad()
    def forwards():
        for _ in range(2):
            model(images[:4])

    def ours():
        explainer(model, batch, work.layers, target)

    runs = {"forwards": forwards, "ours": ours}
    runs |= {peer: make(model, batch, layer, target) for peer, make in PEERS.get(name, {}).items()}
    taken = medians(runs, rounds if work.images > 1 else 0)  # minutes a run: once, without a warm-up
    one = taken.pop("forwards") / 8  # one F, in batches of four
    count = len(batch) * (work.units or 1)
    own = taken.pop("ours")
    return {
        "explainer": name,
        "settings": repr(explainer),
        "layers": work.layers,
        "images": len(batch),
        "unit": work.unit,
        "units": work.units,
        "total_units": work.total,
        "rounds": rounds if work.images > 1 else 1,
        "F": round(own / one / count, 3),
        "peers": {peer: {"F": round(s / one / count, 3), "ratio": round(s / own, 2)} for peer, s in taken.items()},
        "extra_mb": round(peak_mb(ours), 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="resnet50")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, help="begin no row after these")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    options = parser.parse_args()
    clock = Clock(options.seconds)
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = network(options.network).to(device)
    images = hc.toyland.batch(4, split="test").images.to(device)
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / f"explainers-{options.network}-{device}.json"
    there = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {row["explainer"]: row for row in there}
    for name in options.only or hc.explainers:
        if clock.left() < 0:
            sys.stdout.write(f"no time left: {name} and what follows is not measured\n")
            return 3
        row = found[name] = measure(name, model, images, 3, options.rounds)
        sys.stdout.write(
            f"{name:22} {row['F']:9.3f} F{' a ' + row['unit'] if row['unit'] else ''}  "
            f"{row['extra_mb']:7.1f} MB  {row['peers']}\n"
        )
        sys.stdout.flush()
        rows = [found[name] for name in hc.explainers if name in found]  # kept, should the next one be interrupted
        path.write_text(json.dumps({"network": options.network, **machine(), "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
