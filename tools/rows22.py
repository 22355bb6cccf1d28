"""Rows behind the tables of chapter 22: what ten maps give to a shortcut, and to small objects.

    python -m tools.rows22 --images 12 --costly 4

Scenes are those of `toyland.batch(..., split="test", rho=1.0, size=112)`, and the class asked about is the label,
which the mark names too. Poly-CAM asks the network some 1,900 times an image and is given fewer of them. Parts lie in
results/chapter22 as those of any run, so a stopped run goes on, and other settings are refused; the merged rows, their
manifest and chapter22.csv, as the chapter reads them, go to data/results.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import torch

import holicam as hc
from holicam.datasets import Dataset
from holicam.experiments.loading import fingerprint
from holicam.experiments.made_by import note
from holicam.experiments.manifest import complete, run_name
from holicam.experiments.naming import named
from holicam.experiments.storage import merge, open_run, part_path, write_part
from holicam.metrics.correlation import average_ranks
from holicam.models import load_model

NAME, FOLDER = "chapter22", hc.models.data_folder() / "results"
SIZE, HONEST, SMALL = 112, "toy-resnet50", 0.04  # SMALL: the largest share of the image a small object covers
NETWORKS = {"shortcut": ("toy-resnet50-shortcut", HONEST), "cast": ("toy-resnet50-cast", HONEST), "single": (HONEST,)}
METHODS = {  # name: (explainer, layer)
    "Grad-CAM 4": (hc.GradCAM(), "layer4"),
    "Grad-CAM 2": (hc.GradCAM(), "layer2"),
    "Holistic-CAM 4": (hc.HolisticCAM(scale_kernels=True), "layer4"),
    "Holistic-CAM 2": (hc.HolisticCAM(scale_kernels=True), "layer2"),
    "UCAG 4": (hc.UCAG(base=hc.GradCAM()), "layer4"),
    "Poly-CAM": (hc.PCAM(on_zero="pass"), None),
    "gradient": (hc.Gradient(), None),
    "input x gradient": (hc.InputXGradient(), None),
    "edges": (hc.SobelMap(), None),
    "centre": (hc.CenterMap(), None),
}
COSTLY = ("Poly-CAM",)
METRICS = ("mark", "object", "mark_auc", "object_auc", "peak")
FIELDS = ("subset", "network", "method", "image", *METRICS)


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


Job = tuple[str, str, str, int]  # subset, network, method, index of the scene


def values_of(job: Job, model: torch.nn.Module) -> dict[str, float]:
    """One method's values of one scene."""
    subset, _, method, index = job
    drawn = scene(subset, index)
    explainer, layer = METHODS[method]
    given = {} if layer is None else {"layers": layer}
    maps = explainer(model, drawn.images, target=drawn.target, **given)
    return measured(maps[0], drawn.shortcut_mask[0], drawn.object_mask[0])


def image_id(subset: str, index: int) -> str:
    """As a data set of that subset names it."""
    return f"toyland/test/{subset}/0/{index}"


def jobs(images: int, costly: int) -> list[Job]:
    """What is to be computed, in order."""
    chosen = {subset: indices(subset, max(images, costly)) for subset in NETWORKS}
    return [
        (subset, network, method, chosen[subset][number])
        for few, count in ((False, images), (True, costly))
        for number in range(count)
        for subset, networks in NETWORKS.items()
        for network in networks
        for method in METHODS
        if (method in COSTLY) == few
    ]


def manifest(ids: list[str]) -> dict[str, object]:
    """What the rows depend on."""
    networks = sorted({name for some in NETWORKS.values() for name in some})
    made = {label: [named(explainer), layer and [layer]] for label, (explainer, layer) in METHODS.items()}
    return complete(
        {
            "config": {
                "dataset": {"name": "toyland", "size": SIZE, "rho": 1.0, "small": SMALL, "subsets": list(NETWORKS)},
                "networks": networks,
                "metrics": list(METRICS),
                "explainers": made,
                "target": "label",
            },
            "methods": list(METHODS),  # in the order of the chapter's tables
            "ids": Dataset("toyland", (), tuple(ids), None, None).split_hash,
            "images": ids,
            "weights": {name: fingerprint(load_model(name)) for name in networks},
            "layers": {name: sorted({layer for _, layer in METHODS.values() if layer}) for name in networks},
            "holicam": hc.__version__,
            "given": {},
        }
    )


def rows(job: Job, values: dict[str, float], about: dict[str, object]) -> Iterator[dict[str, object]]:
    """Result rows, one a metric."""
    subset, network, method, index = job
    for metric in METRICS:
        yield {
            "run": run_name(about),
            "dataset": "toyland",
            "split": about["ids"],
            "image": image_id(subset, index),
            "network": network,
            "weights": about["weights"][network],
            "layer": METHODS[method][1] or "",
            "explainer": method,
            "settings": about["config"]["explainers"][method][0],
            "preset": "",
            "target_policy": "label",
            "metric": metric,
            "protocol": "",
            "value": values[metric],
            "degenerate": "none",
            "note": "",
        }


def keys(wanted: list[Job]) -> Iterator[tuple[str, ...]]:
    """The key of every row that there must be."""
    for subset, network, method, index in wanted:
        for metric in METRICS:
            yield network, image_id(subset, index), method, METHODS[method][1] or "", metric


def as_csv(folder: Path = FOLDER) -> Iterator[dict[str, object]]:
    """The stored rows as the chapter reads them, a line for each scene, network and method."""
    lines: dict[tuple[str, str, str], dict[str, object]] = {}
    for row in hc.stored.load(NAME, folder).rows:
        _, _, subset, _, index = row["image"].split("/")
        said = {"subset": subset, "network": row["network"], "method": row["explainer"], "image": index}
        key = row["network"], row["explainer"], row["image"]
        lines.setdefault(key, said)[row["metric"]] = f"{row['value']:.5f}"
    for line in lines.values():
        yield {name: line[name] for name in FIELDS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--costly", type=int, default=4, help="images for Poly-CAM")
    parser.add_argument("--out", type=Path, default=Path("results/chapter22"))
    words = parser.parse_args()
    wanted = jobs(words.images, words.costly)
    ids = list(dict.fromkeys(image_id(subset, index) for subset, _, _, index in wanted))
    about = open_run(words.out, manifest(ids), {label: made for label, (made, _) in METHODS.items()})
    began = time.perf_counter()
    for number, job in enumerate(wanted, 1):
        path = part_path(words.out, "--".join(map(str, job)))
        if not path.exists():
            found = values_of(job, load_model(job[1]))
            write_part(path, list(rows(job, found, about)), note(words.out))
            print(f"{number} of {len(wanted)} maps, {time.perf_counter() - began:.0f} s", flush=True)
    merge(words.out, keys(wanted))
    shutil.copy(words.out / "rows.parquet", FOLDER / f"{NAME}.parquet")
    shutil.copy(words.out / "manifest.json", FOLDER / f"{NAME}.json")
    with (FOLDER / f"{NAME}.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, FIELDS, lineterminator="\n")
        out.writeheader()
        out.writerows(as_csv())


if __name__ == "__main__":
    main()
