"""holicam.methods.perturbation.polycam, channelcam, polyscores and layersets: maps made of what was asked."""

from __future__ import annotations

import warnings
from dataclasses import FrozenInstanceError, replace
from unittest import mock

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import holicam as hc
from holicam.core.capture import capture
from holicam.core.tokens import tokens_to_grid
from holicam.methods.layer_sets import layer_set
from holicam.methods.perturbation import channel_scores
from holicam.methods.perturbation.polycam import ZeroLayerWarning, local_norm, recursion, score_channels
from tests.helpers.closeness import close
from tests.helpers.nets import BranchNet, ColourNet, Dead, TinyNet, TokenNet, colour_image, random_images
from tests.twins import slow_polycam as slow
from tests.twins.slow_masks import enlarge

LAYERS = ["relu0", "relu1", "relu2"]  # 12 x 9, 6 x 5, 6 x 5: a ratio that does not divide, and 1
JOINT = {"+": hc.PCAMPlus, "-": hc.PCAMMinus, "+-": hc.PCAM}
ALONE = {"+": hc.CAMPlus, "-": hc.CAMMinus, "+-": hc.CAMBoth}
EVERY = {
    "pcam+": hc.PCAMPlus(),
    "pcam-": hc.PCAMMinus(),
    "pcam+-": hc.PCAM(),
    "cam+": hc.CAMPlus(),
    "cam-": hc.CAMMinus(),
    "cam+-": hc.CAMBoth(),
    "pcam-reference": hc.PCAM(preset="reference"),
    "cam-reference": hc.CAMBoth(preset="reference"),
}
every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)
variants = pytest.mark.parametrize("variant", JOINT)
pytestmark = pytest.mark.filterwarnings("ignore::holicam.methods.perturbation.polycam.ZeroLayerWarning")


def layers_of(explainer, layers=LAYERS):
    return layers if explainer.takes == "joint" else layers[-1]


def forwards(net):
    """A list that grows by the rows of every forward."""
    rows = []
    net.register_forward_hook(lambda module, inputs, out: rows.append(len(out)))
    return rows


# Against the slow twin ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked():
    """A net, its images, targets and activations."""
    net, images, target = TinyNet().double(), random_images(2, 3, 12, 9).double(), [4, 1]
    A = capture(net, images, LAYERS, target, gradients=False).A
    return net, images, target, {layer: a.numpy() for layer, a in A.items()}


@variants
@pytest.mark.parametrize(
    "options",
    [{}, {"preset": "reference"}, {"lnorm": False}, {"score": "logit"}, {"on_zero": "pass"}],
    ids=lambda o: "-".join(map(str, o.values())) or "plain",
)
def test_slow_twin(asked, variant, options, record_property):
    net, images, target, A = asked
    explainer = JOINT[variant](**options)
    got = explainer(net, images, LAYERS, target, intermediate=True)
    assert list(got) == LAYERS[::-1]
    cams = [
        slow.layer_map(a, slow.weights(net, images, a, target, variant, explainer.stretch, explainer.score)).clip(0)
        for a in A.values()
    ]
    stages = [slow.poly([m[b] for m in cams], explainer.lnorm, explainer.pooling, explainer.on_zero) for b in range(2)]
    for i, layer in enumerate(LAYERS[::-1]):
        wanted = [slow.finished(maps[i], (12, 9), explainer.output) for maps in stages]
        close(got[layer], np.array(wanted), record_property, 1e-11)
    assert torch.equal(explainer(net, images, LAYERS, target), got["relu0"])


@variants
@pytest.mark.parametrize("stretch", ["after", "percentile"])
def test_slow_twin_of_one_layer(asked, variant, stretch, record_property):
    net, images, target, A = asked
    explainer = ALONE[variant](stretch=stretch, relu=False)
    got = explainer(net, images, LAYERS, target)
    for layer, a in A.items():
        wanted = slow.layer_map(a, slow.weights(net, images, a, target, variant, stretch))
        close(got[layer], np.array([enlarge(m, (12, 9)) for m in wanted]), record_property, 1e-11)


@pytest.mark.parametrize("pooling", ["mean", "bilinear"])
@pytest.mark.parametrize("size", [(4, 3), (2, 2), (12, 9), (1, 1), (5, 4)])
def test_local_norm_by_loops(size, pooling, record_property):
    M = random_images(3, 12, 9, dtype=torch.float64).relu()
    got = local_norm(M, size, pooling)
    close(got, np.array([slow.lnorm(m.numpy(), size, pooling) for m in M]), record_property, 1e-11)


# Identities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e6])
def test_local_norm_has_no_unit(factor):
    M = random_images(2, 8, 8, dtype=torch.float64).relu()
    torch.testing.assert_close(local_norm(factor * M, (4, 4)), local_norm(M, (4, 4)))


@pytest.mark.parametrize("size", [(4, 4), (3, 5), (8, 8), (1, 1)])
def test_local_norm_of_special_maps(size):
    ones = torch.full((2, 8, 8), 0.3, dtype=torch.float64)
    torch.testing.assert_close(local_norm(ones, size), torch.ones_like(ones))
    assert (local_norm(0 * ones, size) == 0).all()
    M = random_images(2, 8, 8).relu()
    assert torch.equal(local_norm(M, (8, 8)), (M > 0).float())


def test_local_norm_at_ratio_2_is_bounded():
    """A lone pixel in a corner block keeps 64 / 9 of its block's mean; that is the most."""
    M = torch.zeros(1, 8, 8, dtype=torch.float64)
    M[0, 3, 3] = 1
    torch.testing.assert_close(local_norm(M, (4, 4)).max(), torch.tensor(64 / 9).double())
    noise = random_images(20, 8, 8, dtype=torch.float64).relu() ** 9
    assert local_norm(noise, (4, 4)).max() <= 64 / 9 + 1e-9


def test_pooling_differs_only_beyond_a_ratio_of_2():
    M = random_images(2, 16, 16, dtype=torch.float64).relu() + 0.01
    torch.testing.assert_close(local_norm(M, (8, 8), "bilinear"), local_norm(M, (8, 8)))
    assert not torch.allclose(local_norm(M, (4, 4), "bilinear"), local_norm(M, (4, 4)))
    block = M[:, 5:7, 5:7].mean((1, 2))  # the middle four of the block at (1, 1)
    torch.testing.assert_close(hc.ops.upsample(M, (4, 4))[:, 1, 1], block)


@variants
def test_one_layer_is_its_own_map(asked, variant):
    net, images, target, _ = asked
    one, cam = JOINT[variant]()(net, images, "relu1", target), ALONE[variant]()
    torch.testing.assert_close(one, cam(net, images, "relu1", target), rtol=0, atol=0)
    maps = JOINT[variant]()(net, images, LAYERS, target, size="native", intermediate=True)
    assert torch.equal(maps["relu2"], cam(net, images, "relu2", target, size="native"))


def test_one_layer_with_plus_is_score_cam(asked, record_property):
    net, images, target, _ = asked
    for layer in LAYERS:
        ours = hc.CAMPlus()(net, images, layer, target)
        close(ours, hc.ScoreCAM()(net, images, layer, target).numpy(), record_property, 1e-12)


def test_without_lnorm_layers_of_ones_change_nothing():
    deep = random_images(2, 3, 3, dtype=torch.float64).relu()
    cams = {"a": torch.ones(2, 12, 12).double(), "b": torch.ones(2, 6, 6).double(), "c": deep}
    for lnorm in (False, True):
        maps = recursion(cams, lnorm)
        six = hc.ops.upsample(deep, (6, 6))
        torch.testing.assert_close(maps["b"], six)
        torch.testing.assert_close(maps["a"], hc.ops.upsample(six, (12, 12)))


def test_a_ratio_of_one_is_a_window(asked):
    net, images, target, _ = asked
    maps = hc.PCAM()(net, images, LAYERS, target, size="native", intermediate=True)
    alone = hc.CAMBoth()(net, images, "relu1", target, size="native")
    torch.testing.assert_close(maps["relu1"], maps["relu2"] * (alone > 0))


def test_the_weights_are_one_another(asked):
    net, images, target, _ = asked
    s = score_channels(net, images, LAYERS, target)
    probabilities = net(images).softmax(1)[[0, 1], target]
    torch.testing.assert_close(s.whole, probabilities.detach())
    plus, minus, both = (channel_scores.WEIGHTS[v](s, "relu1") for v in ("+", "-", "+-"))
    torch.testing.assert_close(both, (plus + s.whole[:, None] - s.drop["relu1"]).relu())
    assert (minus >= 0).all() and (plus > 0).all() and (minus == 0).any() and (minus > 0).any()


def test_three_coloured_channels_by_hand():
    """At ColourNet's `relu` a channel is a colour, so shown and hidden are colours left and taken.

    The logit without biases is the sum of its colours: what is hidden is what is not shown.
    """
    net, image = ColourNet().double(), colour_image()
    A = capture(net, image, "relu", gradients=False).A["relu"]
    s = score_channels(net, image, "relu", 2, score="logit")
    parts = torch.stack([net(image * A[:, [k]])[0, 2] for k in range(3)])[None].detach()
    torch.testing.assert_close(s.keep["relu"], parts)
    torch.testing.assert_close(s.whole, parts.sum(1))
    torch.testing.assert_close(s.drop["relu"], parts.sum(1, keepdim=True) - parts)
    got = hc.CAMBoth(score="logit")(net, image, "relu", 2)
    torch.testing.assert_close(got[0], torch.einsum("k,khw->hw", 2 * parts[0].relu(), A[0]))
    left = hc.PCAM(score="logit")(net, image, ["relu", "box"], 2, intermediate=True)
    torch.testing.assert_close(left["relu"], left["box"] * (got > 0))  # one grid: a window


# Every map from one round of questions ------------------------------------------------------------


def test_all_variants_from_one_round(asked):
    net, images, target, _ = asked
    s = score_channels(net, images, LAYERS, target)
    rows = forwards(net)
    made = {
        "joint": [cls(lnorm=lnorm).from_scores(s, (12, 9)) for cls in JOINT.values() for lnorm in (True, False)],
        "alone": [cls().from_scores(s, (12, 9)) for cls in ALONE.values()],
    }
    assert not rows
    wanted = [cls(lnorm=lnorm)(net, images, LAYERS, target) for cls in JOINT.values() for lnorm in (True, False)]
    torch.testing.assert_close(made["joint"], wanted)
    torch.testing.assert_close(made["alone"], [cls()(net, images, LAYERS, target) for cls in ALONE.values()])
    assert hc.PCAM().from_scores(s).shape == (2, 12, 9)
    assert hc.PCAM().from_scores(s, intermediate=True)["relu2"].shape == (2, 6, 5)


def test_scores_of_other_questions_are_refused(asked):
    net, images, target, _ = asked
    s = score_channels(net, images, "relu1", target, ("keep",))
    assert not s.drop and hc.PCAMPlus().from_scores(s).shape == (2, 6, 5)
    for make, says in (
        (hc.PCAM(), "needs scores that were asked"),
        (hc.CAMMinus(), "CAMMinus needs scores"),
        (hc.PCAMPlus(preset="reference"), "stretch='after'.*does not have"),
        (hc.CAMPlus(score="logit"), "score='prob'.*does not have"),
    ):
        with pytest.raises(ValueError, match=says):
            make.from_scores(s)


@pytest.mark.parametrize(
    ("explainer", "factor"),
    [(hc.PCAM(), 2), (hc.PCAMPlus(), 1), (hc.PCAMMinus(), 1), (hc.CAMBoth(), 2), (hc.CAMPlus(), 1)],
)
def test_forwards(explainer, factor):
    net, layers = TinyNet(), LAYERS
    rows = forwards(net)
    with mock.patch("torch.autograd.grad", side_effect=AssertionError("no backward")):
        explainer(net, random_images(2, 3, 10, 8), layers, 0)
    assert sum(rows) == 2 * (1 + factor * (4 + 6 + 8)) and max(rows) <= 64


@variants
def test_constant_channels_are_never_asked(variant, record_property):
    net, images, target = Dead().double(), random_images(2, 3, 12, 9).double(), [4, 1]
    A = capture(net, images, "relu1", gradients=False).A["relu1"].numpy()
    wanted = slow.layer_map(A, slow.weights(net, images, A, target, variant)).clip(0)
    rows = forwards(net)
    got = ALONE[variant]()(net, images, "relu1", target, size="native")
    close(got, wanted, record_property, 1e-11)
    assert sum(rows) == 2 * (1 + (A.shape[1] - 2) * (2 if variant == "+-" else 1))


# A layer that says nothing ------------------------------------------------------------------------


def test_on_zero():
    cams = {
        "fine": random_images(2, 8, 8).relu(),
        "mid": random_images(2, 4, 4).relu(),
        "deep": random_images(2, 2, 2).abs(),
    }
    cams["mid"][1] = 0
    with pytest.warns(ZeroLayerWarning, match="layer 'mid'.*on_zero='pass'"):
        maps = recursion(cams)
    assert (maps["fine"][1] == 0).all() and (maps["fine"][0] > 0).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        passed = recursion(cams, on_zero="pass")
    assert torch.equal(passed["fine"][0], maps["fine"][0])
    without = recursion({"fine": cams["fine"], "mid": torch.ones(2, 4, 4), "deep": cams["deep"]})
    torch.testing.assert_close(passed["mid"][1], without["mid"][1])
    torch.testing.assert_close(passed["fine"][1], without["fine"][1])


@every
def test_a_net_that_does_not_look_and_dead_layers_give_finite_zeros(explainer):
    class Deaf(TinyNet):
        def forward(self, images):
            return super().forward(images) * 0

    images, dead = random_images(2, 3, 10, 8), TinyNet()
    maps = explainer(Deaf(), images, layers_of(explainer), 0)
    assert maps.isfinite().all() and (explainer.variant != "-" or (maps == 0).all())
    with torch.no_grad():
        dead.bn1.weight.zero_()
        dead.bn1.bias.fill_(-3.0)
    maps = explainer(dead, images, layers_of(explainer, ["relu0", "relu1"]), 0)
    assert (maps == 0).all()


# Invariances --------------------------------------------------------------------------------------


@every
def test_batch_singles_and_chunks(explainer):
    net, images = TinyNet().double(), 3 * random_images(3, 3, 24, 40).double()
    target, layers = net(images).argmax(1), layers_of(explainer)
    together = explainer(net, images, layers, target)
    assert together.shape == (3, 24, 40) and together.dtype == torch.float64
    for chunk in (1, 7, 1000):
        again = replace(explainer, chunk=chunk)(net, images, layers, target)
        torch.testing.assert_close(again, together, rtol=1e-9, atol=1e-12)
    for b in range(3):
        alone = explainer(net, images[b : b + 1], layers, int(target[b]))
        torch.testing.assert_close(alone[0], together[b], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(together[0], together[1])


@every
def test_in_place_sizes_and_bfloat16(explainer):
    images, layers = random_images(2, 3, 9, 12), layers_of(explainer)
    maps = [explainer(TinyNet(inplace), images, layers, 1) for inplace in (True, False)]
    assert torch.equal(*maps) and maps[0].dtype == torch.float32
    native = explainer(TinyNet(), images, layers, 1, size="native")
    assert native.shape == ((2, 9, 12) if explainer.takes == "joint" else (2, 5, 6))
    torch.testing.assert_close(explainer(TinyNet(), images, layers, 1, size=(7, 20)), hc.ops.upsample(native, (7, 20)))
    low = explainer(TinyNet().bfloat16(), images.bfloat16(), layers, 1)
    assert low.dtype == torch.float32 and low.isfinite().all() and (low >= 0).all()


@every
def test_state_is_restored(explainer):
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    with torch.no_grad():
        quiet = explainer(net, images, layers_of(explainer))
    assert torch.equal(explainer(net, images, layers_of(explainer)), quiet)
    broken = mock.patch("holicam.methods.perturbation.channelcam.cam.weighted_sum", side_effect=ArithmeticError)
    with broken, pytest.raises(ArithmeticError):
        explainer(net, images, layers_of(explainer))
    assert not any(m._forward_hooks for m in net.modules()) and torch.is_grad_enabled()
    assert all(p.requires_grad and p.grad is None for p in net.parameters()) and not net.training


def test_targets():
    net, images = TinyNet().double(), random_images(2, 3, 10, 8).double()
    top = net(images).argmax(1)
    assert torch.equal(hc.PCAM()(net, images, LAYERS), hc.PCAM()(net, images, LAYERS, top))
    called = hc.PCAM()(net, images, LAYERS, lambda values: values[:, 3])
    assert torch.equal(called, hc.PCAM()(net, images, LAYERS, 3))


# Networks -----------------------------------------------------------------------------------------


def small_resnet(block):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torchvision.models.resnet.ResNet(block, [2, 2, 2, 2], num_classes=5).eval()


def grids(net, names, size=64):
    A = capture(net, random_images(1, 3, size, size), names, gradients=False, repeated="last").A
    return [a.shape[-1] for a in A.values()]


def test_layer_sets():
    bottleneck = small_resnet(torchvision.models.resnet.Bottleneck)
    basic = small_resnet(torchvision.models.resnet.BasicBlock)
    paper = ("relu", "layer1", "layer2", "layer3", "layer4")
    assert layer_set(bottleneck) == layer_set(basic) == layer_set(basic, "reference") == paper
    found = layer_set(bottleneck, "reference")
    assert found == ("relu", "layer2.0.relu", "layer3.0.relu", "layer4.0.relu", "layer4")
    assert grids(bottleneck, paper, 224) == [112, 56, 28, 14, 7]
    assert grids(bottleneck, found, 224) == [112, 28, 14, 7, 7]
    aliases = ["conv1_1", "conv2_3", "conv3_4", "conv4_6", "conv5_3"]
    assert list(hc.find_layers(bottleneck, aliases).values()) == list(hc.find_layers(bottleneck, paper).values())
    vgg, bn = torchvision.models.vgg16(), hc.toynets.ToyVGG16BN()
    names = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"]
    for net, at in ((vgg, (3, 8, 15, 22, 29)), (bn, (5, 12, 22, 32, 42))):
        for kind in ("paper", "reference"):
            assert layer_set(net, kind) == tuple(f"features.{i}" for i in at)
        assert list(hc.find_layers(net, names).values()) == [net.features[i] for i in at]
    for net in (TinyNet(), torchvision.models.squeezenet1_1().eval()):
        assert layer_set(net) == layer_set(net, "reference") == hc.stages(net, all=True)


def test_the_reference_layers_of_a_bottleneck_network():
    """The two equal grids at the end make one step a mere window, as the paper's Table 3 shows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = hc.toynets.ToyResNet50(width=4).eval()
    images = random_images(1, 3, 64, 48)
    maps = hc.PCAMPlus()(net, images, "reference", 1, size="native", intermediate=True)
    assert [tuple(m.shape[1:]) for m in maps.values()] == [(2, 2), (2, 2), (4, 3), (8, 6), (32, 24)]
    at = maps["layer4.0.relu"] > 0
    torch.testing.assert_close(maps["layer4.0.relu"][at], maps["layer4"][at])
    chosen = hc.PCAMPlus(preset="reference")(net, images, target=1)
    assert torch.equal(chosen, hc.PCAMPlus(preset="reference")(net, images, "reference", 1))


def test_vgg_and_densenet_by_default():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vgg = hc.toynets.ToyVGG16BN(width=2).eval()
        dense = torchvision.models.DenseNet(4, (2, 2, 2, 2), 8, num_classes=5).eval()
    images = random_images(1, 3, 64, 64)
    for net, last in ((vgg, "features.5"), (dense, "features.relu0")):
        for explainer in (hc.PCAM(), hc.PCAMMinus(preset="reference")):
            maps = explainer(net, images, target=1, intermediate=True)
            assert list(maps)[-1] == last and len(maps) == 5
            assert all(m.shape == (1, 64, 64) and m.isfinite().all() for m in maps.values())
        assert hc.PCAMPlus()(net, images, target=1).max() > 0
    assert set(hc.CAMPlus()(vgg, images, "paper", 1)) == set(layer_set(vgg))
    assert hc.CAMPlus()(vgg, images, None, 1).shape == (1, 64, 64)


def test_transformers():
    images = random_images(2, 3, 8, 12)
    maps = hc.PCAM()(TokenNet(), images, ["norm", "mlp"], 1, reshape=tokens_to_grid((2, 3)))
    assert maps.shape == (2, 8, 12) and (maps >= 0).all()


# Fields and errors --------------------------------------------------------------------------------


def test_registry_presets_and_repr():
    for name in ("pcam+", "pcam-", "pcam+-", "cam+", "cam-", "cam+-"):
        assert (
            hc.explainers[name]() == EVERY[name]
            and hc.explainers[name].variant == name[4 if name.startswith("p") else 3 :]
        )
    assert repr(hc.PCAM(preset="reference")) == (
        "PCAM(preset='reference', stretch='percentile', pooling='bilinear', output='percentile', "
        "lnorm=True, on_zero='zero', score='prob', chunk=64)"
    )
    assert repr(hc.CAMMinus()) == ("CAMMinus(preset='default', stretch='after', relu=True, score='prob', chunk=64)")
    assert hc.PCAM(preset="reference", output="raw").output == "raw" and hc.PCAM() != hc.PCAMPlus()
    with pytest.raises(FrozenInstanceError):
        hc.PCAM().lnorm = False


IMAGES = random_images(1, 3, 8, 8)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: hc.PCAM(preset="code"), ValueError, "preset must be one of"),
        (lambda: hc.PCAM(stretch="none"), ValueError, "stretch must be one of"),
        (lambda: hc.PCAM(pooling="max"), ValueError, "pooling must be one of"),
        (lambda: hc.PCAM(output="uint8"), ValueError, "output must be one of"),
        (lambda: hc.PCAM(on_zero="skip"), ValueError, "on_zero must be one of 'zero', 'pass'"),
        (lambda: hc.PCAM(lnorm=1), TypeError, "lnorm must be True or False"),
        (lambda: hc.PCAMPlus(score="loss"), ValueError, "score must be one of"),
        (lambda: hc.CAMPlus(chunk=0), ValueError, "chunk must be a positive"),
        (lambda: hc.CAMPlus(relu=0), TypeError, "relu must be True or False"),
        (lambda: hc.PCAM()(TinyNet().train(), IMAGES, LAYERS), ValueError, "training mode"),
        (lambda: hc.PCAM()(TinyNet(), IMAGES, ["relu0", "relu9"]), KeyError, "no layer 'relu9'"),
        (lambda: hc.PCAM()(TinyNet(), IMAGES, LAYERS[::-1]), ValueError, "from shallow to deep"),
        (lambda: hc.PCAM()(TinyNet(), IMAGES, LAYERS, size="big"), ValueError, "size must be"),
        (lambda: score_channels(TinyNet(), IMAGES, LAYERS, asks=()), ValueError, "asks must be"),
        (lambda: local_norm(torch.ones(1, 4, 4), (2, 2), "max"), ValueError, "pooling must be"),
    ],
)
def test_errors(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_layers_alone_may_come_in_any_order():
    maps = hc.CAMPlus()(TinyNet(), IMAGES, LAYERS[::-1], 0)
    assert list(maps) == LAYERS[::-1]
    twice = hc.CAMPlus()(BranchNet(), IMAGES, "twice", 0)  # its last call
    assert twice.shape == (1, 8, 8)


@pytest.mark.gpu
@every
def test_cpu_and_gpu_agree(explainer):
    net, images = TinyNet().double(), random_images(2, 3, 12, 10).double()
    cpu = explainer(net, images, layers_of(explainer), 1)
    gpu = explainer(net.cuda(), images.cuda(), layers_of(explainer), 1)
    assert gpu.is_cuda
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-9, atol=1e-12)


def test_without_layers_every_resolution_of_any_network_is_read():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5),
    ).eval()  # fmt: skip
    read = list(hc.stages(net, IMAGES, all=True))
    assert read == ["1", "3"]
    assert torch.equal(hc.PCAM()(net, IMAGES), hc.PCAM()(net, IMAGES, read))
