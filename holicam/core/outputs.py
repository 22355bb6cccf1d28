"""Which numbers of a network's output are its logits, and whether they are logits at all.

Networks return a tensor, a tuple, a dictionary, an object with `.logits`. Logits are (B, K); a head that
gives (B,) has one class, (B, 1). They are taken

    from a tensor, the output itself,
    from `.logits` or ["logits"], where there is one,
    from a tuple, list or dictionary, where exactly one tensor of it can be meant: one of floats of shape
    (B, K) or (B,), or one of more axes that is alone.

Anything else is ambiguous: a class target is refused, and a callable target receives the output as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from torch import Tensor, nn

from .checks import warn_where


class ProbabilityWarning(RuntimeWarning):
    """The network returns probabilities, and the score would make probabilities of them once more."""


@dataclass(frozen=True)
class FromOutput:
    """A target that is always given all that the network returns: `choose`, output -> (B,).

    For the head that is not called logits: FromOutput(lambda out: out["age"][:, 0]). It takes the
    place of any callable target; the `score` of an explainer or a metric does not concern it.
    """

    choose: Callable[[object], Tensor]

    def __call__(self, output: object) -> Tensor:
        return self.choose(output)


@dataclass(frozen=True, eq=False)
class Whole:
    """An output of which only a callable target can say what is meant; `why` not, in words."""

    output: Any
    batch: int
    why: str = ""
    error: type[Exception] = ValueError

    def refuse(self) -> NoReturn:
        """Raise for a target that is a class."""
        raise self.error(self.why)


def logits_of(output: object, batch: int, target: object = None) -> Tensor | Whole:
    """The logits of `batch` images, (B, K) or with more axes, or `Whole` where the target must choose.

    Raises ValueError where there are logits and they are not of so many images.
    """
    if isinstance(target, FromOutput):
        return Whole(output, batch)
    found = output if isinstance(output, Tensor) else _named(output)
    if found is None:
        parts = _parts(output)
        meant = _meant(parts, batch)
        if len(meant) != 1:
            return _ambiguous(output, batch, parts, meant)
        (found,) = meant.values()
    if batch == 1 and (found.dim() == 0 or (found.dim() == 1 and len(found) != 1)):
        found = found[None]  # a head that squeezes has taken the only image's axis as well
    if found.dim() < 1 or len(found) != batch:
        raise ValueError(f"the network's logits must be (B, K) with B = {batch}; got {tuple(found.shape)}")
    return found[:, None] if found.dim() == 1 else found


def class_logits(output: object, batch: int) -> Tensor:
    """The logits, (B, K), where classes are meant: what does not say which they are is refused."""
    logits = logits_of(output, batch)
    if isinstance(logits, Whole):
        logits.refuse()
    if logits.dim() != 2:
        raise ValueError(f"the network's logits must be (B, K) to speak of classes; got {tuple(logits.shape)}")
    return logits


def _named(output: object) -> Tensor | None:
    """What is called logits."""
    called = output.get("logits") if isinstance(output, Mapping) else None
    called = getattr(output, "logits", None) if called is None else called
    return called if isinstance(called, Tensor) else None


def _parts(output: object) -> dict[object, Tensor]:
    """{index or key: tensor of floats} of a tuple, a list or a dictionary."""
    items = (
        output.items()
        if isinstance(output, Mapping)
        else (enumerate(output) if isinstance(output, (tuple, list)) else ())
    )
    return {key: part for key, part in items if isinstance(part, Tensor) and part.is_floating_point()}


def _meant(parts: Mapping[object, Tensor], batch: int) -> dict[object, Tensor]:
    """Those that may be the logits, by shape."""
    parts = {key: part for key, part in parts.items() if part.dim() and len(part) == batch}
    flat = {key: part for key, part in parts.items() if part.dim() < 3}
    if not flat and len(parts) == 1:
        return parts
    # Behind a feature map may come its mean, which has as many channels and is no logits.
    wide = {part.shape[-1 if part.dim() == 3 else 1] for part in parts.values() if part.dim() > 2}
    if len(flat) == 1 and 0 not in flat and next(iter(flat.values())).shape[-1] in wide:
        return {}
    return flat


def _ambiguous(output: object, batch: int, parts: Mapping[object, Tensor], meant: Mapping[object, Tensor]) -> Whole:
    kind = type(output).__name__
    if not parts:
        return Whole(
            output,
            batch,
            "the network must return logits: a tensor, an object or dict with `logits`, or a "
            f"tuple that holds them; it returns {kind}",
            TypeError,
        )
    held = ", ".join(f"[{key!r}] {tuple(part.shape)}" for key, part in parts.items())
    key = list(meant or parts)[-1]
    return Whole(
        output,
        batch,
        f"the network returns a {kind} that does not say which are its logits: {held}; give "
        "a callable target, which then receives all of it and returns one score per image, "
        f"or wrap the network, here for [{key!r}], and explain Logits(model).eval():\n"
        "class Logits(torch.nn.Module):\n"
        "    def __init__(self, net): super().__init__(); self.net = net\n"
        f"    def forward(self, x): return self.net(x)[{key!r}]",
    )


def remark(model: nn.Module, logits: Tensor | Whole, score: str) -> None:
    """Warn where logits (B, K) are probabilities and `score`, "prob" or "sigmoid", takes them for logits.

    Rows in [0, 1] that sum to 1 come from a softmax. From a sigmoid come numbers between 0 and 1, at least
    five of them, or fewer where the network's last layer is one.
    """
    if score == "logit" or not isinstance(logits, Tensor) or logits.dim() != 2:
        return
    z, several = logits.detach(), logits.shape[1] > 1
    inside = ((z >= 0) & (z <= 1)).all()
    summed = inside & ((z.float().sum(1) - 1).abs() < 2e-3).all()
    again = "softmax" if score == "prob" and several else "sigmoid"
    if several:
        warn_where(summed, _TWICE.format("softmax", score, again), ProbabilityWarning)
    if z.numel() >= 5 or isinstance(_last(model), nn.Sigmoid):
        single = inside & (z > 0).all() & (~summed if several else True)
        warn_where(single, _TWICE.format("sigmoid", score, again), ProbabilityWarning)


_TWICE = (
    "the network's outputs look like probabilities, those of a {}, and score={!r} puts a {} on top of them: give "
    'score="logit", which takes the outputs as they are (for a metric, dataclasses.replace(protocol, '
    'score="logit")), or the network without its last layer'
)


def _last(model: nn.Module) -> nn.Module:
    return list(model.modules())[-1]
