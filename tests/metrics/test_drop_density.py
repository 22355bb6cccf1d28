"""Average drop and increase, map density: slow twin, torchcam, exact cases, degenerate maps."""

from contextlib import nullcontext

import pytest
import torch

import holicam as hc
from holicam.metrics import (
    average_drop,
    average_increase,
    confidence_drop,
    density_negative,
    density_positive,
    map_density,
    measure,
)
from tests.helpers.nets import Counting, TinyNet, random_images
from tests.twins import slow_games as slow


def setting(size=4, height=10, width=13, dtype=torch.float64):
    images = random_images(size, 3, height, width, dtype=dtype)
    maps = random_images(size, height, width, seed=9).to(dtype)
    return TinyNet().to(dtype), images, maps, [1, 4, 0, 2][:size]


def test_slow_twin(record_property):
    model, images, maps, target = setting()
    drop, density = (f(model, images, maps, target) for f in (confidence_drop, map_density))
    for b in range(len(maps)):

        def score(x, b=b):
            return model(torch.from_numpy(x)[None]).softmax(1)[0, target[b]].item()

        x, M = images[b].numpy(), maps[b].numpy()
        wanted = [*slow.drop(score, x, M), *slow.density(score, x, M)]
        found = [drop.drop, drop.increase, density.positive, density.negative]
        gap = max(abs(f[b].item() - w) for f, w in zip(found, wanted, strict=True))
        record_property("difference", gap)
        assert gap < 1e-9
    assert set(drop.increase.tolist()) <= {0.0, 1.0} and drop.drop.dtype == torch.float64


def test_torchcam(record_property):
    """Its metric normalises the map it is given as ours does and multiplies the normalised image."""
    metrics = pytest.importorskip("torchcam.metrics")
    model, images, maps, target = setting(dtype=torch.float32)

    class Given:
        def __init__(self):
            self.model = model

        def __call__(self, targets, scores):
            return [(maps - maps.amin((1, 2), True)) / (maps.amax((1, 2), True) - maps.amin((1, 2), True))]

        def fuse_cams(self, found):
            return found[0]

        def _hooks_off(self):
            return nullcontext()

    theirs = metrics.ClassificationMetric(Given(), lambda x: x.softmax(-1))
    with torch.no_grad():
        theirs.update(images, target)
    theirs, ours = theirs.summary(), confidence_drop(model, images, maps, target)
    record_property("difference", float(abs(theirs["avg_drop"] - ours.drop.mean())))
    assert theirs["avg_drop"] == pytest.approx(ours.drop.mean().item(), abs=1e-5)
    assert theirs["conf_increase"] == pytest.approx(ours.increase.mean().item())


def test_a_map_of_ones():
    model, images, maps, target = setting()
    ones = torch.ones_like(maps)
    found = map_density(model, images, ones, target, stretch="none")
    clean = model(images).softmax(1)[range(4), target].detach()
    assert (found.positive - clean).abs().max() < 1e-12 and found.negative.isnan().all()
    same = confidence_drop(model, images, ones, target, stretch="none")
    assert (same.drop.abs() < 1e-9).all() and (same.increase.max() == 0)
    half = map_density(model, images, ones / 2, target, stretch="none")
    assert (half.positive - half.negative).abs().max() < 1e-12 and (half.area == 0.5).all()
    with pytest.raises(ValueError, match="needs maps in"):
        map_density(model, images, maps, target, stretch="none")


def test_small_areas_are_clamped():
    model, images, _, target = setting(1, 40, 40)
    dot = torch.zeros(1, 40, 40, dtype=torch.float64)
    dot[0, 3, 4] = 7.0  # 1 of 1,600 pixels
    found = map_density(model, images, dot, target)
    assert found.clamped.all() and found.positive.item() == pytest.approx(1000 * found.kept.item())
    assert not map_density(model, images, dot, target, sides="negative").clamped.any()


def test_costs():
    model, images, maps, target = setting()
    model = Counting(model)
    for function, forwards in (
        (density_positive, 1),
        (density_negative, 1),
        (map_density, 2),
        (average_drop, 2),
        (average_increase, 2),
    ):
        model.batches.clear()
        function(model, images, maps, target)
        assert sum(model.batches) == 4 * forwards
    model.batches.clear()
    names = ["map-density+", "map-density-", "average-drop", "average-increase"]
    found = measure(names, model, images, maps, target)
    assert sum(model.batches) == 4 * (2 + 2) and list(found) == names
    model.batches.clear()
    free = map_density(model, images, maps)  # the top class costs the clean image
    assert sum(model.batches) == 4 * 3
    assert torch.equal(free.target, model.model(images).argmax(1))
    for b in range(4):
        for name in names:
            alone = measure([name], model, images[b : b + 1], maps[b : b + 1], target[b : b + 1], chunk=1)[name]
            assert (alone - found[name][b]).abs().max() < 1e-9
    scaled = measure(names, model, images, 5 * maps - 3, target)
    for name in names:
        assert (scaled[name] - found[name]).abs().max() < 1e-9


def test_degenerate_maps():
    model, images, maps, target = setting()
    maps[0], maps[1], maps[2, 0, 0] = 0.0, 3.0, torch.nan
    for function in (average_drop, average_increase, density_positive, density_negative):
        with pytest.raises(ValueError, match="map 2 holds NaN"):
            function(model, images, maps, target)
        value = function(model, images, maps, target, on_nan="record")
        assert value.isnan().tolist() == [True, True, True, False]
    half = average_drop(model.bfloat16(), images.bfloat16(), maps[3:].float().expand(4, -1, -1), target)
    assert half.dtype == torch.float32 and half.isfinite().all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stretch": "l2"}, "stretch must be one of"),
        ({"chunk": 0}, "chunk must be"),
        ({"protocol": "ucag", "target": None}, "scores the labelled class"),
    ],
)
def test_errors(options, says):
    model, images, maps, target = setting()
    for function in (confidence_drop, map_density):
        with pytest.raises(ValueError, match=says):
            function(model, images, maps, **{"target": target, **options})
    with pytest.raises(ValueError, match="sides must be one of"):
        map_density(model, images, maps, target, sides="both")


def test_half_precision_maps_are_counted_in_single():
    maps = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    net, images = TinyNet(), torch.rand(2, 3, 16, 16)
    found = hc.metrics.map_density(net, images, maps, 0, stretch="none")
    wanted = hc.metrics.map_density(net, images, maps.float(), 0, stretch="none")
    torch.testing.assert_close(found.positive, wanted.positive, rtol=1e-6, atol=0)
    with pytest.raises(ValueError, match="sides must be one of"):
        hc.metrics.map_density(net, images, maps, 0, sides=3)
