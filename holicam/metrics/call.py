"""How every metric is called, and what gives a small function that call.

    f(model, images, maps, target, *, masks=None, boxes=None, recipes=None, explain=None, ids=None,
      protocol="holistic-cam", chunk=64, on_nan="raise", ...) -> a record

A function that measures names only what it reads. `run` makes of it one that takes the whole call, so that
all metrics can be called alike, and that has checked what the function reads before it starts:

    @run
    def leakage(maps: Tensor, recipes: Sequence[Recipe] | None, *, on_nan: str) -> Leakage: ...

The defaults of the call stand here and nowhere else.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from torch import Tensor, nn

from ..core.batched import check_chunk
from ..core.capture import check_call
from ..core.guard import guarded
from ..core.ops import Target
from ..toyland import Recipe
from .protocols import Protocol, check_target, protocol_of
from .ranking import Ids, check_maps

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Boxes = Sequence[Tensor] | Tensor


class Run(typing.Protocol[R_co]):
    """The call of every metric; R_co is what it returns, a record or a tensor (B,).

    Args:
        model: the network, in eval mode; None where a metric runs none.
        images: (B, 3, H, W), normalised as the network expects; None where only maps are read.
        maps: (B, H, W), as large as the images and on their device.
        target: None (top-1 of each image), a class, one class per image, or a callable (n, K) -> (n,)
            that treats each row alike.
        masks: (B, H, W), bool or 0 and 1: the region of games about a region.
        boxes: where there are no masks: one (m, 4) per image, x0 y0 x1 y1 in pixels, whose union counts.
        recipes: one `toyland.Recipe` per image, for metrics that redraw it.
        explain: (images, target) -> maps (n, h, w), for metrics that explain again.
        ids: one id per image, for the order of ties and for noise; without ids the images share both.
        protocol: a name in `protocols`, or a `Protocol`.
        chunk: the largest model batch, which bounds memory.
        on_nan: "raise" or "record" maps that are not finite; what is recorded has the value NaN.
        options: those of one metric.

    Raises:
        ValueError: a shape, a size or an option that does not fit; it says which.
        TypeError: something of another kind, or an option that the metric does not have.
        UnknownProtocolError: no protocol of that name.
    """

    __name__: str

    def __call__(
        self,
        model: nn.Module | None,
        images: Tensor | None,
        maps: Tensor | None,
        target: Target = None,
        *,
        masks: Tensor | None = None,
        boxes: Boxes | None = None,
        recipes: Sequence[Recipe] | None = None,
        explain: Callable[..., Tensor] | None = None,
        ids: Ids = None,
        protocol: str | Protocol = "holistic-cam",
        chunk: int = 64,
        on_nan: str = "raise",
        **options: Any,
    ) -> R_co: ...


SHARED = {
    name: parameter
    for name, parameter in inspect.signature(Run.__call__).parameters.items()
    if name not in ("self", "options")
}


def read_by(function: Callable[..., object]) -> tuple[str, ...]:
    """The arguments that the function below `run` names."""
    return tuple(inspect.signature(inspect.unwrap(function)).parameters)


def run(function: Callable[..., R]) -> Run[R]:
    """A function of what it reads -> one with the call of every metric.

    Args:
        function: names some of the arguments in `Run`, without defaults, and options of its own with theirs.
            A `protocol` reaches it as a `Protocol`; maps, images, chunk and target have been checked.
    """
    reads = inspect.signature(function).parameters
    own = [p.replace(kind=p.KEYWORD_ONLY) for name, p in reads.items() if name not in SHARED]
    result = inspect.signature(function).return_annotation
    signature = inspect.Signature([*SHARED.values(), *own], return_annotation=result)
    unused = [n for n in SHARED if n not in reads and not (n == "images" and "maps" in reads)]  # those are compared

    @guarded
    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> R:
        given = bound(function.__name__, signature, args, options)
        if "protocol" in reads:
            given["protocol"] = protocol_of(given["protocol"])
        if "chunk" in reads:
            check_chunk(given["chunk"])
        if "model" in reads:
            check_call(given["model"], given["images"])
        if "maps" in reads:
            check_maps(given["maps"], given["images"])
        if "target" in reads and "protocol" in reads:
            check_target(given["protocol"], given["target"])
        return function(**{name: given[name] for name in reads})

    return as_shown(call, signature, f"Called like every metric (`Run`); it does not read {', '.join(unused)}.")


def as_shown(function: Callable[..., R], signature: inspect.Signature, note: str) -> Run[R]:
    """The function with a signature to be seen, and one sentence more at the end of its docstring."""
    text = inspect.cleandoc(function.__doc__ or "")
    vars(function)["__signature__"] = signature
    function.__doc__ = f"{text}\n\nNote:\n    {note}\n"
    return cast("Run[R]", function)


def bound(name: str, signature: inspect.Signature, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """{argument: value} with defaults. Raises TypeError, which names the function."""
    try:
        found = signature.bind(*args, **options)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    found.apply_defaults()
    return dict(found.arguments)
