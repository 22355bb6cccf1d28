"""Structure: gradients, dependence on the class, confidence over sizes, spectra of the wrap, evidence on the object.

Cells (explainer; layer a stage unless another is named; metric):

    gradients                relative-variance, ruled-by-eps-1e-6, ruled-by-eps-1e-5    `gradients`
    five of one map each     class-other, class-runner-up, class-least                  `classes`
    network                  confidence-R, kept-R for sizes R; at the layer ""          `confidence`
    Holistic-CAM             fine-before and others, area-clip, area-median             `spectra`
    weightings, steps        on-object, where the object is known                       `evidence`

The class is the one that the network sees. A picture takes some ten seconds on one core.
"""

from __future__ import annotations

import torch
from torch import Tensor

import holicam as hc
from holicam.experiments.naming import named

from . import classes, confidence, evidence, gradients, spectra
from .made import Cell, Measure, Study
from .worlds import Picture, World


def begin(world: World) -> Measure:
    """What is called for each picture."""

    def measure(picture: Picture, p: Tensor) -> dict[Cell, float]:
        found: dict[Cell, float] = {}
        asked = classes.asked(p, picture.id)
        x = picture.x.expand(len(asked), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        seen = hc.capture.capture(world.model, x, list(world.stages), torch.tensor(list(asked.values())))
        for layer in world.stages:
            A, G = seen.A[layer][:1], seen.G[layer][:1]
            found["gradients", layer, "relative-variance"] = gradients.relative_variance(G)
            for said, eps in gradients.EPSILONS.items():
                found["gradients", layer, f"ruled-by-eps-{said}"] = gradients.ruled(A, G, eps)
        found |= classes.measured(world, x, seen, asked)
        found |= confidence.measured(world, picture.x, int(p.argmax()))
        found |= spectra.measured(world, seen, picture.x)
        if picture.mask is not None:
            found |= evidence.measured(world, picture, seen, int(p.argmax()))
        return found

    return measure


EXPLAINERS = {
    "gradients": "of the logit",
    "network": "softmax",
    **{label: named(explainer) for label, explainer in classes.MAPS.items()},
    "PGE": "enhanced positive gradients, eps=1e-06",
}
METRICS = (
    "relative-variance",
    *(f"ruled-by-eps-{said}" for said in gradients.EPSILONS),
    *classes.METRICS,
    *confidence.METRICS,
    *spectra.METRICS,
    "on-object",
)
FILES = ("structure", "gradients", "classes", "confidence", "spectra", "evidence")
STUDY = Study("structure", EXPLAINERS, begin, METRICS, FILES, evidence.KINDS)
