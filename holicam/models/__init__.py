"""Networks by name.

A network is any `torch.nn.Module` in eval mode. This file knows which names there are; shipped weights are read here,
`lite0`, `torchvisions` and `timms` find the others. How layers are named is in `layers`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from . import lite0, timms, torchvisions
from .called import called
from .layers import LayerNotFoundError, find_layers
from .preprocessing import carrying
from .stages import default_layers
from .toy import BUILDERS
from .weights import WeightsNotFoundError, fill, read_card, repository, sha256

__all__ = [
    "LayerNotFoundError",
    "WeightsNotFoundError",
    "class_names",
    "data_folder",
    "default_layers",
    "find_layers",
    "load_model",
]


def data_folder() -> Path:
    """Where the shipped files lie: inside an installed wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    return package / "data" if (package / "data").is_dir() else package.parent / "data"


def load_model(name: str, device: str | torch.device = "cpu") -> nn.Module:
    """A network with trained weights, in eval mode.

    Args:
        name: "efficientnet-lite0", the ImageNet network whose weights are a package of the extra "photos";
            "toy-resnet50", "toy-vgg16_bn", "toy-resnet50-shortcut", "toy-vgg16_bn-no-jitter", "toy-resnet50-cast",
            "toy-resnet50-random-labels"; a torchvision classification name, of which a bare one means IMAGENET1K_V1
            where it exists, "resnet50:IMAGENET1K_V2" another set of weights; or "timm:NAME", one of timm's.
        device: where to put it.

    Returns:
        The module; it expects (B, 3, H, W) images with its own mean and deviation taken out, which
        `preprocessing(model)` says and `photos.to_images(rgb, model)` does.

    Raises:
        TypeError: the name is no string.
        ValueError: the name is unknown (close names are listed), its weights end in features, there is no such device,
            or the weights are not those they should be: shipped ones and the package's are held against a sha256 that
            is kept here, cached ones against the digits of the sha256 in their file's name, all against the network's
            own tensors.
        WeightsNotFoundError: the weights are neither shipped, nor in TORCH_HOME or Hugging Face's cache, nor
            downloadable. An installed package brings the first two of the toy networks; for the others this names
            file and place.
        ImportError: a package of the extra "photos" is missing.
    """
    _check(name)
    try:
        torch.empty(0, device=device)
    except Exception as error:  # each kind of device has its own way of not being there
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"device is {device!r}, and PyTorch has no such device here ({said[:200]}).") from None
    return carrying(_load(name), name).eval().to(device)


def class_names(name: str) -> list[str]:
    """The class names of a network that `load_model` knows, in the order of its logits.

    Of timm's networks those of ImageNet's sets have names; others are "output 0", "output 1" ... Raises ValueError,
    also for weights that end in features; TypeError for a name that is no string.
    """
    _check(name)
    if name in BUILDERS:
        return _card(name)["classes"]
    if name == lite0.NAME:
        return torchvisions.imagenet_names()
    if name.startswith(timms.PREFIX):
        return timms.names_of(name)
    return torchvisions.categories(name)


def _check(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a network is named by a string such as 'resnet50'; got {name!r}."[:300])


def _load(name: str) -> nn.Module:
    if name in BUILDERS:
        return _load_toy(name)
    if name == lite0.NAME:
        return lite0.load()
    return timms.load(name) if name.startswith(timms.PREFIX) else torchvisions.load(name)


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
