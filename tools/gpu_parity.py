"""How far a device's maps and scores lie from the CPU's: python -m tools.gpu_parity --device cuda --results FOLDER

Every explainer and every metric, on toy-resnet50 and two images of 112 pixels, in float32 (as everybody runs it) and
float64 (where a difference is no rounding). The number is the largest difference over the largest magnitude. Methods
that ask about masks ask about few. After --seconds no other is begun. Writes parity-DEVICE.json, a row as soon as it is
known; returns 1 where a difference exceeds its limit or a method fails there, 3 where time was short.
"""

from __future__ import annotations

import copy
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import holicam as hc
from tools.gpu_sheet import Sheet, parser

LIMITS = {"float32": 1e-2, "float64": 1e-6}
SIZE, IMAGES = 112, 2
FEW = {
    "smooth-grad-cam++": {"samples": 2},
    "iia": {"steps": 3},
    "msg-cam": {"scales": (1.0, 1.5)},
    "ucag": {"patches": 3},
    "ss-cam": {"samples": 2},
    "is-cam": {"samples": 2},
    "rise": {"masks": 64},
    "occlusion": {"window": 32, "stride": 16},
    "extremal-perturbation": {"areas": (0.1,), "steps": 3},
    "integrated-gradients": {"steps": 8},
    "smoothgrad": {"samples": 4},
}
# A mask for each channel: the narrowest stage. CAM reads what the head pools.
MASKED = ("score-cam", "ablation-cam", "ss-cam", "is-cam", "cam+", "cam-", "cam+-")
TRANSFORMERS = ("legrad",)  # they read attention, and bring a network that has some
JOINT = {"pcam+": ["layer1"], "pcam-": ["layer1"], "pcam+-": ["layer1"]}


def explainer_calls(batch: hc.toyland.Batch) -> Iterator[tuple[str, Callable[[torch.nn.Module, Tensor], Tensor]]]:
    """(name, maps of (model, images)) of every explainer."""
    for name, kind in hc.explainers.items():
        ready = hc.GroundTruth(batch.object_mask) if name == "ground-truth" else kind(**FEW.get(name, {}))
        joint, single = JOINT.get(name, ["layer2", "layer3", "layer4"]), "layer1" if name in MASKED else "layer4"
        layers = {"input": None, "joint": joint, "layer": single}[ready.takes]
        if name in TRANSFORMERS:
            yield name, lambda model, x, ready=ready: ready(transformer(x), x, None, 3)
        else:
            yield name, lambda model, x, ready=ready, layers=layers: ready(model, x, layers, 3)


def transformer(x: Tensor) -> torch.nn.Module:
    """A small vision transformer, the same every time, where x lies."""
    from torchvision.models import VisionTransformer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = VisionTransformer(x.shape[-1], 16, 2, 2, 32, 64, num_classes=10)
        torch.nn.init.normal_(made.heads.head.weight)  # torchvision starts at 0
    return made.to(x).eval()


def metric_calls(batch: hc.toyland.Batch, maps: Tensor) -> Iterator[tuple[str, Callable[..., Tensor]]]:
    """(name, values of (model, images)) of every metric, for given maps."""
    for name, metric in hc.metrics.registry.items():

        def values(model, x, metric=metric):
            at = {
                "masks or boxes": {"masks": batch.object_mask.to(x.device)},
                "boxes": {"boxes": [box.to(x.device) for box in batch.boxes]},
                "recipes": {"recipes": batch.recipes},
                "reference": {"reference": maps.flip(1).to(x)},
                "explain": {"explain": lambda x, target: hc.GradCAM()(model, x, "layer4", target)},
            }
            given = {key: value for need in metric.needs for key, value in at.get(need, {}).items()}
            return metric(model, x, maps.to(x), batch.target.to(x.device), ids=batch.ids, **given)

        yield name, values


def difference(there: Tensor, here: Tensor) -> float:
    """The largest difference over the largest magnitude; NaN must meet NaN."""
    there, here = there.detach().cpu().double(), here.detach().double()
    if not torch.equal(there.isnan(), here.isnan()):
        return float("inf")
    gap, size = (there - here).nan_to_num().abs().max(), here.nan_to_num().abs().max()
    return float(gap / size) if size > 0 else float(gap)


def measure(call: Callable, models: dict, images: Tensor, device: torch.device) -> dict:
    """{"float32": difference, "float64": difference, "seconds": on the device} of one method, or {"failed": why}."""
    row: dict[str, object] = {}
    for dtype, (here, there) in models.items():
        x = images.to(getattr(torch, dtype))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                expected = call(here, x)
                began = time.perf_counter()
                found = call(there, x.to(device)).cpu()
            except Exception as error:
                return {"failed": f"{dtype}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        row[dtype] = float(f"{difference(found, expected):.2e}")
        row["seconds"] = round(time.perf_counter() - began, 2)
    return row


def beyond(row: dict) -> bool:
    return "failed" in row or any(not row[dtype] <= limit for dtype, limit in LIMITS.items())


def main(argv: list[str] | None = None) -> int:
    options = parser(__doc__)
    options.add_argument("--only", nargs="*", help="names of explainers and metrics")
    options = options.parse_args(argv)
    sheet = Sheet("parity", options)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # ten bits are no float32
    batch = hc.toyland.batch(IMAGES, split="test", size=SIZE)
    plain = hc.load_model("toy-resnet50")
    models = {}
    for name in LIMITS:
        dtype = getattr(torch, name)
        models[name] = copy.deepcopy(plain).to(dtype), copy.deepcopy(plain).to(sheet.device, dtype)
    maps = hc.GradCAM()(plain, batch.images, "layer4", batch.target)
    kinds = {"explainer": explainer_calls(batch), "metric": metric_calls(batch, maps)}
    todo = [(kind, *call) for kind, calls in kinds.items() for call in calls]
    todo = [item for item in todo if not options.only or item[1] in options.only]
    rows, about = [], {"network": f"toy-resnet50, {IMAGES} images of {SIZE} pixels", "limits": LIMITS}
    while todo and sheet.left() > 0:
        kind, name, call = todo.pop(0)
        row = {"kind": kind, "name": name, **measure(call, models, batch.images, sheet.device)}
        rows.append(row)
        sheet.write(rows, [item[1] for item in todo], **about)
        said = row.get("failed") or "  ".join(f"{dtype} {row[dtype]:.1e}" for dtype in LIMITS)
        print(f"{kind:9} {name:22} {said}{'  BEYOND THE LIMIT' if beyond(row) else ''}", flush=True)
    if todo:
        print("no time left for", ", ".join(name for _, name, _ in todo))
    return 1 if any(map(beyond, rows)) else 3 if todo else 0


if __name__ == "__main__":
    sys.exit(main())
