"""Toyland's truth: redrawn parts, Shapley values, ranks, leakage, contrast."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from holicam import toyland
from holicam.metrics import (
    distractor_leakage,
    interventions,
    leakage,
    measure,
    part_faithfulness,
    shapley_faithfulness,
    shortcut_contrast,
)
from holicam.metrics.interventions import spearman
from holicam.metrics.leakage import contrast
from holicam.metrics.truth import regions
from tests.helpers.nets import Counting, TinyNet, random_images
from tests.twins import slow_games as slow

SIDE = 32


@pytest.fixture(scope="module")
def world():
    batch = toyland.batch(4, split="test", size=SIDE)
    model = TinyNet(classes=10).double()
    images = batch.images.double()
    maps = random_images(4, SIDE, SIDE, seed=2, dtype=torch.float64) + batch.object_mask
    return model, images, maps, batch


def test_several_names_leave_out_all_of_them(world):
    recipe, parts = world[3].recipes[0], list(world[3].part_masks[0])
    nothing = toyland.render(recipe, [])
    assert torch.equal(nothing, toyland.render(recipe))
    assert torch.equal(toyland.render(recipe, parts), toyland.render(recipe, "object"))
    one, both = toyland.render(recipe, parts[:1]), toyland.render(recipe, parts[:2])
    assert torch.equal(one, toyland.render(recipe, parts[0])) and not torch.equal(one, both)
    with pytest.raises(ValueError, match="no part 'sail"):
        toyland.render(recipe, [parts[0], "sails"])
    with pytest.raises(ValueError, match="has no shortcut"):
        toyland.render(recipe, [parts[0], "shortcut"])


def test_slow_twin(world, record_property):
    model, images, maps, batch = world
    found = interventions(model, images, maps, batch.target, recipes=batch.recipes, chunk=13)
    for b in range(4):
        parts, recipe = found.parts[b], batch.recipes[b]
        if len(parts) > 6:  # 8! orders are too many here
            continue

        @cache
        @torch.no_grad()
        def value(there, b=b, parts=parts, recipe=recipe):
            rgb = toyland.render(recipe, [p for p in parts if p not in there])[None]
            return model(toyland.standardise(rgb).double()).softmax(1)[0, batch.target[b]].item()

        whole = value(frozenset(parts))
        changes = [whole - value(frozenset(parts) - {p}) for p in parts]
        shares, count = slow.shapley(parts, value), len(parts)
        gap = max(
            np.abs(found.change[b, :count].numpy() - changes).max(),
            np.abs(found.values[b, :count].numpy() - shares).max(),
        )
        record_property("difference", float(gap))
        assert gap < 1e-12 and found.change[b, count:].isnan().all()
        # The shares add up to what all parts together are worth.
        total = whole - value(frozenset())
        assert found.values[b].nansum().item() == pytest.approx(total, abs=1e-12)
        mass = [maps[b][batch.part_masks[b][p]].sum().item() for p in parts]
        assert np.allclose(found.mass[b, :count], mass)


def test_faithfulness_of_the_truth_itself_is_one(world):
    model, images, _, batch = world
    truth = interventions(model, images, images[:, 0], batch.target, recipes=batch.recipes)
    maps = torch.zeros_like(images[:, 0])
    for b, parts in enumerate(truth.parts):
        for k, part in enumerate(parts):  # each part's truth, spread over its pixels
            inside = batch.part_masks[b][part]
            maps[b][inside] = truth.change[b, k] / inside.sum()
    scores = part_faithfulness(model, images, maps, batch.target, recipes=batch.recipes)
    assert (scores - 1).abs().max() < 1e-12
    worst = part_faithfulness(model, images, -maps, batch.target, recipes=batch.recipes)
    assert (worst + 1).abs().max() < 1e-12


def test_costs_and_batches(world):
    model, images, maps, batch = world
    model = Counting(model)
    counts = [len(regions(batch_of(batch, b))) for b in range(4)]
    names, given = ["part-faithfulness", "shapley-faithfulness"], {"recipes": batch.recipes}
    part = part_faithfulness(model, images, maps, batch.target, **given)
    assert sum(model.batches) == sum(1 + n for n in counts)
    model.batches.clear()
    both = measure(names, model, images, maps, batch.target, **given)
    assert sum(model.batches) == sum(2**n for n in counts)
    assert torch.equal(both[names[0]], part)
    for b in range(4):
        one = shapley_faithfulness(
            model,
            images[b : b + 1],
            maps[b : b + 1],
            batch.target[b : b + 1],
            recipes=batch.recipes[b : b + 1],
            chunk=5,
        )
        assert (one - both[names[1]][b]).abs().max() < 1e-12


def batch_of(batch, b):
    r = batch.recipes[b]
    return toyland.batch(1, split=r.split, subset=r.subset, start=r.index, size=r.size)


def test_many_parts_become_kinds():
    flower = next(
        r
        for i in range(60)
        for r in [toyland.Recipe(index=i, size=SIDE)]
        if len(toyland.batch(1, split="test", start=i, size=64).part_masks[0]) > 8
    )
    truth = batch_of(toyland.batch(1, split="test", start=flower.index, size=64), 0)
    found = regions(truth)
    assert list(found) == ["stem", "leaf", "petal", "core"]
    assert found["petal"].sum() == sum(m.sum() for n, m in truth.part_masks[0].items() if n.startswith("petal"))


def test_spearman():
    stats = pytest.importorskip("scipy.stats")
    a, b = torch.tensor([[0.0, 0, 1]]), torch.tensor([[0.0, 1, 0]])
    assert spearman(a, b).item() == pytest.approx(-0.5)
    x, y = (random_images(20, 7, seed=s, dtype=torch.float64).round() for s in (0, 1))
    wanted = [stats.spearmanr(p, q).statistic for p, q in zip(x, y, strict=True)]
    assert np.allclose(spearman(x, y), wanted, equal_nan=True)
    padded = torch.cat([x, torch.full((20, 2), torch.nan)], 1)
    assert torch.equal(spearman(padded, padded), spearman(x, x))
    assert spearman(x[:, :1], y[:, :1]).isnan().all()
    assert spearman(torch.ones(1, 4), torch.rand(1, 4)).isnan().all()


def test_leakage(world):
    _, _, maps, batch = world
    clutter, given = batch.distractor_mask.double(), {"recipes": batch.recipes}
    assert torch.equal(leakage(None, None, maps, **given).area, clutter.mean((1, 2)))
    even = distractor_leakage(None, None, 1 + 1e-9 * maps, **given)
    assert (even - 1).abs().max() < 1e-6
    assert (distractor_leakage(None, None, clutter, **given) * clutter.mean((1, 2)) - 1).abs().max() < (1e-12)
    assert (distractor_leakage(None, None, 1 - clutter, **given) == 0).all()
    wanted = (maps.relu() * clutter).sum((1, 2)) / maps.relu().sum((1, 2)) / clutter.mean((1, 2))
    assert (distractor_leakage(None, None, maps, **given) - wanted).abs().max() < 1e-12


@pytest.mark.parametrize("subset", ["shortcut", "cast"])
def test_contrast(subset):
    batch = toyland.batch(3, split="test", subset=subset, size=64)
    mark, thing = batch.shortcut_mask.double(), batch.object_mask.double()
    assert mark.flatten(1).any(1).all()
    found = contrast(None, None, mark, reference=thing, recipes=batch.recipes)
    assert (found.own == 1).all() and (found.shortcut - 1).abs().max() < 1e-12
    assert (found.object - 1).abs().max() < 1e-12
    for maps in (mark, thing):
        same = shortcut_contrast(None, None, maps, reference=maps, recipes=batch.recipes)
        assert (same == 0).all()


def test_undefined(world):
    model, images, maps, batch = world
    maps = maps.clone()
    maps[0], maps[1, 0, 0], maps[2] = 0.0, torch.nan, -maps[2].abs() - 1
    options = {"recipes": batch.recipes, "on_nan": "record"}
    value = part_faithfulness(model, images, maps, batch.target, **options)
    assert value.isnan().tolist() == [True, True, False, False]
    assert distractor_leakage(None, None, maps, **options).isnan().tolist() == [True] * 3 + [False]
    clean = contrast(None, None, maps, reference=maps, **options)  # no shortcut in these images
    assert clean.shortcut.isnan().all() and clean.degenerate.tolist() == [2, 3, 0, 0]
    with pytest.raises(ValueError, match="map 1 holds NaN"):
        distractor_leakage(None, None, maps, recipes=batch.recipes)


def test_errors(world):
    model, images, maps, batch = world
    recipes = batch.recipes
    for change, kind, says in (
        ({"recipes": None}, ValueError, "needs recipes="),
        ({"recipes": recipes[:2]}, ValueError, "expected 4, got 2"),
        ({"recipes": ["a"] * 4}, TypeError, "Recipe; got 'a'"),
        ({"recipes": [*recipes[1:], recipes[0]]}, ValueError, "image 0 is not what its recipe"),
        ({"truths": "lime"}, ValueError, "truths must be one of"),
    ):
        with pytest.raises(kind, match=says):
            interventions(model, images, maps, batch.target, **{"recipes": recipes, **change})
    larger = [replace(r, size=64) for r in recipes]  # the images' size counts
    assert interventions(model, images, maps, recipes=larger, truths="change").shapley is None
    with pytest.raises(ValueError, match="needs reference="):
        shortcut_contrast(None, None, maps, recipes=recipes)
    with pytest.raises(ValueError, match="maps' shape"):
        shortcut_contrast(None, None, maps, recipes=recipes, reference=maps[:2])
    with pytest.raises(ValueError, match="are square"):
        distractor_leakage(None, None, maps[:, :20], recipes=recipes)
