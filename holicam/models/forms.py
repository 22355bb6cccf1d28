"""What became of a network: compiled, spread over devices, quantised, exported, scripted.

Each can still be asked for its scores. Looking into it is another matter: what cannot be done is said in a
sentence, and a compiled network, whose Python is still there, runs that while somebody looks.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

_QUANTISED = tuple(f"torch.{place}.quantized" for place in ("ao.nn", "ao.nn.intrinsic", "nn", "nn.intrinsic"))


def check_form(model: nn.Module) -> None:
    """ValueError for a network in training mode, or in a form that nothing can be asked of."""
    for name, module in model.named_modules():
        if isinstance(module, nn.DataParallel) and len(module.device_ids) > 1:
            raise ValueError(
                f"DataParallel runs copies of the network on {len(module.device_ids)} devices, in which "
                "no layer can be read: give model.module, and batches that fit one device"
            )
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ValueError(
                f"the batch norm {name!r} keeps no running statistics (track_running_stats=False) and takes those of "
                "the batch at hand, so a map would depend on the other images: train it with running statistics, or "
                "put a norm of single images in its place"
            )
        # torch.fx makes bare modules to hold others, whose flag nobody reads.
        bare = type(module) is nn.Module
        if not getattr(module, "training", False) or bare or _wraps(module) or is_quantised(module):
            continue
        if "eval" in vars(module) and isinstance(module, torch.fx.GraphModule):
            raise ValueError(
                "the network is a graph made by torch.export, which has no eval mode and no layers by "
                "name: give the network that it was made from"
            )
        raise ValueError(
            f"the network is in training mode ({name or 'the whole of it'}), "
            "where a map would depend on the batch: call model.eval() first"
        )


def check_gradients(model: nn.Module) -> None:
    """ValueError where no gradient can come back through the network."""
    if any(p.is_inference() for p in model.parameters()):
        raise ValueError(
            "the network was made inside torch.inference_mode(), which rules out "
            "gradients for good: build or load it outside"
        )
    for name, module in model.named_modules():
        if is_quantised(module):
            raise ValueError(
                f"the network is quantised (its layer {name!r} is a {module._get_name()}), and "
                "quantised layers hand back no gradients: explain the network that it was made from, or "
                "take a method of forwards alone, such as Score-CAM or RISE"
            )


def see_inside(model: nn.Module, layers: bool = False) -> None:
    """ValueError where operations, or with `layers` the layers, run out of Python's sight: TorchScript."""
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        what = "layers" if layers else "operations"
        raise ValueError(
            f"the network is compiled by TorchScript, which hides its {what}: give the Python module that "
            "it was made from, or take a method that asks for scores alone, such as RISE"
        )


def is_quantised(module: nn.Module) -> bool:
    """Whether it is one of torch's quantised layers, whose training flag means nothing."""
    return type(module).__module__.startswith(_QUANTISED)


def _wraps(module: nn.Module) -> bool:
    """A module that only hands on to the one it holds, whose own flag is nobody's."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return isinstance(module, parallel) or list(module._modules) == ["_orig_mod"]


class _Eager:
    """How many are inside `eager`, of all threads: the first sets torch's stance, the last restores it."""

    lock, inside, stance = threading.Lock(), 0, ExitStack()


@contextmanager
def eager() -> Iterator[None]:
    """What torch.compile made is left aside: its code may skip hooks and modes that came after it."""
    if "torch._dynamo" not in sys.modules:  # then nothing is compiled
        yield
        return
    with _Eager.lock:
        if not _Eager.inside:
            _Eager.stance.enter_context(torch.compiler.set_stance("force_eager"))
        _Eager.inside += 1
    try:
        yield
    finally:
        with _Eager.lock:
            _Eager.inside -= 1
            if not _Eager.inside:
                _Eager.stance.close()
