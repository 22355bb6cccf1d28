"""holicam.methods.relevance: what does not depend on the image takes no relevance, whatever it is called."""

from __future__ import annotations

import operator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision import transforms
from torchvision.transforms import v2

import holicam as hc
from holicam.methods.relevance import names
from tests.helpers.closeness import difference
from tests.helpers.nets import TinyNet, random_images
from tests.helpers.relevance import EVERY, NETS, every, where

MEAN, STD = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.25])


def column(x: Tensor) -> Tensor:
    return x.view(1, -1, 1, 1)


# Normalisation inside the network ---------------------------------------------------------------


def in_slices(x, m, s):
    x = x.clone()
    for c in range(3):
        x[:, c] = (x[:, c] - m[0, c, 0, 0]) / s[0, c, 0, 0]
    return x


def in_slices_in_place(x, m, s):
    x = x.clone()
    for c in range(3):
        x[:, c].sub_(float(m[0, c, 0, 0])).div_(float(s[0, c, 0, 0]))
    return x


def into_zeros(x, m, s):
    out = torch.zeros_like(x)
    out += x
    out -= m
    out /= s
    return out


def without_gradients(x, m, s):
    with torch.no_grad():
        shift = (m / s).expand_as(x).clone()
    return x / s - shift


WAYS = {
    "sub, div": lambda x, m, s: (x - m) / s,
    "in place": lambda x, m, s: x.clone().sub_(m).div_(s),
    "on the image itself": lambda x, m, s: x.sub_(m).div_(s),
    "mul, add": lambda x, m, s: x * (1 / s) + (-m / s),
    "reversed": lambda x, m, s: -(m - x) / s,
    "constant first": lambda x, m, s: (1 / s) * (-m + x),
    "torch.sub with alpha": lambda x, m, s: torch.sub(x, m / 2, alpha=2).mul(s.reciprocal()),
    "torch.add with alpha": lambda x, m, s: torch.add(input=x, other=m, alpha=-1).true_divide(s),
    "constant with alpha": lambda x, m, s: torch.sub(m, x, alpha=1).neg().divide(s),
    "rsub": lambda x, m, s: torch.rsub(x, m).negative().multiply(1 / s),
    "rsub with alpha": lambda x, m, s: torch.rsub(x, m / 2, alpha=0.5).mul_(-2).div(s),
    "addcmul": lambda x, m, s: torch.addcmul(-m / s, x, 1 / s),
    "addcmul with value": lambda x, m, s: x.addcmul(m, torch.ones_like(m), value=-1) / s,
    "addcdiv": lambda x, m, s: torch.addcdiv(-m / s, x, s),
    "lerp": lambda x, m, s: torch.lerp(x, m, 2.0).neg().add(m) / s,
    "expanded": lambda x, m, s: (x - m.expand_as(x)) / s.expand(len(x), -1, *x.shape[2:]),
    "like": lambda x, m, s: (x - m.type_as(x) * torch.ones_like(x)) / s.to(x),
    "numbers": lambda x, m, s: (
        torch.stack([x[:, c] - float(m[0, c, 0, 0]) for c in range(3)], 1)
        / x.new_tensor(s[0, :, 0, 0].tolist())[:, None, None]
    ),
    "0-d": lambda x, m, s: torch.cat([(x[:, c : c + 1] - m[0, c, 0, 0]) / s[0, c, 0, 0] for c in range(3)], 1),
    "slices": in_slices,
    "slices in place": in_slices_in_place,
    "into zeros": into_zeros,
    "without gradients": without_gradients,
    "Normalize": lambda x, m, s: transforms.Normalize(m.flatten().tolist(), s.flatten().tolist())(x),
    "Normalize in place": lambda x, m, s: transforms.Normalize(m.flatten(), s.flatten(), inplace=True)(x.clone()),
    "v2.Normalize": lambda x, m, s: v2.Normalize(m.flatten().tolist(), s.flatten().tolist())(x),
    "batch norm": lambda x, m, s: F.batch_norm(x, m.flatten(), s.flatten() ** 2, eps=0.0),
}
KINDS = {
    "buffer": lambda x: x,
    "parameter": nn.Parameter,
    "plain tensor": lambda x: x.clone().requires_grad_(),
    "made of a plain tensor": lambda x: x.clone().requires_grad_() * 1,
}


class Normalised(nn.Module):
    def __init__(self, net, way, kind="buffer"):
        super().__init__()
        self.net, self.way = net, way
        m, s = KINDS[kind](column(MEAN).double()), KINDS[kind](column(STD).double())
        if "plain" in kind:  # one that wants a gradient
            self.constants = (m, s)
        else:
            self.m, self.s = (m, s) if kind == "parameter" else (nn.Buffer(m), nn.Buffer(s))
        self.eval()

    def forward(self, x):
        m, s = self.constants if hasattr(self, "constants") else (self.m, self.s)
        return self.net(self.way(x, m, s))


@pytest.fixture
def images():
    return random_images(2, 3, 9, 12, dtype=torch.float64) * 0.3 + 0.5


def normalised(images):
    return (images - column(MEAN)) / column(STD)


def inside(explainer):
    return hc.RSP(layer="net.relu2") if isinstance(explainer, hc.RSP) else explainer


@pytest.mark.filterwarnings("error::holicam.methods.gradients.fullgrad.IncompleteWarning")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_normalise_gives_the_maps_of_the_normalised_image(way, images):
    net, given = TinyNet().double(), images.clone()
    for explainer in (hc.LRP(), hc.MWP(), hc.FullGrad()):
        if way == "batch norm" and isinstance(explainer, hc.FullGrad):  # a layer without a module has no bias there
            continue
        expected = explainer(net, normalised(images), where(explainer), [1, 3])
        got = explainer(Normalised(net, WAYS[way]), given, where(explainer, "net.relu1"), [1, 3])
        assert difference(got, expected) < 1e-10
    assert torch.equal(given, images)


@every
def test_every_method_and_every_kind_of_constant(explainer, images):
    net = TinyNet().double()
    expected = explainer(net, normalised(images), where(explainer), [1, 3])
    for kind in KINDS:
        model = Normalised(net, WAYS["in place" if kind == "buffer" else "sub, div"], kind)
        got = inside(explainer)(model, images, where(explainer, "net.relu1"), [1, 3])
        assert difference(got, expected) < 1e-10


@every
def test_a_sequential_with_normalize(explainer, images):
    net = TinyNet().double()
    model = nn.Sequential(transforms.Normalize(MEAN.tolist(), STD.tolist()), net).eval()
    explainer_inside = hc.RSP(layer="1.relu2") if isinstance(explainer, hc.RSP) else explainer
    expected = explainer(net, normalised(images), where(explainer), 2)
    got = explainer_inside(model, images, where(explainer, "1.relu1"), 2)
    assert difference(got, expected) < 1e-6  # its constants are float32


@pytest.mark.parametrize("name", NETS)
def test_the_map_sums_to_the_score_with_the_normalisation_inside(name):
    net, images = NETS[name].double(), random_images(2, 3, 48, 64, dtype=torch.float64)
    model = Normalised(net, WAYS["sub, div"])
    with torch.no_grad():
        S = model(images)[:, 1]
    for explainer in (hc.LRP(), hc.LRP(first="zplus"), hc.RAP()):
        torch.testing.assert_close(explainer(model, images, None, 1).sum((1, 2)), S, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 32),
        ("googlenet", 32),
        pytest.param("densenet121", 64, marks=pytest.mark.slow),
        pytest.param("vgg11_bn", 64, marks=pytest.mark.slow),
    ],
)
def test_torchvision_networks_that_normalise(name, size):
    from torchvision.models import get_model

    more = {"aux_logits": False, "init_weights": False, "transform_input": True} if name == "googlenet" else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = get_model(name, weights=None, num_classes=5, **more).eval().double()
    model = nn.Sequential(transforms.Normalize(MEAN.tolist(), STD.tolist()), net).eval()
    images = random_images(1, 3, size, size, dtype=torch.float64)
    M = hc.LRP()(model, images, None, 1)
    torch.testing.assert_close(M.sum((1, 2)), model(images)[:, 1].detach())
    assert difference(M, hc.LRP()(net, transforms.Normalize(MEAN.tolist(), STD.tolist())(images), None, 1)) < 1e-12


def test_both_stems_read_the_image():
    """z^B is for every layer that reads the image, normalised or not, and for no other."""

    class Stems(nn.Module):
        def __init__(self, way):
            super().__init__()
            self.a, self.b, self.fc, self.way = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(4, 3), way
            torch.manual_seed(0)
            for p in self.parameters():
                nn.init.normal_(p)
            self.double().eval()

        def forward(self, x):
            x = self.way(x)
            return self.fc((self.a(x) + self.b(x)).relu().mean((2, 3)))

    m, s, images = column(MEAN).double(), column(STD).double(), random_images(2, 3, 8, 8, dtype=torch.float64)
    expected = hc.LRP()(Stems(lambda x: x), (images - m) / s, None, 1)
    assert difference(hc.LRP()(Stems(lambda x: (x - m) / s), images, None, 1), expected) < 1e-10


# Constants further up ----------------------------------------------------------------------------


class Folded(nn.Module):
    """TinyNet whose second convolution hands its bias to `way`; or keeps it."""

    def __init__(self, way=None, size=None):
        super().__init__()
        self.net, self.way = TinyNet().double(), way
        b = self.net.conv1.bias.detach().clone().view(1, -1, 1, 1)
        self.b = b if size is None else b.expand(1, -1, *size).clone()
        self.eval()

    def forward(self, x):
        net = self.net
        x = net.relu0(net.bn0(net.conv0(x)))
        y = net.conv1(x) if self.way is None else self.way(F.conv2d(x, net.conv1.weight, None, 2, 1), self.b)
        return net.fc(net.relu2(net.bn2(net.conv2(net.relu1(net.bn1(y))))).mean((2, 3)))


def add_in_place(y, b):
    y += b
    return y


def in_a_loop(y, b):
    out = torch.zeros_like(y)
    for part in (y, b):
        out += part
    return out


def over_the_constant(y, b):
    out = b.expand_as(y).clone()
    out.add_(y)
    return out


BIASES = {
    "buffer": lambda y, b: y + b,
    "reversed": lambda y, b: b + y,
    "in place": add_in_place,
    "sub": lambda y, b: y - (-b),
    "map": lambda y, b: y + nn.Parameter(b.expand(1, -1, *y.shape[2:]).clone()),
    "batch of maps": lambda y, b: y + b.expand_as(y),
    "alpha": lambda y, b: torch.add(y, b, alpha=1),
    "loop": in_a_loop,
    "sum": lambda y, b: sum([y, b]),
    "addcmul": lambda y, b: y.addcmul(b, torch.ones(())),
    "stack": lambda y, b: torch.stack([y, b.expand_as(y)]).sum(0),
    "over the constant": over_the_constant,
    "where": lambda y, b: torch.where(b > -9, y + b, b),
}


@every
def test_a_constant_added_to_features_is_a_bias(explainer, images):
    at, every_way = where(explainer, "net.relu0"), isinstance(explainer, (hc.LRP, hc.MWP))
    explainer = inside(explainer)
    expected = explainer(Folded(), images, at, [1, 3])
    for way in BIASES if every_way else ("buffer", "map", "over the constant"):
        assert difference(explainer(Folded(BIASES[way]), images, at, [1, 3]), expected) < 1e-10, way


def test_the_score_is_all_there_is_to_share(images):
    """The leak as it was seen: 1.336 for 0.991."""
    net, x = NETS["basic"].double(), random_images(1, 3, 48, 64, dtype=torch.float64)
    b = column(MEAN).double()

    class Shift(nn.Module):
        def forward(self, images):
            return net(images + b)

    a, r = hc.LRP(start="one")(net, x, None, 1), hc.LRP(start="one")(Shift().eval(), x - b, None, 1)
    torch.testing.assert_close(r, a, rtol=1e-9, atol=1e-12)
    assert r.sum().item() == pytest.approx(1)


# Constants beside features -----------------------------------------------------------------------


def coordinates(x, dtype):
    h, w = x.shape[2:]
    grid = torch.meshgrid(torch.linspace(-1, 2, h, dtype=dtype), torch.linspace(0.5, 3, w, dtype=dtype), indexing="ij")
    return torch.stack(grid)[None].expand(len(x), -1, -1, -1)


def written(x, c):
    out = torch.empty(len(x), x.shape[1] + 2, *x.shape[2:], dtype=x.dtype)
    out[:, :-2], out[:, -2:] = x, c
    return out


def copied(x, c):
    out = torch.cat([torch.zeros_like(x), c], 1)
    out.narrow(1, 0, x.shape[1]).copy_(x)
    return out


def masked(x, c):
    both = torch.cat([x, x[:, :1], x[:, :1]], 1)
    own = torch.arange(both.shape[1])[:, None, None] < x.shape[1]
    return torch.where(own, both, F.pad(c, (0, 0, 0, 0, x.shape[1], 0)))


JOINED = {
    "cat": lambda x, c: torch.cat([x, c], 1),
    "setitem": written,
    "copy": copied,
    "where": masked,
    "flipped twice": lambda x, c: torch.cat([c.flip(3), x.flip(3)], 1).roll(-2, 1).flip(3),
    "permuted": lambda x, c: torch.cat([x.permute(0, 2, 3, 1), c.permute(0, 2, 3, 1)], -1).permute(0, 3, 1, 2),
    "pixels in rows": lambda x, c: torch.cat([x, c], 1).flatten(2).unflatten(2, x.shape[2:]),
    "then shifted": lambda x, c: torch.cat([x - 0.25, c - 0.25], 1) + 0.25,
    "then shifted in place": lambda x, c: torch.cat([x - 0.25, c - 0.25], 1).add_(0.25),
}


class Coordinates(nn.Module):
    """A convolution that reads two maps of coordinates beside what it reads; or adds what they give."""

    def __init__(self, how, first):
        super().__init__()
        torch.manual_seed(1)
        self.stem, self.conv = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3 if first else 4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 3)
        self.beside = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.how, self.first = how, first
        self.double().eval()

    def forward(self, x):
        c = coordinates(x, x.dtype)
        if not self.first:
            x = self.stem(x).relu()
        if self.how is None:
            x = self.conv(x) + self.beside(c)
        else:
            W = torch.cat([self.conv.weight, self.beside.weight], 1)
            x = F.conv2d(JOINED[self.how](x, c), W, self.conv.bias, padding=1)
        return self.fc(x.relu().mean((2, 3)))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("how", JOINED)
def test_constants_beside_features_take_nothing(how, first):
    images = random_images(2, 3, 7, 8, dtype=torch.float64)
    others = (hc.LRP(alpha=2, beta=1), hc.SGLRP(), hc.RAP()) if how == "cat" else ()
    for explainer in (hc.LRP(), hc.LRP(first="zplus"), *others):
        maps = [explainer(Coordinates(h, first), images, None, [0, 2]) for h in (None, how)]
        assert difference(maps[1], maps[0]) < 1e-10


class Padded(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.net, self.way = TinyNet().double(), way
        self.eval()

    def forward(self, x):
        net = self.net
        x = net.relu0(net.bn0(self.way(x, net.conv0.weight, net.conv0.bias, 1)))
        x = net.relu1(net.bn1(self.way(x, net.conv1.weight, net.conv1.bias, 2)))
        return net.fc(net.relu2(net.bn2(net.conv2(x))).mean((2, 3)))


def into_a_frame(x, W, b, s):
    frame = x.new_zeros(len(x), x.shape[1], x.shape[2] + 2, x.shape[3] + 2)
    frame[:, :, 1:-1, 1:-1] = x
    return F.conv2d(frame, W, b, s)


PADS = {
    "pad": lambda x, W, b, s: F.conv2d(F.pad(x, (1, 1, 1, 1)), W, b, s),
    "frame": into_a_frame,
    "module": lambda x, W, b, s: F.conv2d(nn.ZeroPad2d(1)(x), W, b, s),
    "two steps": lambda x, W, b, s: F.conv2d(F.pad(F.pad(x, (1, 1)), (0, 0, 1, 1), value=0.0), W, b, s),
}


@every
def test_a_border_of_zeros_takes_nothing(explainer, images):
    at, every_way = where(explainer, "net.relu0"), isinstance(explainer, (hc.LRP, hc.MWP))
    explainer = inside(explainer)
    built_in = explainer(Padded(lambda x, W, b, s: F.conv2d(x, W, b, s, 1)), images, at, 1)
    for way in PADS if every_way else ("pad",):
        assert difference(explainer(Padded(PADS[way]), images, at, 1), built_in) < 1e-10, way


def test_averages_and_winners_beside_constants():
    """An average gives all to what depends on the image; a constant that wins a max-pooling is one."""

    class Net(nn.Module):
        def __init__(self, pool):
            super().__init__()
            self.pool, self.fc = pool, nn.Linear(8, 2, bias=False).double()
            nn.init.constant_(self.fc.weight, 1.0)
            self.eval()

        def forward(self, x):
            return self.fc(self.pool(F.pad(x, (0, 2), value=3.0)).flatten(1))

    images = random_images(1, 1, 4, 6, dtype=torch.float64).abs()
    for pool in (nn.AvgPool2d(2), nn.MaxPool2d(2), nn.AdaptiveMaxPool2d((2, 4)), nn.AdaptiveAvgPool2d((2, 4))):
        M = hc.LRP(first="zplus", start="one")(Net(pool), images, None, 0)
        assert M.sum().item() == pytest.approx(1) and (M >= 0).all()


# Two things that depend on the image -------------------------------------------------------------


class Centred(nn.Module):
    """Something of the features themselves is taken away from them, or added."""

    def __init__(self, way):
        super().__init__()
        torch.manual_seed(3)
        self.a, self.b, self.fc, self.way = nn.Conv2d(3, 6, 3), nn.Conv2d(3, 6, 3), nn.Linear(6, 4), way
        self.double().eval()

    def forward(self, x):
        return self.fc(self.way(self.a(x).relu(), self.b(x).relu()).relu().mean((2, 3)))


SAME = {
    "difference": (lambda a, b: a - b, lambda a, b: a + b * -1.0),
    "difference in place": (lambda a, b: a.sub_(b), lambda a, b: a + b * -1.0),
    "reversed": (lambda a, b: torch.rsub(a, b), lambda a, b: -a + b),
    "alpha": (lambda a, b: torch.add(a, b, alpha=0.5), lambda a, b: a + b / 2),
    "addcmul": (lambda a, b: a.addcmul(b, b.new_full((1, 6, 1, 1), 2), value=0.25), lambda a, b: a + b * 0.5),
    "addcdiv in place": (lambda a, b: a.addcdiv_(b, b.new_full((6, 1, 1), 4)), lambda a, b: a + b * 0.25),
    "lerp": (lambda a, b: torch.lerp(a, b, 0.25), lambda a, b: a * 0.75 + b * 0.25),
    "its mean": (lambda a, b: a - a.mean((2, 3), keepdim=True), lambda a, b: a + a.mean((2, 3), keepdim=True) * -1.0),
    "one mean": (lambda a, b: a - b.mean(), lambda a, b: a + b.mean().expand_as(a) * -1.0),
}


@pytest.mark.parametrize("way", SAME)
@pytest.mark.parametrize("name", ["lrp", "agf"])
def test_differences_share_as_sums_with_signs(name, way):
    images, (one, other) = random_images(1, 3, 8, 8, dtype=torch.float64), SAME[way]
    maps = [EVERY[name](Centred(w), images, None, 1) for w in (one, other)]
    assert difference(maps[0], maps[1]) < 1e-9


def test_rsp_sees_the_sign_and_the_factor_of_a_summand():
    class Net(nn.Module):
        def __init__(self, way):
            super().__init__()
            self.body, self.top = Centred(way), nn.Conv2d(6, 6, 1)
            self.eval().double()

        def forward(self, x):
            body = self.body
            x = self.top(body.way(body.a(x).relu(), body.b(x).relu()))
            return body.fc(x.mean((2, 3)))

    images = random_images(1, 3, 8, 8, dtype=torch.float64)
    for one, other in (SAME["difference"], SAME["alpha"]):
        torch.manual_seed(0)
        nets = [Net(one), Net(other)]
        nets[1].load_state_dict(nets[0].state_dict())
        maps = [hc.RSP(layer="top")(net, images, None, 1) for net in nets]
        assert difference(maps[0], maps[1]) < 1e-9


@pytest.mark.parametrize("way", [SAME["its mean"][0], SAME["one mean"][0], lambda a, b: a + b.mean()])
def test_a_mean_of_the_features_is_no_constant(way):
    """All of the score reaches the image: what is taken away shares with its sign."""
    images, net = random_images(1, 3, 8, 8, dtype=torch.float64), Centred(way)
    M = hc.LRP(start="one", first="zplus")(net, images.abs(), None, 1)
    assert M.sum().item() == pytest.approx(1, rel=1e-6)


def gate(a, b):
    return a * b.mean((2, 3), keepdim=True)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (gate, "multiplies feature maps"),
        (lambda a, b: a * b.mean(), "multiplies feature maps"),
        (lambda a, b: a.mul_(a.mean()), "multiplies feature maps"),
        (lambda a, b: a / b, "divides by feature maps"),
        (lambda a, b: a / a.mean(), "divides by feature maps"),
        (lambda a, b: 1 / (1 + a), "divides by feature maps"),
        (lambda a, b: torch.ones_like(a) / a, "divides by feature maps"),
        (lambda a, b: a.addcmul(a, b), "multiplies feature maps"),
        (lambda a, b: torch.lerp(a, b, b), "multiplies feature maps"),
        (lambda a, b: torch.div(a, 2, rounding_mode="floor"), "divides and rounds"),
        (lambda a, b: a * b.detach(), "multiplies feature maps"),
        (lambda a, b: a * (a > 0), "multiplies feature maps"),
        (lambda a, b: a * ~(a <= 0), "multiplies feature maps"),
        (lambda a, b: a * ~(b < 0.1) + 3 * (~(b < 0.1)).double(), "multiplies feature maps"),
        (lambda a, b: a + torch.add(a, b, out=torch.zeros_like(a)), "out="),
        (lambda a, b: a / b.detach().mean(), "divides by feature maps"),
        (lambda a, b: a - a.mean().item(), "turns feature maps into numbers"),
        (lambda a, b: a - float(a.mean()), "turns feature maps into numbers"),
        (lambda a, b: a + torch.from_numpy(b.detach().numpy()), "turns feature maps into numbers"),
        (lambda a, b: F.linear(a.transpose(1, 3), b.mean((2, 3))).transpose(1, 3), "weights depend on the image"),
        (lambda a, b: F.conv2d(a, torch.ones(6, 6, 1, 1).double(), b.mean((0, 2, 3))), "weights depend on the image"),
        (lambda a, b: F.batch_norm(a, None, None, training=True), "statistics"),
        (lambda a, b: F.batch_norm(a, a.new_zeros(6), a.new_ones(6), b.mean((0, 2, 3))), "depend on the image"),
        (lambda a, b: a.maximum(b), "uses maximum"),
        (lambda a, b: a.clamp(min=0.1), "uses clamp"),
    ],
)
def test_what_has_no_rule_is_said(way, words):
    images = random_images(1, 3, 8, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match=words):
        hc.LRP()(Centred(way), images, None, 1)


def test_a_mask_turned_over_moves_what_it_lets_through():
    """`~` makes a new mask and leaves the old one as it was: both are of the image, and may choose."""
    images = random_images(1, 3, 8, 8, dtype=torch.float64)

    def chosen(a, b):
        closed = b <= 0.1
        return torch.where(~closed, a, 0) + a.masked_fill(~closed, 0)

    def moved(a, b):
        return torch.where(b > 0.1, a, 0) + a.masked_fill(b > 0.1, 0)

    maps = [hc.LRP(first="zplus")(Centred(way), images, None, 1) for way in (chosen, moved)]
    assert difference(maps[0], maps[1]) < 1e-12


def test_which_operations_write_is_what_torch_counts():
    """`writes` against the version that torch itself counts up in a tensor that was written into."""
    called: list[str] = []

    class Names(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            called.append(func.__name__)
            return func(*args, **(kwargs or {}))

    def version(x):
        with torch._C.DisableTorchFunction():
            return x._version

    every_one = [getattr(operator, name) for name in dir(operator) if not name.startswith("_")]
    seen = {}
    for x in (torch.tensor([3.0, 5.0]), torch.tensor([3, 5]), torch.tensor([True, False])):
        ways = [*every_one, *(lambda y, f=f: f(y, y) for f in every_one)]
        ways += [lambda y: y.__setitem__(0, 1), lambda y: y.add_(y), torch.relu_, torch.relu]
        ways += (number := [int, float, bool, operator.index])
        for way in ways:
            y = x.clone() if way not in number else x[:1].clone()
            called.clear()
            try:
                with Names():
                    before = version(y)
                    way(y)
            except (TypeError, RuntimeError, IndexError, ValueError):
                continue
            if len(called) == 1:
                seen[called[0]] = version(y) > before
    assert {"__invert__", "__iand__", "add_", "__setitem__", "__int__", "__index__", "__ilshift__"} <= seen.keys()
    assert {name: names.writes(name) for name in seen} == seen


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_what_relevance_cannot_see_is_said():
    images = random_images(1, 3, 8, 8, dtype=torch.float64)
    scripted = torch.jit.script(_double)
    for way in (lambda a, b: Hidden.apply(a) + b, lambda a, b: scripted(a) + b):
        with pytest.raises(ValueError, match="where relevance cannot see it"):
            hc.LRP()(Centred(way), images, None, 1)


def _double(x: Tensor) -> Tensor:
    return x * 2


# Untracked is not constant -----------------------------------------------------------------------


def test_below_the_layer_features_are_still_features():
    """A skip from below the layer asked for takes its share, as on the way to the image."""

    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.conv = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.fc = nn.Linear(4, 3)
            self.double().eval()

        def forward(self, x):
            low = self.stem(x).relu()
            return self.fc((self.conv(low).relu() + low).mean((2, 3)))

    net, images = Skip(), random_images(2, 3, 6, 7, dtype=torch.float64)
    from holicam.methods.relevance.walk import walk

    alone, both = (walk(net, images, 1, layers="conv", to_image=to_image) for to_image in (False, True))
    R = [w.back(w.one_hot)["conv"] for w in (alone, both)]
    torch.testing.assert_close(R[0], R[1])
    assert (R[0].sum((1, 2, 3)) - 1).abs().min() > 1e-3  # the rest went by the skip

    class Gated(Skip):
        def forward(self, x):
            low = self.stem(x).relu()
            return self.fc((self.conv(low).relu() * low.mean((2, 3), keepdim=True)).mean((2, 3)))

    with pytest.raises(ValueError, match="multiplies feature maps"):
        hc.MWP()(Gated(), images, "conv", 1)


def test_what_is_detached_takes_its_share_and_ends_there():
    def no_grad(a, b):
        with torch.no_grad():
            b = b * 2
        return a + b / 2

    images = random_images(2, 3, 8, 8, dtype=torch.float64).abs()
    both = hc.LRP(first="zplus")(Centred(lambda a, b: a + b), images, None, 1)
    for cut in (Centred(lambda a, b: a + b.detach()), Centred(no_grad)):
        part = hc.LRP(first="zplus")(cut, images, None, 1)
        other = hc.LRP(first="zplus")(Centred(lambda a, b: a.detach() + b), images, None, 1)
        assert difference(part + other, both) < 1e-9


def test_memory_that_is_used_again_is_not_taken_for_the_image():
    """A constant may get the memory that features had before."""

    class Reuse(nn.Module):
        def __init__(self, clean):
            super().__init__()
            self.net, self.clean = TinyNet().double(), clean
            self.eval()

        def forward(self, x):
            for _ in range(8):
                junk = x * 2 + 1
                del junk
                b = torch.full_like(x, 0.25)
                x = x + b if not self.clean else x + 0.25
            return self.net(x)

    images = random_images(2, 3, 16, 16, dtype=torch.float64)
    assert difference(hc.LRP()(Reuse(False), images, None, 1), hc.LRP()(Reuse(True), images, None, 1)) < 1e-12


def test_constants_of_half_precision():
    class Half(nn.Module):
        def __init__(self, dtype):
            super().__init__()
            self.net, self.b = TinyNet(), column(MEAN).to(dtype)
            self.eval()

        def forward(self, x):
            return self.net(x.to(self.b.dtype) + self.b)

    images = random_images(2, 3, 9, 9)
    for dtype in (torch.bfloat16, torch.float16):
        exact = hc.LRP()(TinyNet(), images + column(MEAN).to(dtype).float(), None, 1)
        assert difference(hc.LRP()(Half(dtype), images, None, 1), exact) < 0.05
