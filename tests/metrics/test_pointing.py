"""The pointing game: hits, tolerance, ties, empty regions, classes, the difficult subset."""

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.metrics import by_class, centre, difficult, pointing_game, pointing_hits
from tests.helpers.nets import random_images
from tests.twins import slow_games as slow


def setting(size=6, height=12, width=17):
    maps = random_images(size, height, width, dtype=torch.float64)
    masks = torch.zeros(size, height, width, dtype=torch.bool)
    masks[:, 3:6, 2:5] = True
    return maps, masks


def run(maps, **options):
    return pointing_game(None, None, maps, **options)


@pytest.mark.parametrize("tolerance", [0, 1, 4.5, 15])
def test_slow_twin(tolerance):
    maps, masks = setting(12)
    found = run(maps, masks=masks, tolerance=tolerance)
    for b in range(12):
        hit, distance = slow.pointing(maps[b].numpy(), masks[b].numpy(), tolerance)
        assert found.hit[b] == hit and found.distance[b].item() == pytest.approx(distance)
        column, row = found.point[b].tolist()
        assert maps[b, row, column] == maps[b].max() and found.peaks[b] == 1
    assert torch.equal(pointing_hits(None, None, maps, masks=masks, tolerance=tolerance), found.hit)


def test_the_tolerance_is_strict():
    maps, masks = setting(1)
    maps[0, 9, 2] = 100.0  # four pixels below the region's last row, 5
    assert [run(maps, masks=masks, tolerance=t).hit.item() for t in (0, 3.99, 4, 4.01)] == [0, 0, 0, 1]
    maps[0, 5, 4] = 200.0
    assert run(maps, masks=masks, tolerance=0).hit.item() == 1


def test_boxes_are_masks():
    maps, masks = setting()
    boxes = [torch.tensor([[2.0, 3.0, 5.0, 6.0]])] * len(maps)
    one, other = run(maps, masks=masks, tolerance=3), run(maps, boxes=boxes, tolerance=3)
    assert torch.equal(one.hit, other.hit) and (one.region, other.region) == ("masks", "boxes")


def test_ties_and_degenerate_maps():
    maps, masks = setting(4)
    maps[0], maps[1, 0, 0], masks[2] = 0.0, torch.nan, False
    maps[3] = maps[3].clamp(max=0.2)
    with pytest.raises(ValueError, match="map 1 holds NaN"):
        run(maps, masks=masks)
    found = run(maps, masks=masks, on_nan="record", ids=list("abcd"))
    assert found.hit.isnan().tolist() == [False, True, True, False]
    assert found.distance.isnan().tolist() == [False, True, True, False]
    assert found.degenerate.tolist() == [2, 3, 0, 0] and found.peaks[0] == 12 * 17
    assert found.peaks[3] == (maps[3] == 0.2).sum() > 1
    # Over many images a map that says nothing hits as often as a point thrown at random.
    flat, region = torch.zeros(400, 12, 17), torch.zeros(400, 12, 17, dtype=torch.bool)
    region[:, :6] = True
    rate = run(flat, masks=region, tolerance=0, ids=range(400)).hit.mean()
    assert abs(rate - 0.5) < 0.08


def test_batch_equals_singles():
    maps, masks = setting(4)
    maps = maps.round()
    ids = list("abcd")
    found = run(maps, masks=masks, ids=ids)
    for b in range(4):
        alone = run(maps[b : b + 1], masks=masks[b : b + 1], ids=ids[b : b + 1])
        assert torch.equal(alone.point[0], found.point[b]) and alone.hit[0] == found.hit[b]


def test_classes():
    values = torch.tensor([1.0, 0.0, torch.nan, 1.0, 1.0])
    means = by_class(values, torch.tensor([0, 0, 0, 2, 2]), 4)
    assert means[0] == 0.5 and means[2] == 1 and means[[1, 3]].isnan().all()
    assert means.nanmean() == 0.75


def test_difficult_and_centre():
    masks = torch.zeros(4, 3, 8, 8, dtype=torch.bool)
    masks[0, 0, :3, :3] = masks[1, 0, :3, :3] = masks[2, 0, :4] = masks[3, 1, 0, 0] = True
    masks[0, 1, 6:, 6:] = masks[2, 1, 6:, 6:] = True
    # small with company; small alone; large with company; the class is not there, another is
    assert difficult(masks, torch.zeros(4, dtype=torch.long)).tolist() == [True, False, False, True]
    maps = centre(random_images(2, 7, 10))
    assert np.array_equal(maps.nonzero().numpy(), [[0, 3, 5], [1, 3, 5]])


@pytest.mark.parametrize(
    ("options", "says"), [({}, "needs masks="), ({"tolerance": -1, "masks": 1}, "tolerance must be a number")]
)
def test_errors(options, says):
    maps, _ = setting()
    with pytest.raises(ValueError, match=says):
        run(maps, **options)


def test_means_by_class_name_what_does_not_fit():
    with pytest.raises(ValueError, match=r"classes must lie in 0\.\.2"):
        hc.metrics.by_class(torch.ones(2), torch.tensor([0, 7]), 3)
    with pytest.raises(ValueError, match="values must be a tensor"):
        hc.metrics.by_class([1.0], torch.tensor([0]), 3)
