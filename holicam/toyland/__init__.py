"""Toyland: a procedural world with exact ground truth (spec: intervention instead of inpainting).

Ten classes built from named parts, textured backgrounds, clutter that knows nothing of the label. An image is
addressed by a `Recipe`; the same recipe gives the same pixels in any order, batch or process, and
`render(recipe, without=...)` draws the same scene with one thing left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from numbers import Real

import numpy as np
import torch

from .draw import draw
from .scene import SPLITS, SUBSETS, Recipe, check_whole, check_world, scene
from .shapes import CLASSES, parts

__all__ = ["CLASSES", "SPLITS", "SUBSETS", "Batch", "Recipe", "batch", "part_names", "render", "standardise"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def standardise(rgb: torch.Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> torch.Tensor:
    """(n, H, W, 3) uint8 -> (n, 3, H, W) float32 with mean and deviation taken out.

    By default ImageNet's, which Toyland's own networks expect; others say what they want (`models.preprocessing`).
    Raises TypeError for what is no such picture: values from 0 to 1 would be taken for black.
    """
    given = torch.as_tensor(rgb)
    if given.dtype != torch.uint8 or given.dim() != 4 or given.shape[3] != 3:
        raise TypeError(f"pictures must be (n, H, W, 3) uint8; got {tuple(given.shape)} {given.dtype}")
    x = given.permute(0, 3, 1, 2).contiguous().float()
    centre, spread = (x.new_tensor(v)[:, None, None] * 255 for v in (mean, std))
    return x.sub_(centre).div_(spread)


def normalise(rgb: torch.Tensor) -> torch.Tensor:
    """The old name of `standardise`; `ops.normalise` is something else. Deprecated: it goes in a later version."""
    return standardise(rgb)


def part_names(name: str) -> list[str]:
    """The part names of a class, back to front (a flower has five or six petals; six are listed)."""
    if name not in CLASSES:
        raise ValueError(f"There is no Toyland class {name!r}; the classes are {', '.join(CLASSES)}.")
    names = [part for part, _, _ in parts(name, np.random.default_rng(0))]
    if name == "flower" and "petal 6" not in names:
        names.insert(names.index("petal 5") + 1, "petal 6")
    return names


def _kind(name: str) -> str:
    return name.rstrip(" 0123456789")


def _leave_out(without, things):
    """The rule `draw` asks: `without` is a name; parts are those of the labelled class's objects."""
    label = things[0].label
    own = {i for i, thing in enumerate(things) if thing.label == label}
    if without in ("background", "shortcut"):
        group_name = {"background": "background", "shortcut": "mark"}[without]
        return lambda group, shape, thing: group == group_name
    if without == "object":
        return lambda group, shape, thing: group == "part" and thing in own
    names = {s.name for i in own for s in things[i].shapes}
    if without not in names and without not in {_kind(n) for n in names}:
        raise ValueError(
            f"This {CLASSES[label]} has no part {without!r}; it has {', '.join(sorted(names))}, "
            "and 'object', 'shortcut' and 'background' can be left out too."
        )
    return lambda group, shape, thing: group == "part" and thing in own and without in (shape.name, _kind(shape.name))


def render(
    recipe: Recipe, without: str | Iterable[str] | None = None, *, size: int | None = None, mark: int | None = None
):
    """Draw a recipe, or its counterfactual.

    Args:
        recipe: which image.
        without: a part name ("wheel 1", or "wheel" for both), "object", "shortcut" or "background" to leave out;
            several names leave out all of them.
        size: side in pixels; None: the recipe's own.
        mark: class the glyph or band is made to name instead of its own (only `shortcut` and `cast`).

    Returns:
        (size, size, 3) uint8 tensor.

    Raises:
        ValueError: no such part, or `without="shortcut"` or `mark` on a subset that has none, a size below 1, a mark
            that is no class.
        TypeError: a size or mark that is no whole number.
    """
    side = recipe.size if size is None else size
    check_whole(size=side, mark=0 if mark is None else mark)
    if side < 1:
        raise ValueError(f"size must be at least 1 pixel; got {side}.")
    if mark is not None and not 0 <= mark < len(CLASSES):
        raise ValueError(f"mark must be a class, 0 to {len(CLASSES) - 1}; got {mark}.")
    plan = scene(recipe)
    names = [] if without is None else [without] if isinstance(without, str) else list(without)
    if (mark is not None or "shortcut" in names) and not plan.mark:
        raise ValueError(f"Subset {recipe.subset!r} has no shortcut; 'shortcut' and 'cast' have.")
    if mark is not None:
        plan.mark["cls"] = int(mark)
    rules = [_leave_out(name, plan.things) for name in names]
    rgb, _, _ = draw(plan, int(side), lambda *layer: any(rule(*layer) for rule in rules))
    return torch.from_numpy(rgb)


@dataclasses.dataclass
class Batch:
    """Toyland images with everything known about them; n images of H x W pixels.

    images (n, 3, H, W) float32, ready for a network · rgb (n, H, W, 3) uint8 · target (n,) int64 · names: the
    class names · ids: one string an image · object_mask (n, H, W) bool: all objects of the labelled class ·
    class_masks (n, 10, H, W) bool: one mask a class · part_masks: per image {part name: (H, W) bool}, visible
    pixels of the labelled class's parts · distractor_mask (n, H, W) bool: clutter · shortcut_mask (n, H, W) bool:
    glyph or band · boxes: per image (m, 4) float32 x0 y0 x1 y1, one per object of the labelled class ·
    recipes: per image the `Recipe` that draws it again.
    """

    images: torch.Tensor
    rgb: torch.Tensor
    target: torch.Tensor
    names: list[str]
    ids: list[str]
    object_mask: torch.Tensor
    class_masks: torch.Tensor
    part_masks: list[dict[str, torch.Tensor]]
    distractor_mask: torch.Tensor
    shortcut_mask: torch.Tensor
    boxes: list[torch.Tensor]
    recipes: list[Recipe]

    def __len__(self) -> int:
        return len(self.recipes)


def _one(recipe: Recipe) -> dict:
    """Image, label and masks of one recipe, as numpy arrays."""
    plan = scene(recipe)
    rgb, owner, layers = draw(plan, recipe.size)
    group_of = np.array([{"clutter": 0, "part": 1, "mark": 2}[group] for group, _, _ in layers] + [-1], np.int8)
    label_of = np.array([-1 if t is None else plan.things[t].label for _, _, t in layers] + [-1], np.int8)
    groups, labels = group_of[owner], label_of[owner]  # owner -1 reads the last entry
    visible: dict[str, np.ndarray] = {}
    boxes = []
    for number, (_, shape, thing) in enumerate(layers):
        if thing is not None and plan.things[thing].label == plan.label:
            visible[shape.name] = visible.get(shape.name, False) | (owner == number)
    for i, thing in enumerate(plan.things):
        if thing.label == plan.label:
            seen = np.isin(owner, [n for n, layer in enumerate(layers) if layer[2] == i])
            ys, xs = np.nonzero(seen)
            boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if len(xs) else [0, 0, 0, 0])
    return {
        "rgb": rgb,
        "label": plan.label,
        "parts": visible,
        "boxes": boxes,
        "distractor": groups == 0,
        "mark": groups == 2,
        "classes": np.stack([labels == k for k in range(len(CLASSES))]),
    }


def batch(
    n: int,
    *,
    split: str = "train",
    subset: str = "single",
    seed: int = 0,
    start: int = 0,
    size: int = 224,
    rho: float = 0.95,
) -> Batch:
    """Draw images `start` ... `start + n - 1` of a subset.

    Args:
        n: how many, at least 1.
        split: "train", "val" or "test"; they share no image.
        subset: "single" (one object), "twins" (one to three of one class), "scene" (two to four classes, the
            label is the largest), "shortcut" (a glyph in a corner) or "cast" (a band over the object).
        seed: another world. The same seed gives the same images in any order, batch size or process.
        start: index of the first image.
        size: side in pixels, at least 16; the scene is the same at every size.
        rho: probability that glyph or band agree with the label.

    Returns:
        A `Batch`.

    Raises:
        ValueError: an unknown split or subset, or a number out of range.
        TypeError: numbers of another kind.
    """
    check_world(split, subset)
    check_whole(n=n, size=size, start=start, seed=seed)
    if isinstance(rho, bool) or not isinstance(rho, Real):
        raise TypeError(f"rho must be a number from 0 to 1; got {rho!r}.")
    if n < 1 or size < 16 or start < 0 or seed < 0 or not 0 <= rho <= 1:
        raise ValueError(
            f"Toyland needs n >= 1, size >= 16, start >= 0, seed >= 0 and rho in [0, 1]; "
            f"got n={n}, size={size}, start={start}, seed={seed}, rho={rho}."
        )
    recipes = [Recipe(subset, split, seed, start + i, rho, size) for i in range(n)]
    drawn = [_one(recipe) for recipe in recipes]
    rgb = torch.from_numpy(np.stack([d["rgb"] for d in drawn]))
    target = torch.tensor([d["label"] for d in drawn])
    classes = torch.from_numpy(np.stack([d["classes"] for d in drawn]))
    return Batch(
        images=standardise(rgb),
        rgb=rgb,
        target=target,
        names=[CLASSES[k] for k in target.tolist()],
        ids=[recipe.id for recipe in recipes],
        object_mask=classes[torch.arange(n), target],
        class_masks=classes,
        part_masks=[{k: torch.from_numpy(v) for k, v in d["parts"].items()} for d in drawn],
        distractor_mask=torch.from_numpy(np.stack([d["distractor"] for d in drawn])),
        shortcut_mask=torch.from_numpy(np.stack([d["mark"] for d in drawn])),
        boxes=[torch.tensor(d["boxes"], dtype=torch.float32) for d in drawn],
        recipes=recipes,
    )
