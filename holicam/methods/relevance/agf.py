"""AGF: an absolute relevance, guided at every convolution by what features and gradients agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.explainer import Call, InputExplainer
from .op import Linear, Op
from .rap import shift, total
from .rules import Rules, absolute, divide, gate, gradient, spread
from .walk import walk


def sharpened(logits: Tensor, target: Tensor) -> Tensor:
    r"""\tilde Y_c (B,), the softmax of S_c exp(-((S - S_c) / s)^2 / 2) at c, s = max |S - S_c|."""
    S_c = logits.gather(1, target[:, None])
    gap = logits - S_c
    Y = S_c * torch.exp(-0.5 * divide(gap, gap.abs().amax(1, keepdim=True)) ** 2)
    return Y.softmax(1).gather(1, target[:, None])[:, 0]


def agreement(z: Tensor, C: Tensor) -> Tensor:
    r"""F (B, 1, h, w): where the features agree with the relevance.

    It is how much more the features z (B, C, h, w) at a place are like those where the relevance C is positive than
    like those where it is negative; a ridge regression on two means.
    """
    B, K, h, w = z.shape
    H = torch.sigmoid(10 * divide(z, z.amax((1, 2, 3), keepdim=True))).flatten(2)  # (B, C, hw)
    side = C.mean(1).flatten(1)  # (B, hw)
    member = torch.stack([side < 0, side > 0], 2).to(H)  # (B, hw, 2)
    Q = divide(H @ member, member.sum(1, keepdim=True).expand(B, K, 2))  # (B, C, 2)
    eye = torch.eye(2, dtype=H.dtype, device=H.device)
    V = torch.linalg.solve_ex(Q.mT @ Q + eye, Q.mT @ H).result.relu()  # (B, 2, hw); never singular
    return (V[:, 1] - V[:, 0]).relu().view(B, 1, h, w)


def moment(x: Tensor, g: Tensor) -> Tensor:
    """M (B, 1, h, w): the positive mean over channels of x g, over its largest value."""
    M = (x * g).mean(1, keepdim=True).relu()
    return divide(M, M.amax((1, 2, 3), keepdim=True).expand_as(M))


@dataclass(frozen=True)
class Guided:
    r"""The rules of one image batch. g: {Op.index: the gradient of \tilde Y_c at its input}."""

    g: dict[int, Tensor]

    def linear(self, R: Tensor, xs: Sequence[Tensor], op: Linear) -> tuple[Tensor, ...]:
        x, g = xs[0], self.g[op.index]
        if op.last:
            return (x * g,)
        (C,) = absolute(R, xs, op)
        if not op.kernel:  # linear layers and 1 x 1 convolutions
            return (C,)
        free = op.free[0]
        reach = torch.ones_like(x) if free is None else free.to(x)
        A = spread(R, [(reach, op.W.abs())], op)
        r = (C != 0) * ((agreement(x, C) + moment(x, g)) * torch.sigmoid(C) + agreement(g, C) + A)
        return (self.residual(C, r),)

    def flatten(self, R: Tensor, xs: Sequence[Tensor], op: Op) -> tuple[Tensor, ...]:
        x, C = xs[0], R.reshape(xs[0].shape)
        return (self.residual(C, (C != 0) * moment(x, self.g[op.index])),)

    @staticmethod
    def residual(C: Tensor, r: Tensor) -> Tensor:
        r"""C + r - [C != 0] \sum r / nnz(C): r moves relevance about and adds none."""
        return C + r - (C - shift(C, total(r)))


@dataclass(frozen=True, kw_only=True)
class AGF(InputExplainer):
    r"""AGF, attribution guided factorisation: signed, divided by its largest value, summed over colours.

    A start from the gradient of a softmax that is sharpened around the class, then at every
    convolution larger than 1 x 1 the relevance by |x| |W|, plus what the factorisation of features
    and of gradients (`agreement`), the channels' mean of x g (`moment`) and the kernel's own reach
    say of each place, less its mean. Batch norms and dropout pass it on, sums and poolings in
    proportion, the first layer by z^B. Needs as for `LRP`.

    Written from a description of the authors' code. Where it was silent: the derivative of \tilde Y_c
    goes through S_c and s too, and all maxima and sums are per image. Measured from outside, it agrees
    with the code that UCAG's authors ran, to 1e-6 of a map's largest value on a trained ResNet. That
    code adds 1e-9 to every denominator where `rules.divide` adds nothing, which shows where relevance is
    small: 2e-3 on a VGG of random weights. Two forwards, about six backwards. Gur et al., "Visualization of
    Supervised and Self-Supervised Neural Networks via Attribution Guided Factorization", AAAI 2021. Built in
    chapter 11.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.AGF()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    def maps(self, call: Call) -> Tensor:
        model, images, target = call.model, call.images, call.target
        g: dict[int, Tensor] = {}

        def noted(R: Tensor, xs: Sequence[Tensor], op: Op) -> tuple[Tensor, ...]:
            (g[op.index],) = gradient(R, xs, op)
            if op.free[0] is not None:
                g[op.index] = g[op.index] * op.free[0]
            return (g[op.index],)

        plain = walk(model, images, target, Rules(noted, noted, gradient, gate, gradient, gradient, noted))
        with torch.enable_grad():
            logits = plain.logits.requires_grad_()
            (start,) = torch.autograd.grad(sharpened(logits, plain.target).sum(), logits)
        plain.back(start)
        guided = Guided(g)
        walked = walk(model, images, plain.target, Rules(linear=guided.linear, flatten=guided.flatten))
        R = walked.back(walked.one_hot)[None]
        return divide(R, R.amax((1, 2, 3), keepdim=True).expand_as(R)).sum(1)  # (B, H, W)
