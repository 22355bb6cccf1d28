"""Toyland: the same recipe gives the same pixels; leaving one thing out changes nothing else."""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from holicam import toyland

FIXTURES = Path(__file__).parents[1] / "fixtures"


def _digest(start):
    rgb = toyland.batch(1, split="val", start=start).rgb
    return hashlib.sha256(rgb.numpy().tobytes()).hexdigest()


def test_same_image_in_any_order_batch_or_process():
    whole = toyland.batch(5, split="val", seed=3)
    for i in (4, 0, 2):
        single = toyland.batch(1, split="val", seed=3, start=i)
        assert torch.equal(single.rgb[0], whole.rgb[i])
        assert torch.equal(single.object_mask[0], whole.object_mask[i])
        assert single.ids == [whole.ids[i]]
    with ProcessPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        assert list(pool.map(_digest, [1, 0])) == [_digest(1), _digest(0)]


@pytest.mark.parametrize("subset", toyland.SUBSETS)
def test_stored_fixtures_within_one_grey_level(subset):
    stored = np.load(FIXTURES / "toyland.npz")
    drawn = toyland.batch(2, split="test", subset=subset, size=96)
    difference = np.abs(drawn.rgb.numpy().astype(int) - stored[subset].astype(int))
    assert difference.max() <= 1
    assert drawn.target.tolist() == stored[f"{subset}_target"].tolist()


def test_splits_seeds_and_indices_differ():
    images = [
        toyland.batch(1, split=s, seed=k, start=i).rgb
        for s, k, i in (("train", 0, 0), ("val", 0, 0), ("train", 1, 0), ("train", 0, 1))
    ]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])


@pytest.mark.parametrize("subset", toyland.SUBSETS)
def test_recipes_draw_the_same_image_again(subset):
    drawn = toyland.batch(3, subset=subset, size=112)
    for recipe, rgb in zip(drawn.recipes, drawn.rgb, strict=True):
        assert torch.equal(toyland.render(recipe), rgb)


@pytest.mark.parametrize("size", [64, 225])
def test_shapes_types_and_masks(size):
    drawn = toyland.batch(6, subset="scene", size=size)
    assert drawn.images.shape == (6, 3, size, size) and drawn.images.dtype == torch.float32
    assert drawn.rgb.dtype == torch.uint8 and drawn.class_masks.shape == (6, 10, size, size)
    assert (drawn.class_masks.sum(1) <= 1).all()
    assert not (drawn.distractor_mask & drawn.class_masks.any(1)).any()
    assert not drawn.shortcut_mask.any()
    for i in range(6):
        parts = torch.stack(list(drawn.part_masks[i].values()))
        assert torch.equal(parts.any(0), drawn.object_mask[i])
        assert 2 <= drawn.class_masks[i].flatten(1).any(1).sum() <= 4


def test_images_are_rgb_with_the_imagenet_mean_taken_out():
    drawn = toyland.batch(1)
    mean, std = torch.tensor(toyland.MEAN), torch.tensor(toyland.STD)
    back = drawn.images[0].permute(1, 2, 0) * std + mean
    assert torch.allclose(back * 255, drawn.rgb[0].float(), atol=1e-3)


@pytest.mark.parametrize("subset", ["single", "twins"])
def test_boxes_hold_the_object(subset):
    drawn = toyland.batch(8, subset=subset)
    for boxes, mask in zip(drawn.boxes, drawn.object_mask, strict=True):
        inside = torch.zeros_like(mask)
        for x0, y0, x1, y1 in boxes.int().tolist():
            inside[y0:y1, x0:x1] = True
        assert not (mask & ~inside).any() and mask.any()
    if subset == "twins":
        assert {len(b) for b in toyland.batch(40, subset="twins", size=32).boxes} == {1, 2, 3}


def test_in_a_scene_the_label_is_the_largest_object():
    drawn = toyland.batch(40, subset="scene", size=96)
    areas = []
    for boxes, masks in zip(drawn.boxes, drawn.class_masks, strict=True):
        own = float((boxes[0, 2:] - boxes[0, :2]).prod())
        others = []
        for mask in masks[masks.flatten(1).any(1)]:
            ys, xs = mask.nonzero(as_tuple=True)
            others.append(float((ys.max() - ys.min() + 1) * (xs.max() - xs.min() + 1)))
        areas.append(own >= max(others) * 0.99)
    assert np.mean(areas) > 0.95  # a long thin shape may have the larger box


@pytest.mark.parametrize("without", ["part", "object", "background"])
def test_leaving_out_changes_only_what_was_there(without):
    drawn = toyland.batch(4, size=160)
    for i, recipe in enumerate(drawn.recipes):
        name = list(drawn.part_masks[i])[-1] if without == "part" else without
        changed = (toyland.render(recipe, name) != drawn.rgb[i]).any(-1)
        region = {"part": drawn.part_masks[i].get(name), "object": drawn.object_mask[i]}.get(without)
        if without == "background":
            region = ~(drawn.object_mask[i] | drawn.distractor_mask[i])
        grown = torch.nn.functional.max_pool2d(region[None, None].float(), 7, 1, 3)[0, 0] > 0
        # Where two parts meet, each covers half a pixel and a little background shines through.
        allowed = 0.01 if without == "background" else 0
        assert changed.any() and (changed & ~grown).sum() <= allowed * (~grown).sum()


def test_a_kind_leaves_out_all_its_parts():
    drawn = toyland.batch(60, size=32)
    recipe = toyland.Recipe(split="train", index=drawn.names.index("car"))
    both, one = toyland.render(recipe, "wheel"), toyland.render(recipe, "wheel 1")
    whole = toyland.render(recipe)
    assert (both != whole).sum() > (one != whole).sum() > 0


@pytest.mark.parametrize("subset", ["shortcut", "cast"])
def test_the_mark_agrees_with_probability_rho_and_can_be_removed_and_swapped(subset):
    always, never = (toyland.batch(30, subset=subset, rho=rho, size=64) for rho in (1.0, 0.0))
    assert torch.equal(always.target, never.target)
    assert (always.rgb != never.rgb).flatten(1).any(1).all()
    recipe = always.recipes[0]
    removed = toyland.render(recipe, "shortcut")
    changed = (removed != always.rgb[0]).any(-1)
    grown = torch.nn.functional.max_pool2d(always.shortcut_mask[:1, None].float(), 5, 1, 2)[0, 0] > 0
    assert changed.any() and not (changed & ~grown).any()
    own = int(always.target[0])
    assert torch.equal(toyland.render(recipe, mark=own), always.rgb[0])
    assert not torch.equal(toyland.render(recipe, mark=(own + 1) % 10), always.rgb[0])


def test_the_share_of_agreeing_marks_follows_rho():
    from holicam.toyland.scene import Recipe, scene

    agrees = [scene(Recipe("shortcut", "train", 0, i, 0.8, 32)).mark["agrees"] for i in range(600)]
    assert abs(np.mean(agrees) - 0.8) < 0.05


def test_clutter_knows_nothing_of_the_label():
    from holicam.toyland.scene import Recipe, scene

    scenes = [scene(Recipe(index=i)) for i in range(800)]
    counts = np.zeros((10, 5))
    for plan in scenes:
        counts[plan.label, len(plan.clutter) - 2] += 1
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    assert ((counts - expected) ** 2 / expected).sum() < 67  # chi-squared, 36 degrees, 0.1 %


def test_the_scene_does_not_depend_on_the_size():
    small, large = (toyland.batch(6, size=size) for size in (112, 224))
    shrunk = torch.nn.functional.avg_pool2d(large.object_mask[:, None].float(), 2)[:, 0] > 0.5
    overlap = (shrunk & small.object_mask).sum() / (shrunk | small.object_mask).sum()
    assert overlap > 0.9


def test_recipes_survive_json():
    import dataclasses

    recipe = toyland.batch(1, subset="cast", seed=9, start=5, rho=0.5).recipes[0]
    again = toyland.Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe))))
    assert again == recipe and torch.equal(toyland.render(again), toyland.render(recipe))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"split": "dev"}, "train, val, test"),
        ({"subset": "many"}, "single, twins, scene, shortcut, cast"),
        ({"size": 8}, "size >= 16"),
        ({"rho": 2}, "rho"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        toyland.batch(1, **arguments)


def test_a_part_that_is_not_there_is_named():
    recipe = toyland.Recipe()
    with pytest.raises(ValueError, match="has no part 'propeller'; it has "):
        toyland.render(recipe, "propeller")
    with pytest.raises(ValueError, match="has no shortcut"):
        toyland.render(recipe, "shortcut")


def test_part_names_cover_every_drawn_part():
    drawn = toyland.batch(60, size=64)
    for name, parts in zip(drawn.names, drawn.part_masks, strict=True):
        assert set(parts) <= set(toyland.part_names(name))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: toyland.batch("3"), TypeError, "n must be a whole number; got '3'"),
        (lambda: toyland.batch(1, seed=1.5), TypeError, "seed must be a whole number; got 1.5"),
        (lambda: toyland.batch(1, rho="1"), TypeError, "rho must be a number from 0 to 1; got '1'"),
        (lambda: toyland.Recipe("foo"), ValueError, "no Toyland subset 'foo'"),
        (lambda: toyland.Recipe(split="dev"), ValueError, "no Toyland split 'dev'"),
        (lambda: toyland.Recipe(index=-1), ValueError, "seed and index must be at least 0"),
        (lambda: toyland.Recipe(seed="1"), TypeError, "seed must be a whole number"),
        (lambda: toyland.render(toyland.Recipe(), size=0), ValueError, "size must be at least 1 pixel; got 0"),
        (lambda: toyland.render(toyland.Recipe(), size=64.0), TypeError, "size must be a whole number; got 64.0"),
        (lambda: toyland.render(toyland.Recipe("cast"), mark=12), ValueError, "mark must be a class, 0 to 9; got 12"),
        (lambda: toyland.render(toyland.Recipe("cast"), mark=-3), ValueError, "mark must be a class"),
        (lambda: toyland.render(toyland.Recipe("cast"), mark=2.7), TypeError, "mark must be a whole number; got 2.7"),
        (lambda: toyland.standardise(torch.zeros(1, 8, 8, 3)), TypeError, r"must be \(n, H, W, 3\) uint8"),
        (lambda: toyland.standardise(torch.zeros(8, 8, 3).byte()), TypeError, r"must be \(n, H, W, 3\) uint8"),
    ],
)
def test_numbers_of_another_kind_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
