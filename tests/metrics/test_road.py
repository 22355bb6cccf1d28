"""ROAD: the filling against direct solvers, the score against the slow twin and grad-cam."""

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.metrics import impute, remove_and_debias, road
from holicam.metrics.draws import keys, normal, uniform
from holicam.metrics.impute import _double, _halve, around
from tests.helpers.nets import Counting, TinyNet, random_images
from tests.twins import slow_metrics
from tests.twins import slow_road as slow

RATIOS = (0.2, 0.4, 0.6, 0.8)


def setting(size=3, height=14, width=11, dtype=torch.float64):
    images = random_images(size, 3, height, width, dtype=dtype)
    maps = random_images(size, height, width, seed=9).to(dtype)
    return TinyNet().to(dtype), images, maps, [1, 4, 0, 2, 3][:size]


def holes(side=40):
    """Random pixels, a disc, what lies around it, and all but a corner."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    far = (y - side / 2) ** 2 + (x - side / 3) ** 2
    pixels = random_images(side, side, seed=3)
    corner = torch.ones(side, side, dtype=torch.bool)
    corner[0, 0] = False
    return torch.stack([pixels > 0.8, pixels > -0.8, far < 200, far > 300, corner, ~corner])


def test_micro_examples():
    x = random_images(2, 3, 5, 6, dtype=torch.float64)
    inner, corner = torch.zeros(2, 5, 6, dtype=torch.bool)
    inner[2, 3] = corner[0, 0] = True
    filled = impute(x, torch.stack([inner, corner]))
    edges = x[0, :, 1, 3] + x[0, :, 3, 3] + x[0, :, 2, 2] + x[0, :, 2, 4]
    diagonals = x[0, :, 1, 2] + x[0, :, 1, 4] + x[0, :, 3, 2] + x[0, :, 3, 4]
    assert (filled[0, :, 2, 3] - edges / 6 - diagonals / 12).abs().max() < 1e-9
    wanted = (2 * x[1, :, 0, 1] + 2 * x[1, :, 1, 0] + x[1, :, 1, 1]) / 5
    assert (filled[1, :, 0, 0] - wanted).abs().max() < 1e-9
    kept = ~torch.stack([inner, corner])[:, None].expand_as(x)
    assert torch.equal(filled[kept], x[kept])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_direct_solver(dtype, record_property):
    removed = holes()
    x = random_images(len(removed), 3, 40, 40, dtype=dtype)
    found = impute(x, removed)
    for b in range(len(removed)):
        gap = np.abs(found[b].numpy() - slow.impute(x[b].double().numpy(), removed[b].numpy()))
        record_property("difference", float(gap.max()))
        assert gap.max() < (1e-4 if dtype == torch.float32 else 1e-5)
    assert found.dtype == dtype


def test_grad_cam_fills_alike(record_property):
    package = pytest.importorskip("pytorch_grad_cam.metrics.road")
    removed = holes()
    x = random_images(len(removed), 3, 40, 40)
    found = impute(x, removed)
    for b in range(len(removed)):
        theirs = package.NoisyLinearImputer(noise=0.0)(x[b], (~removed[b]).float())
        gap = (found[b] - theirs).abs().max().item()
        record_property("difference", gap)
        assert gap < 1e-4


def test_constants_ramps_and_nothing_left():
    removed = holes()
    flat = torch.full((len(removed), 2, 40, 40), 3.5)
    assert (impute(flat, removed) - 3.5).abs().max() < 1e-5
    ramp = (torch.arange(40.0)[:, None] - 2 * torch.arange(40.0)).expand(1, 1, 40, 40).double()
    inside = torch.zeros(1, 40, 40, dtype=torch.bool)
    inside[:, 5:30, 8:33] = True  # every neighbour is there
    assert (impute(ramp, inside) - ramp).abs().max() < 1e-3
    x = random_images(2, 3, 6, 7)
    everything = torch.ones(2, 6, 7, dtype=torch.bool)
    assert (impute(x, everything) - x.mean((2, 3), keepdim=True)).abs().max() < 1e-6
    assert torch.equal(impute(x, ~everything), x) and len(impute(x[:0], everything[:0])) == 0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (3, 2), (33, 70)])
def test_any_size(height, width):
    x = random_images(2, 3, height, width, dtype=torch.float64)
    removed = random_images(2, height, width, seed=1) > 0
    found = impute(x, removed)
    if height < 33:
        wanted = [slow.impute(x[b].numpy(), removed[b].numpy()) for b in range(2)]
        assert np.abs(found.numpy() - wanted).max() < 1e-5
    alone = torch.cat([impute(x[b : b + 1], removed[b : b + 1]) for b in range(2)])
    assert (alone - found).abs().max() < 1e-9
    assert impute(x.bfloat16(), removed).dtype == torch.bfloat16


def test_coarse_grids_save_iterations(monkeypatch):
    """`_double` is the transpose of `_halve`, and a wide ring takes a tenth of the iterations."""
    fine, coarse = random_images(1, 2, 8, 12), random_images(1, 2, 4, 6, seed=1)
    assert (_halve(fine) * coarse).sum().item() == pytest.approx((fine * _double(coarse)).sum().item(), abs=1e-4)
    y, x = torch.meshgrid(torch.arange(160), torch.arange(160), indexing="ij")
    ring = ((y - 80) ** 2 + (x - 80) ** 2 > 1600)[None]
    images, module = random_images(1, 3, 160, 160), __import__("sys").modules[impute.__module__]
    calls = []
    monkeypatch.setattr(module, "around", lambda u: calls.append(1) or around(u))
    filled = impute(images, ring)
    with_grids = len(calls)
    calls.clear()
    monkeypatch.setattr(module, "COARSEST", 0)
    assert (impute(images, ring) - filled).abs().max() < 1e-4
    assert with_grids < 70 and len(calls) > 4 * with_grids


def test_the_score_is_the_slow_one(record_property):
    model, images, maps, target = setting()
    found = remove_and_debias(model, images, maps, target, noise=0, ids=list("abc"), chunk=7)

    def score(b):
        return lambda x: model(torch.from_numpy(x)[None]).softmax(1)[0, target[b]].item()

    for b, name in enumerate("abc"):
        r = slow_metrics.ranks(maps[b].numpy(), name)
        wanted = slow.road(score(b), images[b].numpy(), r, RATIOS)
        gap = max(
            abs(getattr(found, form)[b].item() - w) for form, w in zip(("half", "diff", "rel"), wanted, strict=True)
        )
        record_property("difference", gap)
        assert gap < 1e-5
    assert found.removed_morf[0].tolist() == pytest.approx([31 / 154, 62 / 154, 92 / 154, 123 / 154])
    assert torch.equal(found.removed_morf, found.removed_lerf) and found.ratios == RATIOS


def test_mirror():
    """Most relevant first of a map is least relevant first of its negative."""
    model, images, maps, target = setting()
    one, other = (remove_and_debias(model, images, m, target, noise=0) for m in (maps, -maps))
    assert (one.morf - other.lerf).abs().max() < 1e-6 and (one.half + other.half).abs().max() < 1e-6


def test_cost_batches_and_chunks():
    model, images, maps, target = setting()
    model = Counting(model)
    together = road(model, images, maps, target, ids=list("abc"), chunk=10)
    assert sum(model.batches) == 3 * 9 and model.batches == [10, 10, 7]
    singles = torch.cat(
        [road(model, images[b : b + 1], maps[b : b + 1], target[b : b + 1], ids=["abc"[b]], chunk=64) for b in range(3)]
    )
    assert (singles - together).abs().max() < 1e-7
    again = road(model, images, maps.exp(), target, ids=list("abc"), chunk=64)
    assert (again - together).abs().max() < 1e-7  # only the order counts, the noise is the image's
    assert (road(model, images, maps, target, ids=list("xyz")) - together).abs().max() > 1e-5
    top = model.model(images).argmax(1)
    assert torch.equal(road(model, images, maps), road(model, images, maps, top))


def test_grad_cam_percentiles(record_property, monkeypatch):
    """The same counts where no values tie; where zeros tie, the percentile removes everything."""
    package = pytest.importorskip("pytorch_grad_cam.metrics.road")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    model, images, maps, target = setting(2, 15, 15, torch.float32)
    maps = (maps - maps.amin((1, 2), True)) / 8
    targets = [ClassifierOutputSoftmaxTarget(t) for t in target]
    for cut in (maps, (maps - maps.flatten(1).quantile(0.7, 1)[:, None, None]).relu()):
        ours = remove_and_debias(model, images, cut, target, noise=0, counts="percentile")
        keep = [cut.flatten(1).quantile(q, 1)[:, None, None] for q in (0.2, 0.4, 0.6, 0.8)]
        for k, threshold in enumerate(keep[::-1]):
            assert torch.equal(ours.removed_morf[:, k], (cut >= threshold).float().mean((1, 2)))
    assert (ours.removed_morf[:, 1:] == 1).all() and (ours.removed_morf[:, 0] < 0.21).all()
    ours = remove_and_debias(model, images, maps, target, noise=0, counts="percentile").half

    class Quiet(package.NoisyLinearImputer):
        def __init__(self):
            super().__init__(noise=0.0)

    monkeypatch.setattr(package, "NoisyLinearImputer", Quiet)
    theirs = package.ROADCombined(percentiles=[20, 40, 60, 80])
    with torch.no_grad():
        theirs = np.asarray(theirs(images, maps.numpy(), targets, model))
    gap = np.abs(ours.numpy() - theirs).max()
    record_property("difference", float(gap))
    assert gap < 1e-5


def test_noise():
    like = torch.zeros(1, dtype=torch.float64)
    some = keys(["a", "b"], 2, "road", 2)
    z = normal(some, 40_001, like)
    assert z.shape == (4, 40_001) and abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01
    assert z.abs().max() > 3.5 and (z[0] * z[1]).mean().abs() < 0.02
    assert torch.equal(normal(some[1:2], 40_001, like), z[1:2])
    u = uniform(some, 1000, like)
    assert 0 < u.min() and u.max() <= 1 and abs(u.mean() - 0.5) < 0.02
    model, images, maps, target = setting()
    with pytest.raises(ValueError, match="This TinyNet does not say how its images are normalised"):
        remove_and_debias(model, images, maps, target, space="rgb")
    model.preprocessing = hc.Preprocessing()
    runs = {s: remove_and_debias(model, images, maps, target, space=s, noise=0.02).half for s in ("normalised", "rgb")}
    assert 1e-5 < (runs["rgb"] - runs["normalised"]).abs().max() < 0.05
    model.preprocessing = hc.Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)  # a deviation of its own
    half = remove_and_debias(model, images, maps, target, space="rgb", noise=0.02).half
    assert torch.equal(half, remove_and_debias(model, images, maps, target, noise=0.04).half)


def test_degenerate_maps_are_recorded():
    model, images, maps, target = setting(3)
    maps[0], maps[1, 0, 0] = 1.0, torch.nan
    with pytest.raises(ValueError, match="map 1 holds NaN"):
        road(model, images, maps, target)
    run = remove_and_debias(model, images, maps, target, on_nan="record")
    assert run.half.isnan().tolist() == [False, True, False] and run.degenerate.tolist() == [1, 3, 0]
    assert run.morf[1].isnan().all() and not run.morf[0].isnan().any()
    half = remove_and_debias(model.bfloat16(), images.bfloat16(), maps[2:].expand(3, -1, -1).float(), target).half
    assert half.dtype == torch.float32 and half.isfinite().all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ratios": (0.2, 1)}, "between 0 and 1"),
        ({"ratios": ()}, "between 0 and 1"),
        ({"ratios": 0.5}, "several shares of the pixels between 0 and 1; got 0.5"),
        ({"noise": -1}, "noise must be a number"),
        ({"space": "lab"}, "space must be one of"),
        ({"counts": "share"}, "counts must be one of"),
        ({"chunk": 0}, "chunk must be"),
        ({"protocol": "ucag", "target": None}, "scores the labelled class"),
        ({"ids": ["a"]}, "got 1"),
    ],
)
def test_errors(change, says):
    model, images, maps, target = setting()
    with pytest.raises(ValueError, match=says):
        road(model, images, maps, **{"target": target, **change})
    with pytest.raises(ValueError, match="removed must be bool"):
        impute(images, maps)
