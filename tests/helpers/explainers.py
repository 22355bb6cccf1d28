"""Every name of the registry on one tiny network: cheap settings, the layer it needs, its maps."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

import holicam as hc
from tests.helpers.nets import TinyNet, TinyViT, random_images

# Settings that make a method cheap; names that are not here run with their defaults.
FEW = {"scales": (1.0, 1.5)}

CHEAP = {
    "smooth-grad-cam++": {"samples": 2},
    "iia": {"steps": 2, "inner": 2},
    "msg-cam": FEW | {"groups": 4, "blur": 5},
    "cameras": FEW,
    "holistic-cam": FEW | {"median": 3, "mean": 5},
    "ucag": {"patches": 2, "chunk": 3},
    "ss-cam": {"samples": 2},
    "is-cam": {"samples": 2},
    "rise": {"masks": 10},
    "occlusion": {"window": (8, 8), "stride": (6, 6)},
    "extremal-perturbation": {"areas": (0.2,), "steps": 1, "levels": 2},
    "integrated-gradients": {"steps": 3},
    "smoothgrad": {"samples": 2},
    "rsp": {"layer": "relu2"},
}

CONTROLS = ("random", "center", "sobel", "ground-truth")  # they do not run the network

# A class is read from the weights, or relevance starts at it: a callable names none.
NEEDS_A_CLASS = ("cam", "finer-cam", "lrp", "c-lrp", "sglrp", "relevance-cam", "mwp", "c-mwp", "rap", "rsp", "agf")

# No chapter builds them: they show that the house holds what peers have.
GUESTS = ("kpca-cam", "ablation-cam", "finer-cam", "legrad")

# They read the attention of transformers and refuse convolutional networks.
TRANSFORMERS = ("legrad",)
OF_CONVOLUTIONS = [name for name in hc.explainers if name not in TRANSFORMERS]

SIZE = (24, 40)


def network(inplace: bool = False, name: str = "") -> TinyNet | TinyViT:
    """The network on which the explainer of this name is tried."""
    return (TinyViT if name in TRANSFORMERS else TinyNet)(inplace).double()


def images(batch: int = 2) -> Tensor:
    x = random_images(batch, 3, *SIZE, dtype=torch.float64)
    x[-1] *= 3  # another scale, another top class
    return x


def explainer(name: str, batch: int = 2):
    if name == "ground-truth":
        masks = torch.zeros(batch, *SIZE, dtype=torch.bool)
        masks[:, 4:9, 5:20] = True
        masks[-1, 4:9] = True
        return hc.GroundTruth(masks)
    return hc.explainers[name](**CHEAP.get(name, {}))


def layers(name: str) -> str | tuple[str, ...] | None:
    """`relu2` is pooled into the head, as CAM needs it."""
    return {"layer": "relu2", "joint": ("relu1", "relu2"), "input": None}[hc.explainers[name].takes]


def maps(name: str, net: TinyNet | TinyViT, x: Tensor, target=None, ready=None, **options) -> Tensor:
    with warnings.catch_warnings():  # about signed sums, or reconstructions: not what is tested here
        warnings.simplefilter("ignore", UserWarning)
        return (ready or explainer(name, len(x)))(net, x, layers(name), target, **options)
