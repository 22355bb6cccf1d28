"""Networks by name.

A network is any `torch.nn.Module` in eval mode. This file finds weights, shipped, cached or downloaded. How layers
are named is in `layernames`.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import torch
from torch import nn

from . import lite0
from .called import called
from .layers import LayerNotFoundError, find_layers
from .stages import default_layers, stages
from .toy import BUILDERS
from .weights import AGAIN, WeightsNotFoundError, cached, fetch, fill, read_card, repository, sha256

__all__ = [
    "LayerNotFoundError",
    "WeightsNotFoundError",
    "class_names",
    "data_folder",
    "default_layers",
    "find_layers",
    "load_model",
    "stages",
]


def data_folder() -> Path:
    """Where the shipped files lie: inside an installed wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    return package / "data" if (package / "data").is_dir() else package.parent / "data"


def load_model(name: str, device: str | torch.device = "cpu") -> nn.Module:
    """A network with trained weights, in eval mode.

    Args:
        name: "toy-resnet50", "toy-vgg16_bn", "toy-resnet50-shortcut", "toy-vgg16_bn-no-jitter",
            "toy-resnet50-cast", "toy-resnet50-random-labels", or a torchvision classification name; a bare name
            means IMAGENET1K_V1 where it exists, "resnet50:IMAGENET1K_V2" another set of weights.
        device: where to put it.

    Returns:
        The module; it expects (B, 3, H, W) images with the ImageNet mean and deviation taken out.

    Raises:
        ValueError: the name is unknown (close names are listed), or the weights are not those they should be:
            shipped ones are held against the sha256 in their card, cached ones against the first digits of the
            sha256 in their file's name, both against the network's own tensors.
        WeightsNotFoundError: the weights are neither shipped, nor in TORCH_HOME, nor downloadable. An installed
            package brings the first two of the toy networks; for the others this names file and place.
    """
    if name == lite0.NAME:
        return lite0.load().eval().to(device)
    model = _load_toy(name) if name in BUILDERS else _load_torchvision(name)
    return model.eval().to(device)


def class_names(name: str) -> list[str]:
    """The class names of a network that `load_model` knows, in the order of its logits. Raises ValueError."""
    if name in BUILDERS:
        return _card(name)["classes"]
    if name == lite0.NAME:
        return list(torchvision_weights("resnet50").meta["categories"])
    return list(torchvision_weights(name).meta["categories"])


def _load_toy(name: str) -> nn.Module:
    from safetensors.torch import load_file

    card, path = _card(name), _there(name, "safetensors")
    found = sha256(path)
    if found != card["sha256"]:
        raise ValueError(f"{path} does not match its card: sha256 is {found[:12]}…, not {card['sha256'][:12]}….")
    return fill(BUILDERS[name](), load_file(path), path, _remedy(name))


def _card(name: str) -> dict:
    """What `data/` says of a shipped network: classes, sha256, recipe, measurements."""
    return read_card(_there(name, "json"), _remedy(name))


def _there(name: str, ending: str) -> Path:
    """A file of a toy network. Raises WeightsNotFoundError."""
    path = data_folder() / f"{name}.{ending}"
    if not path.exists():
        raise WeightsNotFoundError(f"{path} is missing: {_remedy(name, path)}.")
    return path


def _remedy(name: str, missing: Path | None = None) -> str:
    """What to do about the files of a toy network. missing: one that an installed package need not have brought."""
    again = "restore it"
    if missing is not None and missing.is_relative_to(Path(__file__).resolve().parents[1]):
        again = f"put the file data/{missing.name} of {repository()} there"
    return f"{again}, or train it with `{called('train', name)}`"


def torchvision_weights(name: str):
    """The weights entry that "base" or "base:WEIGHTS" names."""
    from torchvision import models

    base, _, wanted = name.partition(":")
    known = models.list_models(module=models)
    if base not in known:
        close = difflib.get_close_matches(base, [*BUILDERS, *known], n=4, cutoff=0.4)
        raise ValueError(f"There is no network {name!r}; close names are {', '.join(close) or 'none'}.")
    options = models.get_model_weights(base)
    choice = wanted or ("IMAGENET1K_V1" if "IMAGENET1K_V1" in options.__members__ else "DEFAULT")
    if choice not in options.__members__:
        raise ValueError(f"{base} has no weights {choice!r}; it has {', '.join(options.__members__)}.")
    return options[choice]


def _load_torchvision(name: str) -> nn.Module:
    from torchvision import models

    weights, base = torchvision_weights(name), name.partition(":")[0]
    # Inception-like builders start with a slow random fill and switch their input transform on with the weights.
    extra = {"init_weights": False, "transform_input": True} if base in ("googlenet", "inception_v3") else {}
    model = models.get_model(base, weights=None, num_classes=len(weights.meta["categories"]), **extra)
    state = fetch(name, weights.url)
    if isinstance(state, dict):  # DenseNet's carry the layer names of an old torchvision ("norm.1" for "norm1")
        old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")
        state = {old.sub(r"\1\2.", str(key)): value for key, value in state.items()}
    return fill(model, state, cached(weights.url), AGAIN)
