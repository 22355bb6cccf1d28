"""holicam.methods.relevance against zennit 0.5.1 (LGPL) and captum 0.9.0 (BSD), which are used, not copied."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import holicam as hc
from tests.helpers.closeness import difference
from tests.helpers.nets import random_images
from tests.helpers.relevance import LAYERS, NETS

zennit = pytest.importorskip("zennit")

from zennit.canonizers import CompositeCanonizer  # noqa: E402
from zennit.composites import ExcitationBackprop, LayerMapComposite, SpecialFirstLayerMapComposite  # noqa: E402
from zennit.rules import Norm, Pass, ZBox, ZPlus  # noqa: E402
from zennit.torchvision import ResNetBasicBlockCanonizer, ResNetBottleneckCanonizer  # noqa: E402
from zennit.types import Activation, AvgPool, BatchNorm, Linear  # noqa: E402

EPS = 1e-12
LIMIT = 1e-6


class Modular(nn.Module):
    """A DenseNet whose last ReLU and pooling are modules, which is where zennit can have a rule."""

    def __init__(self, net):
        super().__init__()
        self.features, self.classifier = net.features, net.classifier
        self.relu, self.pool = nn.ReLU(), nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.classifier(self.pool(self.relu(self.features(x))).flatten(1))


def theirs_of(name):
    net = NETS[name].double()
    return Modular(net).eval() if name == "densenet" else net


def canonizer():
    return CompositeCanonizer((ResNetBottleneckCanonizer(), ResNetBasicBlockCanonizer()))


def layer_map():
    from zennit.layer import Sum

    return [
        (Activation, Pass()),
        (Sum, Norm(stabilizer=EPS)),
        (AvgPool, Norm(stabilizer=EPS)),
        (BatchNorm, Pass()),
        (Linear, ZPlus(stabilizer=EPS, zero_params="bias")),
    ]


def relevance(name, images, start, composite, layer=None):
    """What zennit hands back to the image, or to a layer's output."""
    net, seen = theirs_of(name), []
    hook = None if layer is None else net.get_submodule(layer).register_forward_hook(lambda m, i, o: seen.append(o))
    x = images.clone().requires_grad_()
    try:
        with composite.context(net) as modified:
            out = modified(x)
            (found,) = torch.autograd.grad(out, seen[0] if seen else x, start(out.detach()))
    finally:
        if hook is not None:
            hook.remove()
    return found.detach()


def box(images):
    low, high = images.amin((1, 2, 3), True), images.amax((1, 2, 3), True)
    return SpecialFirstLayerMapComposite(layer_map(), [(Linear, ZBox(low, high, stabilizer=EPS))], [canonizer()])


def one_hot(c):
    return lambda S: nn.functional.one_hot(torch.tensor(c), S.shape[1]).to(S)


on_nets = pytest.mark.parametrize("name", NETS)


@pytest.fixture
def images():
    return random_images(2, 3, 48, 64, dtype=torch.float64)


C = [1, 3]


@on_nets
def test_lrp_is_zennits(name, images, record_property):
    theirs = relevance(name, images, lambda S: S * one_hot(C)(S), box(images)).sum(1)
    ours = hc.LRP()(NETS[name].double(), images, None, C)
    record_property("difference", difference(ours, theirs))
    assert difference(ours, theirs) < LIMIT


class Normalised(nn.Module):
    """A network whose images are normalised on their way in, with tensors that are buffers."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.mean, self.std = (
            nn.Buffer(torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1))
            for v in ((0.4, -0.5, 0.6), (0.5, 2.0, 1.5))
        )
        self.eval()

    def forward(self, x):
        return self.net((x - self.mean) / self.std)


@on_nets
def test_a_normalisation_inside_changes_nothing_for_zennit(name, images, record_property):
    """zennit sees the normalised image, ours the network that normalises."""
    net = Normalised(NETS[name].double())
    x = (images - net.mean) / net.std
    theirs = relevance(name, x, lambda S: S * one_hot(C)(S), box(x)).sum(1)
    ours = hc.LRP()(net, images, None, C)
    record_property("difference", difference(ours, theirs))
    assert difference(ours, theirs) < LIMIT
    layer = LAYERS[name][-1]
    composite = ExcitationBackprop(EPS, [(BatchNorm, Pass())], "bias", [canonizer()])
    theirs = relevance(name, x, one_hot(C), composite, layer).sum(1)
    ours = hc.MWP()(net, images, f"net.{layer}", C, size="native")
    record_property("difference", difference(ours, theirs))
    assert difference(ours, theirs) < LIMIT


def contrast(own, others):
    return own - others * (own.sum((1, 2)) / others.sum((1, 2)))[:, None, None]


@on_nets
def test_contrastive_lrp_is_two_runs_of_zennits(name, images, record_property):
    def other(S):
        e = one_hot(C)(S)
        return (S * e).sum(1, True) * (1 - e) / (S.shape[1] - 1)

    own, others = (relevance(name, images, start, box(images)).sum(1) for start in (lambda S: S * one_hot(C)(S), other))
    ours = hc.ContrastiveLRP()(NETS[name].double(), images, None, C)
    assert difference(ours, contrast(own, others)) < LIMIT * 10
    record_property("difference", difference(ours, contrast(own, others)))


@on_nets
def test_sglrp_is_two_runs_of_zennits(name, images, record_property):
    def starts(S):
        e, p = one_hot(C)(S), S.softmax(1)
        p_c = (p * e).sum(1, True)
        return (p_c * (1 - p_c) + 1e-8) * e, p_c * p * (1 - e)

    own, others = (relevance(name, images, lambda S, k=k: starts(S)[k], box(images)).sum(1) for k in (0, 1))
    ours = hc.SGLRP()(NETS[name].double(), images, None, C)
    assert difference(ours, contrast(own, others)) < LIMIT * 10
    record_property("difference", difference(ours, contrast(own, others)))


@on_nets
def test_relevance_cam_is_zennits_relevance_and_our_pooling(name, images, record_property):
    net = NETS[name].double()
    for layer in LAYERS[name]:
        R = relevance(
            name,
            images,
            lambda S: one_hot(C)(S) - (1 - one_hot(C)(S)) / S.shape[1],
            LayerMapComposite(layer_map(), [canonizer()]),
            layer,
        )
        A = hc.capture.capture(net, images, layer, C, gradients=False).A[layer]
        theirs = (R.mean((2, 3), True) * A).sum(1)
        ours = hc.RelevanceCAM()(net, images, layer, C, size="native")
        record_property("difference", difference(ours, theirs))
        assert difference(ours, theirs) < LIMIT


@on_nets
def test_mwp_is_zennits_excitation_backprop(name, images, record_property):
    net = NETS[name].double()
    for layer in LAYERS[name]:
        composite = ExcitationBackprop(EPS, [(BatchNorm, Pass())], "bias", [canonizer()])
        theirs = relevance(name, images, one_hot(C), composite, layer).sum(1)
        ours = hc.MWP()(net, images, layer, C, size="native")
        record_property("difference", difference(ours, theirs))
        assert difference(ours, theirs) < LIMIT


@pytest.mark.parametrize("name", ["basic", "vgg_bn"])
def test_contrastive_mwp_is_two_runs_of_zennits(name, images, record_property):
    """Both runs go all the way down here: the walk is linear, so the difference may be taken below."""
    net, layer = NETS[name].double(), LAYERS[name][-2]
    last = net.fc if name == "basic" else net.classifier[-1]
    composite = ExcitationBackprop(EPS, [(BatchNorm, Pass())], "bias", [canonizer()])
    p = relevance(name, images, one_hot(C), composite, layer).sum(1)
    with torch.no_grad():
        last.weight.neg_()
    try:
        other = relevance(name, images, one_hot(C), composite, layer).sum(1)
    finally:
        with torch.no_grad():
            last.weight.neg_()
    ours = hc.ContrastiveMWP()(net, images, layer, C, size="native")
    record_property("difference", difference(ours, (p - other).relu()))
    assert difference(ours, (p - other).relu()) < LIMIT


def test_lrp_is_captums_on_a_vgg_without_batch_norm(record_property):
    """captum knows z^+ for inputs that are not negative, so the image is positive and z^+ starts there."""
    attr = pytest.importorskip("captum.attr")
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(8, 12, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            self.classifier = nn.Sequential(nn.Linear(12 * 24, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 4))

        def forward(self, x):
            return self.classifier(self.features(x).flatten(1))

    torch.manual_seed(0)
    net = Plain().double().eval()
    images = random_images(2, 3, 16, 24, dtype=torch.float64).abs()
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.rule = Alpha1_Beta0_Rule(set_bias_to_zero=True)
    theirs = attr.LRP(net).attribute(images, target=torch.tensor(C)).sum(1).detach()
    ours = hc.LRP(first="zplus")(net, images, None, C)
    record_property("difference", difference(ours, theirs))
    assert difference(ours, theirs) < LIMIT
