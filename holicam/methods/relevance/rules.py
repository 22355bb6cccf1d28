r"""How one layer shares out the relevance R of its outputs among its inputs.

All rules follow one pattern. An output z = \sum_j u_j v_j with shares of one sign gives each input
its part of the whole, R_j = u_j v_j R / z; for a linear layer L_V and all outputs at once

    R_in = u \odot L_V^T (R \oslash L_V(u)),      a \oslash b = 0 where b = 0,

which is one forward of the layer and one gradient in its input (`spread`), and conserves the sum.

A rule takes (R, xs, op): the relevance of the output, the inputs, the operation (`op.Op`). It
returns one relevance per input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

Rule = Callable[[Tensor, Sequence[Tensor], Any], tuple[Tensor, ...]]

SMALL = 1e-30  # below it a denominator counts as 0: dividing by it would overflow


def divide(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0."""
    return a / b.masked_fill(b.abs() < SMALL, torch.inf)  # its derivative is finite, too


def pull(f: Callable[..., Tensor], xs: Sequence[Tensor], q: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """The gradients of f at xs, started from q(f(xs)): J^T q."""
    with torch.enable_grad():
        xs = [x.detach().requires_grad_() for x in xs]
        z = f(*xs)
        return list(torch.autograd.grad(z, xs, q(z.detach())))


def over(a: Tensor, b: Tensor) -> Tensor:
    """`divide` where no b is negative, in two passes through memory instead of four."""
    return a / nn.functional.threshold(b, SMALL, torch.inf)


def spread(
    R: Tensor,
    parts: Sequence[tuple[Tensor, Tensor]],
    op: Any,
    extra: Tensor | None = None,
    share: Callable[[Tensor, Tensor], Tensor] = divide,
) -> Tensor:
    """u L_V^T (R / z), z = L_V(u) + extra, summed over parts (u, V) that share one z. Built in chapter 11.

    share: how R is divided, `over` where all products are known to be positive.
    """
    us, Vs = zip(*parts, strict=True)

    def z(*us: Tensor) -> Tensor:
        return reduce(torch.add, (op.apply(u, V) for u, V in zip(us, Vs, strict=True)))

    gradients = pull(z, us, lambda z: share(R, z if extra is None else z + extra))
    return reduce(torch.add, (g.mul_(u) for u, g in zip(us, gradients, strict=True)))


def passes(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    """R_in = R."""
    return (R,)


def gate(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    """R_in = R [x > 0]: the ordinary gradient of a ReLU."""
    return (R * (xs[0] > 0),)


def nonzero(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    """R_in = R [x != 0]."""
    return (R * (xs[0] != 0),)


def gradient(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    """R_in = J^T R: no relevance, the plain gradient."""
    return tuple(pull(op.f, xs, lambda z: R))


def proportional(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    """Each summand gets its signed share: sums, means, poolings by average."""
    gradients = pull(op.f, xs, lambda z: divide(R, z))
    return tuple(x * g for x, g in zip(xs, gradients, strict=True))


def agreeing(x: Tensor, W: Tensor, op: Any) -> list[tuple[Tensor, Tensor]]:
    """The products of input and weight that are positive: x^+ W^+, and x^- W^- where x^- is not 0."""
    if not op.reads_negative:
        return [(x, W.clamp(min=0))]
    return [(x.clamp(min=0), W.clamp(min=0)), (x.clamp(max=0), W.clamp(max=0))]


def opposing(x: Tensor, W: Tensor, op: Any) -> list[tuple[Tensor, Tensor]]:
    """The products that are negative."""
    return agreeing(x, -W, op)


def zplus(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    r"""z^+, also called \alpha 1 \beta 0: only what speaks for an output gets its relevance."""
    return (spread(R, agreeing(xs[0], op.W, op), op, share=over),)


def zplus_biased(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    """z^+ with the bias of a convolution twice in the denominator, as Relevance-CAM's code has it."""
    extra = None if op.bias is None or not op.conv else 2 * op.bias[:, None, None]
    return (spread(R, agreeing(xs[0], op.W, op), op, extra),)


def alpha_beta(alpha: float, beta: float) -> Rule:
    """alpha times what agrees less beta times what opposes.

    alpha - beta = 1 keeps the sum where an output has products of both kinds.
    """

    def rule(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
        share = alpha * spread(R, agreeing(xs[0], op.W, op), op, share=over)
        return (share - beta * spread(R, opposing(xs[0], op.W, op), op) if beta else share,)

    return rule


def zbox(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    r"""z^B for the first layer, whose inputs lie between l = min x and h = max x of each image.

    The products (x - l) W^+ and (x - h) W^- are all positive and sum to
    L_W(x) - L_{W^+}(l) - L_{W^-}(h), the usual form, without its cancellation.
    """
    x, W, free = xs[0], op.W, op.free[0]
    low = x if free is None else x.masked_fill(~free, torch.inf)
    high = x if free is None else x.masked_fill(~free, -torch.inf)
    below, above = x - low.amin((1, 2, 3), keepdim=True), x - high.amax((1, 2, 3), keepdim=True)
    if free is not None:
        below, above = (u.masked_fill(~free, 0) for u in (below, above))
    return (spread(R, [(below, W.clamp(min=0)), (above, W.clamp(max=0))], op, share=over),)


def absolute(R: Tensor, xs: Sequence[Tensor], op: Any) -> tuple[Tensor, ...]:
    """Every input gets its share of |x| |W|, whatever the signs."""
    return (spread(R, [(xs[0].abs(), op.W.abs())], op, share=over),)


@dataclass(frozen=True)
class Rules:
    """One rule per kind of operation.

    Moves (flatten, concatenation, the winner of a max-pooling) need none: they hand relevance back as they would a
    gradient.

    linear: convolutions and linear layers; first: those that read the image itself. affine: batch
    norm, and sums and products with constants; flatten: a move that a method may want to see. Biases
    take no relevance.
    """

    linear: Rule = zplus
    first: Rule = zbox
    affine: Rule = passes
    relu: Rule = passes
    average: Rule = proportional
    add: Rule = proportional
    flatten: Rule | None = None
