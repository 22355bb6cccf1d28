"""RSP: Grad-CAM's channels, for and against the class, walk down to the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ...core.capture import capture
from ...core.explainer import Call, InputExplainer
from ...core.ops import summed
from ...models.layers import Layer, find_layers
from ...models.stages import default_layers, images_at_hand
from ..cams.weights import grad_cam
from .op import Linear, Op
from .rap import shift, total
from .rules import Rules, divide, pull, spread, zplus
from .walk import walk


def one_kernel_each(op: Linear) -> Callable[[Tensor, Tensor], Tensor]:
    """The convolution `op` of u (B, C, h, w) with V (B, O, I, k, k): other kernels for each image."""
    groups = op.settings.get("groups", 1)

    def apply(u: Tensor, V: Tensor) -> Tensor:
        settings = op.settings | {"groups": groups * len(u)}
        y = conv2d(u.reshape(1, -1, *u.shape[2:]), V.flatten(0, 1), **settings)
        return y.view(len(u), -1, *y.shape[2:])

    return apply


def sectional(R: Tensor, xs: Sequence[Tensor], op: Linear) -> tuple[Tensor, ...]:
    r"""Relative sectional propagation through one operation.

    \Omega = the weight gradient of \langle L_W(x^+), |R| \rangle, once for R > 0 and once for
    R < 0, takes the weights' place: C+ and C- share |R^+| and |R^-| by x^+ \Omega.

    A 1 x 1 convolution hands on C+ - C-, any other twice that, less \sum R in equal parts from
    all that received anything. \Omega belongs to one image, never to the batch.
    """
    if not op.conv:  # a linear layer below the start
        return zplus(R, xs, op)
    u, apply = xs[0].clamp(min=0), one_kernel_each(op)
    each, own = op.W.expand(len(u), *op.W.shape), replace(op, apply=apply)

    def share(amount: Tensor) -> Tensor:
        (omega,) = pull(lambda V: apply(u, V), [each], lambda z: amount)  # (B, O, I, k, k)
        return spread(amount, [(u, omega)], own)

    C = share(R.clamp(min=0)) - share(-R.clamp(max=0))
    return (shift(2 * C, total(R)) if op.kernel else C,)


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
    above the layer and about eight below. Nam et al., "Interpreting Deep Neural Networks with Relative Sectional
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
