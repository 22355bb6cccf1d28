"""timm's networks, "timm:NAME": its builders and its metadata, but our reading of the files.

timm would fetch a file and read it in one go. Here the file is found first, in torch's cache, in Hugging Face's, or by
a download, held against the hash that its name promises, read without running code, and handed to timm as tensors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .extras import extra
from .torchvisions import close, imagenet_names
from .weights import AGAIN, WeightsNotFoundError, cached, check_promise, fetch, promise

PREFIX = "timm:"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"


def config(name: str) -> Any:
    """What timm says of the weights that "timm:NAME" or "timm:NAME.TAG" means.

    Raises ImportError without timm; ValueError, with close names, for a network or weights that it does not know,
    and for weights whose network ends in features and has no classes.
    """
    with extra(f"The network {name}"):
        import timm
    base, _, tag = name.removeprefix(PREFIX).partition(".")
    if not timm.is_model(base):
        raise ValueError(f"There is no network {name!r}; timm's close names are {close(base, timm.list_models())}.")
    tags = [found.partition(".")[2] for found in timm.list_pretrained(f"{base}.*")]
    if not tags or (tag and tag not in tags):
        raise ValueError(f"timm has no weights {name!r}; of {base} it has {', '.join(tags) or 'none'}.")
    found: Any = timm.get_pretrained_cfg(name.removeprefix(PREFIX))
    if not found.num_classes:
        raise ValueError(f"{name!r} ends in features and has no classes: choose weights with a classifier.")
    return found


def names_of(name: str) -> list[str]:
    """The classes of a network, by its own list, or by ImageNet's where their number is that of one of its sets.

    Others are "output 0", "output 1" ...: their names are in no metadata.
    """
    entry = config(name)
    from timm.data import ImageNetInfo, infer_imagenet_subset

    if entry.label_names:
        return list(entry.label_names)
    if entry.num_classes == 1000:
        return imagenet_names()
    if (subset := infer_imagenet_subset({"num_classes": entry.num_classes})) is None:
        return [f"output {i}" for i in range(entry.num_classes)]
    info = ImageNetInfo(subset)
    return [info.index_to_description(i) for i in range(entry.num_classes)]


def load(name: str) -> nn.Module:
    """A network with its weights. Raises as `config`, WeightsNotFoundError, and ValueError for another file."""
    entry = config(name)
    import timm

    state, path = _state(name, entry)
    overlay = {"state_dict": state, "custom_load": False}
    try:
        model = timm.create_model(name.removeprefix(PREFIX), pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path} does not hold the weights of {name} ({said}): {AGAIN}.") from None
    kept = {key: value for key, value in vars(model)["pretrained_cfg"].items() if key != "state_dict"}
    vars(model)["pretrained_cfg"] = kept  # the tensors are in the network now
    return model


def _state(name: str, entry: Any) -> tuple[dict, Path]:
    """The tensors of the first file that is at hand, or can be fetched, and where it lies."""
    url = entry.url if entry.url and not entry.url.endswith(".npz") else ""  # JAX's files hold other names
    if url and cached(url).exists():
        return _tensors(name, fetch(name, url), cached(url)), cached(url)
    path = _from_hub(entry, fetch=False)
    if path is None and not (url and promise(cached(url))):
        path = _from_hub(entry, fetch=True)
    if path is not None:
        return _tensors(name, _read(name, path), path), path
    if url:
        return _tensors(name, fetch(name, url), cached(url)), cached(url)
    if not entry.hf_hub_id:
        raise WeightsNotFoundError(f"timm has the weights of {name} as a file for JAX only: choose others of timm's.")
    from huggingface_hub import constants

    raise WeightsNotFoundError(
        f"The weights of {name} are not in {constants.HF_HUB_CACHE} and could not be downloaded: where the Hugging "
        f"Face hub can be reached, fetch {entry.hf_hub_filename or SAFE} of {entry.hf_hub_id}, and put that cache "
        "here, or set HF_HOME to where it lies."
    )


def _from_hub(entry: Any, fetch: bool) -> Path | None:
    """A file in Hugging Face's cache, where `fetch` brings it if need be; safetensors first. None: not to be had."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    if not entry.hf_hub_id:
        return None
    repository, _, revision = entry.hf_hub_id.partition("@")
    own = entry.hf_hub_filename
    for file in dict.fromkeys([own.replace(".bin", ".safetensors"), own] if own else [SAFE, PICKLED]):
        try:
            found = hf_hub_download(
                repository,
                file,
                revision=revision or None,
                cache_dir=constants.HF_HUB_CACHE,
                local_files_only=not fetch,
            )
            return Path(found)
        except Exception as error:  # no network, no permission, no such repository: many kinds, by its version
            local = isinstance(error, LocalEntryNotFoundError)
            if not isinstance(error, EntryNotFoundError) or (local and fetch):
                return None  # the next file will fare no better
    return None


def _read(name: str, path: Path) -> object:
    """A file of Hugging Face's cache; it lies under its sha256 there. Raises ValueError."""
    from safetensors.torch import load_file

    file = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", file.name):
        check_promise(file, file.name, name)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} cannot be read as weights of {name}: {AGAIN}.") from error


def _tensors(name: str, state: object, path: Path) -> dict:
    if isinstance(state, dict):
        return state
    raise ValueError(f"{path} cannot be read as weights of {name}: it holds a {type(state).__name__}: {AGAIN}.")
