"""holicam.methods.relevance: against slow twins, what is conserved, and how it behaves when called."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
import torch

import holicam as hc
from holicam.methods.relevance import rules
from holicam.methods.relevance.rules import Rules, gradient, proportional
from holicam.methods.relevance.walk import walk
from tests.helpers.closeness import difference
from tests.helpers.nets import TinyNet, TokenNet, random_images
from tests.helpers.relevance import EVERY, LAYERS, NETS, every, where
from tests.twins import slow_relevance as slow

# Slow twins ---------------------------------------------------------------------------------------

PLANS = {
    "residual": (slow.residual_plan, (9, 12), 7, 11),
    "flat": (slow.flat_plan, (8, 10), 3, 5),
    "constants": (slow.constant_plan, (8, 10), 7, 12),
}
TWINS = {
    "lrp": (hc.LRP(), slow.lrp),
    "alpha 2 beta 1": (hc.LRP(alpha=2, beta=1), lambda t, c: slow.lrp(t, c, slow.SECOND)),
    "c-lrp": (hc.ContrastiveLRP(), slow.c_lrp),
    "sglrp": (hc.SGLRP(), slow.sglrp),
    "rap": (hc.RAP(), slow.rap),
    "rsp": (hc.RSP(), slow.rsp),
    "agf": (hc.AGF(), slow.agf),
    "relevance-cam": (hc.RelevanceCAM(), slow.relevance_cam),
    "mwp": (hc.MWP(), slow.mwp),
    "c-mwp": (hc.ContrastiveMWP(), slow.c_mwp),
}


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", TWINS)
def test_slow_twins(name, plan, inplace, record_property):
    """A batch of two images and two classes; the twin takes one at a time."""
    (explainer, twin), (make, size, layer, deep) = TWINS[name], PLANS[plan]
    net, images = slow.random_net(make(), inplace=inplace), random_images(2, 3, *size, seed=1, dtype=torch.float64)
    at, c = (), torch.tensor([1, 3])
    if name == "rsp":
        explainer, at = hc.RSP(layer=f"step{deep}"), (deep,)
    elif explainer.takes == "layer":
        at = (layer,)
    maps = explainer(net, images, where(explainer, f"step{layer}"), c, size="native")
    theirs = [twin(slow.Tape(net, x), int(k), *at) for x, k in zip(images, c, strict=True)]
    record_property("difference", difference(maps, theirs))
    assert difference(maps, theirs) < 1e-12


# What is conserved --------------------------------------------------------------------------------


on_nets = pytest.mark.parametrize("name", NETS)


@on_nets
def test_relevance_is_conserved_at_every_layer_and_at_the_image(name):
    net, images = NETS[name].double(), random_images(2, 3, 48, 64, dtype=torch.float64)
    walked = walk(net, images, [1, 4], layers=LAYERS[name])
    found = walked.back(walked.score * walked.one_hot)
    for R in found.values():
        torch.testing.assert_close(R.flatten(1).sum(1), walked.score[:, 0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(hc.LRP()(net, images, None, [1, 4]).sum((1, 2)), walked.score[:, 0])
    assert torch.equal(hc.LRP()(net, images, None, [1, 4]), found[None].sum(1))


@on_nets
def test_other_rules_that_conserve(name):
    net, images = NETS[name].double(), random_images(2, 3, 48, 64, dtype=torch.float64)
    S = net(images).detach()[:, 2]
    vgg = [hc.LRP(alpha=2, beta=1)] if name == "vgg_bn" else []  # elsewhere some places have nothing negative
    for explainer in (hc.LRP(first="zplus"), hc.RAP(), *vgg):
        torch.testing.assert_close(explainer(net, images, None, 2).sum((1, 2)), S, rtol=1e-6, atol=1e-9)
    one = hc.LRP(start="one")(net, images, None, 2)
    torch.testing.assert_close(one.sum((1, 2)), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(one * S[:, None, None], hc.LRP()(net, images, None, 2))
    contrast, one = (hc.ContrastiveLRP(start=start)(net, images, None, 2) for start in ("logit", "one"))
    torch.testing.assert_close(one * S[:, None, None], contrast)
    torch.testing.assert_close(hc.RAP(start="one")(net, images, None, 2).sum((1, 2)), torch.ones_like(S))
    centred = hc.LRP(center=True)(net, images, None, 2)
    assert centred.sum().abs() < 1e-12


@on_nets
def test_contrastive_maps_sum_to_nothing(name):
    net, images = NETS[name].double(), random_images(2, 3, 48, 64, dtype=torch.float64)
    for explainer in (hc.ContrastiveLRP(), hc.SGLRP(), hc.ContrastiveLRP(rescale=False)):
        M = explainer(net, images, None, 0)
        assert (M.sum((1, 2)).abs() < 1e-9 * M.abs().sum((1, 2)) + 1e-9).all() and (M != 0).any()


@on_nets
def test_rsp_starts_from_grad_cam_and_keeps_its_sum(name):
    """In a ResNet the sum is kept but for the part that a clamped summand loses: none here."""
    net, images = NETS[name].double(), random_images(2, 3, 48, 64, dtype=torch.float64)
    maps = hc.RSP()(net, images, None, 1)
    assert maps.shape == (2, 48, 64) and maps.isfinite().all() and (maps > 0).any() and (maps < 0).any()
    if name == "vgg_bn":
        assert torch.equal(maps, hc.RSP(layer="features.21")(net, images, None, 1))
        seen = hc.capture.capture(net, images, "features.21", 1)
        start = hc.cam.grad_cam(seen.A["features.21"], seen.G["features.21"]) * seen.A["features.21"]
        expected = start.sum((1, 2, 3)) / (start.amax((1, 2, 3)) + 1e-9)
        torch.testing.assert_close(maps.sum((1, 2)), expected)


def test_rsp_stays_small_where_nothing_speaks_for_the_class():
    net, images = TinyNet().double(), random_images(1, 3, 9, 12, dtype=torch.float64)
    with torch.no_grad():
        net.fc.weight[2] = -net.fc.weight[2].abs()
    maps = hc.RSP(layer="relu2")(net, images, None, 2)
    assert (maps != 0).any() and maps.abs().sum() < 1e3 and maps.sum() < 0


class Positive(TinyNet):
    """Weights, biases and statistics that are positive: nothing is lost at a ReLU."""

    def __init__(self):
        super().__init__()
        with torch.no_grad():
            for tensor in [*self.parameters(), *self.buffers()]:
                tensor.abs_()
            for bn in (self.bn0, self.bn1, self.bn2):
                bn.running_mean.neg_()
        self.double()


def test_mwp_is_a_probability_on_positive_networks():
    net, images = Positive(), random_images(3, 3, 9, 12, dtype=torch.float64).abs() + 0.1
    maps = hc.MWP()(net, images, ["conv0", "relu0", "conv1", "relu1", "relu2"], [0, 1, 4], size="native")
    for M in maps.values():
        assert (M >= 0).all()
        torch.testing.assert_close(M.sum((1, 2)), torch.ones(3, dtype=torch.float64))
    contrast = hc.ContrastiveMWP(relu=False)(net, images, "relu1", 0, size="native")
    torch.testing.assert_close(contrast, maps["relu1"] * 0 + hc.MWP()(net, images, "relu1", 0, size="native"))


def test_c_mwp_has_no_mass_where_every_class_agrees():
    """A classifier whose rows hold as much + as -, on equal features: p and its contrast both sum to 1."""
    net, images = TinyNet().double(), random_images(2, 3, 9, 12, dtype=torch.float64)
    p, signed = (e(net, images, "relu2", 1, size="native") for e in (hc.MWP(), hc.ContrastiveMWP(relu=False)))
    torch.testing.assert_close(p.sum((1, 2)), torch.ones(2, dtype=torch.float64))
    assert signed.sum((1, 2)).abs().max() < 1e-12 and (signed < 0).any()
    assert torch.equal(hc.ContrastiveMWP()(net, images, "relu2", 1, size="native"), signed.relu())


def test_zero_denominators_lose_relevance_and_nothing_breaks():
    net = TinyNet().double()
    with torch.no_grad():
        net.conv1.weight.neg_().clamp_(max=0)  # no positive product: z^+ is 0 everywhere
    M = hc.LRP()(net, random_images(1, 3, 8, 8, dtype=torch.float64), None, 1)
    assert (M == 0).all()


def test_a_rule_is_a_value():
    """With the gradient as the rule of everything, the walk is the gradient."""
    net, images = NETS["densenet"].double(), random_images(2, 3, 48, 40, dtype=torch.float64)
    everything = Rules(*[gradient] * 6)
    walked = walk(net, images, 3, everything, "features.norm0")
    x = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(x)[:, 3].sum(), x)
    torch.testing.assert_close(walked.back(walked.one_hot)[None], expected)
    G = hc.capture.capture(net, images, "features.norm0", 3).G["features.norm0"]
    torch.testing.assert_close(walked.back(walked.one_hot)["features.norm0"], G)
    assert proportional is Rules().add


# Fields and presets -------------------------------------------------------------------------------


def test_relevance_cam_presets_differ_by_a_factor_where_they_should():
    net, images = NETS["basic"].double(), random_images(2, 3, 48, 40, dtype=torch.float64)
    default, paper = (hc.RelevanceCAM(preset=p, relu=False)(net, images, "layer2", 0) for p in ("default", "paper"))
    S = net(images).detach()[:, 0]
    torch.testing.assert_close(default * (S * 6 * 5)[:, None, None], paper)  # layer2 is 6 x 5
    assert hc.RelevanceCAM(preset="paper").relu is True and hc.RelevanceCAM().relu is False
    even = hc.RelevanceCAM(balance=True)(net, images, "layer2", 0)
    rest = sum(hc.RelevanceCAM(balance=True)(net, images, "layer2", c) for c in range(1, 5))
    torch.testing.assert_close(even, -rest)  # the starts of all classes sum to 0
    tiny, image = TinyNet().double(), images[..., :9, :12]
    assert not torch.allclose(
        hc.RelevanceCAM(preset="reference")(tiny, image, "relu0", 0), hc.RelevanceCAM()(tiny, image, "relu0", 0)
    )


def test_default_layers():
    net, images = NETS["basic"].float(), random_images(1, 3, 32, 32)
    for explainer, layer in ((hc.RelevanceCAM(), "layer4"), (hc.MWP(), "layer3"), (hc.ContrastiveMWP(), "layer3")):
        assert torch.equal(explainer(net, images, None, 1), explainer(net, images, layer, 1))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: hc.LRP(alpha=2), ValueError, "alpha - beta must be 1"),
        (lambda: hc.LRP(beta=-1), ValueError, "beta must be"),
        (lambda: hc.LRP(first="w2"), ValueError, "first must be one of"),
        (lambda: hc.LRP(start="two"), ValueError, "start must be one of"),
        (lambda: hc.SGLRP(affine="x"), ValueError, "affine must be one of"),
        (lambda: hc.SGLRP(rescale=1), TypeError, "rescale must be"),
        (lambda: hc.ContrastiveLRP(first="x"), ValueError, "first must be"),
        (lambda: hc.RAP(start="x"), ValueError, "start must be"),
        (lambda: hc.ContrastiveLRP(start="x"), ValueError, "start must be"),
        (lambda: hc.LRP(center="no"), TypeError, "center must be"),
        (lambda: hc.RelevanceCAM(preset="x"), ValueError, "preset must be"),
        (lambda: hc.RelevanceCAM(balance=0), TypeError, "balance must be"),
        (lambda: hc.RelevanceCAM(bias="once"), ValueError, "bias must be"),
        (lambda: hc.ContrastiveMWP(relu=0), TypeError, "relu must be"),
    ],
)
def test_bad_fields_are_named_at_once(make, error, words):
    with pytest.raises(error, match=words):
        make()


@every
def test_frozen_and_printed(explainer):
    assert eval(repr(explainer), vars(hc) | {type(explainer).__name__: type(explainer)}) == explainer
    with pytest.raises(FrozenInstanceError):
        explainer.relu = False
    assert replace(explainer) == explainer and hash(explainer)


def test_the_registry_has_them():
    for name, explainer in EVERY.items():
        assert hc.explainers[name] is type(explainer) and hc.explainers[name]() is not None
        assert hc.info(name).family == "relevance"


def test_explain_many_gives_layers_to_those_that_read_them():
    net, images = TinyNet(), random_images(2, 3, 10, 12)
    maps = hc.explain_many({"a": hc.LRP(), "b": hc.MWP(), "c": hc.GradCAM()}, net, images, ["relu1"])
    assert maps["a"].shape == (2, 10, 12) and list(maps["b"]) == ["relu1"]


def test_a_target_must_be_a_class():
    with pytest.raises(ValueError, match="starts at a class"):
        hc.LRP()(TinyNet(), random_images(1, 3, 8, 8), None, lambda logits: logits[:, 0])
    with pytest.raises(ValueError, match="compares a class with the others"):
        hc.SGLRP()(TinyNet(classes=1), random_images(1, 3, 8, 8))


def test_transformers_are_refused_in_one_sentence():
    for explainer in EVERY.values():
        layer = where(explainer, "patches")
        if isinstance(explainer, hc.RSP):
            explainer = hc.RSP(layer="patches")
        with pytest.raises(ValueError, match=r"relevance has no rule|needs \(B, C, h, w\)"):
            explainer(TokenNet(), random_images(1, 3, 8, 8), layer, 0)


def test_dividing_in_two_passes_is_dividing():
    a, b = torch.tensor([1.0, -2.0, 3.0, 0.0, 1.0]), torch.tensor([2.0, 0.5, 0.0, 0.0, 1e-35])
    assert torch.equal(rules.over(a, b), rules.divide(a, b))
    assert torch.equal(rules.divide(a, -b), torch.tensor([-0.5, 4.0, 0.0, 0.0, 0.0]))


def test_relevance_keeps_the_layout_of_activations_over_in_place_layers():
    """Or every step would read two layouts, which costs half as much again."""
    net = TinyNet(inplace=True)
    images = random_images(2, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    walked = walk(net, images, 0, Rules(), "conv1")
    R = walked.back(walked.one_hot)
    assert R["conv1"].is_contiguous(memory_format=torch.channels_last)
