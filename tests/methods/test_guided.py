"""holicam.methods.gradients.guided: guided backpropagation and DeconvNet, whatever way a network calls its ReLUs."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import holicam as hc
from holicam.methods.gradients.activations import OTHER_ACTIVATIONS
from holicam.methods.gradients.guided import ReLURule
from tests.helpers.closeness import difference, within
from tests.helpers.nets import BranchNet, ColourNet, TinyNet, TokenNet, colour_image, random_images, randomise
from tests.twins import slow_gradient as slow

EVERY = {"guided": hc.GuidedBackprop(), "deconvnet": hc.DeconvNet()}
every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)
THEIRS = {"guided": "GuidedBackprop", "deconvnet": "Deconvolution"}


class Block(nn.Module):
    """A residual block that uses one ReLU twice, as torchvision's do."""

    def __init__(self, relu: str) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.one, self.two = nn.ReLU(relu == "in place"), nn.ReLU(relu == "in place")
        self.how = relu

    def bend(self, x, module):
        return {
            "functional": F.relu,
            "method": torch.Tensor.relu,
            "torch": torch.relu,
            "in-place function": lambda x: F.relu(x, inplace=True),
            "in-place method": torch.Tensor.relu_,
            "reused": self.one,
        }.get(self.how, module)(x)

    def forward(self, x):
        y = self.bend(self.conv1(x), self.one)
        y = self.conv2(y)
        if self.how.startswith("in"):
            y += x
            if self.how == "in-place method":
                y.relu_()  # what it returns is not used
                return y
        else:
            y = y + x
        return self.bend(y, self.two)


def residual(relu: str) -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.MaxPool2d(2),
        Block(relu),
        Block(relu),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    randomise(net, 0)
    return net.double().eval()


def images(height=24):
    return random_images(2, 3, height, 40, dtype=torch.float64)


@pytest.mark.parametrize("name", EVERY)
def test_slow_twin(name, record_property):
    x, target = random_images(2, 3, 9, 12, dtype=torch.float64), [1, 4]
    ours = EVERY[name](TinyNet().double(), x, target=torch.tensor(target))
    theirs = [slow.max_abs(slow.walk(TinyNet(), one, c, name)[1]) for one, c in zip(x.numpy(), target, strict=True)]
    within(record_property, difference(ours, np.stack(theirs)))


# captum needs a ReLU module of its own for each use, and out of place; ours is given the same
# network written in other ways.
@pytest.mark.parametrize(
    "relu", ["module", "in place", "reused", "functional", "method", "torch", "in-place function", "in-place method"]
)
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.filterwarnings("ignore:.*hooks.*:UserWarning", "ignore:.*required_grads.*:UserWarning")
def test_captum(name, relu, record_property):
    captum = pytest.importorskip("captum.attr")
    x, target = images(), torch.tensor([0, 3])
    theirs = getattr(captum, THEIRS[name])(residual("module")).attribute(x, target).abs().amax(1)
    within(record_property, difference(EVERY[name](residual(relu), x, target=target), theirs.detach()))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.filterwarnings("ignore:.*hooks.*:UserWarning", "ignore:.*required_grads.*:UserWarning")
def test_captum_on_a_vgg(name, record_property):
    captum = pytest.importorskip("captum.attr")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = hc.toynets.ToyVGG16BN(width=1).eval().double()
    plain = copy.deepcopy(net)
    for module in plain.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    x, target = images(32), torch.tensor([0, 3])
    theirs = getattr(captum, THEIRS[name])(plain).attribute(x, target).abs().amax(1)
    within(record_property, difference(EVERY[name](net, x, target=target), theirs.detach()))


@every
@pytest.mark.parametrize("family", ["resnet", "densenet", "googlenet"])
def test_torchvision_networks(explainer, family):
    """In place or not, and another map than the plain gradient's."""
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = {
            "resnet": lambda: models.resnet18(num_classes=5),
            "densenet": lambda: models.DenseNet(4, (2, 2), 8, num_classes=5),
            "googlenet": lambda: models.googlenet(num_classes=5, aux_logits=False, init_weights=False),
        }[family]().eval()
    x = random_images(2, 3, 48, 64)
    maps = explainer(net, x, target=1)
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    torch.testing.assert_close(explainer(net, x, target=1), maps)
    plain = hc.Gradient()(net, x, target=1)
    assert maps.shape == (2, 48, 64) and bool(maps.isfinite().all())
    assert not torch.allclose(maps / maps.amax(), plain / plain.amax(), rtol=1e-2)


def test_the_rules_on_paper():
    """One ReLU: plain passes where x > 0, deconvnet where R > 0, guided where both."""
    x = torch.tensor([-1.0, 2.0, -3.0, 4.0], requires_grad=True)
    R = torch.tensor([1.0, 1.0, -1.0, -1.0])
    for gate, expected in ((True, [0, 1, 0, 0]), (False, [1, 1, 0, 0])):
        with ReLURule(gate) as rule:
            y = F.relu(x)
        assert torch.equal(y, x.relu()) and rule.seen == 1
        (found,) = torch.autograd.grad(y, x, R)
        assert torch.equal(found, torch.tensor(expected).float())
    assert torch.equal(torch.autograd.grad(F.relu(x), x, R)[0], torch.tensor([0, 1.0, 0, -1.0]))


def test_positive_weights_leave_nothing_to_clip():
    """Where no gradient is negative, guided backpropagation is the gradient."""
    net = ColourNet().double()
    with torch.no_grad():
        net.fc.weight.abs_()
    found = hc.GuidedBackprop()(net, colour_image(), target=1)
    torch.testing.assert_close(found, hc.Gradient()(net, colour_image(), target=1))


@every
def test_batch_precision_sizes_and_zeros(explainer):
    net, x = TinyNet(), random_images(3, 3, 24, 40)
    whole = explainer(net, x)
    for b in range(3):
        torch.testing.assert_close(explainer(net, x[b : b + 1])[0], whole[b])
    torch.testing.assert_close(explainer(TinyNet(inplace=True), x), whole)
    torch.testing.assert_close(explainer(BranchNet(True), x), explainer(BranchNet(False), x))
    low = explainer(TinyNet().bfloat16(), x.bfloat16())
    assert whole.dtype == low.dtype == torch.float32 and bool(low.isfinite().all())
    assert explainer(net.double(), x.double()).dtype == torch.float64
    assert explainer(TinyNet(), x, size=(7, 9)).shape == (3, 7, 9)
    assert torch.equal(explainer(TinyNet(), x, target=lambda logits: logits[:, 0] * 0), torch.zeros(3, 24, 40))
    with torch.no_grad():
        assert torch.equal(explainer(TinyNet(), x), whole)


@every
def test_networks_without_relus_are_named(explainer):
    class Bent(TinyNet):
        def __init__(self, bend):
            super().__init__()
            self.bend = bend

        def forward(self, x):
            return self.fc(self.bend(self.conv0(x)).mean((2, 3)).repeat(1, 2))

    x = random_images(1, 3, 8, 8)
    with pytest.raises(ValueError, match="Bent calls none"):
        explainer(Bent(lambda x: x), x)
    for name, module in {
        "gelu": nn.GELU(),
        "silu": nn.SiLU(inplace=True),
        "leaky_relu": nn.LeakyReLU(),
        "relu6": nn.ReLU6(),
        "tanh": torch.tanh,
        "elu": F.elu,
        "hardswish": nn.Hardswish(),
        "prelu": nn.PReLU(),
        "sigmoid": torch.Tensor.sigmoid,
        "mish": nn.Mish(),
    }.items():
        called = "hardtanh" if name == "relu6" else name  # relu6 is made of it
        with pytest.raises(ValueError, match=f"uses ({name}|{called}).*ReLUs only"):
            explainer(Bent(module).eval(), x)
        assert called in OTHER_ACTIVATIONS
    with pytest.raises(ValueError, match="uses gelu"):
        explainer(TokenNet(), random_images(1, 3, 8, 8))


class Written(TinyNet):
    """A ReLU first, and then something written out in `forward`."""

    def __init__(self, bend):
        super().__init__()
        self.bend = bend

    def forward(self, x):
        return self.fc(self.bend(self.conv2(self.bend(self.conv1(self.relu0(self.conv0(x)))))).mean((2, 3)))


@every
@pytest.mark.parametrize(
    "bend",
    {
        "clamp": lambda z: z.clamp(min=0),
        "clamp, by place": lambda z: torch.clamp(z, 0.0),
        "clamp, in place": lambda z: z.clamp_(min=0),
        "clip": lambda z: torch.clip(z, min=0),
        "clamp_min": lambda z: z.clamp_min(0),
        "threshold": lambda z: F.threshold(z, 0, 0),
        "Threshold": nn.Threshold(0, 0, inplace=True),
        "threshold_": lambda z: F.threshold_(z, 0, 0),
        "maximum": lambda z: torch.maximum(z, torch.zeros_like(z)),
        "maximum, turned": lambda z: torch.maximum(torch.zeros_like(z), z),
        "max": lambda z: torch.max(z, z.new_zeros(())),
        "where": lambda z: torch.where(z > 0, z, 0.0),
        "where, a method": lambda z: z.where(z >= 0, torch.zeros_like(z)),
        "gate": lambda z: z * (z > 0),
        "cast gate": lambda z: (z > 0).float().to(z.dtype) * z,
        "mirrored gate": lambda z: z * (0 < z),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_relus_written_in_another_way(explainer, bend):
    x = random_images(2, 3, 12, 16)
    wanted = explainer(Written(F.relu), x, target=1)
    torch.testing.assert_close(explainer(Written(bend[1]).eval(), x, target=1), wanted)
    assert not torch.allclose(wanted, hc.Gradient()(Written(F.relu), x, target=1), rtol=1e-2)


@every
@pytest.mark.parametrize(
    ("says", "bend"),
    [
        ("clamp", lambda z: z.clamp(0, 6)),
        ("clamp", lambda z: z.clamp(max=0)),
        ("clamp_min", lambda z: z.clamp_min(-1)),
        ("threshold", nn.Threshold(0.1, 0)),
        ("threshold", nn.Threshold(0, 1)),
        ("maximum", lambda z: torch.maximum(z, 0.1 * z)),
        ("maximum", lambda z: torch.max(z, torch.ones_like(z))),
        ("minimum", lambda z: torch.min(z, z.new_zeros(()))),
        ("a comparison in where", lambda z: torch.where(z > 0, z, 0.1 * z)),
        ("a comparison in where", lambda z: torch.where(z < 0, 0.0, z)),
        ("a comparison in mul", lambda z: z * (z > 1)),
        ("a comparison in mul", lambda z: 2 * z * (z > 0)),
        ("a comparison in masked_fill", lambda z: z.masked_fill(~(z > 0), 0)),
        ("erf", lambda z: z * 0.5 * (1 + torch.erf(z / 2**0.5))),
        ("expit", lambda z: z * torch.special.expit(z)),
        ("abs", lambda z: abs(z)),
        ("pow", lambda z: z**2),
        ("exp", torch.exp),
        ("rdiv", lambda z: 1 / (2 + z)),
        ("sin", torch.sin),
    ],
)
def test_other_activations_that_are_written_out(explainer, says, bend):
    with pytest.raises(ValueError, match=f"uses {says},.*ReLUs only"):
        explainer(Written(bend).eval(), random_images(1, 3, 8, 8))


@every
def test_what_no_image_passes_through_may_be_bent(explainer):
    """Weights that are standardised, and masks that the network's shape alone gives."""

    def same(z):
        scale = torch.exp(torch.zeros(1, z.shape[1], 1, 1)).sqrt().clamp(0, 6)
        inside = torch.arange(z.shape[-1]) >= 0
        return (F.relu(z) * scale * inside).masked_fill(~inside, 0)

    x = random_images(1, 3, 8, 8)
    assert torch.equal(explainer(Written(same), x), explainer(Written(F.relu), x))


@every
def test_bad_calls_and_repr(explainer):
    kind = type(explainer)
    assert eval(repr(explainer), {kind.__name__: kind}) == explainer
    assert repr(explainer) == f"{kind.__name__}(reduction='max-abs', score='logit')"
    for bad, words in (({"reduction": "l2"}, "reduction must be"), ({"score": "loss"}, "score must be")):
        with pytest.raises(ValueError, match=words):
            kind(**bad)
    with pytest.raises(ValueError, match="reads no layer"):
        explainer(TinyNet(), random_images(1, 3, 8, 8), "relu1")
    with pytest.raises(ValueError, match="training mode"):
        explainer(TinyNet().train(), random_images(1, 3, 8, 8))


@pytest.mark.gpu
@every
@pytest.mark.parametrize("relu", ["module", "in place", "functional"])
def test_cpu_and_gpu_agree(explainer, relu):
    cpu = explainer(residual(relu), images(), target=1)
    gpu = explainer(residual(relu).cuda(), images().cuda(), target=1)
    assert gpu.is_cuda
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-9, atol=1e-12)
