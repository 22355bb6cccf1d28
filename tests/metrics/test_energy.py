"""The energy pointing game: exact cases, the slow twin, boxes, the uniform map."""

import numpy as np
import pytest
import torch

from holicam.metrics import (
    box_pointing,
    energy_pointing,
    epg,
    epg_box,
    epg_box_count,
    epg_count,
    epg_top100,
    pointing_game,
    segmentation_scores,
)
from holicam.metrics.energy import boxes_to_masks
from tests.helpers.nets import random_images
from tests.twins import slow_metrics as slow


def run(maps, **options):
    return energy_pointing(None, None, maps, **options)


def setting(size=4, height=12, width=17):
    maps = random_images(size, height, width, dtype=torch.float64).round(decimals=1)
    masks = random_images(size, height, width, seed=5) > 0.4
    return maps, masks


def test_micro_examples():
    maps = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]], dtype=torch.float64)
    masks = torch.tensor([[[1, 1], [0, 0]]])
    two, three = (run(maps, masks=masks, top=k) for k in (2, 3))
    assert two.full.item() == pytest.approx(0.7, abs=1e-15)
    assert two.top_count.item() == two.top_energy.item() == 1
    assert three.top_count.item() == pytest.approx(2 / 3, abs=1e-15)
    assert three.top_energy.item() == pytest.approx(7 / 9, abs=1e-15)
    # Outside-inside ratio mu = 1.5 / 3.5 and area share 1/2 give the same number.
    share, mu = two.uniform.item(), 1.5 / 3.5
    assert share == 0.5 and two.full.item() == pytest.approx(share / (share + (1 - share) * mu))
    assert two.corrected().item() == pytest.approx(0.4)
    assert three.corrected("top_count").item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("top", [1, 10, 100, 1000])
def test_slow_twin(top, record_property):
    maps, masks = setting()
    found = run(maps, masks=masks, top=top, ids=list("abcd"))
    for b, name in enumerate("abcd"):
        M, inside = maps[b].numpy(), masks[b].numpy()
        ranks, K = slow.ranks(M, name), min(top, M.size)
        difference = max(
            abs(found.full[b].item() - slow.epg(M, inside)),
            abs(found.top_energy[b].item() - slow.epg_top(M, inside, ranks, K)),
            abs(found.top_count[b].item() - slow.epg_top(M, inside, ranks, K, True)),
            abs(found.uniform[b].item() - inside.mean()),
        )
        record_property("difference", float(difference))
        assert difference < 1e-12


def test_three_names():
    maps, masks = setting()
    record = run(maps, masks=masks)
    for function, form in ((epg, "full"), (epg_top100, "top_energy"), (epg_count, "top_count")):
        assert torch.equal(function(None, None, maps, masks=masks), getattr(record, form))
    assert record.full.dtype == torch.float64 and run(maps.half(), masks=masks).full.dtype == (torch.float32)


def test_boxes_count_background_too_whatever_masks_there_are():
    """Against a slow sum; a mask beside the boxes changes nothing, and the other names take boxes alone, too."""
    maps, masks = setting()
    height, width = maps.shape[1:]
    boxes = [torch.tensor([[1.0, 0.0, width - 2.0, height - 1.0]]).repeat(b % 2 + 1, 1) for b in range(len(maps))]
    inside = np.zeros(maps.shape, bool)
    inside[:, : height - 1, 1 : width - 2] = True
    record = box_pointing(None, None, maps, boxes=boxes, masks=masks, ids=list("abcd"), top=10)
    for b, name in enumerate("abcd"):
        M = maps[b].numpy()
        assert abs(record.full[b].item() - slow.epg(M, inside[b])) < 1e-12
        assert abs(record.top_count[b].item() - slow.epg_top(M, inside[b], slow.ranks(M, name), 10, True)) < 1e-12
    for function, other in ((epg_box, epg), (epg_box_count, epg_count)):
        alone = other(None, None, maps, boxes=boxes)
        assert torch.equal(function(None, None, maps, boxes=boxes, masks=masks), alone)
    with pytest.raises(ValueError, match="in boxes needs boxes="):
        epg_box(None, None, maps, masks=masks)


def test_a_nearly_uniform_map_scores_the_area():
    maps, masks = setting()
    found = run(1 + 1e-9 * maps, masks=masks)
    assert (found.full - found.uniform).abs().max() < 1e-9
    assert found.corrected().abs().max() < 1e-8
    shifted = run(maps - maps.amin() + 1000, masks=masks)  # an offset draws it to the area
    assert (shifted.full - shifted.uniform).abs().max() < 1e-3


def test_positive_part_and_stretched_map():
    maps, masks = setting()
    assert torch.equal(run(maps, masks=masks).full, run(maps.relu(), masks=masks).full)
    stretched = (maps - maps.amin((1, 2), True)) / (maps.amax((1, 2), True) - maps.amin((1, 2), True))
    wanted = run(stretched, masks=masks).full
    assert (run(maps, masks=masks, positive="minmax").full - wanted).abs().max() < 1e-12
    assert (run(3 * maps, masks=masks).full - run(maps, masks=masks).full).abs().max() < 1e-12


def test_boxes():
    maps, _ = setting(3)
    boxes = [
        torch.tensor([[2.0, 3.0, 6.0, 5.0], [4.5, 4.2, 30.0, 7.1]]),
        torch.tensor([-3.0, -2.0, 2.5, 1.0]),
        torch.zeros(0, 4),
    ]
    wanted = [slow.box_mask(b.view(-1, 4).tolist(), 12, 17) for b in boxes]
    masks = boxes_to_masks(boxes, maps)
    assert np.array_equal(masks.numpy(), wanted)
    found = run(maps, boxes=boxes)
    assert found.region == "boxes" and found.uniform[2].isnan()
    assert (found.full - run(maps, masks=masks).full)[:2].abs().max() == 0
    assert run(maps, masks=masks, boxes=boxes).region == "masks"
    one_each = torch.tensor([[0, 0, 17, 6]] * 3)  # a (B, 4) tensor, whole numbers
    assert run(maps, boxes=one_each).uniform.tolist() == [0.5] * 3
    # A box without area, which Toyland gives for an object that is hidden, is no region.
    assert run(maps, boxes=[torch.zeros(1, 4)] * 3).full.isnan().all()
    assert not boxes_to_masks([torch.tensor([[2.5, 2.5, 2.5, 9.0]])] * 3, maps).any()


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ([0.25, 0.25, 0.75, 0.75], "run from 0 to 1, so multiply"),
        ([0, 0, 1, 1], "pixels, here of 17 x 12"),
        ([6, 5, 2, 3], "x0 <= x1 and y0 <= y1; .* is inverted"),
        ([6, 3, 2, 5], "inverted"),
        ([2, 5, 6, 3], "inverted"),
        ([2, 3, float("nan"), 5], "finite"),
        ([2, 3, float("inf"), 5], "finite"),
    ],
)
@pytest.mark.parametrize("game", [energy_pointing, pointing_game, segmentation_scores])
def test_boxes_that_are_none(game, box, says):
    maps, _ = setting(2)
    for boxes in ([torch.tensor([box])] * 2, [torch.zeros(0, 4), torch.tensor([[0.0, 0, 0, 0], box])]):
        with pytest.raises(ValueError, match=says):
            game(None, None, maps, boxes=boxes)


def test_a_box_in_the_corner_is_one_beside_a_larger_one():
    maps, _ = setting(2)
    boxes = [torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 3.0, 6.0, 5.0]])]
    assert run(maps, boxes=boxes).uniform.tolist() == pytest.approx([1 / 204, 8 / 204])


def test_empty_and_whole_regions():
    maps, masks = setting(2)
    masks[0], masks[1] = False, True
    found = run(maps, masks=masks)
    for value in (found.full, found.top_energy, found.top_count, found.uniform):
        assert value[0].isnan() and value[1] == 1
    assert found.corrected().isnan().all()


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({}, ValueError, "needs masks="),
        ({"masks": torch.ones(4, 3, 3)}, ValueError, r"maps' shape \(4, 12, 17\); got \(4, 3, 3\)"),
        ({"masks": torch.full((4, 12, 17), 0.5)}, ValueError, "only 0 and 1"),
        ({"masks": np.ones((4, 12, 17))}, ValueError, "got ndarray"),
        ({"boxes": torch.ones(2, 4)}, ValueError, r"one \(m, 4\) per image"),
        ({"boxes": [torch.ones(3)] * 4}, ValueError, r"one \(m, 4\) per image"),
        ({"boxes": "abc"}, ValueError, r"one \(m, 4\) per image.*for 4 images; got 'abc'"),
        ({"boxes": [None] * 4}, ValueError, r"one \(m, 4\) per image.*got \[None"),
        ({"masks": torch.ones(4, 12, 17), "top": 0}, ValueError, "top must be a positive number"),
        ({"masks": torch.ones(4, 12, 17), "positive": "abs"}, ValueError, "positive must be one of"),
        ({"masks": torch.ones(4, 12, 17), "protocol": "hol"}, KeyError, "no protocol 'hol'"),
    ],
)
def test_errors(options, kind, says):
    maps, _ = setting()
    with pytest.raises(kind, match=says):
        run(maps, **options)
    with pytest.raises(ValueError, match="one map of the images' size"):
        energy_pointing(None, torch.rand(4, 3, 9, 9), maps, masks=torch.ones(4, 12, 17))
