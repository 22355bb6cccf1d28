"""What all of the later CAM family must do; what is particular to each is in its own file."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from functools import cache

import pytest
import torch
from torchvision.models import DenseNet, resnet18

import holicam as hc
from holicam.core.capture import tokens_to_grid
from holicam.models.toy import ToyVGG16BN
from tests.helpers.nets import Muted, TinyNet, TokenNet, random_images

EVERY = {
    "w-grad-cam": hc.WGradCAM(),
    "normgrad": hc.NormGrad(),
    "normgrad-ce": hc.NormGrad(score="ce"),
    "eigen-cam": hc.EigenCAM(),
    "eigen-cam-raw": hc.EigenCAM(center=False),
    "layer-cam-fused": hc.LayerCAMFused(),
    "zoom-cam": hc.ZoomCAM(),
    "smooth-grad-cam++": hc.SmoothGradCAMpp(),
    "iia": hc.IIA(steps=3),
    "iia-nested": hc.IIA(preset="nested", steps=3, inner=3),
    "msg-cam": hc.MSGCAM(scales=(1, 1.5), groups=3, blur=5, sigma=2.0),
}
SIGNED = ("iia", "iia-nested")
every = pytest.mark.parametrize("name", EVERY)
LAYERS = ["relu0", "relu1", "relu2"]


def maps_of(name, net, images, target=1, layers=LAYERS, **options):
    """{layer: maps}; a method that joins layers has one entry."""
    got = EVERY[name](net, images, layers, target, **options)
    return got if isinstance(got, dict) else {"joint": got}


@every
def test_a_batch_equals_its_singles(name):
    net, images = TinyNet().double(), 3 * random_images(3, 3, 11, 8).double()
    target = torch.tensor([0, 3, 1])
    together = maps_of(name, net, images, target)
    for b in range(3):
        alone = maps_of(name, net, images[b : b + 1], int(target[b]))
        for layer, maps in together.items():
            torch.testing.assert_close(maps[b : b + 1], alone[layer], rtol=1e-8, atol=1e-11)


@every
def test_in_place_relus_change_nothing(name):
    images = random_images(2, 3, 9, 12)
    some = [maps_of(name, TinyNet(inplace), images) for inplace in (True, False)]
    for layer in some[0]:
        assert torch.equal(some[0][layer], some[1][layer])


@every
@pytest.mark.parametrize("shape", [(24, 40), (15, 7), (2, 2)])
def test_any_image_size(name, shape):
    for maps in maps_of(name, TinyNet(), random_images(2, 3, *shape)).values():
        assert maps.shape == (2, *shape) and maps.isfinite().all()
        assert (maps >= 0).all() or name in SIGNED


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dtypes(name, dtype):
    images = random_images(2, 3, 12, 12)
    exact = maps_of(name, TinyNet().double(), images.double())
    for layer, maps in maps_of(name, TinyNet().to(dtype), images.to(dtype)).items():
        assert exact[layer].dtype == torch.float64 and maps.dtype == torch.float32
        assert maps.isfinite().all()
        if dtype == torch.float32:
            assert (maps - exact[layer]).abs().max() <= 2e-4 * exact[layer].abs().max()


@every
def test_no_gradient_gives_zeros(name):
    if name.startswith("eigen"):
        return
    for maps in maps_of(name, Muted(), random_images(2, 3, 8, 8), layers=["relu0"]).values():
        assert (maps == 0).all()


@every
@pytest.mark.parametrize("value", [0.0, -3.0, 3.0])
def test_constant_and_dead_activations(name, value):
    net = TinyNet()
    with torch.no_grad():
        net.bn2.weight.zero_()
        net.bn2.bias.fill_(value)
    for maps in maps_of(name, net, random_images(2, 3, 8, 8), layers=["relu2"]).values():
        assert maps.isfinite().all() and maps.std() < 1e-5
        if value <= 0:
            assert (maps == 0).all()
    if name == "eigen-cam":
        assert (maps == 0).all()


@cache
def network(family):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {
            "resnet": lambda: resnet18(num_classes=4),
            "vgg": lambda: ToyVGG16BN(4, 4),
            "densenet": lambda: DenseNet(8, (2, 2, 2, 2), 16, num_classes=4),
        }[family]().eval()


@every
@pytest.mark.parametrize("family", ["resnet", "vgg", "densenet"])
def test_families_of_networks_and_default_layers(name, family):
    maps = EVERY[name](network(family), random_images(1, 3, 64, 64), size="native")
    assert maps.dim() == 3 and maps.isfinite().all()
    if (name, family) != ("eigen-cam-raw", "densenet"):  # its last layer may sum to less than zero
        assert maps.abs().sum() > 0


@every
def test_a_transformer(name):
    if name == "msg-cam":
        return  # a network with one grid only
    net, images = TokenNet(), random_images(2, 3, 16, 24)
    maps = maps_of(name, net, images, layers=["mlp"], reshape=tokens_to_grid(grid=(4, 6)))
    assert all(m.shape == (2, 16, 24) and m.isfinite().all() for m in maps.values())


@every
def test_sizes_and_names(name):
    net, images = TinyNet(), random_images(1, 3, 12, 10)
    many = maps_of(name, net, images, layers=["relu2", "relu1"], size=(7, 20))
    assert {m.shape for m in many.values()} == {(1, 7, 20)}
    one = EVERY[name](net, images, "relu1", 1, size="native")
    assert one.shape == ((1, 12, 10) if name == "msg-cam" else (1, 6, 5))
    if EVERY[name].takes == "layer":
        assert list(many) == ["relu2", "relu1"]
        torch.testing.assert_close(many["relu1"], EVERY[name](net, images, "relu1", 1, size=(7, 20)))
    with pytest.raises(ValueError, match='None, "native" or'):
        EVERY[name](net, images, "relu1", 1, size=7)


def state(net):
    return (
        [p.requires_grad for p in net.parameters()],
        [p.grad for p in net.parameters()],
        net.training,
        sum(len(m._forward_hooks) for m in net.modules()),
    )


@every
def test_the_callers_state_is_restored_also_after_an_error(name):
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    net.conv0.weight.requires_grad_(False)
    before = state(net)
    with torch.no_grad():
        expected = maps_of(name, net, images, layers=["relu1"])
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        inside = maps_of(name, net, images, layers=["relu1"])
    assert state(net) == before
    for layer in expected:
        assert torch.equal(expected[layer], inside[layer]) and not expected[layer].requires_grad
    calls = []

    def fail(*_):
        calls.append(0)
        if len(calls) == 2 or name.startswith(("w-", "norm", "eigen", "layer", "zoom")):
            raise RuntimeError("on purpose")

    handle = net.fc.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        maps_of(name, net, images, layers=["relu1"])
    handle.remove()
    assert state(net) == before
    with pytest.raises(ValueError, match="training mode"):
        EVERY[name](net.train(), images, "relu1")
    with pytest.raises(KeyError, match="close names"):
        EVERY[name](net.eval(), images, "rulu1")


@every
def test_frozen_hashable_and_printed(name):
    explainer = EVERY[name]
    assert eval(repr(explainer), vars(hc) | {type(explainer).__name__: type(explainer)}) == explainer
    assert len({explainer, eval(repr(explainer), vars(hc))}) == 1
    with pytest.raises(FrozenInstanceError):
        explainer.score = "prob"
    if explainer.takes == "layer":
        with pytest.raises(ValueError, match="no stages"):
            explainer(TinyNet(), random_images(1, 3, 8, 8), "relu1", intermediate=True)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: hc.WGradCAM(relu=1), TypeError, "relu must be True or False"),
        (lambda: hc.NormGrad(identity="none"), ValueError, "identity must be one of 'conv1x1'"),
        (lambda: hc.NormGrad(score="loss"), ValueError, "score must be one of"),
        (lambda: hc.EigenCAM(center=None), TypeError, "center must be True or False"),
        (lambda: hc.LayerCAMFused(preset="none"), ValueError, "preset must be one of"),
        (lambda: hc.LayerCAMFused(scaled=-1), ValueError, "scaled must be"),
        (lambda: hc.LayerCAMFused(gamma=0), ValueError, "gamma must be a number greater than 0"),
        (lambda: hc.ZoomCAM(score="loss"), ValueError, "score must be one of"),
        (lambda: hc.SmoothGradCAMpp(samples=0), ValueError, "samples must be"),
        (lambda: hc.SmoothGradCAMpp(std=0), ValueError, "std must be"),
        (lambda: hc.SmoothGradCAMpp(eps=-1), ValueError, "eps must be"),
        (lambda: hc.SmoothGradCAMpp(numerator="d3"), ValueError, "numerator must be"),
        (lambda: hc.SmoothGradCAMpp(seed=-1), ValueError, "seed must be"),
        (lambda: hc.IIA(preset="paper"), ValueError, "'reference', 'nested'"),
        (lambda: hc.IIA(steps=0), ValueError, "steps must be"),
        (lambda: hc.IIA(inner=2.5), ValueError, "inner must be"),
        (lambda: hc.MSGCAM(groups=0), ValueError, "groups must be"),
        (lambda: hc.MSGCAM(chunk=0), ValueError, "chunk must be"),
        (lambda: hc.MSGCAM(blur=50), ValueError, "kernel must be an odd number"),
        (lambda: hc.MSGCAM(scales=(2, 1)), ValueError, "must begin with 1"),
    ],
)
def test_bad_fields_are_named_at_once(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.gpu
@every
def test_cpu_and_gpu_agree(name):
    net, images = TinyNet(True).double(), random_images(2, 3, 12, 10).double()
    cpu = maps_of(name, net, images)
    gpu = maps_of(name, net.cuda(), images.cuda())
    for layer in cpu:
        assert gpu[layer].is_cuda
        torch.testing.assert_close(gpu[layer].cpu(), cpu[layer], rtol=1e-8, atol=1e-11)
