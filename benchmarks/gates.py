"""What we promise about speed and memory, measured: python benchmarks/gates.py [--only cam peers fusion masks]

A ResNet-50 of torchvision's size with random weights, 4 images of 224 pixels, float32, one thread on a CPU, or on CUDA
where there is a device. Each promise is a ratio of two things that take turns in this process (timing.py). Writes
results/gates-*.json, a part as soon as it is measured; after --seconds no other part is begun. Returns 1 where a
promise is not kept, 3 where time was short.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from explainers import STAGES, network
from peers import HERE, PEERS
from timing import Clock, allocated_mb, machine, medians

import holicam as hc

RESULTS = Path(__file__).parent / "results"
TARGET, ROUNDS = 3, 3
TEN = {
    "activation-sum": hc.ActivationSum(),
    "grad-cam": hc.GradCAM(),
    "grad-cam++": hc.GradCAMpp(),
    "grad-cam++, paper": hc.GradCAMpp(preset="paper"),
    "xgrad-cam": hc.XGradCAM(),
    "layer-cam": hc.LayerCAM(),
    "hires-cam": hc.HiResCAM(),
    "eigen-cam": hc.EigenCAM(),
    "w-grad-cam": hc.WGradCAM(),
    "normgrad": hc.NormGrad(),
}


def floor(model, images, first: str):
    """Forward and one gradient from the logit down to `first` and the stages above it, written out by hand."""

    def run():
        with torch.no_grad():
            x = model.maxpool(model.relu(model.bn1(model.conv1(images))))
            for name in STAGES[: STAGES.index(first)]:
                x = model.get_submodule(name)(x)
            x = model.get_submodule(first)(x)
        leaves = [x.requires_grad_()]
        for name in STAGES[STAGES.index(first) + 1 :]:
            leaves.append(model.get_submodule(name)(leaves[-1]))
        logits = model.fc(model.avgpool(leaves[-1]).flatten(1))
        torch.autograd.grad(logits[:, TARGET].sum(), leaves)

    return run


def gate(what: str, value: float, limit: float, at_least: bool = False, **more: object) -> dict:
    kept = value >= limit if at_least else value <= limit
    sign, word = ">=" if at_least else "<=", "kept" if kept else "NOT KEPT"
    sys.stdout.write(f"{word:9} {value:8.3f} {sign} {limit:<6} {what}\n")
    sys.stdout.flush()
    return {"what": what, "value": round(value, 3), "limit": limit, "at_least": at_least, "kept": kept, **more}


def cam_gates(model, images) -> list[dict]:
    """One CAM at one layer; ten CAMs at four layers; Eigen-CAM's own arithmetic."""
    model.requires_grad_(False)
    runs = {}
    for layer in ("layer1", "layer4"):
        runs[f"floor {layer}"] = floor(model, images, layer)
        runs[f"grad-cam {layer}"] = lambda layer=layer: hc.GradCAM()(model, images, layer, TARGET)
    runs["ten"] = lambda: hc.explain_many(TEN, model, images, STAGES, TARGET)
    captured = hc.capture.capture(model, images, STAGES, TARGET)

    def arithmetic():
        for explainer in TEN.values():  # what each makes of a pass that is there already
            call = explainer.checked(model, images, STAGES, TARGET, None, None, False)
            explainer.returned(call, explainer.finish(call, explainer.step(call, None, captured, hc.passes.View())))

    runs["arithmetic"] = arithmetic
    runs |= {f"eigen {name}": lambda name=name: hc.EigenCAM().map(model, captured, name) for name in STAGES}
    runs["forward"] = torch.no_grad()(lambda: model(images))
    taken = medians(runs, ROUNDS)
    rows = [
        gate(
            f"Grad-CAM at {layer} against forward + gradient to it, written by hand",
            taken[f"grad-cam {layer}"] / taken[f"floor {layer}"],
            1.15,
        )
        for layer in ("layer1", "layer4")
    ]
    rows.append(
        gate(
            "ten methods at four layers against forward + gradient to layer1, plus their arithmetic",
            taken["ten"] / (1.15 * taken["floor layer1"] + taken["arithmetic"]),
            1.0,
            seconds=taken["ten"],
            arithmetic=taken["arithmetic"],
            floor=taken["floor layer1"],
        )
    )
    rows += [
        gate(f"Eigen-CAM at {name} beyond the capture, in F", taken[f"eigen {name}"] / taken["forward"], 0.1)
        for name in STAGES
    ]
    return rows


def peer_gates(model, images) -> list[dict]:
    """The same methods at the same four layers, by one call of ours and by one call of theirs for each."""
    model.requires_grad_(True)  # as a peer finds it
    rows = []
    for peer, limit in (("grad-cam", 30), ("torchcam", 5)):
        if peer not in HERE:
            sys.stdout.write(f"skipped: {peer} is not installed\n")
            continue
        shared = [name for name in TEN if peer in PEERS.get(name, ())]
        theirs = [PEERS[name][peer](model, images, layer, TARGET) for name in shared for layer in STAGES]
        taken = medians(
            {
                "ours": lambda shared=shared: hc.explain_many(shared, model, images, STAGES, TARGET),
                "theirs": lambda theirs=theirs: [run() for run in theirs],
            },
            1,
        )
        rows.append(
            gate(
                f"{len(shared)} methods at four layers, {peer}'s time over ours",
                taken["theirs"] / taken["ours"],
                limit,
                True,
                methods=shared,
            )
        )
    return rows


def fusion_gates(model, images) -> list[dict]:
    """Holistic-CAM's fusion against its passes, one layer at a time, one image."""
    model.requires_grad_(False)
    one, rows = images[:1], []
    for layer in STAGES:
        passes = list(hc.holistic.multi_scale(model, one, layer, TARGET))
        A = [p.A[layer] for p in passes]
        W = [hc.cam.pge(p.A[layer], p.G[layer]) for p in passes]
        runs = {
            "passes": lambda layer=layer: [None for _ in hc.holistic.multi_scale(model, one, layer, TARGET)],
            "fuse": lambda A=A, W=W: hc.fusion.fuse(A, W, (224, 224)),
            "pge": lambda passes=passes, layer=layer: [hc.cam.pge(p.A[layer], p.G[layer]) for p in passes],
        }
        taken = medians(runs, 0)
        rows.append(
            gate(
                f"fusion of Holistic-CAM at {layer} over its forwards and backwards",
                taken["fuse"] / taken["passes"],
                0.10,
                pge=round(taken["pge"] / taken["passes"], 3),
            )
        )
        rows.append(gate(f"fusion at {layer}, MB of tensors beyond its inputs", allocated_mb(runs["fuse"]), 150))
    return rows


def mask_gates(model, images) -> list[dict]:
    """Methods that ask about masks, against plain forwards of as many images in the batches that suit the device."""
    one, chunk = images[:1], 64 if images.is_cuda else 8
    packed = one.expand(257, -1, -1, -1)

    @torch.no_grad()
    def forwards():
        for part in packed.split(chunk):
            model(part.contiguous())

    many = {"score-cam": hc.ScoreCAM(), "rise": hc.RISE(masks=256), "pcam+": hc.PCAMPlus()}
    layers = {"score-cam": "layer1", "rise": None, "pcam+": ["layer1"]}
    runs = {name: lambda name=name: many[name](model, one, layers[name], TARGET) for name in many}
    taken = medians({"forwards": forwards, **runs}, 0)  # a minute each: once
    return [gate(f"{name} on 256 masks against 257 forwards", taken[name] / taken["forwards"], 1.05) for name in many]


PARTS = {"cam": cam_gates, "peers": peer_gates, "fusion": fusion_gates, "masks": mask_gates}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="measure these again and keep the others")
    parser.add_argument("--network", default="resnet50", help="another ResNet, to try the machinery")
    parser.add_argument("--seconds", type=float, help="begin no part after these")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    options = parser.parse_args()
    clock = Clock(options.seconds)
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = network(options.network).to(device)
    images = hc.toyland.batch(4, split="test").images.to(device)
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / f"gates-{device}.json"
    there = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {name: [row for row in there if row.get("part") == name] for name in PARTS}
    for name in options.only or list(PARTS):
        if clock.left() < 0:
            sys.stdout.write(f"no time left: {name} and what follows is not measured\n")
            return 3
        found[name] = [{"part": name, **row} for row in PARTS[name](model, images)]
        rows = [row for part in found.values() for row in part]
        weights = "" if options.network.startswith("toy") else ", random weights"
        result = {"network": options.network + weights, **machine(), "rows": rows}
        path.write_text(json.dumps(result, indent=1) + "\n")  # kept, should the next part be interrupted
    return int(not all(row["kept"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
