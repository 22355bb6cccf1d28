"""holicam.methods.relevance: batches, sizes, types, in-place networks, and what is left behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import holicam as hc
from holicam.methods.relevance.op import Linear
from holicam.methods.relevance.rsp import sectional
from holicam.methods.relevance.walk import walk
from tests.helpers.nets import BranchNet, ColourNet, TinyNet, random_images
from tests.helpers.relevance import EVERY, NETS, every, layered, where


@every
def test_a_batch_equals_its_singles(explainer):
    net, images = TinyNet().double(), random_images(4, 3, 14, 10, dtype=torch.float64)
    images = images * torch.tensor([1, 0.1, 3, 1.0])[:, None, None, None]  # each its own range
    target, layer = torch.tensor([0, 3, 1, 2]), where(explainer)
    together = explainer(net, images, layer, target)
    for b in range(4):
        alone = explainer(net, images[b : b + 1], layer, int(target[b]))
        torch.testing.assert_close(together[b : b + 1], alone, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(together[0], together[1])


@every
@pytest.mark.parametrize("name", NETS)
def test_torchvision_shapes(explainer, name):
    """Finite maps of the right shape, in float32, at default layers, batch = singles."""
    net, images = NETS[name].float(), random_images(2, 3, 32, 48)
    explainer = hc.RSP() if isinstance(explainer, hc.RSP) else explainer
    maps = explainer(net, images)
    assert maps.shape == (2, 32, 48) and maps.isfinite().all() and maps.dtype == torch.float32
    if not isinstance(explainer, hc.ContrastiveMWP):
        assert (maps != 0).any()


@every
@pytest.mark.parametrize("shape", [(16, 16), (14, 9), (15, 17), (1, 1), (5, 40)])
def test_any_image_size(explainer, shape):
    maps = explainer(TinyNet(), random_images(2, 3, *shape), where(explainer), 0)
    assert maps.shape == (2, *shape) and maps.isfinite().all()


@every
@pytest.mark.parametrize("layer", ["conv0", "bn1", "relu1"])
def test_in_place_relus_change_nothing(explainer, layer):
    images = random_images(2, 3, 9, 12)
    maps = [explainer(TinyNet(inplace), images, where(explainer, layer), 1) for inplace in (True, False)]
    assert torch.equal(*maps)


class Shared(BranchNet):
    def forward(self, images):
        x = self.stem(images)
        left, right = self.left(x), self.right(x)
        x = left + self.identity(right)
        if self.inplace:
            right.add_(1.0)  # changes the memory that the sum above remembers
            x += right
            x += left
            x.mul_(0.5)
        else:
            x = (x + (right + 1.0) + left) * 0.5
        x = self.join(x) + self.cut(images[:, :1].detach().repeat(1, 4, 1, 1))
        return self.fc(self.twice(self.twice(x)).mean((2, 3)))


@every
def test_in_place_sums_of_shared_memory(explainer):
    """Branches used twice, a constant added in place, a side that hangs on nothing, a layer run twice."""
    images = random_images(2, 3, 8, 12, dtype=torch.float64)
    explainer = hc.RSP(layer="join") if isinstance(explainer, hc.RSP) else explainer
    maps = [explainer(Shared(inplace).double(), images, where(explainer, "stem"), 1) for inplace in (True, False)]
    torch.testing.assert_close(*maps)
    assert maps[0].isfinite().all()


def test_grouped_convolutions_and_small_channels():
    """A middle layer of three channels and groups is not the first layer."""
    images = random_images(2, 3, 8, 12, dtype=torch.float64).abs()
    net = ColourNet().double()
    M = hc.LRP()(net, images, None, 1)
    torch.testing.assert_close(M.sum((1, 2)), net(images)[:, 1].detach())
    assert hc.RSP(layer="box")(net, images, None, 1).isfinite().all()


@every
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
    ],
)
def test_dtypes(explainer, dtype, expected):
    """Half precision is computed in float32, from the rounded weights."""
    images = random_images(2, 3, 12, 12).to(dtype)
    net = TinyNet().to(dtype)
    maps = explainer(net, images, where(explainer), 2)
    exact = explainer(TinyNet().to(dtype).double(), images.double(), where(explainer), 2)
    assert maps.dtype == expected and maps.isfinite().all()
    tolerance = 0 if dtype == torch.float64 else 1e-3
    if isinstance(explainer, hc.RSP) and dtype in (torch.bfloat16, torch.float16):
        tolerance = 0.05  # its start is a Grad-CAM, and that pass runs as the network does
    assert (maps - exact).abs().max() <= tolerance * exact.abs().max()


@every
@pytest.mark.parametrize("value", [0.0, 1.5])
def test_constant_images_and_dead_layers(explainer, value):
    net = TinyNet()
    assert explainer(net, torch.full((1, 3, 8, 8), value), where(explainer)).isfinite().all()
    with torch.no_grad():
        net.bn2.weight.zero_()
        net.bn2.bias.fill_(-1.0)  # the last layer is 0 everywhere
    assert (explainer(net, random_images(1, 3, 8, 8), where(explainer), 1) == 0).all()
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    assert (explainer(net, random_images(1, 3, 8, 8), where(explainer), 1) == 0).all()


class Detached(TinyNet):
    def forward(self, images):
        x = self.relu0(self.conv0(images)).detach()
        return self.fc(self.relu2(self.conv2(self.relu1(self.conv1(x)))).mean((2, 3)))


def test_what_the_score_does_not_depend_on_is_named():
    net, images = Detached(), random_images(2, 3, 8, 8)
    with pytest.raises(ValueError, match="does not depend on the image"):
        hc.LRP()(net, images, None, 0)
    with pytest.raises(ValueError, match="does not depend on layer 'relu0'"):
        hc.MWP()(net, images, ["relu0", "relu1"], 0)
    assert (hc.MWP()(net, images, "relu1", 0) != 0).any()


def state(net):
    return (
        [(p.requires_grad, p.grad, p.clone()) for p in net.parameters()],
        net.training,
        [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules()],
        [m.forward.__func__ for m in net.modules()],
    )


def same(a, b):
    return a[1:] == b[1:] and all(
        x[0] == y[0] and x[1] is y[1] and torch.equal(x[2], y[2]) for x, y in zip(a[0], b[0], strict=True)
    )


@every
def test_nothing_is_left_behind_also_after_an_error(explainer):
    net, images = TinyNet(inplace=True), random_images(2, 3, 8, 8)
    net.conv0.weight.requires_grad_(False)
    before, given, random = state(net), images.clone(), torch.get_rng_state()
    explainer(net, images, where(explainer), 0)
    assert same(before, state(net)) and torch.equal(given, images) and not images.requires_grad
    original = net.fc.forward
    net.fc.forward = lambda x: nn.functional.gelu(original(x))
    with pytest.raises(ValueError, match="uses gelu, for which relevance has no rule"):
        explainer(net, images, where(explainer), 0)
    del net.fc.forward
    with pytest.raises(ValueError, match=r"must lie in 0\.\.4"):
        explainer(net, images, where(explainer), 7)
    assert same(before, state(net)) and torch.equal(random, torch.get_rng_state())
    assert torch.is_grad_enabled()
    assert torch.nn.functional.gelu(images).shape == images.shape  # no mode is left on


@every
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_inside_no_grad(explainer, context):
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    outside = explainer(net, images, where(explainer))
    with context():
        assert torch.equal(explainer(net, images, where(explainer)), outside)
        assert torch.equal(explainer(net, images.clone(), where(explainer)), outside)


FORWARDS = {"lrp": 1, "c-lrp": 1, "sglrp": 1, "rap": 1, "rsp": 2, "agf": 2, "relevance-cam": 1, "mwp": 1, "c-mwp": 1}


@pytest.mark.parametrize("name", EVERY)
def test_forwards_are_counted(name):
    net, count = TinyNet(), []
    net.register_forward_hook(lambda *_: count.append(1))
    layers = ["relu0", "relu1", "relu2"] if EVERY[name].takes == "layer" else None
    EVERY[name](net, random_images(3, 3, 8, 8), layers, 0)
    assert len(count) == FORWARDS[name]


@pytest.mark.parametrize(("name", "walks"), [("lrp", 1), ("c-lrp", 2), ("mwp", 1), ("c-mwp", 1), ("relevance-cam", 1)])
def test_one_walk_serves_the_batch_and_all_layers(name, walks, monkeypatch):
    from holicam.methods.relevance.walk import Walk

    count, back = [], Walk.back
    monkeypatch.setattr(Walk, "back", lambda *a, **k: count.append(1) or back(*a, **k))
    layers = ["relu0", "relu1", "relu2"] if EVERY[name].takes == "layer" else None
    EVERY[name](TinyNet(), random_images(3, 3, 8, 8), layers, 0)
    assert len(count) == walks


@layered
def test_layers_and_sizes(explainer):
    net, images = TinyNet(), random_images(2, 3, 12, 10)
    one = explainer(net, images, "relu1", 0)
    many = explainer(net, images, ("relu2", "relu1"), 0)
    assert list(many) == ["relu2", "relu1"] and torch.equal(many["relu1"], one)
    native = explainer(net, images, "relu1", 0, size="native")
    assert native.shape == (2, 6, 5)
    torch.testing.assert_close(one, hc.ops.upsample(native, (12, 10)))
    assert explainer(net, images, "relu1", 0, size=(7, 20)).shape == (2, 7, 20)
    for bad in ("same", 7, (0, 3)):
        with pytest.raises(ValueError, match='None, "native" or'):
            explainer(net, images, "relu1", 0, size=bad)
    with pytest.raises(KeyError, match="close names"):
        explainer(net, images, "relu9", 0)
    with pytest.raises(ValueError, match="no stages"):
        explainer(net, images, "relu1", 0, intermediate=True)
    with pytest.raises(ValueError, match=r"needs \(B, C, h, w\)"):
        explainer(net, images, "fc", 0)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_messages():
    images = random_images(1, 3, 8, 8)
    with pytest.raises(ValueError, match="training mode"):
        hc.LRP()(TinyNet().train(), images)
    with pytest.raises(ValueError, match="reads no layer"):
        hc.LRP()(TinyNet(), images, "relu1")
    with pytest.raises(ValueError, match="NaN or infinite"):
        hc.LRP()(TinyNet(), images * float("nan"))
    with pytest.raises(ValueError, match="TorchScript"):
        hc.LRP()(torch.jit.trace(TinyNet(), images), images)

    class Gated(TinyNet):
        def forward(self, images):
            x = self.relu0(self.conv0(images))
            return self.fc(self.relu2(self.conv2(self.relu1(self.conv1(x * x)))).mean((2, 3)))

    with pytest.raises(ValueError, match="multiplies feature maps"):
        hc.LRP()(Gated(), images)
    with pytest.raises(ValueError, match="'unused' did not run"):
        hc.MWP()(BranchNet(), images, "unused")


@pytest.mark.parametrize("activation", [nn.SiLU(), nn.Sigmoid(), nn.LeakyReLU(), nn.Tanh(), nn.ReLU6()])
def test_other_activations_are_refused(activation):
    net = TinyNet()
    net.relu1 = activation.eval()
    with pytest.raises(ValueError, match="relevance has no rule"):
        hc.LRP()(net, random_images(1, 3, 8, 8))


def test_constants_take_no_relevance():
    class Scaled(TinyNet):
        def forward(self, images):
            return 2 * super().forward(images * 0.5 + 1.0) / 3 + 0.1

    net, images = Scaled().double(), random_images(2, 3, 8, 8, dtype=torch.float64)
    walked = walk(net, images, 1)
    R = walked.back(walked.one_hot)[None]
    torch.testing.assert_close(R.sum((1, 2, 3)), torch.ones(2, dtype=torch.float64))


@pytest.mark.gpu
@every
def test_cpu_and_gpu_agree(explainer):
    for inplace in (False, True):
        net, images = TinyNet(inplace).double(), random_images(2, 3, 12, 10).double()
        cpu = explainer(net, images, where(explainer), 1)
        gpu = explainer(net.cuda(), images.cuda(), where(explainer), 1)
        assert gpu.is_cuda
        torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-8, atol=1e-12)


SETTINGS = {
    "stride and padding": {"kernel_size": 3, "stride": 2, "padding": (1, 0)},
    "dilated groups": {"kernel_size": (3, 2), "dilation": (2, 1), "groups": 2, "padding": (2, 1)},
    "same": {"kernel_size": (3, 5), "dilation": (2, 1), "padding": "same"},
    "valid": {"kernel_size": 2, "padding": "valid"},
    "a point": {"kernel_size": 1},
    "points apart, in groups": {"kernel_size": 1, "stride": 2, "groups": 2},
}


@pytest.mark.parametrize("size", [(3, 4), (13, 17)], ids=["few places", "many"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_sectional_propagation_is_its_definition(kind, size):
    """By autograd, one image and one sign at a time, with the layer's own settings; also of channels that lie last."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 6, **SETTINGS[kind], bias=False).double()
    names = ("stride", "padding", "dilation", "groups")
    settings = {name: getattr(layer, name) for name in names}
    x = random_images(2, 4, *size, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    R = torch.randn_like(layer(x))
    op = Linear(layer, W=layer.weight, bias=None, apply=None, settings=settings, signs=None)
    (found,) = sectional(R, [x], op)
    for image, amount, C in zip(x.clamp(min=0).split(1), R.split(1), found.split(1), strict=True):
        both = []
        for side in (amount.clamp(min=0), (-amount).clamp(min=0)):
            u, W = image.clone().requires_grad_(), layer.weight.detach().clone().requires_grad_()
            (omega,) = torch.autograd.grad(nn.functional.conv2d(u, W, **settings), W, side)
            z = nn.functional.conv2d(u, omega, **settings)
            (back,) = torch.autograd.grad(z, u, torch.where(z > 0, side / z, 0).detach())
            both.append(u.detach() * back)
        expected = both[0] - both[1]
        if op.kernel:
            expected = 2 * expected - (expected != 0) * amount.sum() / (expected != 0).sum()
        torch.testing.assert_close(C, expected, rtol=1e-9, atol=1e-12)
