"""torchvision's classification networks: their weights by name, from TORCH_HOME or the download."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from torch import nn

from .lite0 import NAME as LITE0
from .toy import BUILDERS
from .weights import AGAIN, cached, fetch, fill


def torchvision_weights(name: str) -> Any:
    """The weights entry that "base" or "base:WEIGHTS" names. Raises ValueError, with close names."""
    from torchvision import models

    base, _, wanted = name.partition(":")
    known = models.list_models(module=models)
    if base not in known:
        raise ValueError(f"There is no network {name!r}; close names are {close(base, [LITE0, *BUILDERS, *known])}.")
    options = models.get_model_weights(base)
    choice = wanted or ("IMAGENET1K_V1" if "IMAGENET1K_V1" in options.__members__ else "DEFAULT")
    if choice not in options.__members__:
        raise ValueError(f"{base} has no weights {choice!r}; it has {', '.join(options.__members__)}.")
    return options[choice]


def categories(name: str) -> list[str]:
    """The classes of "base" or "base:WEIGHTS". Raises ValueError, also for weights without a classifier."""
    found = torchvision_weights(name).meta["categories"]
    if not found:
        raise ValueError(f"{name!r} ends in features and has no classes: choose weights with a classifier.")
    return list(found)


def close(name: str, known: Iterable[str]) -> str:
    """The names that are most like one, for a message."""
    return ", ".join(difflib.get_close_matches(name, list(known), n=4, cutoff=0.4)) or "none"


def load(name: str) -> nn.Module:
    """A network with its weights. Raises ValueError and WeightsNotFoundError, as `load_model` says."""
    from torchvision import models

    weights, classes, base = torchvision_weights(name), categories(name), name.partition(":")[0]
    # Inception-like builders start with a slow random fill and switch their input transform on with the weights.
    extra = {"init_weights": False, "transform_input": True} if base in ("googlenet", "inception_v3") else {}
    model = models.get_model(base, weights=None, num_classes=len(classes), **extra)
    state = fetch(name, weights.url)
    if isinstance(state, dict):  # DenseNet's carry the layer names of an old torchvision ("norm.1" for "norm1")
        old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")
        state = {old.sub(r"\1\2.", str(key)): value for key, value in state.items()}
    return fill(model, state, cached(weights.url), AGAIN)


def imagenet_names() -> list[str]:
    """The 1,000 classes of ImageNet, in the order of their synsets, as torchvision writes them."""
    return categories("resnet50")
