"""What every explainer promises, whatever it does: one contract, every name of the registry."""

from __future__ import annotations

import warnings
from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from torch import Tensor

import holicam as hc
from holicam.models import LayerNotFoundError
from tests.helpers.explainers import (
    CONTROLS,
    NEEDS_A_CLASS,
    OF_CONVOLUTIONS,
    SIZE,
    explainer,
    images,
    layers,
    maps,
    network,
)

every = pytest.mark.parametrize("name", hc.explainers)


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10 * float(other.abs().max()) + 1e-14)


@every
def test_its_fields_are_all_it_is(name):
    ready = explainer(name)
    shown = [f.name for f in fields(ready) if f.repr]
    assert [part.split("=")[0] for part in shown] == shown
    for field in shown:
        assert f"{field}={getattr(ready, field)!r}" in repr(ready)
        if field not in ("bridge", "baseline"):  # None is what they mean by default
            assert getattr(ready, field) is not None, f"{field} is not resolved"
    for field in fields(ready):
        with pytest.raises(FrozenInstanceError):
            setattr(ready, field.name, 1)
    assert type(ready).__doc__.strip() and hc.info(name).needs and hc.info(name).paper


@every
def test_a_batch_equals_its_singles(name):
    net, x = network(name=name), images()
    whole = maps(name, net, x)
    assert isinstance(whole, Tensor) and whole.shape == (2, *SIZE) and whole.dtype == torch.float64
    assert bool(whole.isfinite().all()) and not whole.requires_grad and whole.device == x.device
    for b in range(2):
        single = explainer(name) if name != "ground-truth" else hc.GroundTruth(explainer(name).masks[b : b + 1])
        close(maps(name, net, x[b : b + 1], ready=single)[0], whole[b])
    if name not in ("random", "center", "deconvnet"):  # without a pooling deconvnet forgets the image
        assert not torch.equal(whole[0], whole[1])


@every
def test_precisions(name):
    double, x = maps(name, network(name=name), images(), 1), images()
    single = maps(name, network(name=name).float(), x.float(), 1)
    assert single.dtype == torch.float32
    gap = (single - double).abs().flatten(1).mean(1) / double.abs().flatten(1).mean(1)
    assert bool((gap < 1e-2).all())  # a mask or a rank may tip over
    low = maps(name, network(name=name).bfloat16(), x.bfloat16(), 1)
    assert low.dtype == torch.float32 and bool(low.isfinite().all())


@every
def test_targets(name):
    net, x = network(name=name), images()
    top = net(x).argmax(1)
    close(maps(name, net, x, top), maps(name, net, x))
    wanted = maps(name, net, x, 3)
    for same in (torch.tensor([3, 3]), [3, 3], torch.tensor(3)):
        close(maps(name, net, x, same), wanted)
    if name in NEEDS_A_CLASS:
        with pytest.raises(ValueError, match="callable"):
            maps(name, net, x, lambda logits: logits[:, 3])
    else:
        close(maps(name, net, x, lambda logits: logits[:, 3]), wanted)


@every
def test_sizes(name):
    net, x = network(name=name), images()
    for size in ((7, 9), [30, 20]):
        assert maps(name, net, x, 1, size=size).shape == (2, *size)
    assert maps(name, net, x, 1, size="native").dim() == 3
    for bad in ("same", (0, 3), 7):
        with pytest.raises(ValueError, match='None, "native" or'):
            maps(name, net, x, 1, size=bad)


@every
def test_layers(name):
    net, x, ready = network(name=name), images(), explainer(name)
    if ready.takes == "input":
        with pytest.raises(ValueError, match="layer"):
            ready(net, x, "relu2")
        return
    with pytest.raises(LayerNotFoundError, match="relu"):
        ready(net, x, "reluu" if ready.takes == "layer" else ("relu1", "reluu"))
    if ready.takes == "layer":
        found = ready(net, x, ["relu2"], 1)
        assert list(found) == ["relu2"]
        close(found["relu2"], maps(name, net, x, 1))


@every
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_inside_no_grad(name, context):
    net, x = network(name=name), images(1)
    outside = maps(name, net, x, 1)
    with context():
        close(maps(name, net, x, 1), outside)
        close(maps(name, net, x.clone(), 1).clone(), outside)


@every
def test_in_place_or_not(name):
    close(maps(name, network(inplace=True, name=name), images(), 1), maps(name, network(name=name), images(), 1))


@every
def test_nothing_is_left_behind(name):
    net, x = network(name=name), images()
    net.conv0.weight.requires_grad_(False)
    net.fc.weight.grad = torch.ones_like(net.fc.weight)
    weights, seed = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    before, shape = x.clone(), {k: id(m) for k, m in net.named_modules()}

    def fail(logits):
        raise RuntimeError("stop")

    maps(name, net, x)
    if name not in CONTROLS:
        with pytest.raises((RuntimeError, ValueError), match="stop|callable"):
            maps(name, net, x, fail)
        with pytest.raises(ValueError, match="0..4"):
            maps(name, net, x, 5)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    assert not torch.overrides._get_current_function_mode_stack()
    assert torch.equal(x, before) and not x.requires_grad and torch.equal(torch.get_rng_state(), seed)
    for module in net.modules():
        assert not module.training and not module._forward_hooks and not module._backward_hooks
        assert not module._forward_pre_hooks and "forward" not in vars(module)
    assert {k: id(m) for k, m in net.named_modules()} == shape
    for key, p in net.named_parameters():
        assert p.requires_grad == (key != "conv0.weight")
        assert torch.equal(p.grad, torch.ones_like(p)) if key == "fc.weight" else p.grad is None
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())


@every
def test_bad_calls_get_one_sentence(name):
    net, x = network(name=name), images()
    for bad, error, words in (
        (x.byte(), TypeError, "normalised floats"),
        (x.tolist(), TypeError, "list"),
        (x[0], ValueError, r"\(B, 3, H, W\)"),
        (x[:0], ValueError, "at least one image"),
    ):
        with pytest.raises(error, match=words) as caught:
            explainer(name)(net, bad, layers(name), 1)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="training mode"):
        maps(name, network(name=name).train(), x, 1)
    with pytest.raises(TypeError, match="torch.nn.Module"):
        maps(name, lambda images: images, x, 1)
    if name not in CONTROLS:
        with pytest.raises(ValueError, match="finite"):
            maps(name, net, x * float("nan"), 1)


@every
def test_the_chunk_does_not_change_the_map(name):
    ready = explainer(name)
    if "chunk" not in {f.name for f in fields(ready)}:
        return
    net, x = network(name=name), images()
    wanted = maps(name, net, x, 1)
    for chunk in (1, 7):
        close(maps(name, net, x, 1, replace(ready, chunk=chunk)), wanted)
    for bad in (0, 2.5, True):
        with pytest.raises(ValueError, match="chunk"):
            replace(ready, chunk=bad)


def test_all_of_them_at_once():
    """explain_many gives each what it gives alone."""
    net, x = network(), images()
    chosen = {name: explainer(name) for name in OF_CONVOLUTIONS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = hc.explain_many(chosen, net, x, ["relu2"])
    assert list(found) == list(chosen)
    for name, result in found.items():
        if chosen[name].takes == "joint":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                close(result, chosen[name](net, x, ["relu2"]))
        else:
            close(result["relu2"] if isinstance(result, dict) else result, maps(name, net, x))
