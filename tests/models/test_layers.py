"""holicam.models.layers: layers by path, by second names, as modules, through wrappers; one sentence for the rest."""

from __future__ import annotations

import warnings
from collections import OrderedDict

import pytest
import torch
from torch import nn

import holicam as hc
from holicam.methods.layer_sets import layer_set
from holicam.models.layers import LayerNotFoundError, as_given, find_layers, is_single, layer_path
from holicam.models.stages import default_layers
from tests.helpers.explainers import explainer
from tests.helpers.nets import TinyNet, random_images


class Twice(TinyNet):
    """A TinyNet whose last block has a second name, in a Sequential made of the same modules."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.again = nn.Sequential(OrderedDict(conv=self.conv2, bn=self.bn2, last=nn.Sequential(self.relu2))).eval()


def images() -> torch.Tensor:
    return random_images(2, 3, 16, 24)


def call(name: str, net: nn.Module, layers, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return explainer(name)(net, images(), layers, 1, **options)


LAYERED = [name for name in hc.explainers if hc.explainers[name].takes == "layer"]
JOINT = [name for name in hc.explainers if hc.explainers[name].takes == "joint"]


@pytest.mark.parametrize("name", LAYERED)
def test_modules_and_second_names_give_the_same_maps(name):
    net = Twice()
    wanted = call(name, net, "relu2")
    assert torch.equal(call(name, net, net.relu2), wanted)
    assert torch.equal(call(name, net, "again.last.0"), wanted)
    several = call(name, net, [net.relu2] if name == "cam" else [net.relu2, "relu1"])
    assert list(several)[:2] == [net.relu2, "relu1"][: len(several)] and torch.equal(several[net.relu2], wanted)
    given = call(name, net, ("again.last.0",))
    assert list(given) == ["again.last.0"] and torch.equal(given["again.last.0"], wanted)


@pytest.mark.parametrize("name", JOINT)
def test_joint_methods_take_lists_of_modules(name):
    net = Twice()
    wanted = call(name, net, ["relu1", "relu2"])
    assert torch.equal(call(name, net, [net.relu1, "again.last.0"]), wanted)
    assert torch.equal(call(name, net, nn.ModuleList([net.relu1, net.relu2])), wanted)
    assert torch.equal(call(name, net, net.relu2), call(name, net, "relu2"))


def test_a_sequential_is_one_layer_and_a_module_list_is_several():
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ).eval()
    assert torch.equal(hc.GradCAM()(net, images(), net[1], 0), hc.GradCAM()(net, images(), "1", 0))
    assert is_single(net[1]) and is_single("1") and not is_single(["1"]) and not is_single(nn.ModuleList([net[0]]))
    found = hc.GradCAM()(net, images(), nn.ModuleList([net[0], net[1]]), 0)
    assert list(found) == [net[0], net[1]]
    assert torch.equal(hc.GradCAM()(net, images(), (p for p in ("0", "1")), 0)["1"], found[net[1]])


def test_the_rest_of_the_package_takes_modules():
    import functools

    net, x = Twice(), images()
    found = hc.explain_many(
        ["grad-cam", "score-cam", "cam+", "relevance-cam", "zoom-cam", "gradient"],
        net,
        x,
        (m for m in (net.relu1, "relu2")),
        1,
    )
    assert list(found["grad-cam"]) == list(found["score-cam"]) == [net.relu1, "relu2"]
    seen = hc.capture.capture(net, x, [net.relu2, "again.last.0"], 1)
    assert torch.equal(seen.G[net.relu2], seen.G["again.last.0"]) and seen.G[net.relu2].abs().sum() > 0
    spread = hc.metrics.gradient_variance(net, x, net.relu1, 1)
    assert torch.equal(spread.raw, hc.metrics.gradient_variance(net, x, ["relu1"], 1)["relu1"].raw)
    assert hc.RSP(layer=net.relu2)(net, x, None, 1).equal(hc.RSP(layer="relu2")(net, x, None, 1))
    ucag = hc.UCAG(patches=2)
    assert torch.equal(ucag(net, x, net.relu2, 1), ucag(net, x, "relu2", 1))
    units = hc.sanity.units(net, x, layers=[net.fc, "again"])
    assert units[0] == hc.sanity.units(net, x, layers=["fc"])[0]
    assert units[1].name == "again" and units[1].modules == ("conv2", "bn2")
    run = hc.sanity.randomise(
        functools.partial(hc.GradCAM(), layers=net.relu2), net, x, layers=[net.fc], measures=["spearman"]
    )
    assert run.layers == ("fc",)
    once = hc.explain_many({"a": hc.PCAM(), "b": hc.PCAMPlus()}, net, x, [net.relu1, "relu2"], 1)
    assert torch.equal(once["a"], hc.PCAM()(net, x, ["relu1", "relu2"], 1))


def test_the_explorer_shows_modules_by_name():
    net = Twice()
    made = hc.explore(net, images()[:1], layers=[net.relu1, "again.last.0"], methods=["grad-cam"])
    assert made.content.layer_names("grad-cam") == ["relu1", "again.last.0"]


@pytest.mark.parametrize("bad", [3, 3.5, None, [3], ["relu2", 3], b"relu2", torch.zeros(2), {"relu2": 1}, object()])
def test_what_is_no_layer_is_told_in_one_sentence(bad):
    with pytest.raises(TypeError, match="name the layer as a string or give the module") as caught:
        hc.capture.capture(TinyNet(), images(), bad)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


@pytest.mark.parametrize("name", ["grad-cam", "score-cam", "cam+", "pcam+", "relevance-cam", "zoom-cam"])
def test_every_kind_of_explainer_says_so(name):
    net = TinyNet()
    with pytest.raises(TypeError, match="name the layer as a string or give the module"):
        call(name, net, 3)
    with pytest.raises(LayerNotFoundError, match="ReLU given as a layer is no part of this TinyNet"):
        call(name, net, [TinyNet().relu2])
    with pytest.raises(ValueError, match="the network itself"):
        call(name, net, [net])
    with pytest.raises(ValueError, match="each once") as caught:
        call(name, net, [net.relu2, net.relu2])
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="(?i)given|linear") as caught:  # a (B, K) output is no map
        call(name, net, [net.fc])
    assert "\n" not in str(caught.value)


def test_close_names_hold_second_names():
    with pytest.raises(LayerNotFoundError, match="again.last"):
        find_layers(Twice(), "again.lost")
    with pytest.raises(LayerNotFoundError):
        find_layers(Twice(), "")
    with pytest.raises(LayerNotFoundError):
        find_layers(Twice(), "fc.weight")


class Holder(nn.Module):
    """A wrapper of the kind that averages or shards: `module` is all it has."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)


@pytest.mark.parametrize("wrap", [nn.DataParallel, Holder, lambda net: Holder(nn.DataParallel(net))])
def test_wrappers_are_looked_through(wrap):
    net, x = TinyNet(), images()
    wanted = hc.GradCAM()(net, x, "relu2", 1)
    held = wrap(net)
    held = held.eval() if isinstance(held, Holder) else held  # a fresh DataParallel says that it trains
    for layer in ("relu2", net.relu2, layer_path(held, net.relu2)):
        assert torch.equal(hc.GradCAM()(held, x, layer, 1), wanted)
    assert layer_path(held, net.relu2).endswith("module.relu2")
    resnet = hc.toynets.ToyResNet50().eval()
    assert default_layers(wrap(resnet)) == default_layers(resnet)
    assert layer_set(wrap(resnet), "reference") == layer_set(resnet, "reference")
    assert find_layers(wrap(resnet), "conv5_3") == {"conv5_3": resnet.layer4}
    assert list(find_layers(wrap(resnet), default_layers(wrap(resnet)))) == list(default_layers(resnet))


def test_lists_that_no_paper_names_are_the_stages_with_the_stem():
    net = TinyNet()
    for ready in (hc.LayerCAMFused(), hc.ZoomCAM(), hc.PCAM()):
        assert torch.equal(ready(net, images(), target=1), ready(net, images(), hc.stages(net, all=True), 1))


def test_as_given():
    assert as_given("a") == ("a",) and as_given(["a", "b"]) == ("a", "b")
    for none in ([], ()):
        with pytest.raises(ValueError, match="at least one"):
            as_given(none)
