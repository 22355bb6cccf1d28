"""Maps as segmentations: scikit-learn, the identity of mAP, the slow twin, empty and whole regions."""

import pytest
import torch

import holicam as hc
from holicam.metrics import (
    average_precision,
    energy_pointing,
    iou,
    mean_average_precision,
    outside_inside,
    segmentation_accuracy,
    segmentation_scores,
)
from tests.helpers.nets import random_images
from tests.twins import slow_games as slow


def setting(size=5, height=12, width=17):
    maps = random_images(size, height, width, dtype=torch.float64).round(decimals=1)
    masks = random_images(size, height, width, seed=5) > 0.4
    return maps, masks


def run(maps, **options):
    return segmentation_scores(None, None, maps, **options)


@pytest.mark.parametrize("threshold", ["zero", "mean", 0.35])
def test_slow_twin(threshold, record_property):
    maps, masks = setting()
    found = run(maps, masks=masks, threshold=threshold)
    for b in range(len(maps)):
        M, inside = maps[b].numpy(), masks[b].numpy()
        cut = {"zero": 0, "mean": M.mean()}.get(threshold, threshold)
        wanted = slow.segmentation(M, inside, cut)
        for field, value in zip(("accuracy", "iou", "outside_inside"), wanted, strict=True):
            gap = abs(getattr(found, field)[b].item() - value)
            record_property("difference", float(gap))
            assert gap < 1e-12
        assert found.predicted[b].item() == pytest.approx((M > cut).mean())


def test_scikit_learn(record_property):
    """Soft: the map itself; hard: the binary map's two channels, as the papers' script does."""
    metrics = pytest.importorskip("sklearn.metrics")
    maps, masks = setting()
    found = run(maps, masks=masks)
    for b in range(len(maps)):
        inside = masks[b].flatten()
        soft = metrics.average_precision_score(inside, maps[b].flatten())
        answer, truth = (maps[b].flatten() > 0).double(), inside.double()
        hard = metrics.average_precision_score(
            torch.stack([1 - truth, truth], 1).flatten(), torch.stack([1 - answer, answer], 1).flatten()
        )
        gap = max(abs(found.ap_soft[b].item() - soft), abs(found.ap_hard[b].item() - hard))
        record_property("difference", float(gap))
        assert gap < 1e-12


def test_identities():
    maps, masks = setting()
    found = run(maps, masks=masks)
    a = found.accuracy
    assert (found.ap_hard - a**2 - (1 - a) / 2).abs().max() < 1e-15
    assert (found.ap_hard.mean() - (a**2).mean() - (1 - a.mean()) / 2).abs() < 1e-9
    # Outside over inside and the energy game are one number, given the area.
    energy, mu = energy_pointing(None, None, maps, masks=masks), found.outside_inside
    share = energy.uniform
    assert (energy.full - share / (share + (1 - share) * mu)).abs().max() < 1e-12
    assert (found.bounded - mu / (1 + mu)).abs().max() < 1e-12
    # An exact map has every score at its best, its negative at its worst.
    best = run(masks.double() * 2 - 1, masks=masks)
    for value in (best.accuracy, best.ap_hard, best.ap_soft, best.iou):
        assert (value == 1).all()
    assert (best.outside_inside == 0).all()
    worst = run(1 - masks.double(), masks=masks)
    assert (worst.accuracy == 0).all() and (worst.ap_hard == 0.5).all() and (worst.iou == 0).all()
    assert (worst.outside_inside == torch.inf).all() and (worst.bounded == 1).all()


def test_micro_examples():
    masks, maps = torch.zeros(1, 2, 5, dtype=torch.bool), torch.zeros(1, 2, 5)
    masks[0, 0], maps[0, 0, :4], maps[0, 1, 0] = True, 1.0, 1.0  # 8 of 10 pixels agree
    found = run(maps, masks=masks)
    assert found.accuracy.item() == pytest.approx(0.8)
    assert found.ap_hard.item() == pytest.approx(0.74)
    maps, masks = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]]), torch.tensor([[[1, 1], [0, 0]]])
    assert run(maps, masks=masks).outside_inside.item() == pytest.approx(1.5 / 3.5)


def test_average_precision_of_ties():
    values, inside = torch.ones(1, 4), torch.tensor([[True, False, False, False]])
    assert average_precision(values, inside).item() == 0.25  # one threshold: the area


def test_names_and_undefined():
    maps, masks = setting(6)
    maps[0], maps[1], maps[2, 0, 0], masks[3], masks[4] = 0.0, 2.0, torch.nan, False, True
    maps[5] = -maps[5].abs() - 1
    found = run(maps, masks=masks, on_nan="record")
    names = {
        "accuracy": segmentation_accuracy,
        "ap_hard": mean_average_precision,
        "iou": iou,
        "outside_inside": outside_inside,
    }
    for field, function in names.items():
        value = function(None, None, maps, masks=masks, on_nan="record")
        assert torch.equal(value.nan_to_num(-1), getattr(found, field).nan_to_num(-1))
        assert value.isnan()[:4].all() and (field == "outside_inside") == bool(value[5].isnan())
    assert found.outside_inside[4].isnan() and found.accuracy[4] == (maps[4] > 0).double().mean()
    assert found.degenerate.tolist() == [2, 1, 3, 0, 0, 0]
    with pytest.raises(ValueError, match="map 2 holds NaN"):
        run(maps, masks=masks)
    for wrong in ("otsu", True, None, float("nan")):
        with pytest.raises(ValueError, match="threshold must be"):
            run(maps, masks=masks, threshold=wrong)


def test_a_region_of_numbers_is_refused():
    with pytest.raises(TypeError, match="region of bools"):
        hc.metrics.average_precision(torch.rand(1, 4), torch.tensor([[0, 1, 1, 0]]))
