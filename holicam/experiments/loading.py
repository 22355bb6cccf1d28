"""A run's networks: by name or from a function of one's own, and what tells two of them apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import nn

from ..core.own_code import imported
from ..models import load_model
from .config import ConfigError


def loader(own: Mapping[str, str]) -> Callable[[str], nn.Module]:
    """`load_model`, but for the names in {network: "module:function"}; each network is loaded once.

    The function is imported and called: it is code of whoever wrote the configuration.
    """

    @cache
    def load(name: str) -> nn.Module:
        return _own(name, own[name]) if name in own else load_model(name)

    return load


def _own(name: str, said: str) -> nn.Module:
    module, _, function = said.partition(":")
    try:
        make = getattr(imported(module), function)
    except (Exception, SystemExit) as error:  # it is not our code
        raise ConfigError(f'loaders: {name} = "{said}" must be "module:function" ({_brief(error)})') from error
    try:
        model = make()
    except (Exception, SystemExit) as error:
        raise ConfigError(f"loaders: {said}, which makes the network {name}, failed: {_brief(error)}") from error
    if not isinstance(model, nn.Module) or model.training:
        raise ConfigError(
            f"loaders: {said} must return a torch.nn.Module in eval mode; got "
            f"{'one in training mode' if isinstance(model, nn.Module) else type(model).__name__}"
        )
    return model


def _brief(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].removesuffix(": ")


def fingerprint(model: nn.Module) -> str:
    """Twelve hex digits of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + str(tensor.dtype).encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]
