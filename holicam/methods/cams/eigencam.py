"""Eigen-CAM: the direction in which the channels vary most from place to place. No class in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ...core.capture import Captured
from ...core.floats import is_constant
from ...core.hardware import eigenvectors
from ...core.options import noise
from ...models.layers import Layer
from .single import SingleScale

EXACT = 128  # a Gram matrix up to this size is decomposed in full
STEPS = 16  # products with a larger one


def leading_vector(K: Tensor) -> Tensor:
    """The unit eigenvector (B, n) of the largest eigenvalue of symmetric K (B, n, n), any sign.

    A full decomposition costs n^3, a fifth of a ResNet-50's forward for n = 512. Larger matrices
    are therefore seen through `STEPS` products K q (Lanczos): the best combination of the vectors
    q, K q, K K q, .... On the four stages of a ResNet-50, 16 steps already agree with the full
    decomposition to 1e-6; the two differ where the two largest eigenvalues nearly tie.
    A large K of zeros gives zeros.
    """
    n = K.shape[-1]
    if n <= EXACT:
        return eigenvectors(K)[..., -1]
    Q = K.new_zeros(len(K), STEPS, n)  # rows: an orthonormal basis, or zeros once there is no more
    T = K.new_zeros(len(K), STEPS, STEPS)  # K in that basis
    r = noise((n,), 0, K).expand(len(K), n)  # the same start for every image
    for step in range(STEPS):
        Q[:, step] = q = normalize(r, dim=1)
        r = (q[:, None] @ K)[:, 0]
        T[:, step] = inside = (Q @ r[:, :, None])[:, :, 0]
        r = r - (inside[:, None] @ Q)[:, 0]
        again = (Q @ r[:, :, None])[:, :, 0]  # rounding errors would grow from step to step
        r = r - (again[:, None] @ Q)[:, 0]
    mix = eigenvectors(T)[..., -1]  # reads the lower triangle
    return normalize((mix[:, None] @ Q)[:, 0], dim=1)


def eigen_map(A: Tensor, center: bool = True) -> Tensor:
    """A v: each place's channels (B, C, h, w) along v, the first right singular vector.

    The rows of the matrix are places and its columns channels; `center` takes each column's mean
    out, so that a constant channel is zero. v comes from the smaller of the two Gram matrices,
    places x places or channels x channels. Of the two signs, that for which M and the sum of all
    channels point the same way. A constant A gives zeros. Returns (B, h, w).
    """
    (h, w), X = A.shape[-2:], A.flatten(2)  # (B, C, hw)
    X = (X - X.mean(2, keepdim=True)).masked_fill(is_constant(X, 2, True), 0) if center else X
    size = torch.linalg.vector_norm(X, float("inf"), (1, 2), keepdim=True)
    X = X / torch.where(size > 0, size, 1)  # or the squares of tiny numbers would vanish
    if X.shape[1] < X.shape[2]:
        M = torch.einsum("bcp,bc->bp", X, leading_vector(X @ X.mT))
    else:
        u = leading_vector(X.mT @ X)  # A v = s u, with s the length of A' u
        M = u * torch.einsum("bcp,bp->bc", X, u).norm(dim=1, keepdim=True)
    return signed(M * size[:, 0], A).unflatten(1, (h, w))


def signed(M: Tensor, A: Tensor) -> Tensor:
    """M (B, hw), known up to its sign, with the sign for which it and the sum of all channels point the same way."""
    return M * torch.where((M * A.flatten(2).sum(1)).sum(1, keepdim=True) < 0, -1, 1)


@dataclass(frozen=True, kw_only=True)
class EigenCAM(SingleScale):
    """Eigen-CAM: each place's channels along the direction in which they vary most (`eigen_map`).

    The same map for every class. One forward, no backward. Muhammad and Yeasin, "Eigen-CAM", IJCNN 2020.
    Built in chapter 08.

    Args:
        center: take each channel's mean out first. The original does not: for activations of one sign its map
            is then close to their sum; centered, it is what tells places apart.
        relu: whether the map is cut at 0.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.EigenCAM()(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
    """

    center: bool = True
    relu: bool = True
    uses_gradients: ClassVar[bool] = False

    def map(self, model: nn.Module, captured: Captured, layer: Layer) -> Tensor:
        return eigen_map(captured.A[layer], self.center)
