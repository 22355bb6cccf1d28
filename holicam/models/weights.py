"""Files of trained weights: held against the hash they promise, read without running code, fitted to their network.

A shipped file promises its sha256 in the card beside it, one of torchvision's in its own name: `resnet50-0676ba61.pth`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import torch
from torch import nn

AGAIN = "delete it and fetch it again"


class WeightsNotFoundError(FileNotFoundError):
    """Weights are neither on disk nor to be had; the message says which file to put where."""


def sha256(path: Path) -> str:
    """The 64 hex digits of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_card(path: Path, remedy: str) -> dict:
    """A shipped network's card. Raises ValueError where it is not JSON or lacks its hash or its classes."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no card, it cannot be read as JSON ({error}): {remedy}.") from None
    for key, kind in (("sha256", str), ("classes", list)):
        if not isinstance(card, dict) or not isinstance(card.get(key), kind):
            raise ValueError(f"{path} is no whole card, it has no {key!r} of type {kind.__name__}: {remedy}.")
    return card


def repository() -> str:
    """The address where all trained networks lie, from the installed package's metadata."""
    try:
        links = metadata("holicam").get_all("Project-URL") or []
    except PackageNotFoundError:
        links = []
    return next((link.partition(", ")[2] for link in links if link.startswith("Repository, ")), "the repository")


def cached(url: str) -> Path:
    """Where torch keeps what it fetched from there: below TORCH_HOME, else ~/.cache/torch."""
    return Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url)


def promise(path: Path) -> str:
    """The first digits of its sha256 that a file's name promises, "" where it promises nothing."""
    said = re.search(r"-([0-9a-f]{8,})\.", path.name)
    return said[1] if said else ""


def check_name(path: Path, name: str) -> None:
    """Raise ValueError where a file is not the one whose sha256 begins as its name says.

    torch looks at the hash while it downloads, never at what lies there already. A name without a
    hash promises nothing.
    """
    said = promise(path)
    if not said or not path.exists():
        return
    if not path.is_file():
        raise ValueError(f"{path} cannot be read as weights of {name}, it is not a file: {AGAIN}.")
    check_promise(path, said, name)


def check_promise(path: Path, said: str, name: str) -> None:
    """Raise ValueError where a file's sha256 does not begin with the digits that its name promises."""
    if not (found := sha256(path)).startswith(said):
        most = 8 if len(said) == len(found) else len(said)  # a whole hash is not for reading
        raise ValueError(
            f"{path} cannot be read as weights of {name}: its sha256 begins with {found[:most]}, "
            f"not with {said[:most]} as its name promises, so {AGAIN}."
        )


def fetch(name: str, url: str) -> object:
    """What the file at the address holds, from the cache or the download, never as a free pickle.

    Raises WeightsNotFoundError; ValueError: a file that breaks its promise or cannot be read.
    """
    path = cached(url)
    check_name(path, name)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torch says there what it downloads, before all that we say
            return torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except OSError as error:  # URLError and HTTPError are OSErrors
        raise WeightsNotFoundError(
            f"The weights of {name} are not in {path.parent} and could not be downloaded ({error}): "
            f"put the file {path.name} from {url} there, or set TORCH_HOME to where it lies."
        ) from None
    except Exception as error:
        raise ValueError(f"{path} cannot be read as weights of {name}: {AGAIN}.") from error


def fill(model: nn.Module, state: object, path: Path, remedy: str) -> nn.Module:
    """The model with a file's tensors in it. Raises ValueError: which of them do not fit, and what to do."""
    network = type(model).__name__
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        others = [v for v in state.values() if not isinstance(v, torch.Tensor)] if isinstance(state, dict) else [state]
        raise ValueError(
            f"{path} cannot be read as weights of {network}: it must hold tensors by name, not "
            f"{type(others[0]).__name__}: {remedy}."
        )
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        said = "; ".join(_misfits(model.state_dict(), state)) or str(error).splitlines()[0]
        raise ValueError(f"{path} does not hold the weights of {network} ({said}): {remedy}.") from None
    return model


def _misfits(own: dict, state: dict) -> list[str]:
    """How a file's tensors differ from a network's, with two examples of each kind."""
    counters = {key for key in own if key.endswith("num_batches_tracked")}  # old files lack them, and may
    kinds = {
        "missing": sorted(own.keys() - state.keys() - counters),
        "not of this network": sorted(map(repr, state.keys() - own.keys())),
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
            for key in own
            if key in state and state[key].shape != own[key].shape
        ],
    }
    return [
        f"{kind}: {', '.join(names[:2])}" + f" and {len(names) - 2} more" * (len(names) > 2)
        for kind, names in kinds.items()
        if names
    ]
