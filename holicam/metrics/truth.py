"""What Toyland knows about its images: masks of parts, clutter and shortcut, redrawn at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from .. import toyland
from ..core.floats import positive_part
from ..core.hardware import moved
from ..core.ops import at_least_float32
from ..models.preprocessing import IMAGENET, carried

MOST = 8  # regions of an image at most: 2 ** 8 redrawn images for a Shapley value


def check_recipes(recipes: Sequence[toyland.Recipe] | None, maps: Tensor) -> list[toyland.Recipe]:
    """One recipe per map, at the maps' size. Raises ValueError, TypeError."""
    if recipes is None:
        raise ValueError("this metric needs recipes=, one Toyland recipe per image: toyland.batch(...).recipes")
    recipes = list(recipes)
    if len(recipes) != len(maps):
        raise ValueError(f"recipes must hold one per image: expected {len(maps)}, got {len(recipes)}")
    for recipe in recipes:
        if not isinstance(recipe, toyland.Recipe):
            raise TypeError(f"recipes must hold holicam.toyland.Recipe; got {recipe!r}")
    height, width = maps.shape[1:]
    if height != width:
        raise ValueError(f"Toyland images are square; got maps of {height} x {width}")
    return [replace(recipe, size=width) for recipe in recipes]


def drawn(recipe: toyland.Recipe) -> toyland.Batch:
    """The recipe's image with all its masks."""
    return toyland.batch(
        1,
        split=recipe.split,
        subset=recipe.subset,
        seed=recipe.seed,
        start=recipe.index,
        size=recipe.size,
        rho=recipe.rho,
    )


def as_seen(rgb: Tensor, model: nn.Module) -> Tensor:
    """Drawings (B, H, W, 3) uint8 as a network wants them; one that does not say is taken for one of Toyland's."""
    wanted = carried(model) or IMAGENET
    return toyland.standardise(rgb, wanted.mean, wanted.std)


def check_images(images: Tensor, recipes: Sequence[toyland.Recipe], model: nn.Module) -> list[toyland.Batch]:
    """The recipes' drawings, which must be the images: a counterfactual would compare nothing."""
    truths = [drawn(recipe) for recipe in recipes]
    again = moved(as_seen(torch.cat([truth.rgb for truth in truths]), model), images.device)
    apart = (again - at_least_float32(images)).abs().amax((1, 2, 3)) > 0.05  # bfloat16 rounds
    if bool(apart.any()):
        first = int(apart.nonzero()[0])
        raise ValueError(
            f"image {first} is not what its recipe {recipes[first].id!r} draws: give "
            "images, recipes and size of one toyland.batch, and images as the network wants them"
        )
    return truths


def regions(truth: toyland.Batch) -> dict[str, Tensor]:
    """{name: (H, W) bool} of the labelled class's parts that can be seen, back to front.

    Where there are more than eight, those of one kind ("petal 1", "petal 2") are one region.
    """
    parts = {name: mask for name, mask in truth.part_masks[0].items() if bool(mask.any())}
    if len(parts) <= MOST:
        return parts
    kinds: dict[str, Tensor] = {}
    for name, mask in parts.items():
        kind = name.rstrip(" 0123456789")
        kinds[kind] = kinds[kind] | mask if kind in kinds else mask
    return kinds


def energy_share(maps: Tensor, masks: Tensor) -> Tensor:
    """(B,): the share of a map's positive part inside a mask (B, H, W); NaN if it has none."""
    energy = positive_part(at_least_float32(maps.detach()))
    return (energy * masks).sum((1, 2)) / energy.sum((1, 2))
