"""Rows behind the table of chapter 07: five methods, four layers, two networks, four metrics, one row an image.

    python tools/rows07.py --images 60

Writes data/results/chapter07.csv and, beside it, a manifest. Rows that are there already are kept, so a stopped
run goes on; a manifest that says something else (other weights, other settings) is refused.
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
from holicam.models import data_folder, default_layers, load_model  # noqa: E402
from tools.stored_rows import append, resume  # noqa: E402

OUT = ROOT / "data" / "results" / "chapter07.csv"
SIZE, PROTOCOL, NETWORKS = 112, "holistic-cam", ("toy-resnet50", "toy-vgg16_bn")
METRICS = ("insertion", "deletion", "over-all", "epg")
SINGLE = {"Grad-CAM": hc.GradCAM(), "Grad-CAM++": hc.GradCAMpp(), "Layer-CAM": hc.LayerCAM()}
MULTI = {"CAMERAS": hc.CAMERAS(), "Holistic-CAM": hc.HolisticCAM(scale_kernels=True)}
FIELDS = ("network", "layer", "method", "image", *METRICS, "area")


def rows(network: str, model: torch.nn.Module, start: int, count: int):
    """The rows of images `start` ... of the test split, as dictionaries."""
    drawn = hc.toyland.batch(count, split="test", start=start, size=SIZE)
    layers = list(default_layers(model))
    with torch.no_grad():
        target = model(drawn.images).argmax(1)
    maps = hc.explain_many(SINGLE, model, drawn.images, layers, target)
    passes = list(hc.holistic.multi_scale(model, drawn.images, layers, target))
    maps |= {name: explainer.from_passes(passes, (SIZE, SIZE)) for name, explainer in MULTI.items()}
    for method, found in maps.items():
        for layer in layers:
            values = hc.metrics.measure(
                METRICS,
                model,
                drawn.images,
                found[layer],
                target,
                masks=drawn.object_mask,
                ids=drawn.ids,
                protocol=PROTOCOL,
            )
            for i in range(count):
                yield {
                    "network": network,
                    "layer": layer,
                    "method": method,
                    "image": start + i,
                    **{k: f"{float(v[i]):.5f}" for k, v in values.items()},
                    "area": f"{float(drawn.object_mask[i].float().mean()):.5f}",
                }


def manifest() -> dict:
    """Everything the rows depend on."""
    cards = {name: json.loads((data_folder() / f"{name}.json").read_text())["sha256"] for name in NETWORKS}
    return {
        "weights": cards,
        "size": SIZE,
        "protocol": PROTOCOL,
        "subset": "single",
        "split": "test",
        "methods": {name: repr(explainer) for name, explainer in (SINGLE | MULTI).items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=60)
    wanted = parser.parse_args().images
    try:
        done = {(row["network"], int(row["image"])) for row in resume(OUT, FIELDS, manifest())}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    models = {name: load_model(name) for name in NETWORKS}
    began = time.perf_counter()
    for start in range(0, wanted, 2):
        for name, model in models.items():
            if (name, start) not in done:
                append(OUT, FIELDS, list(rows(name, model, start, 2)))
        print(f"{start + 2} of {wanted} images, {time.perf_counter() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
