r"""Unfold and conquer attribution guidance (UCAG): explain an image piece by piece.

    M = V(up(E(I_s) exp(p_c(I_s)))) / Gamma                                  (UCAG eqs. 1-6)

The image is cut into n x n overlapping patches I_s; each is enlarged and explained on its own by any
explainer E, weighted by how sure the network is of the class there, and put back in its place (V).
Gamma counts the patches that cover a pixel: its map is their mean. Hong et al., "Towards Better
Visualizing the Decision Basis of Networks via Unfold and Conquer Attribution Guidance", AAAI 2023.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.batched import stream
from ..core.explainer import Call, Result
from ..core.hardware import moved
from ..core.network import forward, resized
from ..core.ops import at_least_float32, normalise, select_score, upsample
from ..core.options import Chunk, Count, Positive, PositiveShare, among, check_count, speed
from ..core.outputs import Whole, logits_of
from ..core.stages import Stages
from ..core.targets import Resolved, targets_of
from ..models.layers import Layer
from .any_explainer import Parts, Wrapper, ask, has_field, overheard, unscaled
from .cams.gradcam import GradCAM
from .patches import STRIDES, Grid, unfold_grid

# What becomes of the confidences (B, n n) of an image's patches.
CONFIDENCE = {"exp": torch.exp, "exp/max": lambda p: (p - p.amax(1, True)).exp(), "none": torch.ones_like}


def _check_bridge(name: str, value: object) -> None:
    pair = value if isinstance(value, (tuple, list)) else ()
    if value is not None and len(pair) != 2:
        raise ValueError(f"{name} must be None or (h, w), two whole numbers of at least 1; got {value!r}")
    for side in pair:
        check_count(f"a side of {name}", side)


Bridge = Annotated[tuple[int, int] | None, _check_bridge]


@dataclass(frozen=True, kw_only=True)
class UCAG(Wrapper):
    r"""UCAG around any explainer: an image's patches, explained one by one, and put together again.

    A forward of the images and what base costs on n n patches of alpha rho times the side. p_c comes from base's own
    first forward if that is one of the patches as they are; if not, as for a base that asks at many points at once,
    each patch costs a forward more. The network must take patches of that size. Layers and reshape are what base
    makes of them. The paper contradicts itself: eq. 2 prints a ReLU inside a patch, and the sentence after eq. 5
    says that a patch's map is not clipped. The presets follow the sentence, as the authors' code does. Hong et al.,
    "Unfold and Conquer Attribution Guidance", AAAI 2023, eqs. 1-6. Built in chapter 10.

    Stages, n n patches row by row: `patches` (B, n n, h, w), E of each patch before its weight, signed; `scores`
    (B, n n), p_c; `weights` (B, n n), exp(p_c), or as `confidence` says; `coverage` (H, W) long, Gamma; `grid`, where
    the patches lie.

    Args:
        base: an explainer of this package, or anything callable as base(model, images, target=...) that returns maps
            (m, h, w), or a dict of them; it is handed `layers`, `size` and `reshape` where it takes them. It runs on
            enlarged patches, with its `relu` and `normalise` switched off if it has them, since eq. 5 wants signed
            maps as they are. May be given without its name.
        preset: "default" and "paper" are the text. "reference" is the authors' code: patches of 124 in 224 pixels at
            a floored stride, weights scaled to at most 1, coverage counted from 1 (which halves the map in the
            corners), smoothed CAMs, maps of the input by way of 224 x 224.
        patches: n, how many along an axis.
        alpha: how much a patch is enlarged (bicubic), to int(alpha H') x int(alpha W'); greater than 0.
        rho: the patches' size as a share of the image's, greater than 0 and at most 1.
        stride: "even" or "floor", see `patches.unfold_grid`.
        confidence: "exp", exp(p_c), from 1 to e; "exp/max", divided by the largest of the image's patches; "none".
        count_from: 0, or 1 to divide by Gamma + 1.
        smooth: a finished map of a layer is stretched to [0, 1], then blurred (5 x 5, sigma 3).
        bridge: (h, w) to which maps of the input, rather than of a layer, are resized first, or None.
        relu: whether a CAM, a base whose own `relu` is on, gets its ReLU at the end. Other maps keep their sign.
        chunk: the largest batch given to base, which patches of several images share; it does not change the map.

    Example:
        >>> import holicam as hc
        >>> model = hc.load_model("toy-resnet50")
        >>> batch = hc.toyland.batch(1, split="test", size=32)
        >>> hc.UCAG(hc.LayerCAM(), patches=2)(model, batch.images, "layer3").shape
        torch.Size([1, 32, 32])
        >>> stages = hc.UCAG(hc.Gradient(), patches=2)(model, batch.images, intermediate=True)
        >>> stages.scores.shape, stages.coverage.max()
        (torch.Size([1, 4]), tensor(4))
    """

    takes: ClassVar[str] = "layer"  # of an instance: what its base takes
    has_stages: ClassVar[bool] = True

    base: Any = field(default=GradCAM(), kw_only=False)
    preset: str = "default"
    patches: Count = 6
    alpha: Positive = 2.6
    rho: PositiveShare = 0.555
    stride: Annotated[str, among(STRIDES)] = "even"
    confidence: Annotated[str, among(CONFIDENCE)] = "exp"
    count_from: Annotated[int, among((0, 1))] = 0
    smooth: bool = False
    bridge: Bridge = None
    relu: bool = True
    chunk: Chunk = speed(16)
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "paper": {},
        "reference": {
            "rho": 124 / 224,
            "stride": "floor",
            "confidence": "exp/max",
            "count_from": 1,
            "smooth": True,
            "bridge": (224, 224),
        },
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rho * self.patches < 1:
            raise ValueError(f"patches must meet, patches * rho must be at least 1; got {self.patches} * {self.rho}")

    def maps(self, call: Call) -> Result:
        model, images = call.model, call.images
        target = stream(model, images, None, 0, call.target, score=self._kind, chunk=self.chunk)[0]
        grid = unfold_grid(images.shape[2:], self.patches, self.rho, self.stride)
        with resized(model, images, self._one_size(images, grid)):
            E, p, kept = self._explained(model, images, grid, target, call.intermediate, **self.for_base(call))
        weights = CONFIDENCE[self.confidence](p)  # (B, n n)
        maps: dict[Any, Any] = {name: self._conquered(M, weights, grid, images) for name, M in E.items()}
        if call.intermediate:
            led: dict[str, Any] = {
                "scores": p,
                "weights": weights,
                "coverage": moved(grid.coverage(), p.device),
                "grid": grid,
            }
            maps = {name: Stages(M, {"patches": kept[name], **led}) for name, M in maps.items()}
        return maps[None] if None in maps else maps

    def _explained(
        self, model: nn.Module, images: Tensor, grid: Grid, target: Resolved, keep: bool, **given: object
    ) -> tuple[Parts, Tensor, Parts]:
        """Eqs. 1-4: {layer, or None: E (B, n n, H', W')}, p_c (B, n n), and E as base gave it."""
        explained: dict[Layer | None, list[Tensor]] = defaultdict(list)
        raw: dict[Layer | None, list[Tensor]] = defaultdict(list)
        scores: list[Tensor] = []
        told: dict[int, Tensor] = {}
        shape = len(images), self.patches**2
        chunks = torch.arange(math.prod(shape), device=images.device).split(self.chunk)
        for some in chunks:
            x, wanted = self._patches(images, grid, target, some)
            with overheard(model, x, wanted) as heard:
                found = ask(unscaled(self.base), model, x, wanted, **given)
            for name, maps in found.items():
                through = self.bridge if self.bridge and self.takes == "input" else maps.shape[1:]
                explained[name].append(upsample(upsample(maps, through), grid.size))
                if keep:
                    raw[name].append(maps)
            logits: Tensor | Whole
            if heard:
                logits, told[len(scores)] = heard[0]
            else:
                logits = logits_of(forward(model, x), len(x), wanted)
            scores.append(select_score(logits, wanted, self._kind))
        answers = torch.stack([*told.values()]).tolist() if told else []  # of all chunks at once
        for number in (number for number, same in zip(told, answers, strict=True) if not same):
            x, wanted = self._patches(images, grid, target, chunks[number])
            scores[number] = select_score(logits_of(forward(model, x), len(x), wanted), wanted, self._kind)
        E, kept = (
            {name: torch.cat(maps).unflatten(0, shape) for name, maps in parts.items()} for parts in (explained, raw)
        )
        return E, torch.cat(scores).view(shape), kept

    def _patches(self, images: Tensor, grid: Grid, target: Resolved, some: Tensor) -> tuple[Tensor, Resolved]:
        """The enlarged patches with these numbers (m,), and their targets."""
        owner, patch = some // self.patches**2, some % self.patches**2
        return self._enlarged(images, grid, owner, patch), targets_of(target, owner)

    def _one_size(self, images: Tensor, grid: Grid) -> str:
        """What to do where patches must have the images' size."""
        alpha, other = (size / own for size, own in zip(images.shape[2:], grid.size, strict=True))
        return (
            f"give alpha={alpha!r}, which enlarges patches to that size"
            if alpha == other
            else "take a method that keeps the size, such as Layer-CAM"
        )

    def _enlarged(self, images: Tensor, grid: Grid, owner: Tensor, patch: Tensor) -> Tensor:
        """Psi(., alpha) of patches, (m, 3, int(alpha H'), int(alpha W')) whatever the size of their pieces."""
        size = tuple(max(1, int(self.alpha * n + 1e-9)) for n in grid.size)
        pieces = [
            (
                which,
                x
                if tuple(x.shape[2:]) == size
                else F.interpolate(at_least_float32(x), size, mode="bicubic").to(x.dtype),
            )
            for which, x in grid.cut(images, owner, patch)
        ]
        if len(pieces) == 1:
            return pieces[0][1]
        order = torch.cat([which for which, _ in pieces]).argsort()
        return torch.cat([x for _, x in pieces])[order]

    def _conquered(self, E: Tensor, weights: Tensor, grid: Grid, images: Tensor) -> Tensor:
        """Eqs. 5 and 6, and what follows for a CAM: (B, H, W)."""
        count = moved(grid.coverage(), E.device, E.dtype) + self.count_from
        maps = grid.fold(E * weights[..., None, None].to(E)) / count
        maps = maps.relu() if self.relu and self._has_relu and self.base.relu else maps
        maps = upsample(maps, images.shape[2:])  # the floored stride has a canvas of its own
        return _blurred(normalise(maps)) if self.smooth and self.takes != "input" else maps

    @property
    def _kind(self) -> str:
        """What p_c is: many labels that base takes one by one are no softmax here either."""
        return "sigmoid" if getattr(self.base, "score", None) == "sigmoid" else "prob"

    @property
    def _has_relu(self) -> bool:
        """The CAM family has a field `relu`; UCAG has one too, and asks its base."""
        return getattr(self.base, "_has_relu", has_field(self.base, "relu"))


def _blurred(maps: Tensor) -> Tensor:
    """Gaussian of 3 pixels on 5 x 5, mirrored at the border; smaller on maps below 3 pixels."""
    from torchvision.transforms.functional import gaussian_blur

    kernel = [min(5, 2 * n - 1) for n in maps.shape[:0:-1]]  # (W, H) is its order
    return gaussian_blur(maps[:, None], kernel, [3.0, 3.0])[:, 0]
