"""Which calls of a running network are ReLUs, however written, and which bend values in another way.

A rule for ReLUs is wrong for a network that bends its values otherwise, and a map would not show it. So a call that
changes each value on its own, and is no ReLU, is named. A gate such as `z * (z > 0)` takes two calls, so what a
comparison gives bears a note of what was compared, and its casts keep the note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.utils._pytree import tree_leaves

from ..relevance.names import MULTIPLY, plain

OTHER_ACTIVATIONS = {
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
}
# Functions of one value, of which activations are made. Constants may go through them: a score has no gradient there.
BENDS = OTHER_ACTIVATIONS | {
    *("abs", "absolute", "square", "sqrt", "rsqrt", "pow", "ipow", "rpow", "float_power", "reciprocal", "rdiv"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2", "xlogy", "logit"),
    *("erf", "erfc", "erfinv", "expit", "sin", "cos", "tan", "asin", "acos", "atan", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "asinh", "acosh", "atanh", "arcsinh", "arccosh", "arctanh", "atan2", "arctan2", "sinc"),
    *("sign", "sgn", "heaviside", "floor", "ceil", "round", "trunc", "fix", "frac", "fmod", "remainder", "mod"),
    *("clamp", "clamp_min", "clamp_max", "clip", "threshold", "maximum", "minimum", "fmax", "fmin", "hypot"),
}
COMPARISONS = {"gt", "ge", "lt", "le", "eq", "ne", "greater", "greater_equal", "less", "less_equal", "not_equal"}
CASTS = {"to", "float", "double", "half", "bfloat16", "type", "type_as", "int", "long"}
_NOTE = "_holicam_compared"


@dataclass(frozen=True, eq=False)
class _Compared:
    """What a comparison gave: `open` is the tensor of which it says where it is above 0; None for all others."""

    open: Tensor | None


def relu_of(func: Callable, args: tuple, kwargs: dict) -> Tensor | None:
    """The x of which this call is max(x, 0); None where it is another kind of call.

    Raises ValueError where it bends values that depend on the image in another way.
    """
    name = plain(getattr(func, "__name__", "")).removeprefix("special_")
    if name == "relu":
        return args[0] if args else kwargs["input"]
    given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    if name == "get" or not any(x.requires_grad for x in given):
        return None
    x = args[0] if args else kwargs.get("input")
    gates = [x for x in given if not x.requires_grad and hasattr(x, _NOTE)]
    if gates and name not in CASTS:
        if (found := _gated(name, args, kwargs)) is None:
            _refuse(f"a comparison in {name}")
        return found
    if name in ("max", "min") and len(given) > 1:  # of two tensors: else it looks for the largest value of one
        name = f"{name}imum"
    if name in BENDS:
        if x is None or not _cut_at_0(name, args[1:], kwargs):
            if name in ("maximum", "fmax") and _is_0(x) and len(args) > 1 and args[1].shape.numel() >= x.numel():  # type: ignore[union-attr]
                return args[1]
            _refuse(name)
        return x
    return None


def follow(func: Callable, args: tuple, out: object) -> None:
    """Note on what a comparison gave, and on its casts, what was compared."""
    if not isinstance(out, Tensor) or out.requires_grad or not args or not isinstance(args[0], Tensor):
        return
    name, x = plain(getattr(func, "__name__", "")), args[0]
    if name in COMPARISONS and any(isinstance(y, Tensor) and y.requires_grad for y in args):
        above = name in ("gt", "ge", "greater", "greater_equal") and len(args) == 2 and _is_0(args[1])
        setattr(out, _NOTE, _Compared(x if above and out.shape == x.shape else None))
    elif any(isinstance(y, Tensor) and hasattr(y, _NOTE) for y in args):
        setattr(out, _NOTE, getattr(x, _NOTE, _Compared(None)) if name in CASTS else _Compared(None))


def _cut_at_0(name: str, rest: tuple, kwargs: dict) -> bool:
    """Whether a call of x with the arguments `rest` is max(x, 0)."""

    def given(place: int, *names: str) -> object:
        return rest[place] if len(rest) > place else next((kwargs[n] for n in names if n in kwargs), None)

    if name in ("clamp", "clip"):
        return _is_0(given(0, "min")) and given(1, "max") is None
    if name == "clamp_min":
        return _is_0(given(0, "min"))
    if name == "threshold":
        return _is_0(given(0, "threshold")) and _is_0(given(1, "value"))
    return name in ("maximum", "fmax") and _is_0(given(0, "other"))


def _gated(name: str, args: tuple, kwargs: dict) -> Tensor | None:
    """The x of x * (x > 0) and of where(x > 0, x, 0)."""
    note = next(getattr(a, _NOTE) for a in tree_leaves((args, kwargs)) if hasattr(a, _NOTE))
    if note.open is None or kwargs:
        return None
    if name in MULTIPLY and len(args) == 2:
        return note.open if any(a is note.open for a in args) else None
    if name == "where" and len(args) == 3:
        gate, x, other = args if hasattr(args[0], _NOTE) else (args[1], args[0], args[2])  # Tensor.where begins with x
        return x if hasattr(gate, _NOTE) and x is note.open and _is_0(other) else None
    return None


def _is_0(x: object) -> bool:
    if isinstance(x, Tensor):
        return not x.requires_grad and bool((x == 0).all())
    return isinstance(x, (int, float)) and x == 0


def _refuse(what: str) -> None:
    raise ValueError(f"the network uses {what}, and this method has a rule for ReLUs only: take Gradient or SmoothGrad")
