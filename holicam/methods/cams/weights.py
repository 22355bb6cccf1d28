r"""One sum, many weights: every class activation map is a weighted sum of a layer's channels.

    M = \sum_k W_k \odot A_k

The methods differ only in W. Each function here is one choice, `(A, G) -> W`, with activations A and gradients
G = dS/dA of shape (B, C, h, w), float32 or float64. A channel-wise W has shape (B, C, 1, 1), an element-wise one
(B, C, h, w); both broadcast to A. What is done to M afterwards, such as a ReLU, is the explainer's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...core.checks import warn_where
from ...core.ops import one_of
from .signed import negative_sums


class SignedActivationWarning(UserWarning):
    """A channel sums to less than zero, where the closed form of alpha has a pole."""


def weighted_sum(A: Tensor, W: Tensor) -> Tensor:
    """The map M = sum_k W_k A_k. Args: A (B, C, h, w); W broadcasts to A. Returns (B, h, w).

    A channel-wise W is contracted directly, so no (B, C, h, w) product is stored. Built in chapter 01.
    """
    if W.shape[-2:] == (1, 1):
        return torch.einsum("bchw,bc->bhw", A, W[..., 0, 0].expand(A.shape[:2]))
    return (A * W).sum(1)


def activation_sum(A: Tensor, G: Tensor | None = None) -> Tensor:
    """W = 1: the plain sum of the channels ("no weighting", Holistic-CAM Fig. 4). Built in chapter 04."""
    return A.new_ones(1, 1, 1, 1)


def class_weights(head: Tensor, target: Tensor) -> Tensor:
    """CAM: the rows of a linear classifier that sits on globally averaged channels.

    Args: head (K, C), target (B,) long. Returns (B, C, 1, 1).
    Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016. Built in chapter 01.
    """
    return head[target][:, :, None, None]


def grad_cam(A: Tensor, G: Tensor) -> Tensor:
    """Grad-CAM: the mean gradient of each channel. Returns (B, C, 1, 1).

    Selvaraju et al., "Grad-CAM", ICCV 2017; Holistic-CAM eqs. 1-2. Built in chapter 01.
    """
    return G.mean((2, 3), keepdim=True)


def xgrad_cam(A: Tensor, G: Tensor, eps: float = 1e-7) -> Tensor:
    """XGrad-CAM: the gradient averaged with the activations as weights. Returns (B, C, 1, 1).

    eps keeps the sign of the channel's sum, and a channel whose |sum| <= eps gets weight 0, so
    signed activations do not flip or explode. Fu et al., "Axiom-based Grad-CAM", BMVC 2020. Built in chapter 08.
    """
    total = A.sum((2, 3), keepdim=True)  # (B, C, 1, 1)
    weight = torch.einsum("bchw,bchw->bc", A, G)[:, :, None, None] / (total + total.sign() * eps)
    return torch.where(total.abs() <= eps, torch.zeros_like(weight), weight)


def layer_cam(A: Tensor, G: Tensor) -> Tensor:
    """Layer-CAM: the positive gradient of each element. (B, C, h, w). Jiang et al., TIP 2021. Built in chapter 08."""
    return G.relu()


def w_grad_cam(A: Tensor, G: Tensor) -> Tensor:
    """W-Grad-CAM (AAAI 2021), reconstructed: mean of activation times gradient. (B, C, 1, 1). Built in chapter 08."""
    return torch.einsum("bchw,bchw->bc", A, G)[:, :, None, None] / A.shape[-2:].numel()


def hires_cam(A: Tensor, G: Tensor) -> Tensor:
    """HiResCAM: the gradient of each element, sign kept. (B, C, h, w). arXiv:2011.08891. Built in chapter 03."""
    return G


def alpha(
    A: Tensor,
    G: Tensor,
    eps: float | Tensor = 1e-6,
    *,
    eps_mode: str = "absolute",
    denominator: str = "paper",
    normalize_alpha: bool = False,
    activation_sum: str = "raw",
) -> Tensor:
    r"""The pixel weights of Grad-CAM++ in closed form. Returns (B, C, h, w), 0 where G <= 0.

    With g = ReLU(G) and s_k = \sum_{ab} A_{k,ab}:

        alpha = g^2 / (2 g^2 + s_k g^3 + eps) = 1 / (2 + s_k g + eps / g^2).

    The second form is computed: g^2 and g^3 cannot underflow, and eps = 0 is exact.
    eps is not only a guard: where g^2 << eps, alpha is about g^2 / eps.

    Args:
        eps: a number, or a tensor that broadcasts to A.
        eps_mode: "absolute", or "relative": eps times the mean g^2 of each sample's layer, so that
            the map does not depend on how activations are scaled between layers (A c, G / c).
        denominator: "paper"; "sum_Ag3": \sum_{ab} A_{ab} g_{ab}^3 in place of s_k g^3, as several
            libraries have it; "none": alpha = g^2, what is left in torchcam, where the division
            is lost.
        normalize_alpha: divide by the sum of alpha over each channel, as the authors' code does.
        activation_sum: "raw", or "relu": max(s_k, 0). A negative s_k puts a pole at s_k g = -2
            with negative alpha beyond; "raw" keeps that and warns (SignedActivationWarning).

    Chattopadhay et al., "Grad-CAM++", WACV 2018; Holistic-CAM eq. 6.
    Built in chapter 02.
    """
    one_of("eps_mode", eps_mode, ("absolute", "relative"))
    one_of("denominator", denominator, ("paper", "sum_Ag3", "none"))
    one_of("activation_sum", activation_sum, ("raw", "relu"))
    g = G.relu()
    if denominator == "none":
        return g.square()
    total = _channel_sum(A, activation_sum)  # (B, C, 1, 1)
    positive = g > 0
    safe = torch.where(positive, g, torch.ones_like(g))
    if denominator == "paper":
        inverse = 2 + total * g
    else:
        cubed = torch.einsum("bchw,bchw->bc", A, g**3)[:, :, None, None]
        inverse = 2 + cubed / safe / safe
    eps = eps * g.square().mean((1, 2, 3), keepdim=True) if eps_mode == "relative" else eps
    if isinstance(eps, Tensor) or eps != 0:
        inverse = inverse + eps / safe / safe
    usable = positive & (inverse != 0)
    result = torch.where(usable, 1 / inverse, torch.zeros_like(g))
    if normalize_alpha:
        whole = result.sum((2, 3), keepdim=True)
        result = torch.where(whole == 0, torch.zeros_like(result), result / whole)
    return result


def _channel_sum(A: Tensor, mode: str) -> Tensor:
    """s_k as (B, C, 1, 1)."""
    total = A.sum((2, 3), keepdim=True)
    if mode == "relu":
        return total.relu()
    warn_where(total < 0, negative_sums(A), SignedActivationWarning)
    return total


def grad_cam_pp(A: Tensor, G: Tensor, eps: float | Tensor = 1e-6, **options: Any) -> Tensor:
    """Grad-CAM++: alpha times the positive gradient, summed over the channel. Returns (B, C, 1, 1).

    `options` are those of `alpha`. The common factor exp(S) is left out: it scales all channels
    alike, and so does the average (GAP) that Holistic-CAM's eq. 3 prints in the place of this sum.
    Chattopadhay et al., WACV 2018; Holistic-CAM eq. 3. Built in chapter 02.
    """
    return pge(A, G, eps, **options).sum((2, 3), keepdim=True)


def pge(A: Tensor, G: Tensor, eps: float | Tensor = 1e-6, **options: Any) -> Tensor:
    """Positive gradient enhancement: alpha times the positive gradient of each element.

    `options` are those of `alpha`. Returns (B, C, h, w). Holistic-CAM eq. 8. Built in chapter 04.
    """
    return alpha(A, G, eps, **options) * G.relu()


# The three weightings that Holistic-CAM's Fig. 4 compares.
WEIGHTINGS: dict[str, Callable[..., Tensor]] = {"none": activation_sum, "channel": grad_cam_pp, "element": pge}
