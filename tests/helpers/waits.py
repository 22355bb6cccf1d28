"""How often a call may wait for the device, and a metric with all it is called with."""

from __future__ import annotations

import torch

import holicam as hc

LAYERS = ["relu0", "relu1", "relu2"]

# At most so many waits: one look at the end, and a second where the number of forwards follows from values,
# where rules follow from signs, where long work begins; eigenvectors (and CAM's classifier) once a layer.
AT_MOST = dict.fromkeys(hc.explainers, 1) | dict.fromkeys(
    (
        "cam",
        "eigen-cam",
        "kpca-cam",
        "ucag",
        "score-cam",
        "ss-cam",
        "is-cam",
        "pcam+",
        "pcam-",
        "pcam+-",
        "cam+",
        "cam-",
        "cam+-",
        "extremal-perturbation",
        "lrp",
        "c-lrp",
        "sglrp",
        "relevance-cam",
        "mwp",
        "c-mwp",
    ),
    2,
)


def given(name, net, move=lambda t: t):
    """The metric, its tensors and its options, on a device."""
    batch, metric = hc.toyland.batch(2, split="test", size=32), hc.metrics.registry[name]
    maps, other = (torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    options = {
        "masks or boxes": {"masks": move(batch.object_mask)},
        "boxes": {"boxes": [move(box) for box in batch.boxes]},
        "recipes": {"recipes": batch.recipes},
        "explain": {"explain": lambda x, target: hc.GradCAM()(net, x, "relu2", target)},
        "reference": {"reference": move(other)},
    }
    chosen = {"ids": batch.ids} | {k: v for need in metric.needs for k, v in options.get(need, {}).items()}
    return metric, (net, move(batch.images), move(maps), move(batch.target)), chosen
