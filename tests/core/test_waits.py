"""How often a call waits for the device, counted on a pretend one (`pretend`): a small number, whatever it does."""

from __future__ import annotations

import warnings

import pytest
import torch

import holicam as hc
from holicam.core import hardware
from holicam.core.options import noise
from holicam.methods.cams import lowpass
from tests.helpers.explainers import explainer, images, layers, network
from tests.helpers.nets import TinyNet, random_images
from tests.helpers.pretend import TO_CPU, TO_DEVICE, Machine, Pretend
from tests.helpers.waits import AT_MOST, LAYERS, given

ONCE_A_LAYER = ("cam", "eigen-cam", "kpca-cam")


def waits(ready, net, x, *args, **options):
    """(result, {what: how often}) of a call on the pretend device."""
    with warnings.catch_warnings(), Machine() as machine:
        warnings.simplefilter("ignore", UserWarning)
        found = ready(machine.move(net), machine.to(x), *args, **options)
        return found, dict(machine.waits)


def on_the_cpu(ready, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ready(*args, **options)


# --- the device itself ------------------------------------------------------------------------------


def test_the_pretend_device_counts_what_waits():
    with Machine() as machine:
        x = machine.to(torch.arange(6.0).view(2, 3))
        assert isinstance(x, Pretend) and x.device.type == "meta" and not machine.waits
        y = (x + 1).relu() @ x.T
        assert torch.equal(y.inner, torch.tensor([[8.0, 26.0], [17.0, 62.0]])) and not machine.waits
        for ask, what in (
            (lambda: float(x[0, 0]), "item"),
            (lambda: bool((x > 1).any()), "item"),
            (lambda: x.tolist(), TO_CPU),
            (lambda: x.cpu(), TO_CPU),
            (lambda: x.nonzero(), "nonzero"),
            (lambda: x[x > 1], "mask as index"),
            (lambda: torch.equal(x, x), "equal"),
            (lambda: torch.ones(3).to(x), TO_DEVICE),
            (lambda: torch.tensor([1, 2], device=x.device), TO_DEVICE),
        ):
            machine.waits.clear()
            ask()
            assert machine.waits == {what: 1}
        machine.waits.clear()
        hardware.moved(torch.ones(3), x.device)
        assert not machine.waits
        with pytest.raises(RuntimeError, match="same device"):
            x + torch.ones(2, 3)
        with pytest.raises(RuntimeError):
            x.numpy()
        leaf = machine.to(torch.ones(2, 3, requires_grad=True))
        (gradient,) = torch.autograd.grad((leaf.square() * x).sum(), leaf)
        assert isinstance(gradient, Pretend) and torch.equal(gradient.inner, 2 * x.inner)


# --- explainers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", hc.explainers)
def test_an_explainer_waits_once_or_twice(name):
    expected = on_the_cpu(explainer(name), network(name=name), images(), layers(name))
    ready = hc.GroundTruth(explainer(name).masks) if name == "ground-truth" else explainer(name)
    found, counted = waits(ready, network(name=name), images(), layers(name))
    counted.pop(TO_DEVICE, None) if name == "ground-truth" else None  # its masks are the caller's
    assert isinstance(found, Pretend) and sum(counted.values()) <= AT_MOST[name], counted
    torch.testing.assert_close(found.inner, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name",
    [
        "grad-cam++",
        "eigen-cam",
        "kpca-cam",
        "ablation-cam",
        "finer-cam",
        "smooth-grad-cam++",
        "iia",
        "msg-cam",
        "cameras",
        "score-cam",
        "pcam+-",
        "zoom-cam",
        "ucag",
        "relevance-cam",
    ],
)
def test_layers_do_not_add_waits(name):
    few = waits(explainer(name), network(), images(), LAYERS[2:])[1]
    many = waits(explainer(name), network(), images(), LAYERS)[1]
    more = 2 if name in ONCE_A_LAYER else 0
    assert sum(many.values()) == sum(few.values()) + more


def test_scales_and_layers_do_not_add_waits_to_holistic_cam():
    assert len(hc.holistic.REFERENCE_SCALES) == 8
    ready = hc.HolisticCAM(median=3, mean=5)
    found, counted = waits(ready, TinyNet(), random_images(1, 3, 12, 12), [*LAYERS, "bn0"])
    assert counted == {TO_CPU: 1}
    expected = on_the_cpu(ready, TinyNet(), random_images(1, 3, 12, 12), [*LAYERS, "bn0"])
    for layer, maps in expected.items():
        torch.testing.assert_close(found[layer].inner, maps, rtol=0, atol=0)


def test_a_target_that_lies_there_is_looked_at_once():
    with Machine() as machine:
        net, x = machine.move(TinyNet()), machine.to(random_images(2, 3, 12, 12))
        target = machine.to(torch.tensor([1, 3]))
        hc.IIA(steps=3)(net, x, "relu2", target)
        assert machine.waits == {TO_CPU: 2}  # the target, and the end
        with pytest.raises(ValueError, match=r"target must lie in 0\.\.4 for this network; got \[1, 7\]"):
            hc.GradCAM()(net, x, "relu2", machine.to(torch.tensor([1, 7])))
        seen = hc.capture.capture(net, x, "relu2", target)
        machine.waits.clear()
        hc.capture.capture(net, x, "relu2", seen.target)
        assert machine.waits == {TO_CPU: 1}
        seen.target[0] = 9  # whoever writes into it has it looked at again
        with pytest.raises(ValueError, match=r"got \[9, 3\]"):
            hc.capture.capture(net, x, "relu2", seen.target)


def test_several_explainers_wait_together():
    names = ["grad-cam", "grad-cam++", "layer-cam", "smooth-grad-cam++", "iia", "holistic-cam", "gradient", "fullgrad"]
    ready = {name: explainer(name) for name in names}
    counted = waits(lambda net, x: hc.explain_many(ready, net, x, LAYERS), network(), images())[1]
    assert counted == {TO_CPU: 1}


def test_noise_is_sent_once():
    with Machine() as machine:
        like = machine.to(torch.zeros(1))
        first, again, other = (noise((3, 4, 5), seed, like) for seed in (77, 77, 78))
        assert first is again and torch.equal(first.inner, noise((3, 4, 5), 77, torch.zeros(1)))
        assert not torch.equal(first.inner, other.inner) and not machine.waits
        with torch.inference_mode():
            kept = noise((2, 2), 79, like)
    assert not kept.is_inference()
    torch.manual_seed(0)
    here = noise((3, 4, 5), 77, torch.zeros(1, dtype=torch.float64))
    assert here.dtype == torch.float64 and torch.initial_seed() == 0
    assert torch.equal(here.float(), torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(77)))


# --- metrics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", hc.metrics.registry)
def test_a_metric_waits_a_few_times(name):
    metric, arguments, options = given(name, TinyNet(classes=10))
    expected = metric(*arguments, **options)
    with Machine() as machine:
        metric, arguments, options = given(name, machine.move(TinyNet(classes=10)), machine.to)
        found = metric(*arguments, **options)
        counted = machine.waits
    # Of the target, of the maps, at the end; ROAD looks at its residual, interventions hold images against recipes.
    assert sum(counted.values()) <= {"road": 9, "part-faithfulness": 4, "shapley-faithfulness": 5}.get(name, 3), counted
    torch.testing.assert_close(found.inner, expected, rtol=0, atol=1e-7 if name == "road" else 0, equal_nan=True)


# --- a device without float64 -----------------------------------------------------------------------


@pytest.fixture
def narrow(monkeypatch):
    """The pretend device without float64 and eigenvectors, as MPS is."""
    monkeypatch.setattr(hardware, "NARROW", {"meta"})
    with Machine(narrow=True) as machine:
        yield machine


@pytest.mark.parametrize("name", ["extremal-perturbation", "eigen-cam", "holistic-cam", "rise", "msg-cam", "ucag"])
def test_an_explainer_without_float64(narrow, name):
    x = images().float()
    net = network().float()
    expected = on_the_cpu(explainer(name), net, x, layers(name))
    found = on_the_cpu(explainer(name), narrow.move(net), narrow.to(x), layers(name)).inner
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", ["insertion", "infidelity", "epg"])
def test_a_metric_without_float64(narrow, name):
    metric, arguments, options = given(name, TinyNet(classes=10))
    expected = metric(*arguments, **options)
    metric, arguments, options = given(name, narrow.move(TinyNet(classes=10)), narrow.to)
    torch.testing.assert_close(metric(*arguments, **options).inner, expected, rtol=1e-4, atol=1e-5)


def test_likeness_without_float64(narrow):
    a, b = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    expected = hc.sanity.similarities(a, b)
    for measure, values in hc.sanity.similarities(narrow.to(a), narrow.to(b)).items():
        assert values.dtype == torch.float32
        torch.testing.assert_close(values.inner, expected[measure].float(), rtol=0, atol=1e-6)


# --- the road of a GPU through the low-pass wrap ----------------------------------------------------


def test_the_median_of_another_device_waits_for_nothing():
    maps = torch.rand(2, 40, 33, generator=torch.Generator().manual_seed(1))
    with Machine() as machine:
        found = lowpass.low_pass(machine.to(maps))
        assert not machine.waits
    assert torch.equal(found.inner, lowpass.low_pass(maps))
