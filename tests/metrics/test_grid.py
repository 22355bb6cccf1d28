"""The grid pointing game: exact cases, the slow twin, what it shares with the energy game and where it differs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import holicam as hc
from holicam.metrics import energy_pointing, grid_pointing, grid_pointing_game
from tests.helpers.nets import random_images
from tests.twins import slow_metrics as slow


def play(maps, **options):
    return grid_pointing_game(None, None, maps, **options)


def cells(height, width, n=2):
    """(n * n, height, width) bool: the cells of a grid, row by row."""
    masks = torch.zeros(n * n, height, width, dtype=torch.bool)
    for k in range(n * n):
        top, left = k // n * height // n, k % n * width // n
        masks[k, top : top + height // n, left : left + width // n] = True
    return masks


def test_exact_cases():
    maps = torch.tensor([[[6.0, 2.0], [1.0, 1.0]], [[6.0, -2.0], [-1.0, 2.0]], [[-3.0, 1.0], [0.0, 0.0]]])
    found = play(maps, masks=cells(2, 2)[:1].expand(3, 2, 2))
    assert found.share.tolist() == pytest.approx([0.6, 0.75, 0.0])
    assert found.chance.tolist() == [0.25] * 3
    assert found.corrected.tolist() == pytest.approx([0.35 / 0.75, 0.5 / 0.75, -1 / 3])


@pytest.mark.parametrize("n", [2, 3])
def test_slow_twin(n, record_property):
    masks = cells(12, 18, n)
    maps = random_images(n * n, 12, 18, dtype=torch.float64) - 0.4  # of both signs
    found = play(maps, masks=masks)
    want = [slow.grid_pointing(m.numpy(), cell.numpy()) for m, cell in zip(maps, masks, strict=True)]
    difference = max(abs(a - b) for a, b in zip(found.share.tolist(), want, strict=True))
    record_property("difference", difference)
    assert difference < 1e-12 and found.chance.tolist() == pytest.approx([1 / n**2] * n**2)


def test_the_cells_of_a_map_share_it():
    """Asked about every cell in turn, the shares add up to 1."""
    one = random_images(1, 10, 14, dtype=torch.float64) - 0.5
    shares = play(one.expand(4, 10, 14), masks=cells(10, 14)).share
    assert shares.sum().item() == pytest.approx(1, abs=1e-12)


@given(st.floats(1e-20, 1e20), st.integers(0, 99))
def test_scale_says_nothing(factor, seed):
    maps = random_images(4, 6, 8, seed=seed, dtype=torch.float64) - 0.3
    a, b = (play(m, masks=cells(6, 8)).share for m in (maps, maps * factor))
    torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


def test_a_batch_equals_its_singles():
    maps, masks = random_images(4, 8, 8) - 0.5, cells(8, 8)
    together = play(maps, masks=masks).share
    assert torch.equal(together, torch.cat([play(maps[k : k + 1], masks=masks[k : k + 1]).share for k in range(4)]))


def test_a_constant_map_has_chance_and_a_map_without_evidence_none():
    maps = torch.stack([torch.full((8, 8), v) for v in (2.0, 0.0, -1.0, math.nan)])
    maps[2, 0, 0] = -5
    masks = cells(8, 8)
    with pytest.raises(ValueError, match="map 3 holds NaN"):
        play(maps, masks=masks)
    found = play(maps, masks=masks, on_nan="record")
    assert found.share[0].item() == 0.25 and found.share.isnan().tolist() == [False, True, True, True]
    assert [hc.metrics.DEGENERATE[k] for k in found.degenerate] == ["constant", "zero", "none", "nan"]
    energy = energy_pointing(None, None, maps, masks=masks, on_nan="record").full
    assert energy.isnan().all()  # the energy game has no score for a constant map
    nowhere = play(maps[:1], masks=torch.zeros(1, 8, 8, dtype=torch.bool))
    assert nowhere.share.isnan().all() and nowhere.chance.isnan().all()
    everywhere = play(maps[:1], masks=torch.ones(1, 8, 8, dtype=torch.bool))
    assert everywhere.share.item() == 1 and everywhere.corrected.isnan().all()


def test_what_is_no_more_than_rounding_is_no_evidence():
    maps = torch.full((1, 8, 8), -1.0, dtype=torch.float64)
    maps[0, 0, 0] = 1e-16
    assert play(maps, masks=cells(8, 8)[:1]).share.isnan().all()


def test_where_maps_say_something_it_is_the_energy_games_sum():
    maps, masks = random_images(4, 8, 10, dtype=torch.float64) - 0.4, cells(8, 10)
    torch.testing.assert_close(
        play(maps, masks=masks).share, energy_pointing(None, None, maps, masks=masks).full, rtol=1e-14, atol=0
    )


def test_boxes_of_a_mosaic_are_its_cells():
    pictures = [torch.full((30, 40, 3), 50 * k, dtype=torch.uint8) for k in range(4)]
    four = hc.photos.mosaic(pictures, side=16)
    maps = random_images(4, 16, 16)
    by_mask = grid_pointing(None, None, maps, masks=four.masks)
    assert torch.equal(by_mask, grid_pointing(None, None, maps, boxes=four.boxes))
    assert hc.metrics.registry["grid-pointing"].needs == ("masks or boxes",)
    with pytest.raises(ValueError, match="the grid pointing game needs the cells .*masks="):
        grid_pointing(None, None, maps)
