"""hc.stages: layers through which everything passes, in networks of any kind, and what becomes of the network."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import warnings
import weakref
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import holicam as hc
from holicam.methods.layer_sets import layer_set
from holicam.models.stages import default_layers, stages
from tests.helpers.nets import TinyNet, random_images
from tools import stages as table

# One network of most families, in `make test`; `make test-slow` has all.
QUICK = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 googlenet inception_v3 mnasnet0_5 mobilenet_v2 "
    "mobilenet_v3_small regnet_y_400mf resnet18 resnet50 shufflenet_v2_x0_5 squeezenet1_1 swin_v2_t vit_b_32 "
    "timm:tf_efficientnet_lite0 timm:mobilenetv4_conv_small timm:ghostnet_050 timm:resnetv2_50 timm:legacy_seresnet18 "
    "timm:dla46_c timm:dpn48b timm:hrnet_w18_small timm:cspresnet50 timm:repvgg_a0 timm:selecsls42 timm:rexnet_100 "
    "timm:convnextv2_atto timm:poolformer_s12 timm:efficientformer_l1 timm:edgenext_xx_small timm:mobilevit_xxs "
    "timm:efficientvit_b0 timm:pvt_v2_b0 timm:levit_128s"
).split()
STORED = {row["network"]: row for row in table.read()}


def check(name: str) -> None:
    """Everything passes through each stage, grids get coarser from a quarter on, and the page says the same."""
    row = table.measured(name)
    steady = {key: value for key, value in row.items() if key != "seconds"}
    for stage in row.get("stages", ()):
        assert stage["left"] < 1e-6, stage
    if "said" in row:
        assert "reshape=hc.capture.tokens_to_grid()" in row["said"]
    else:
        sides = [stage["grid"][0] for stage in row["stages"]]
        assert sides == sorted(set(sides), reverse=True) and len(sides) >= 2
        own = [stage["grid"][0] for stage in row["stages"] if not stage["stem"]]
        assert own and all(side <= row["size"][0] / 4 + 2 for side in own) and own[-1] >= 2
        assert all(side > row["size"][0] / 4 + 1 for side in set(sides) - set(own))
    stored = {key: value for key, value in STORED[name].items() if key != "seconds"}
    for stage in (*steady.get("stages", ()), *stored.get("stages", ())):
        stage.pop("left")
    assert steady == stored, f"{name} is not what {table.FILE} says: run `python -m tools.stages {name}`"


@pytest.mark.parametrize("name", QUICK)
def test_everything_passes_through_the_stages(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in table.names() if name not in QUICK])
def test_everything_passes_through_the_stages_of_all_networks(name):
    check(name)


def test_the_table_holds_every_network():
    assert tuple(STORED) == table.names() and len([name for name in STORED if name.startswith("timm:")]) >= 20


@pytest.mark.parametrize(
    ("name", "branches"),
    [
        ("resnet18", ["layer4.1.bn2", "layer4.1.conv1", "layer2.0.bn1", "layer2.0.downsample"]),
        ("inception_v3", ["Mixed_7c.branch1x1", "Mixed_5d.branch_pool"]),
        ("shufflenet_v2_x0_5", ["stage2.0.branch2", "stage3.0.branch1"]),
        ("timm:tf_efficientnet_lite0", ["blocks.1.1.bn2", "blocks.2.1.bn2", "blocks.4.2.bn2"]),
        ("timm:ghostnet_050", ["blocks.1.0.shortcut"]),
    ],
)
def test_branches_are_no_stages(name, branches):
    """What the property measures: a branch beside a shortcut leaves much of the difference."""
    model = table.build(name).double()
    images = table.noise(table.size_of(name, model)).double()
    remains = table.left(model, [*branches, *stages(model, images)], images)
    assert all((remains[layer] > 1e-3) == (layer in branches) for layer in remains), remains


def test_the_layers_of_the_papers():
    for make in (torchvision.models.resnet18, torchvision.models.resnet50, hc.toynets.ToyResNet50):
        net = make().eval()
        assert stages(net) == default_layers(net) == ("layer1", "layer2", "layer3", "layer4")
        assert stages(net, all=True) == layer_set(net) == ("relu", "layer1", "layer2", "layer3", "layer4")
    for make, at in ((torchvision.models.vgg16, (4, 9, 16, 23, 30)), (hc.toynets.ToyVGG16BN, (6, 13, 23, 33, 43))):
        net = make().eval()
        assert stages(net, all=True) == tuple(f"features.{i}" for i in at)
        assert stages(net) == default_layers(net) == stages(net, all=True)[1:]
    dense = torchvision.models.densenet121().eval()
    assert stages(dense, all=True) == layer_set(dense) and stages(dense).signed == ("features",)
    lite = table.build("timm:tf_efficientnet_lite0")
    assert stages(lite) == default_layers(lite) == ("blocks.2.0.bn1", "blocks.3.0.bn1", "blocks.5.0.bn1", "bn2")
    assert not stages(lite).signed and len(stages(table.build("convnext_tiny")).signed) == 4


def test_names_to_be_used_as_layers():
    net, x = table.build("timm:mnasnet_small"), random_images(1, 3, 64, 64)
    found = hc.stages(net, x)
    assert isinstance(found, tuple) and all(type(name) is str for name in found) and found.size == (64, 64)
    maps = hc.LayerCAM()(net, x, found)
    assert tuple(maps) == found
    for row in found.rows:
        assert hc.LayerCAM()(net, x, row.name, size="native").shape[-2:] == row.grid
    for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert again == found and again.rows == found.rows and again.size == found.size
    assert found[-1:] == tuple(found)[-1:]
    lines = repr(found).splitlines()
    assert lines[0].split() == ["stage", "grid", "channels", "values"]
    assert lines[-1].split() == [found[-1], *"2 x 2 1280 never negative".split()]


# What is done in functions, in place, twice, with channels last ----------------------------------------


class Odd(nn.Module):
    """Blocks beside shortcuts, written in the ways that networks are."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.stem = nn.Conv2d(3, 8, 3, 4, 1)
        self.relu, self.same = nn.ReLU(inplace=way == "in place"), nn.Identity()
        self.branch, self.after = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 12, 3, 2, 1)
        self.shuffled, self.last, self.fc = nn.Identity(), nn.Identity(), nn.Linear(12, 5)

    def forward(self, x):
        x = self.relu(self.stem(x))
        if self.way == "an identity shortcut":
            x = self.same(x) + self.branch(x)
        elif self.way == "halves":
            a, b = x.chunk(2, 1)
            x = self.shuffled(torch.cat([self.same(a), b], 1))
        elif self.way == "in place":
            self.same(x)
            x = self.branch(x).add_(x)
        x = F.relu(self.after(x))
        x = self.last(x.permute(0, 2, 3, 1) if self.way == "last" else x)
        return self.fc(x.mean((1, 2) if self.way == "last" else (2, 3)))


@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        ("an identity shortcut", ("relu", "last")),
        ("halves", ("shuffled", "last")),
        ("in place", ("relu", "last")),
        ("last", ("relu", "last")),
    ],
)
def test_odd_ways_to_write_a_block(way, wanted):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Odd(way).double().eval()
    images = random_images(2, 3, 64, 64).double()
    found = stages(net, images)
    assert found == wanted and [row.grid for row in found.rows] == [(16, 16), (8, 8)]
    assert [row.channels_last for row in found.rows] == [False, way == "last"] and not found.signed
    assert max(table.left(net, found, images).values()) < 1e-6
    if way in ("an identity shortcut", "halves"):
        assert table.left(net, ["same"], images)["same"] > 1e-3


def test_images_that_are_not_square_and_of_another_size():
    net = torchvision.models.mobilenet_v2(width_mult=0.25).eval()
    found = stages(net, random_images(1, 3, 96, 160))
    assert [row.grid for row in found.rows] == [(24, 40), (12, 20), (6, 10), (3, 5)]
    assert found == stages(net) and stages(net).size == (224, 224)


def test_networks_of_one_size_and_of_other_channels():
    grey = nn.Sequential(nn.Conv2d(1, 4, 3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 3)).eval()
    assert stages(grey) == ("1",) and stages(grey).size == (28, 28)
    odd = nn.Sequential(nn.Conv2d(3, 4, 3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 100, 3)).eval()
    with pytest.raises(ValueError, match=r"takes no images of a usual size.*give images=.*shapes"):
        stages(odd)
    images = random_images(1, 3, 40, 40)
    assert stages(odd, images) == ("1",)
    assert torch.equal(hc.GradCAM()(odd, images, target=1), hc.GradCAM()(odd, images, "1", 1))


# What becomes of the network -----------------------------------------------------------------------------


class Fails(TinyNet):
    def forward(self, images):
        super().forward(images)
        raise ArithmeticError("no")


class Draws(TinyNet):
    def forward(self, images):
        return super().forward(images + 0 * torch.rand_like(images))


@pytest.mark.parametrize("make", [TinyNet, Fails, Draws])
def test_the_network_is_left_as_it_was(make):
    net = make().eval()
    next(net.parameters()).requires_grad_(False)
    net.fc.weight.grad = torch.ones_like(net.fc.weight)
    flags = {name: p.requires_grad for name, p in net.named_parameters()}
    before, dice = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    images = random_images(1, 3, 32, 32).requires_grad_()
    if make is Fails:
        with pytest.raises(ArithmeticError):
            stages(net, images)
    else:
        for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
            with mode():
                assert stages(net, images[..., : 32 - len(mode.__name__)]) and torch.is_grad_enabled() == (
                    mode is torch.enable_grad
                )
    assert images.grad is None and (net.fc.weight.grad == 1).all() and net.conv0.weight.grad is None
    assert not net.training and flags == {name: p.requires_grad for name, p in net.named_parameters()}
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), dice)
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules())


def counted(net: nn.Module) -> list:
    calls: list = []
    net.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_what_it_costs():
    """One forward the first time, none for the papers' networks, none the second time, one after surgery."""
    net, images = TinyNet(), random_images(1, 3, 16, 16)
    calls = counted(net)
    first = hc.GradCAM()(net, images, target=1)
    assert len(calls) == 2 and torch.equal(hc.GradCAM()(net, images, target=1), first) and len(calls) == 3
    assert stages(net) is stages(net) and len(calls) == 3 and len(stages(net, images)) and len(calls) == 4
    net.relu2 = nn.GELU().eval()
    assert stages(net, images).rows != stages(TinyNet(), images).rows and len(calls) == 5
    resnet = hc.toynets.ToyResNet50().eval()
    calls = counted(resnet)
    hc.GradCAM()(resnet, random_images(1, 3, 32, 32))
    assert len(calls) == 1


def test_a_part_replaced_by_one_of_its_kind_is_seen():
    """Types and names are the same, strides and channels are not."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU())
    net = nn.Sequential(*net, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    assert stages(net) == ("1", "3")
    net[2].stride = (1, 1)
    assert stages(net) == ("3",) and stages(net).rows[0].grid == (56, 56)
    net[2], net[6] = nn.Conv2d(4, 8, 3, 2, 1).eval(), nn.Linear(8, 2).eval()
    assert [row.channels for row in stages(net).rows] == [4, 8]


def test_it_keeps_no_network_alive():
    net = TinyNet()
    assert stages(net)
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None


def test_two_threads_look_at_one_network():
    net, found = table.build("timm:mnasnet_small"), []
    images = [random_images(1, 3, 64, 64), random_images(1, 3, 96, 96)]
    threads = [threading.Thread(target=lambda x=x: found.append(stages(net, x))) for x in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]


def test_wrapped_networks_are_looked_through():
    net = TinyNet()
    held = nn.DataParallel(net)
    assert stages(held.eval()) == stages(net)


class Particular(TinyNet):
    """Takes the size and the batch it was made for, and says so in its own way."""

    def forward(self, images):
        if images.shape[-1] != 40:
            raise KeyError("my size")
        return super().forward(images)


class Pairs(TinyNet):
    def forward(self, images):
        if len(images) != 2:
            raise KeyError("my batch")
        return super().forward(images)


class Spectral(TinyNet):
    """One of its modules gives complex numbers, which have no smallest."""

    class Fourier(nn.Module):
        def forward(self, x):
            return torch.fft.fft2(x)

    def __init__(self):
        super().__init__()
        self.fourier = self.Fourier()

    def forward(self, images):
        return super().forward(self.fourier(images).abs())


def test_networks_that_refuse_images_in_their_own_way():
    net, images = Particular().eval(), random_images(2, 3, 40, 40)
    assert torch.equal(hc.GradCAM()(net, images, target=1), hc.GradCAM()(net, images, default_layers(TinyNet())[-1], 1))
    with pytest.raises(KeyError, match="my size"):  # of images that were given, the network's own words
        stages(net, random_images(1, 3, 16, 16))
    assert not any(module._forward_hooks for module in net.modules())


def test_complex_tensors_are_no_stages():
    assert stages(Spectral().eval()) == stages(TinyNet())


def test_noise_is_made_where_its_generator_is():
    """torch.set_default_device puts what has no device elsewhere."""
    net, want = TinyNet(), stages(TinyNet())
    with torch.device("meta"):
        assert stages(net) == want


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: stages(TinyNet().to("meta")), ValueError, "weights are on the meta device"),
        (lambda: stages(nn.Conv2d(3, 2, 3, 4).eval()), ValueError, r"^Conv2d gives no logits \(B, K\)"),
        (lambda: stages(TinyNet(), torch.zeros(3, 16, 16)), ValueError, r"must be \(B, C, H, W\).*got \(3, 16, 16\)"),
        (lambda: stages(TinyNet(), torch.zeros(0, 3, 16, 16)), ValueError, r"at least one image; got \(0, 3, 16, 16\)"),
        (lambda: stages(TinyNet(), torch.zeros(1, 3, 16, 16).numpy()), TypeError, "must be a torch.Tensor.*ndarray"),
        (lambda: stages(TinyNet().train()), ValueError, r"training mode.*model\.eval\(\)"),
        (lambda: stages("resnet50"), TypeError, r"must be a torch\.nn\.Module; got str"),
        (lambda: stages(nn.Linear(2, 2).eval()), ValueError, r"Linear .*layers="),
        (lambda: stages(torch.jit.script(nn.Sequential(nn.Conv2d(3, 2, 1)).eval())), ValueError, "TorchScript"),
        (
            lambda: stages(TinyNet(), torch.zeros(1, 5, 16, 16)),
            ValueError,
            r"TinyNet fails on images of shape \(B, 5, 16, 16\): .*channels",
        ),
        (lambda: stages(torchvision.models.vit_b_32().eval()), ValueError, r"tokens, 50 of 768 .*tokens_to_grid\(\)"),
    ],
)
def test_what_cannot_be_answered_is_said(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_the_layer_that_is_named_for_a_transformer_can_be_read():
    net, x = torchvision.models.vit_b_32().eval(), random_images(1, 3, 224, 224)
    nn.init.normal_(net.heads.head.weight, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="for example 'encoder.layers.encoder_layer_10'"):
        hc.GradCAM()(net, x)
    maps = hc.GradCAM()(
        net, x, "encoder.layers.encoder_layer_10", reshape=hc.capture.tokens_to_grid(), size="native", target=0
    )
    assert maps.shape == (1, 7, 7) and maps.isfinite().all()


# Methods that need layers without negative values -------------------------------------------------------

PGE = {"grad-cam++": hc.GradCAMpp(), "holistic-cam": hc.HolisticCAM(scales=(1, 1.5), scale_kernels=True)}


@pytest.mark.parametrize("name", PGE)
def test_a_signed_layer_is_named_with_the_stage_to_use(name):
    lite, x = table.build("timm:tf_efficientnet_lite0"), random_images(1, 3, 64, 64)
    with pytest.warns(hc.cam.SignedActivationWarning, match=r"layer 'blocks\.2': .*read 'blocks\.3\.0\.bn1'") as caught:
        PGE[name](lite, x, "blocks.2", 1)
    assert len([w for w in caught if w.category is hc.cam.SignedActivationWarning]) == 1
    convnext = table.build("timm:convnext_atto")
    with pytest.warns(hc.cam.SignedActivationWarning, match=r"layer 'stages': .*no stage of this ConvNeXt is free of"):
        PGE[name](convnext, x, target=1)


def test_the_warning_stands_where_its_network_shows_nothing_of_one_image():
    """Naming a better stage needs a pass of one image, which a network may refuse in any way."""
    net, x = Pairs().eval(), random_images(2, 3, 16, 16)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, -1.0)
    layer = next(name for name, module in net.named_modules() if isinstance(module, nn.Conv2d))
    with pytest.warns(hc.cam.SignedActivationWarning, match="some channels sum to less than zero"):
        maps = hc.GradCAMpp()(net, x, layer, 1)
    assert maps.isfinite().all()


@pytest.mark.parametrize("name", PGE)
def test_a_stage_that_is_never_negative_is_read_without_a_word(name):
    x = random_images(1, 3, 64, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("error", hc.cam.SignedActivationWarning)
        for net in (table.build("timm:tf_efficientnet_lite0"), hc.toynets.ToyResNet50().eval()):
            PGE[name](net, x, default_layers(net), 1)


class Two(nn.Module):
    """Two stages; the early one has a head of its own, whose scores come first."""

    def __init__(self, called: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.early = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
        self.late = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.aux, self.fc, self.called = nn.Linear(8, 5), nn.Linear(16, 5), called

    def forward(self, x):
        early = self.early(x)
        late = self.late(early)
        return {"aux": self.aux(early.mean((2, 3))), self.called: self.fc(late.mean((2, 3)))}


def test_stages_are_those_of_the_logits_and_not_of_what_comes_first():
    assert stages(Two("logits").eval(), random_images(1, 3, 24, 24)) == ("early", "late")
    # Neither is called so: what everything passes on the way to both.
    assert stages(Two("main").eval(), random_images(1, 3, 24, 24)) == ("early",)


class Ends(TinyNet):
    def __init__(self, end, classes: int) -> None:
        super().__init__(classes=classes)
        self.end = end

    def forward(self, x):
        return self.end(super().forward(x))


@pytest.mark.parametrize(
    ("end", "classes"),
    [
        (lambda z: z.squeeze(1), 1),
        (lambda z: z.squeeze(), 1),
        (lambda z: z.squeeze(), 5),
        (lambda z: SimpleNamespace(logits=z), 5),
    ],
    ids=["(B,)", "()", "(K,)", "an object"],
)
def test_heads_that_squeeze_and_objects_with_logits_have_stages(end, classes):
    plain, image = TinyNet(classes=classes), random_images(1, 3, 24, 24)
    net = Ends(end, classes)
    net.load_state_dict(plain.state_dict())
    assert stages(net.eval(), image) == stages(plain.eval(), image)


def test_layers_are_counted_by_others_than_resnets_too():
    five, narrow = nn.Module(), 3
    for i in range(1, 6):
        five.add_module(f"layer{i}", nn.Sequential(nn.Conv2d(narrow, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)))
        narrow = 8
    five.fc = nn.Linear(8, 5)
    parts = [*(five.get_submodule(f"layer{i}") for i in range(1, 6)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), five.fc]
    five.forward = nn.Sequential(*parts).forward
    assert default_layers(five.eval())[-1] == "layer5.2"
    dense = nn.Module()
    dense.body = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for i in range(1, 5):
        dense.add_module(f"layer{i}", nn.Linear(8, 8))
    dense.forward = nn.Sequential(dense.body, *(dense.get_submodule(f"layer{i}") for i in range(1, 5))).forward
    assert default_layers(dense.eval()) == ("body.1",)
    assert default_layers(torchvision.models.resnet18().eval()) == ("layer1", "layer2", "layer3", "layer4")


def test_where_no_gradient_can_be_had_the_layers_are_to_be_named():
    with torch.inference_mode():
        net = TinyNet()
    with pytest.raises(ValueError, match=r"name the layers with layers=") as caught:
        hc.ScoreCAM()(net.eval(), random_images(1, 3, 24, 24))
    assert "\n" not in str(caught.value)
