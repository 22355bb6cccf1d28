"""RSP: Grad-CAM's channels, for and against the class, walk down to the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, fold, pad, unfold
from torch.nn.grad import conv2d_input, conv2d_weight

from ...core.capture import capture
from ...core.explainer import Call, InputExplainer
from ...core.ops import summed
from ...models.layers import Layer, find_layers
from ...models.stages import default_layers, images_at_hand
from ..cams.weights import grad_cam
from .op import Linear, Op
from .rap import shift, total
from .rules import Rules, divide, over, zplus
from .walk import walk


def sectional(R: Tensor, xs: Sequence[Tensor], op: Linear) -> tuple[Tensor, ...]:
    r"""Relative sectional propagation through one operation.

    \Omega = the weight gradient of \langle L_W(x^+), |R| \rangle, once for R > 0 and once for
    R < 0, takes the weights' place: C+ and C- share |R^+| and |R^-| by x^+ \Omega.

    A 1 x 1 convolution hands on C+ - C-, any other twice that, less \sum R in equal parts from
    all that received anything. \Omega belongs to one image, never to the batch.
    """
    if not op.conv:  # a linear layer below the start
        return zplus(R, xs, op)
    u, groups = xs[0].clamp(min=0), op.settings.get("groups", 1)
    amounts = torch.stack([side.unflatten(1, (groups, -1)) for side in (R.clamp(min=0), -R.clamp(max=0))], 2)
    left, right, top, bottom = around(op)
    way = by_pairs_of_places if few_places(amounts, op) else by_weights
    pulled = way(pad(u, (left, right, top, bottom)), amounts, op)
    C = u * pulled[:, :, top : top + u.shape[2], left : left + u.shape[3]]
    return (shift(2 * C, total(R)) if op.kernel else C,)


def by_weights(u: Tensor, amounts: Tensor, op: Linear) -> Tensor:
    r"""\Omega^T (R / \Omega u), summed over both signs, one image after the other: \Omega is as large as many of them.

    u (B, C, h, w) as the kernel meets it, amounts (B, groups, 2, O, H, W): |R^+| and |R^-| of each group's outputs.
    """
    shape, (stride, dilation) = (amounts.shape[1:4].numel(), *op.W.shape[1:]), steps(op)
    settings = stride, 0, dilation, amounts.shape[1]

    def one(u: Tensor, A: Tensor) -> Tensor:
        omega = conv2d_weight(u, shape, A.flatten(1, 3), *settings)
        z = conv2d(u, omega, None, *settings).view_as(A)
        return conv2d_input(u.shape, omega, signed_shares(A, z).flatten(1, 3), *settings)

    return torch.cat([one(*both) for both in zip(u.split(1), amounts.split(1), strict=True)])


def by_pairs_of_places(u: Tensor, amounts: Tensor, op: Linear) -> Tensor:
    r"""The same without \Omega, by how much any two places have in common of what they read.

    A column of U is what one output place reads. \Omega = A U^T, so with K = U^T U, one number for each pair of places,
    it is U A^T (A / A K). Deep layers have few places and large \Omega.
    """
    stride, dilation = steps(op)
    point, kernel = not op.kernel and stride == (1, 1), tuple(op.W.shape[2:])
    read = u.flatten(2) if point else unfold(u, kernel, dilation, 0, stride)
    U, A = read.unflatten(1, (amounts.shape[1], -1)), amounts.flatten(4)  # (B, groups, J, P), (B, groups, 2, O, P)
    rows = A.flatten(2, 3)
    z = (rows @ (U.mT @ U)).view_as(A)
    back = (U @ (rows.mT @ signed_shares(A, z).flatten(2, 3))).flatten(1, 2)
    return back.view_as(u) if point else fold(back, tuple(u.shape[2:]), kernel, dilation, 0, stride)


def few_places(amounts: Tensor, op: Linear) -> bool:
    """Whether an image has so few places that `by_pairs_of_places` takes fewer products than `by_weights`."""
    outputs, places, reads = amounts.shape[3], amounts.shape[4:].numel(), op.W[0].numel()
    return places * (reads + 2 * outputs) < 3 * outputs * reads


def signed_shares(amounts: Tensor, z: Tensor) -> Tensor:
    """|R^+| / z and -|R^-| / z."""
    parts = over(amounts, z)  # no product of what is not negative is
    parts[:, :, 1].neg_()
    return parts


def around(op: Linear) -> tuple[int, int, int, int]:
    """How many zeros a convolution lays around its input: left, right, top, bottom."""
    given = op.settings.get("padding", 0)
    if given == "same":  # what is odd lies at the end
        reach = [d * (k - 1) for d, k in zip(steps(op)[1], op.W.shape[2:], strict=True)]
        top, left = (n // 2 for n in reach)
        return left, reach[1] - left, top, reach[0] - top
    high, wide = pair(0 if given == "valid" else given)
    return wide, wide, high, high


def steps(op: Linear) -> tuple[tuple[int, int], tuple[int, int]]:
    """A convolution's stride and dilation."""
    return pair(op.settings.get("stride", 1)), pair(op.settings.get("dilation", 1))


def pair(given: int | Sequence[int]) -> tuple[int, int]:
    """(downwards, sideways) of a setting that may be one number for both."""
    return (given, given) if isinstance(given, int) else (given[0], given[-1])


def excited(R: Tensor, xs: Sequence[Tensor], op: Op) -> tuple[Tensor, ...]:
    """A sum shares in proportion to what is positive in each summand."""
    xs = [x.clamp(min=0) for x in xs]
    part = divide(R, summed(xs) + 1e-9)
    return tuple(x * part for x in xs)


def start_layer(model: nn.Module) -> str:
    """The last default layer; where that is a pooling, the layer below it."""
    name = default_layers(model)[-1]
    if not isinstance(find_layers(model, name)[name], nn.MaxPool2d):
        return name
    parent, _, number = name.rpartition(".")
    return f"{parent}.{int(number) - 1}"


@dataclass(frozen=True, kw_only=True)
class RSP(InputExplainer):
    r"""RSP, relative sectional propagation: from w_k A_k / max of Grad-CAM at a deep layer down to the image.

    The sign of the start says for or against the class; the map is summed over colours. Poolings, batch norms and
    the first layer as in `LRP`, and its needs. Written from descriptions; measured from outside, it agrees with the
    code that UCAG's authors ran, to 3e-7 of a map's largest value on a trained ResNet. Two forwards, one backward
    above the layer and at most six below. Nam et al., "Interpreting Deep Neural Networks with Relative Sectional
    Propagation", AAAI 2021. Built in chapter 11.

    Args:
        layer: where it starts; None is the end of a ResNet's last stage, the layer below a VGG's last pooling.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.RSP(layer="layer3")(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    layer: Layer | None = None

    def maps(self, call: Call) -> Tensor:
        model, images, target = call.model, call.images, call.target
        with images_at_hand(images):
            layer = start_layer(model) if self.layer is None else self.layer
        seen = capture(model, images, layer, target)
        A, G = seen.A[layer], seen.G[layer]
        start = grad_cam(A, G) * A  # (B, C, h, w)
        most, least = (f((1, 2, 3), keepdim=True) for f in (start.amax, start.amin))
        # the code's denominator; where nothing speaks for the class it would blow the map up
        start = divide(start, torch.where(most > 0, most + 1e-9, -least).expand_as(start))
        start = start.permute(0, 2, 3, 1) if seen.last.get(layer) else start  # as the layer itself gave it
        walked = walk(model, images, seen.target, Rules(linear=sectional, add=excited), layer)
        return walked.back(start, layer)[None].sum(1)
