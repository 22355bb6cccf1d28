"""Each measure of structure beside a slow computation in double precision, or beside what must be true of it."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import holicam as hc
from tools.study import classes, confidence, evidence, gradients, spectra, structure, worlds

SIDE = 64


@pytest.fixture(scope="module")
def world():
    return worlds.drawings(size=SIDE, n=3)


@pytest.fixture(scope="module", params=[0, 1])
def seen(request, world):
    """A picture, and its pass for the class that is seen."""
    picture = world.picture(world.ids[request.param])
    return picture, hc.capture.capture(world.model, picture.x, list(world.stages))


def test_pictures_are_toyland_s(world):
    picture = world.picture("toyland/test/single/0/2")
    batch = hc.toyland.batch(1, split="test", start=2, size=SIDE)
    assert torch.allclose(picture.x, batch.images, atol=1e-6) and torch.equal(picture.mask, batch.object_mask[0])
    assert picture.label == batch.target and picture.x.is_contiguous(memory_format=torch.channels_last)


def test_relative_variance_by_loops(world, seen):
    for layer in world.stages:
        shares = []
        for channel in seen[1].G[layer][0].double().numpy():
            values = channel.flatten().tolist()
            mean = sum(values) / len(values)
            energy = sum(v * v for v in values) / len(values)
            shares.append(sum((v - mean) ** 2 for v in values) / len(values) / (energy + 1e-20))
        assert gradients.relative_variance(seen[1].G[layer]) == pytest.approx(sum(shares) / len(shares), abs=1e-5)
    assert gradients.relative_variance(seen[1].G["layer4"]) < 1e-12  # in front of the global pooling


def test_gradients_ruled_by_epsilon_by_loops(world, seen):
    for layer in world.stages:
        A, G = seen[1].A[layer].double(), seen[1].G[layer].double()
        total, ruled = 0, 0
        for a, g in zip(A[0].flatten(1).tolist(), G[0].flatten(1).tolist(), strict=True):
            positive = [v for v in g if v > 0]
            total += len(positive)
            ruled += sum(1e-6 / v**2 > max(2, sum(a) * v) for v in positive)
        found = gradients.ruled(seen[1].A[layer], seen[1].G[layer], 1e-6)
        assert found == pytest.approx(ruled / total, abs=2 / total)
        assert gradients.ruled(A, G, 0) == 0 and gradients.ruled(A, G, 1e9) == 1
    assert math.isnan(gradients.ruled(A, -G.abs(), 1e-6))


def test_correlation_of_maps_is_numpy_s_and_one_with_itself(world, seen):
    picture, _ = seen
    one, other = (hc.LayerCAM()(world.model, picture.x, "layer2", target=k) for k in (0, 1))
    truth = np.corrcoef(one.double().flatten(), other.double().flatten())[0, 1]
    assert classes.alike(one, other) == pytest.approx(truth, abs=1e-9)
    assert classes.alike(one, one) == pytest.approx(1) and classes.alike(one, -3 * one) == pytest.approx(-1)
    assert math.isnan(classes.alike(one, torch.zeros_like(one)))


def test_classes_that_are_asked_for():
    p = torch.tensor([0.1, 0.5, 0.05, 0.3, 0.05])
    named = [classes.asked(p, f"picture {i}") for i in range(60)]
    assert all((a["top"], a["runner-up"], a["least"]) == (1, 3, 4) for a in named)
    assert {a["other"] for a in named} == {0, 2, 3, 4}  # by the name alone, never the one that is seen
    assert classes.asked(p.roll(1), "picture 7") == classes.asked(p.roll(1), "picture 7")


def test_maps_of_other_classes_one_call_at_a_time(world, seen):
    """A shared batch of four questions, beside each explainer alone on one; PGE's map in double precision."""
    picture, _ = seen
    p = world.model(picture.x).detach().softmax(1)[0]
    asked = classes.asked(p, picture.id)
    x = picture.x.expand(4, -1, -1, -1)
    both = hc.capture.capture(world.model, x, list(world.stages), torch.tensor(list(asked.values())))
    found = classes.measured(world, x, both, asked)
    assert {cell[2] for cell in found} == set(classes.METRICS) and len(found) == 5 * 4 * 3
    cameras = hc.CAMERAS(scales=classes.FAST.scales)
    top, other = (cameras(world.model, picture.x, "layer3", asked[k]) for k in ("top", "other"))
    assert found["CAMERAS", "layer3", "class-other"] == pytest.approx(classes.alike(top, other), abs=1e-3)
    net, maps = copy.deepcopy(world.model).double(), []
    for name in ("top", "least"):
        own = hc.capture.capture(net, picture.x.double(), "layer2", asked[name])
        g, A = own.G["layer2"].relu(), own.A["layer2"]
        weight = g**3 / (2 * g**2 + A.sum((2, 3), keepdim=True) * g**3 + 1e-6)
        maps.append(F.interpolate((weight * A).sum(1)[None], (SIDE, SIDE), mode="bilinear")[0])
    truth = np.corrcoef(*(m.flatten().numpy() for m in maps))[0, 1]
    assert found["PGE", "layer2", "class-least"] == pytest.approx(truth, abs=1e-3)


def test_confidence_in_double_precision(world, seen):
    picture, pass_ = seen
    net, target = copy.deepcopy(world.model).double(), int(pass_.target)
    found = confidence.measured(world, picture.x, target)
    assert [cell[2] for cell in found][::2] == [
        f"confidence-{s}" for s in ("1", "1.4464", "1.8929", "2.3393", "2.7857")
    ]
    for t, said in enumerate(confidence.SAID):
        side = round(SIDE * (224 + 100 * t) / 224)
        larger = F.interpolate(picture.x.double(), (side, side), mode="bicubic") if t else picture.x.double()
        p = net(larger).detach().softmax(1)[0]
        assert found["network", "", f"confidence-{said}"] == pytest.approx(float(p[target]), abs=1e-4)
        assert found["network", "", f"kept-{said}"] == float(p.argmax() == target)
    assert found["network", "", "kept-1"] == 1


def slow_fine(m: np.ndarray) -> float:
    """The share of power above four cycles, by the definition of the Fourier transform."""
    n = len(m)
    fade = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / (n - 1))
    x = (m - m.mean()) * fade * fade[:, None]
    waves = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    power = np.abs(waves @ x @ waves) ** 2
    cycles = np.minimum(np.arange(n), n - np.arange(n))
    ring = np.round(np.hypot(cycles[:, None], cycles))
    return power[ring > 4].sum() / power[ring > 0].sum()


def windows(m: torch.Tensor, k: int, border: str) -> torch.Tensor:
    """(H, W) -> (k k, H W): the pixels around each place."""
    return F.unfold(F.pad(m[None, None], (k // 2,) * 4, mode=border), k)[0]


def test_spectra_by_definition(world):
    x = world.picture(world.ids[0]).x
    M = hc.HolisticCAM(scales=(1,), fsd=False)(world.model, x, "layer2")[0].double()
    found = dict(spectra.of_map(M[None].float()))
    before = (M - M.min()) / (M.max() - M.min())
    clip = (before / 0.5).clamp(max=1)
    median = windows(clip, 51, "replicate").median(0).values.view_as(M)
    steps = {"before": before, "clip": clip, "median": median}
    steps["mean"] = windows(median, 91, "reflect").mean(0).view_as(M)
    steps["mean-alone"] = windows(before, 91, "reflect").mean(0).view_as(M)
    steps["median-alone"] = windows(before, 51, "replicate").median(0).values.view_as(M)
    assert found.keys() == {f"fine-{k}" for k in steps} | {"area-clip", "area-median"} == set(spectra.METRICS)
    for name, m in steps.items():
        if m.max() - m.min() > 1e-5:
            assert found[f"fine-{name}"] == pytest.approx(slow_fine(m.numpy()), rel=1e-2, abs=1e-5), name
    for name in ("clip", "median"):
        assert found[f"area-{name}"] == pytest.approx(float((steps[name] > 0.5).double().mean()), abs=2e-3)


def test_a_constant_map_has_no_waves_and_a_wrap_of_ones():
    flat = torch.full((1, SIDE, SIDE), 0.3)
    found = dict(spectra.of_map(flat))
    assert all(math.isnan(found[k]) for k in found if k.startswith("fine"))
    assert torch.equal(evidence.WHOLE.wrap(flat)[-1], torch.ones_like(flat))


@pytest.mark.parametrize(("cycles", "low", "high"), [(2, 0, 0.02), (12, 0.9, 1)])
def test_a_wave_is_fine_above_four_cycles(cycles, low, high):
    line = torch.cos(2 * math.pi * cycles * torch.arange(96) / 96)
    assert low <= spectra.fine(line.expand(1, 96, 96)) <= high


def test_evidence_on_the_object(world, seen):
    picture, pass_ = seen
    found = evidence.measured(world, picture, pass_, picture.label)
    assert {cell[0] for cell in found} == {*evidence.KINDS, "PGE"}
    maps = {"wrapped": hc.HolisticCAM(), "ReLU(G)": hc.LayerCAM(), "G": hc.HiResCAM()}
    for name, explainer in maps.items():
        M = explainer(world.model, picture.x, "layer2", picture.label)[0].double().clamp(min=0)
        if int(pass_.target) == picture.label:
            truth = float(M[picture.mask].sum() / M.sum())
            assert found[name, "layer2", "on-object"] == pytest.approx(truth, abs=1e-3)
    assert evidence.share(picture.mask[None].float(), picture.mask) == 1
    assert math.isnan(evidence.share(-picture.mask[None].float(), picture.mask))


def test_a_wrong_answer_is_not_scored(world):
    """The network sees another class: nobody asked for the object."""
    picture = replace(world.picture(world.ids[0]), label=11)
    seen = hc.capture.capture(world.model, picture.x, list(world.stages))
    found = evidence.measured(world, picture, seen, int(seen.target))
    assert len(found) == 8 * 4 and all(math.isnan(value) for value in found.values())


def test_all_measures_of_a_picture_are_declared(world):
    picture = world.picture(world.ids[0])
    p = world.model(picture.x).detach().softmax(1)[0]
    found = structure.STUDY.begin(world)(picture, p)
    assert {metric for _, _, metric in found} == set(structure.METRICS)
    assert {label for label, _, _ in found} == structure.STUDY.made_of(world).keys()
    assert {layer for _, layer, _ in found} == {"", *world.stages}
    assert all(isinstance(value, float) for value in found.values())
