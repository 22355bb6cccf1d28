"""RAP: suppression counts as relevance too, and what it takes is paid back by all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.explainer import Call, InputExplainer
from .lrp import Start, amount_of
from .op import Linear
from .rules import Rules, absolute, divide
from .walk import walk


def shift(C: Tensor, amount: Tensor) -> Tensor:
    """Take `amount` (B,) away from each image's C, in equal parts from all that is not 0."""
    support = (C != 0).to(C)
    part = divide(amount, support.flatten(1).sum(1))  # (B,)
    return C - support * part.view(-1, *[1] * (C.dim() - 1))


def total(R: Tensor) -> Tensor:
    """The sum of each image, (B,)."""
    return R.flatten(1).sum(1)


def relative(R: Tensor, xs: Sequence[Tensor], op: Linear) -> tuple[Tensor, ...]:
    r"""Relative attributing propagation through one operation.

    With P = L_{W^+}(x^+) and N = L_{|W^-|}(x^+), R^+ goes to what excited, R^- to what suppressed (in a linear layer,
    to what excited as well), and both once more to what suppressed; then all that received anything pays back until the
    sum is R's:

        C = x^+ [L^T_{W^+}(R^+/P) + L^T_{|W^-|}(R^-/N + R/(P+N))],   C - [C != 0](\sum C - \sum R)/nnz.

    A 1 x 1 convolution shares by |x| |W|.
    """
    if op.conv and not op.kernel:
        return absolute(R, xs, op)
    positive, negative = R.clamp(min=0), R.clamp(max=0)
    with torch.enable_grad():
        u = xs[0].detach().clamp(min=0).requires_grad_()
        P, N = op.apply(u, op.W.clamp(min=0)), op.apply(u, -op.W.clamp(max=0))
        p, n = P.detach(), N.detach()
        to_excited = divide(positive, p) if op.conv else divide(positive, p) + divide(negative, p)
        to_suppressed = divide(R, p + n) + (divide(negative, n) if op.conv else 0)
        (pulled,) = torch.autograd.grad([P, N], u, [to_excited, to_suppressed])
    C = u.detach() * pulled
    return (shift(C, total(C) - total(R)),)


@dataclass(frozen=True, kw_only=True)
class RAP(InputExplainer):
    r"""RAP, relative attributing propagation: signed relevance from S_c e_c, summed over colours.

    Sums, poolings, batch norms and the first layer as in `LRP`, and its needs. The paper's special first step never
    runs in the authors' published code (it waits for a largest relevance of exactly 1, and the start is the logit);
    it is not here either. Written from descriptions; measured from outside, it agrees with the code that UCAG's
    authors ran: to 2e-7 of a map's largest value on a trained ResNet, to 5e-6 with random weights. A linear layer
    shares as the paper's linear layers do, also over (B, h, w, C), where a 1 x 1 convolution, its equal, shares by
    |x| |W|. One forward, about four backwards. Nam et al., "Relative Attributing Propagation", AAAI 2020. Built in
    chapter 11.

    Args:
        start: "logit", S_c, or "one". A class of negative logit starts with negative relevance, which the rule does
            not treat as it treats positive.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.RAP()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    start: Start = "logit"

    def maps(self, call: Call) -> Tensor:
        walked = walk(call.model, call.images, call.target, Rules(linear=relative))
        return walked.back(walked.one_hot * amount_of(self.start, walked))[None].sum(1)
