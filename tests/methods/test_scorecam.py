"""holicam.methods.perturbation.scorecam: what a network says of the pixels that each channel shows."""

from __future__ import annotations

import functools
import importlib.util
import sys
from dataclasses import FrozenInstanceError, replace
from unittest import mock

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import holicam as hc
from holicam.core.capture import capture, tokens_to_grid
from holicam.core.options import noise
from tests.helpers.closeness import close
from tests.helpers.nets import ColourNet, Dead, TinyNet, TokenNet, colour_image, random_images
from tests.twins import slow_masks
from tests.twins import slow_scorecam as slow

N = {"samples": 3}
EVERY = {
    "score-cam": hc.ScoreCAM(),
    "ss-cam": hc.SSCAM(**N),
    "is-cam": hc.ISCAM(**N),
    "score-cam-softmax": hc.ScoreCAM(preset="paper"),
    "ss-cam-2021": hc.SSCAM(preset="polycam2021", **N),
    "is-cam-2021": hc.ISCAM(preset="polycam2021", **N),
}
every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)


def questions(explainer, size=(12, 9)):
    """What the slow twin asks for an explainer."""
    if isinstance(explainer, hc.SSCAM):
        shape = (explainer.samples, 3 if explainer.colours else 1, *size)
        return slow.noisy(explainer.std * noise(shape, explainer.seed, torch.zeros(0).double()).numpy())
    if isinstance(explainer, hc.ISCAM):
        return slow.rising(explainer.samples, explainer.cumulative)
    return slow.plain


# Against the slow twins and other libraries ------------------------------------------------------

OPTIONS = [
    {},
    {"score": "logit"},
    {"baseline": "blank"},
    {"channel_softmax": True},
    {"align_corners": True},
    {"normalize_before": True, "activation": "normalized"},
    {"score": "logit", "baseline": "blank", "activation": "normalized"},
]


@every
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
def test_slow_twin(explainer, options, record_property):
    net, images, target = TinyNet().double(), random_images(2, 3, 12, 9).double(), [4, 1]
    explainer = replace(explainer, relu=False, **options)
    A = capture(net, images, "relu1", gradients=False).A["relu1"].numpy()
    stretch = "before" if explainer.normalize_before else "after"
    w = slow.weights(
        net,
        images,
        A,
        target,
        questions(explainer),
        stretch,
        explainer.score,
        explainer.baseline if not explainer.channel_softmax else "zero",
        explainer.channel_softmax,
        explainer.align_corners,
    )
    wanted = slow.native_map(A, w, explainer.activation, relu=False)
    close(explainer(net, images, "relu1", target, size="native"), wanted, record_property)
    enlarged = [slow_masks.enlarge(np.maximum(m, 0), (12, 9)) for m in wanted]
    close(replace(explainer, relu=True)(net, images, "relu1", target), np.array(enlarged), record_property)


@pytest.mark.parametrize("options", [{}, {"baseline": "blank"}, {"channel_softmax": True}])
def test_constant_channels(options, record_property):
    net, images, target = Dead().double(), random_images(2, 3, 12, 9).double(), [4, 1]
    A = capture(net, images, "relu1", gradients=False).A["relu1"].numpy()
    w = slow.weights(net, images, A, target, slow.plain, **options)
    count = []
    net.register_forward_hook(lambda module, inputs, out: count.append(len(out)))
    got = hc.ScoreCAM(**options)(net, images, "relu1", target, size="native")
    close(got, slow.native_map(A, w), record_property)
    once = 2 if options else 0  # the blank image, for each of the two
    assert sum(count) == 2 + 2 * (A.shape[1] - 2) + once


def test_the_blank_image_is_asked_once_for_all_layers():
    net, images = TinyNet().double(), random_images(2, 3, 12, 9).double()
    channels = sum(A.shape[1] for A in capture(net, images, ["relu0", "relu1"], gradients=False).A.values())
    count = []
    handle = net.register_forward_hook(lambda module, inputs, out: count.append(len(out)))
    both = hc.ScoreCAM(baseline="blank")(net, images, ["relu0", "relu1"], [4, 1])
    handle.remove()
    assert sum(count) == 2 + 2 * channels + 2
    for layer, maps in both.items():
        assert torch.equal(maps, hc.ScoreCAM(baseline="blank")(net, images, layer, [4, 1]))


@functools.cache  # leaving patch.dict forgets the import
def gradcam_library():
    """grad-cam without the dependencies it does not need here, as in test_oracles."""
    if importlib.util.find_spec("pytorch_grad_cam") is None:
        pytest.skip("grad-cam is not installed")
    needed = (
        "ttach",
        "sklearn",
        "sklearn.decomposition",
        "scipy",
        "scipy.ndimage",
        "scipy.sparse",
        "scipy.sparse.linalg",
    )
    missing = {n: mock.MagicMock() for n in needed if importlib.util.find_spec(n.split(".")[0]) is None}
    with mock.patch.dict(sys.modules, missing):
        import pytorch_grad_cam
        from pytorch_grad_cam.utils import model_targets
    return pytorch_grad_cam, model_targets


@pytest.mark.parametrize("kind", ["prob", "logit"])
@pytest.mark.parametrize("layer", ["relu0", "relu1", "relu2"])
def test_grad_cam(layer, kind, record_property):
    library, targets = gradcam_library()
    kinds = {"prob": targets.ClassifierOutputSoftmaxTarget, "logit": targets.ClassifierOutputTarget}
    net, images = TinyNet(), random_images(2, 3, 14, 11)
    theirs = library.ScoreCAM(model=net, target_layers=[getattr(net, layer)])
    theirs = theirs(images, [kinds[kind](4), kinds[kind](1)])
    ours = hc.ScoreCAM(preset="paper", align_corners=True, score=kind)
    ours = hc.ops.normalise(ours(net, images, layer, [4, 1]))
    close(ours, theirs, record_property, 1e-5)  # theirs is float32, with 1e-8 and 1e-7 in two divisions


@pytest.mark.parametrize("layer", ["relu0", "relu1", "relu2"])
@pytest.mark.parametrize("name", ["ScoreCAM", "SSCAM", "ISCAM"])
def test_torchcam(name, layer, record_property):
    library = pytest.importorskip("torchcam.methods")
    net, images = TinyNet().double(), random_images(2, 3, 14, 11).double()
    options = {"ScoreCAM": {}, "SSCAM": {"samples": 4, "std": 0.5}, "ISCAM": {"samples": 4}}[name]
    ours = getattr(hc, name)(preset="paper", normalize_before=True, score="logit", **options)
    ours = replace(ours, cumulative=True) if name == "ISCAM" else ours
    theirs = {"ScoreCAM": {}, "SSCAM": {"num_samples": 4, "std": 0.5}, "ISCAM": {"num_samples": 4}}
    with getattr(library, name)(net, layer, input_shape=(3, 14, 11), **theirs[name]) as extractor:
        if name == "SSCAM":  # the noise we use, the same for all channels
            given = iter(0.5 * noise((4, 1, 14, 11), 0, images))
            extractor._distrib = mock.Mock(sample=lambda size: next(given).expand(size))
        with torch.no_grad():
            net(images)
        maps = extractor([4, 1], normalized=False)[0]
    close(ours(net, images, layer, [4, 1], size="native"), maps.numpy(), record_property, 1e-6)


# Identities ---------------------------------------------------------------------------------------


def test_three_coloured_channels_by_hand():
    """At ColourNet's `relu` a channel is a colour, so each mask is a picture one can write down."""
    net, image = ColourNet().double(), colour_image()
    A = capture(net, image, "relu", gradients=False).A["relu"]
    assert sorted(A.unique().tolist()) == [0.0, 1.0]  # each mask is the channel itself
    with torch.no_grad():
        w = torch.cat([net(image * A[:, [k]])[:, 2] for k in range(3)])
    got = hc.ScoreCAM(score="logit", relu=False)(net, image, "relu", 2)
    torch.testing.assert_close(got[0], torch.einsum("k,khw->hw", w, A[0]))


def test_equal_scores_leave_the_activation_sum():
    class Deaf(TinyNet):
        def forward(self, images):
            return super().forward(images) * 0

    images = random_images(2, 3, 10, 8)
    got = hc.ScoreCAM()(Deaf(), images, "relu1", 0)
    torch.testing.assert_close(got, hc.ActivationSum()(Deaf(), images, "relu1") / 5)


def test_children_with_nothing_new_are_score_cam():
    net, images = TinyNet().double(), random_images(2, 3, 10, 8).double()
    wanted = hc.ScoreCAM()(net, images, "relu1", 1)
    for child in (
        hc.SSCAM(std=0.0, samples=2),
        hc.ISCAM(samples=1),
        hc.ISCAM(preset="polycam2021", samples=1, activation="raw", normalize_before=False),
    ):
        torch.testing.assert_close(child(net, images, "relu1", 1), wanted, rtol=1e-11, atol=1e-13)


def test_the_cumulative_factors():
    steps = []
    vary, n = hc.ISCAM(preset="polycam2021").questions(torch.zeros(1, 3, 2, 2).double())
    one = torch.ones(n, 1, 1, 1, dtype=torch.float64)
    steps = vary(one, one, torch.arange(n), None).flatten()
    torch.testing.assert_close(steps, torch.tensor([0.1, 0.3, 0.6, 1, 1.5, 2.1, 2.8, 3.6, 4.5, 5.5]).double())


# Invariances --------------------------------------------------------------------------------------


@every
def test_batch_singles_and_chunks(explainer):
    net, images = TinyNet().double(), 3 * random_images(3, 3, 24, 40).double()
    target = torch.tensor([0, 3, 1])
    together = explainer(net, images, ["relu2", "relu1"], target)
    assert list(together) == ["relu2", "relu1"] and together["relu1"].shape == (3, 24, 40)
    for chunk in (1, 5, 1000):
        again = replace(explainer, chunk=chunk)(net, images, "relu1", target)
        torch.testing.assert_close(again, together["relu1"], rtol=1e-10, atol=1e-12)
    for b in range(3):
        alone = explainer(net, images[b : b + 1], "relu1", int(target[b]))
        torch.testing.assert_close(alone[0], together["relu1"][b], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(together["relu1"][0], together["relu1"][1])


@every
def test_in_place_sizes_and_bfloat16(explainer):
    images = random_images(2, 3, 9, 12)
    maps = [explainer(TinyNet(inplace), images, "relu1", 1) for inplace in (True, False)]
    assert torch.equal(*maps) and maps[0].dtype == torch.float32
    native = explainer(TinyNet(), images, "relu1", 1, size="native")
    assert native.shape == (2, 5, 6)
    torch.testing.assert_close(explainer(TinyNet(), images, "relu1", 1, size=(7, 20)), hc.ops.upsample(native, (7, 20)))
    low = explainer(TinyNet().bfloat16(), images.bfloat16(), "relu1", 1)
    assert low.dtype == torch.float32 and low.isfinite().all() and (low >= 0).all()


@every
def test_all_channels_constant(explainer):
    net = TinyNet()
    for value in (-3.0, 3.0):
        with torch.no_grad():
            net.bn1.weight.zero_()
            net.bn1.bias.fill_(value)
        maps = explainer(net, random_images(2, 3, 8, 8), "relu1", 1)
        assert maps.isfinite().all() and maps.std() < 1e-6
        if not explainer.channel_softmax or value < 0:
            assert (maps == 0).all()


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (torchvision.models.resnet18, "layer4"),
        (torchvision.models.densenet121, "features.denseblock1"),
        (torchvision.models.vgg11_bn, "features.28"),
    ],
)
def test_real_architectures(make, layer):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make(num_classes=5).eval()
    cut = nn.Identity()  # of 256 channels or more, the first eight will do
    cut.forward = lambda x: torch.cat([x[:, :8], torch.zeros_like(x[:, 8:])], 1)
    parent, _, name = layer.rpartition(".")
    parent = net.get_submodule(parent)
    setattr(parent, name, nn.Sequential(getattr(parent, name), cut).eval())
    maps = hc.ScoreCAM(chunk=16)(net, random_images(1, 3, 64, 64), layer, 1)
    assert maps.shape == (1, 64, 64) and maps.isfinite().all() and maps.max() > 0


def test_transformers_and_default_layer(monkeypatch):
    images = random_images(2, 3, 8, 12)
    maps = hc.ScoreCAM()(TokenNet(), images, "mlp", 1, reshape=tokens_to_grid((2, 3)))
    assert maps.shape == (2, 8, 12)
    monkeypatch.setattr("holicam.core.explainer.default_layers", lambda model: ("relu0", "relu1"))
    assert torch.equal(hc.ScoreCAM()(TinyNet(), images), hc.ScoreCAM()(TinyNet(), images, "relu1"))


# Passes, fields and errors ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "factor"), [("score-cam", 1), ("ss-cam", 3), ("is-cam", 3)])
def test_forwards(name, factor):
    net, count = TinyNet(), []
    net.register_forward_hook(lambda module, inputs, out: count.append(len(out)))
    with mock.patch("torch.autograd.grad", side_effect=AssertionError("no backward")):
        EVERY[name](net, random_images(2, 3, 10, 8), ["relu0", "relu1"], 0)
    assert sum(count) == 2 * (1 + factor * (4 + 6))


def test_noise_has_a_seed_and_leaves_the_global_one_alone():
    net, images = TinyNet(), random_images(1, 3, 10, 8)
    state = torch.get_rng_state()
    first, second = (hc.SSCAM(samples=2, seed=s)(net, images, "relu1") for s in (0, 1))
    assert torch.equal(torch.get_rng_state(), state) and not torch.allclose(first, second)
    assert torch.equal(first, hc.SSCAM(samples=2)(net, images, "relu1"))


def test_presets_and_repr():
    assert repr(hc.ScoreCAM(preset="polycam2021")) == (
        "ScoreCAM(preset='polycam2021', normalize_before=True, align_corners=False, "
        "channel_softmax=False, activation='normalized', score='prob', baseline='zero', relu=True, chunk=64)"
    )
    assert (
        hc.ScoreCAM(preset="paper").channel_softmax
        and not hc.ScoreCAM(preset="paper", channel_softmax=False).channel_softmax
    )
    assert (hc.SSCAM().samples, hc.SSCAM().std, hc.ISCAM().samples) == (35, 2.0, 10)
    assert hc.SSCAM(preset="polycam2021").colours and hc.ISCAM(preset="polycam2021").cumulative
    with pytest.raises(FrozenInstanceError):
        hc.ScoreCAM().relu = False


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: hc.ScoreCAM(preset="torchcam"), ValueError, "preset must be one of"),
        (lambda: hc.ScoreCAM(activation="relu"), ValueError, "activation must be one of"),
        (lambda: hc.ScoreCAM(baseline="black"), ValueError, "baseline must be one of"),
        (lambda: hc.ScoreCAM(score="loss"), ValueError, "score must be one of"),
        (lambda: hc.ScoreCAM(chunk=0), ValueError, "chunk must be a positive"),
        (lambda: hc.ScoreCAM(align_corners=1), TypeError, "align_corners must be True or False"),
        (lambda: hc.SSCAM(samples=0), ValueError, "samples must be a whole number"),
        (lambda: hc.SSCAM(std=-1.0), ValueError, "std must be a number of at least 0"),
        (lambda: hc.ISCAM(samples=2.5), ValueError, "samples must be a whole number"),
        (lambda: hc.ScoreCAM()(TinyNet().train(), random_images(1, 3, 8, 8), "relu1"), ValueError, "training mode"),
        (lambda: hc.ScoreCAM()(TinyNet(), random_images(1, 3, 8, 8), "relu9"), KeyError, "no layer 'relu9'"),
        (lambda: hc.ScoreCAM()(TinyNet(), random_images(1, 3, 8, 8), "relu1", size="big"), ValueError, "size must be"),
    ],
)
def test_errors(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_state_is_restored():
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    with torch.no_grad():
        quiet = hc.ScoreCAM()(net, images, "relu1")
    assert torch.equal(hc.ScoreCAM()(net, images, "relu1"), quiet)
    broken = mock.patch("holicam.methods.perturbation.scorecam.cam.weighted_sum", side_effect=RuntimeError)
    with broken, pytest.raises(RuntimeError):
        hc.ScoreCAM()(net, images, "relu1")
    assert not any(m._forward_hooks for m in net.modules()) and torch.is_grad_enabled()
    assert all(p.requires_grad and p.grad is None for p in net.parameters()) and not net.training


@pytest.mark.gpu
@every
def test_cpu_and_gpu_agree(explainer):
    net, images = TinyNet().double(), random_images(2, 3, 12, 10).double()
    cpu = explainer(net, images, "relu1", 1)
    gpu = explainer(net.cuda(), images.cuda(), "relu1", 1)
    assert gpu.is_cuda
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-9, atol=1e-12)
