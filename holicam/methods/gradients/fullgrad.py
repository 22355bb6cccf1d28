r"""FullGrad: the image's share of the score and every bias's, added up in one map.

A piecewise linear network is, around one image, S_c = <D, X> + sum_l <b_l, G_l>, with D = dS/dX,
the biases b_l of its layers and the gradients G_l at their outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from ...core.checks import warn_where
from ...core.explainer import Call, InputExplainer
from ...core.floats import extent, tolerance
from ...core.input_gradients import input_gradients
from ...core.ops import at_least_float32, size_of, summed, upsample
from ...core.stages import Stages
from ...models.forms import see_inside
from ...models.hooks import held, of_this_thread
from .image_term import AsRead


class IncompleteWarning(UserWarning):
    """The parts do not add up to the score, as they do in a network of ReLUs."""


def bias_of(module: nn.Module) -> Tensor | None:
    """The constant a layer adds to each channel of its output: (C,), or None.

    Of a convolution or linear layer its bias, of a batch norm beta - mu gamma / sqrt(v + eps).
    """
    if isinstance(module, (_ConvNd, nn.Linear)):
        return None if module.bias is None else at_least_float32(module.bias.detach())
    if not isinstance(module, _BatchNorm) or module.running_mean is None or module.running_var is None:
        return None
    mean, variance = at_least_float32(module.running_mean), at_least_float32(module.running_var)
    scale = (variance + module.eps).rsqrt()  # (C,)
    if not module.affine:
        return -mean * scale
    gamma, beta = (at_least_float32(p.detach()) for p in (module.weight, module.bias))
    return beta - mean * gamma * scale


def psi(z: Tensor) -> Tensor:
    """|z| stretched to [0, 1] by the extremes of each sample, 0 if constant: (B, ...) -> (B, ...)."""
    z = z.abs()
    low, span = extent(z, tuple(range(1, z.dim())), True)
    return ((z - low) / (span + 1e-6)).masked_fill(span == 0, 0)


@contextmanager
def _each_bias(model: nn.Module, use: Callable[[str, Tensor], None]) -> Iterator[None]:
    """While it lasts, a backward hands every b_l * G_l to `use` as it passes, and keeps none."""

    def hook(name: str, module: nn.Module, output: Tensor) -> None:
        bias = bias_of(module)
        if bias is None or not output.requires_grad:
            return
        last = isinstance(module, nn.Linear)  # channels come last, not second
        bias = bias if last else bias.view(-1, *[1] * (output.dim() - 2))

        def found(G: Tensor) -> None:
            z = bias * at_least_float32(G)
            use(name, z.movedim(-1, 1) if last and z.dim() == 4 else z)

        output.register_hook(found)

    handles = [
        module.register_forward_hook(of_this_thread(lambda m, _, out, name=name: hook(name, m, out)))
        for name, module in model.named_modules()
    ]
    with held(handles):
        yield


class _Chunks:
    """What is found in each part of the batch that goes through the network; a context around its forward."""

    def __init__(self) -> None:
        self.maps: list[dict[str, Tensor]] = []
        self.shares: list[dict[str, Tensor]] = []
        self.reads: list[AsRead] = []

    def __enter__(self) -> None:
        self.maps.append({})
        self.shares.append({})
        self.reads.append(AsRead())
        self.reads[-1].__enter__()

    def __exit__(self, *error: object) -> None:
        self.reads[-1].__exit__(*error)


@dataclass(frozen=True, kw_only=True)
class FullGrad(InputExplainer):
    r"""sum_ch psi(D X) + sum_l sum_k up(psi(b_l G_l))_k over the layers l with (B, C, h, w) outputs.

    psi: |z| stretched to [0, 1] over all channels and places of a sample, 1e-6 added to the range. The
    copy of the authors' code that UCAG's authors ran adds nothing there; maps differ by 2e-4 of their
    largest value. Where a network normalises its images itself, X is what the first layer reads: what is added
    to a pixel counts as the pixel's. The score is the logit. One forward, one backward; one bias map is held at
    a time. Srinivas and Fleuret, "Full-Gradient Representation for Neural Network Visualization", NeurIPS 2019.
    Built in chapter 13.

    Stages: `maps`, {layer or "image": its term (B, H, W)}; `shares`, {layer or "image": <b_l, G_l> or <D, X>,
    (B,)} with the linear layers; `score` (B,), which the shares add up to in a network of ReLUs. Where they do
    not, IncompleteWarning says so, asked or not.

    Args:
        align_corners: of the enlargement; True in the authors' code.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.FullGrad()(model, batch.images).shape
        torch.Size([1, 32, 32])
    """

    align_corners: bool = False
    has_stages: ClassVar[bool] = True

    def maps(self, call: Call) -> Tensor | Stages:
        model, images = call.model, call.images
        see_inside(model)
        size, chunks = size_of(images), _Chunks()

        def use(name: str, z: Tensor, chunk: int = -1) -> None:
            """One term b_l * G_l or D * X: its share of the score, and its map."""
            maps, shares = chunks.maps[chunk], chunks.shares[chunk]
            shares[name] = shares.get(name, 0) + z.sum(tuple(range(1, z.dim())))
            if z.dim() == 4:
                term = self._enlarged(psi(z).sum(1), size)  # (B, H, W); sums commute with up
                key = name if call.intermediate else "all"
                maps[key] = maps[key] + term if key in maps else term

        with _each_bias(model, use):
            found = input_gradients(model, images, call.target, around=chunks)
        z = images.to(found.total) * found.total
        for chunk, (read, own) in enumerate(zip(chunks.reads, z.split([r.batch for r in chunks.reads]), strict=True)):
            use("image", own if read.term is None else read.term, chunk)
        maps, shares = (
            {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
            for parts in (chunks.maps, chunks.shares)
        )
        score = found.scores[:, 0]
        _check_complete(score, shares)
        total = summed(maps.values())
        return Stages(total, {"maps": maps, "shares": shares, "score": score}) if call.intermediate else total

    def _enlarged(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        if not self.align_corners or tuple(maps.shape[-2:]) == size:
            return upsample(maps, size)
        return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=True)[:, 0]


def _check_complete(score: Tensor, shares: dict[str, Tensor]) -> None:
    """Warn where the shares miss the score by more than a thousandth of their magnitudes."""
    gap = (sum(shares.values()) - score).abs()
    scale = sum(share.abs() for share in shares.values()) + score.abs()
    warn_where(
        gap > tolerance(score) * scale,
        "the shares of FullGrad do not add up to the score: some layer "
        "is not piecewise linear or adds a constant that is not its bias, so the map leaves part of the score "
        "out",
        IncompleteWarning,
    )
