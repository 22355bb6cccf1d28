"""A run's networks: by name or from a function of one's own, and what tells two of them apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache

import torch
from torch import Tensor, nn

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
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise ConfigError(
            f"loaders: {said} makes the network {name}, whose weights are on the meta device, where they have no "
            "values: load them first"
        )
    return _given_its_dtype(model)


def _given_its_dtype(model: nn.Module) -> nn.Module:
    """The network, which from now on takes images of float32 whatever its weights are, and gives such scores.

    Nobody can give images of half precision on the command line. A network of float32 is left as it is.
    """
    kinds = {p.dtype for p in model.parameters() if p.is_floating_point()}
    if len(kinds) == 1 and kinds != {torch.float32} and not isinstance(model, torch.jit.ScriptModule):
        (kind,) = kinds
        model.register_forward_pre_hook(lambda module, given: (given[0].to(kind), *given[1:]))
        model.register_forward_hook(lambda module, given, out: out.float() if isinstance(out, Tensor) else out)
    return model


def _brief(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].removesuffix(": ")


def fingerprint(model: nn.Module) -> str:
    """Twelve hex digits of all parameters and buffers, and of what else quantised layers keep beside them."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        for part in _bytes(value):
            digest.update(part)
    return digest.hexdigest()[:12]


def _bytes(value: object) -> Iterator[bytes]:
    """What tells an entry of a network's state from another one."""
    if isinstance(value, (tuple, list)):
        for each in value:
            yield from _bytes(each)
    elif isinstance(value, torch.ScriptObject):  # of quantised recurrent layers
        yield from _bytes(value.__getstate__())
    elif not isinstance(value, Tensor):
        yield repr(value).encode()
    elif value.is_quantized:
        yield str(value.dtype).encode() + str(value.qscheme()).encode()
        for each in _of_quantised(value):
            yield from _bytes(each)
    else:
        yield str(value.dtype).encode()
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _of_quantised(tensor: Tensor) -> tuple[object, ...]:
    """Its whole numbers, and what makes real ones of them: a scale and a zero point, of all or of each channel."""
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return tensor.int_repr(), tensor.q_scale(), tensor.q_zero_point()
    return (
        tensor.int_repr(),
        tensor.q_per_channel_scales(),
        tensor.q_per_channel_zero_points(),
        tensor.q_per_channel_axis(),
    )
