"""The one door to a user's network: every forward of this package goes through `forward`.

The network gets a copy of its input, since it may normalise in place. It runs under the caller's
autocast. What it refuses becomes one sentence that says what it was given and where it stopped.
`check_call` is asked before, `frozen` holds where gradients are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn

from ..models.forms import check_form, check_gradients, eager
from .guard import ambient
from .memory import no_memory

# Beginnings of messages about the machine, not about the images.
_MACHINE = ("CUDA error", "cuDNN error", "CUBLAS", "NCCL", "HIP error")


class NetworkError(ValueError, RuntimeError):
    """The network fails on the images it is given. Its own error, most often a RuntimeError, is the cause.

    reason: what that says. size: (H, W) of the images.
    """

    def __init__(self, text: str, reason: str, size: tuple[int, int]) -> None:
        super().__init__(text)
        self.reason, self.size = reason, size


def forward(
    model: nn.Module, images: Tensor, *, owned: bool = False, autocast: bool = True, compiled: bool = False
) -> object:
    """What the network returns for images (B, C, H, W), as it is.

    owned: the images are a copy already, which nobody else reads. autocast: run under the caller's.
    compiled: a compiled network may run as that, since nothing looks into it (`forms.eager`).
    Raises NetworkError, a ValueError, where the network does not take such images: another number of
    channels, another dtype or device, too small, not the one size it is made for.
    """
    try:
        with ambient() if autocast else nullcontext(), nullcontext() if compiled else eager():
            return model(images if owned else images.clone())
    except (RuntimeError, AssertionError) as error:
        if isinstance(error, NetworkError) or _of_the_machine(error):
            raise
        reason = _reason(error)
        raise NetworkError(_said(error, reason, model, images), reason, (images.shape[-2], images.shape[-1])) from error


@contextmanager
def resized(model: nn.Module, images: Tensor, way_out: str) -> Iterator[None]:
    """Around passes on resized images, where the network has taken `images` as they are.

    What it refuses then is another size. way_out: what to do, for the sentence.
    """
    try:
        yield
    except NetworkError as error:
        if (size := error.size) == tuple(images.shape[-2:]):
            raise
        own = " x ".join(map(str, images.shape[-2:]))
        raise NetworkError(
            f"{type(model).__name__} takes images of {own} but not of {size[0]} x {size[1]} "
            f"({error.reason}): if it is made for one size, {way_out}",
            error.reason,
            size,
        ) from error.__cause__


def check_call(model: nn.Module, images: Tensor) -> None:
    """Raise unless `model` is a module in eval mode and `images` a batch of floats (B, C, H, W)."""
    if not isinstance(model, nn.Module):
        hint = ": give the network that it was made from" if type(model).__name__ == "ExportedProgram" else ""
        raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}{hint}")
    check_form(model)
    if not isinstance(images, Tensor) or not images.is_floating_point():
        got = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"images must be a tensor of normalised floats (B, 3, H, W); got {got}")
    if images.dim() != 4 or 0 in images.shape:
        raise ValueError(
            "images must have the shape (B, 3, H, W) with at least one image, and one pixel in each; got "
            f"{tuple(images.shape)}"
        )


def detached(images: Tensor) -> Tensor:
    """The images without their graph. Those made under inference mode are copied, or autograd would refuse them."""
    return images.clone() if images.is_inference() else images.detach()


@contextmanager
def frozen(model: nn.Module, gradients: bool = True) -> Iterator[None]:
    """Parameters without gradients: the trunk keeps no graph, the backward skips the weights.

    With `gradients=False` nothing is changed. Raises ValueError where gradients cannot be had.
    """
    if gradients:
        check_gradients(model)
    changed = [p for p in model.parameters() if p.requires_grad and gradients]
    try:
        for parameter in changed:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)


def _of_the_machine(error: Exception) -> bool:
    """Out of memory, a lost device, a fault of the driver."""
    lost = type(error).__name__ == "AcceleratorError" or any(str(error).lstrip().startswith(word) for word in _MACHINE)
    return lost or no_memory(error)


def _said(error: Exception, reason: str, model: nn.Module, images: Tensor) -> str:
    dtype = str(images.dtype).removeprefix("torch.")
    given = f"images of shape (B, {', '.join(map(str, images.shape[1:]))}) and {dtype} on {images.device}"
    where = _where(error, model)
    place = f" at its layer {where[0]!r}, {_brief(where[1])}" if where else ""
    kinds, places = {p.dtype for p in model.parameters()}, {p.device for p in model.parameters()}
    hint = ""
    if len(kinds) == 1 and images.dtype not in kinds and "type" in str(error):
        hint = f" (its weights are {str(*kinds).removeprefix('torch.')}: give images of that dtype)"
    elif len(places) == 1 and images.device not in places:
        hint = f" (its weights are on {str(*places)}: bring both to one device)"
    return f"{type(model).__name__} fails on {given}{place}: {reason}{hint}"


def _reason(error: Exception) -> str:
    """The first line of its message, or its kind."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return first if len(first) <= 160 else f"{first[:157]}..."


def _where(error: Exception, model: nn.Module) -> tuple[str, nn.Module] | None:
    """The innermost layer that was running, and its name."""
    names = {id(module): name for name, module in model.named_modules()}
    found: tuple[str, nn.Module] | None = None
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and names.get(id(owner)):
            found = names[id(owner)], owner
        trace = trace.tb_next
    return found


def _brief(module: nn.Module) -> str:
    weight = next(module.parameters(recurse=False), None)
    return type(module).__name__ + ("" if weight is None else f" with weights {tuple(weight.shape)}")
