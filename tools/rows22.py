"""Rows behind the tables of chapter 22: what ten maps give to a shortcut, and to small objects.

    python tools/rows22.py --images 12 --costly 4

Scenes are those of `toyland.batch(..., split="test", rho=1.0, size=112)`, and the class asked about is the label,
which the mark names too. Poly-CAM asks the network some 1,900 times an image and is given fewer of them. Writes
data/results/chapter22.csv and, beside it, a manifest. Rows that are there already are kept, so a stopped run goes on;
a manifest that says something else (other weights, other settings) is refused.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import holicam as hc  # noqa: E402
from holicam.metrics.correlation import average_ranks  # noqa: E402
from holicam.models import data_folder, load_model  # noqa: E402
from tools.stored_rows import append, resume  # noqa: E402

OUT = ROOT / "data" / "results" / "chapter22.csv"
SIZE, HONEST, SMALL = 112, "toy-resnet50", 0.04  # SMALL: the largest share of the image a small object covers
NETWORKS = {"shortcut": ("toy-resnet50-shortcut", HONEST), "cast": ("toy-resnet50-cast", HONEST), "single": (HONEST,)}
METHODS = {  # name: (explainer, layers)
    "Grad-CAM 4": (hc.GradCAM(), "layer4"),
    "Grad-CAM 2": (hc.GradCAM(), "layer2"),
    "Holistic-CAM 4": (hc.HolisticCAM(scale_kernels=True), "layer4"),
    "Holistic-CAM 2": (hc.HolisticCAM(scale_kernels=True), "layer2"),
    "UCAG 4": (hc.UCAG(hc.GradCAM()), "layer4"),
    "Poly-CAM": (hc.PCAM(on_zero="pass"), None),
    "gradient": (hc.Gradient(), None),
    "input x gradient": (hc.InputXGradient(), None),
    "edges": (hc.SobelMap(), None),
    "centre": (hc.CenterMap(), None),
}
COSTLY = ("Poly-CAM",)
FIELDS = ("subset", "network", "method", "image", "mark", "object", "mark_auc", "object_auc", "peak")


def indices(subset: str, count: int) -> list[int]:
    """Which images: the first ones; of "single", the first with a small object."""
    if subset != "single":
        return list(range(count))
    found, start = [], 0
    while len(found) < count:
        area = hc.toyland.batch(20, split="test", start=start, size=SIZE).object_mask.float().mean((1, 2))
        found += [start + i for i in range(20) if 0 < area[i] <= SMALL]
        start += 20
    return found[:count]


def scene(subset: str, index: int) -> hc.toyland.Batch:
    return hc.toyland.batch(1, split="test", subset=subset, start=index, rho=1.0, size=SIZE)


def measured(maps: torch.Tensor, mark: torch.Tensor, thing: torch.Tensor) -> dict[str, float]:
    """What a map (H, W) gives to the masks `mark` and `thing`, both (H, W).

    mark, object: share of the positive part, a map without one being stretched to [0, 1] first. mark_auc,
    object_auc: how probably a pixel inside is higher than one outside. peak: 1 if the highest pixel is on the mark.
    """
    values = maps.double()
    energy = values.clamp_min(0) if (values > 0).any() else hc.ops.normalise(values)
    rank = average_ranks(values.view(1, -1)).view_as(values) + 1  # rank 1 ... N, ties at their mean

    def auc(inside: torch.Tensor) -> float:
        n, rest = int(inside.sum()), int((~inside).sum())
        return float((rank[inside].sum() - n * (n + 1) / 2) / (n * rest)) if n and rest else float("nan")

    total = energy.sum()
    return {
        "mark": float(energy[mark].sum() / total),
        "object": float(energy[thing].sum() / total),
        "mark_auc": auc(mark),
        "object_auc": auc(thing),
        "peak": float(mark.flatten()[values.argmax()]),
    }


def row(subset: str, network: str, model: torch.nn.Module, method: str, index: int) -> dict[str, object]:
    """One method's row of one image."""
    drawn = scene(subset, index)
    explainer, layers = METHODS[method]
    given = {} if layers is None else {"layers": layers}
    maps = explainer(model, drawn.images, target=drawn.target, **given)
    values = measured(maps[0], drawn.shortcut_mask[0], drawn.object_mask[0])
    return {
        "subset": subset,
        "network": network,
        "method": method,
        "image": index,
        **{k: f"{v:.5f}" for k, v in values.items()},
    }


def manifest() -> dict:
    """Everything the rows depend on."""
    names = sorted({name for some in NETWORKS.values() for name in some})
    cards = {name: json.loads((data_folder() / f"{name}.json").read_text())["sha256"] for name in names}
    return {
        "weights": cards,
        "size": SIZE,
        "split": "test",
        "rho": 1.0,
        "small": SMALL,
        "methods": {k: [repr(explainer), layers] for k, (explainer, layers) in METHODS.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--costly", type=int, default=4, help="images for Poly-CAM")
    wanted = parser.parse_args()
    try:
        done = {(r["subset"], r["network"], r["method"], int(r["image"])) for r in resume(OUT, FIELDS, manifest())}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    models = {name: load_model(name) for some in NETWORKS.values() for name in some}
    chosen = {subset: indices(subset, max(wanted.images, wanted.costly)) for subset in NETWORKS}
    jobs = [
        (subset, name, method, chosen[subset][number])
        for few, count in ((False, wanted.images), (True, wanted.costly))
        for number in range(count)
        for subset, names in NETWORKS.items()
        for name in names
        for method in METHODS
        if (method in COSTLY) == few
    ]
    began, left = time.perf_counter(), [job for job in jobs if job not in done]
    for number, (subset, name, method, index) in enumerate(left, 1):
        append(OUT, FIELDS, [row(subset, name, models[name], method, index)])
        print(f"{number} of {len(left)} rows, {time.perf_counter() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
