"""KPCA-CAM: Eigen-CAM with a kernel in place of the inner product. No class in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ...core.capture import Captured
from ...core.floats import is_constant
from ...core.options import Number, Positive, among
from ...models.layers import Layer
from .eigencam import leading_vector, signed
from .single import SingleScale

AT_ONCE = 2**26  # entries of the kernels of several images, 256 MB of float32


def _sigmoid(G: Tensor, bias: float) -> Tensor:
    t, c = G.tanh(), torch.as_tensor(bias).double().tanh().item()
    return t * (1 - c * c) / (1 + c * t)


# Kernels of scaled inner products G (B, n, n), less what they are for G = 0: centring takes any constant out, and so
# small activations are not lost beside it.
KERNELS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "sigmoid": _sigmoid,  # tanh(G + bias)
    "rbf": lambda G, bias: torch.expm1(2 * G - _norms(G)[:, :, None] - _norms(G)[:, None]),  # exp(-|x - y|^2)
    "poly": lambda G, bias: G * (G * G + 3 * bias * G + 3 * bias * bias),  # (G + bias)^3
    "linear": lambda G, bias: G,
}


def _norms(G: Tensor) -> Tensor:
    return G.diagonal(dim1=1, dim2=2)


def kernel_map(
    A: Tensor, kernel: str = "sigmoid", gamma: float = 1.0, bias: float = 1.0, center: bool = True
) -> Tensor:
    """sqrt(lambda) v of activations (B, C, h, w): the places along the first kernel principal component, (B, h, w).

    lambda and v are the largest eigenvalue and its unit vector of the centred kernel, places x places; zeros where
    lambda is not positive. Of the two signs, that of the sum of all channels. Arguments as for `KPCACAM`.
    """
    X = A.flatten(2)
    X = (X - X.mean(2, keepdim=True)).masked_fill(is_constant(X, 2, True), 0) if center else X
    parts = []
    for x in X.split(max(1, AT_ONCE // X.shape[2] ** 2)):
        K = KERNELS[kernel](gamma / x.shape[1] * (x.mT @ x), bias)
        level = is_constant(K, (1, 2), True)
        K = K - K.mean(1, keepdim=True)
        K = (K - K.mean(2, keepdim=True)).masked_fill(level, 0)
        v = leading_vector(K)
        parts.append(v * torch.einsum("bp,bpq,bq->b", v, K, v).relu().sqrt()[:, None])
    return signed(torch.cat(parts), A).unflatten(1, A.shape[-2:])


@dataclass(frozen=True, kw_only=True)
class KPCACAM(SingleScale):
    r"""KPCA-CAM: the first kernel principal component of a layer's places, M = \sqrt{\lambda} v.

    Each place is the vector x of its channels; v and \lambda are the leading eigenvector and eigenvalue of the
    centred kernel k(x, y) = tanh(\gamma x.y / C + b), places x places. The same map for every class; the linear
    kernel gives Eigen-CAM. One forward, no backward, and memory of the number of places squared. Unlike Eigen-CAM
    it depends on the scale of the activations. Karmani et al., "KPCA-CAM", arXiv:2410.00267.

    Args:
        kernel: "sigmoid", "rbf", exp(-\gamma |x - y|^2 / C), "poly", (\gamma x.y / C + b)^3, or "linear",
            \gamma x.y / C.
        gamma: the kernel's \gamma, as a multiple of one over the number C of channels; greater than 0.
        bias: b.
        center: take each channel's mean out first.
        relu: whether the map is cut at 0.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.KPCACAM(kernel="rbf")(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    kernel: Annotated[str, among(KERNELS)] = "sigmoid"
    gamma: Positive = 1.0
    bias: Number = 1.0
    center: bool = True
    relu: bool = True
    uses_gradients: ClassVar[bool] = False

    def map(self, model: nn.Module, captured: Captured, layer: Layer) -> Tensor:
        return kernel_map(captured.A[layer], self.kernel, self.gamma, self.bias, self.center)
