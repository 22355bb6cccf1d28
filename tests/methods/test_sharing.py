"""What `explain_many` shares: passes, and answers about channels; each explainer gets what it gets alone."""

from __future__ import annotations

import pytest
import torch

import holicam as hc
from holicam.methods.layer_sets import layer_set
from holicam.methods.perturbation.channel_masks import live_in
from holicam.methods.registry import sharing
from tests.helpers.nets import TinyNet, random_images

LAYERS = ["relu0", "relu1", "relu2"]


class Count:
    """How many images a network has seen."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.images = 0
        net.register_forward_pre_hook(self._see)

    def _see(self, module: torch.nn.Module, given: tuple) -> None:
        self.images += len(given[0])

    def of(self, call) -> tuple[object, int]:
        """(what a call returns, how many images the network saw for it)."""
        before = self.images
        return call(), self.images - before


def alone(chosen, net, x, layers, target=None, **options):
    return {
        name: made(net, x, layers[name] if isinstance(layers, dict) else layers, target, **options)
        for name, made in chosen.items()
    }


def test_three_pcams_ask_what_one_asks():
    """One forward for the image, and two for each live channel; alone they need twice as many and three."""
    net, x = hc.load_model("toy-vgg16_bn"), hc.toyland.batch(1, split="test", size=64).images
    count = Count(net)
    chosen = {name: hc.explainers[name]() for name in ("pcam+", "pcam-", "pcam+-")}
    found, once = count.of(lambda: hc.explain_many(chosen, net, x))
    wanted, each = count.of(lambda: alone(chosen, net, x, None))
    torch.testing.assert_close(found, wanted)
    captured = hc.capture.capture(net, x, layer_set(net), 0, gradients=False)
    live = sum(int(some.sum()) for some in live_in(captured.A).values())
    assert (once, each) == (1 + 2 * live, 3 + 4 * live) and live > 100


@pytest.mark.parametrize("options", [{}, {"size": "native"}, {"size": (5, 7)}])
def test_each_gets_what_it_gets_alone(options):
    net, x = TinyNet(), random_images(2, 3, 12, 10)
    chosen = {
        "all": hc.PCAM(),
        "two": hc.PCAMPlus(lnorm=False, chunk=3),
        "minus": hc.PCAMMinus(),
        "both": hc.CAMBoth(),
        "one": hc.CAMPlus(),
        "other": hc.PCAM(stretch="before"),
        "grad": hc.GradCAM(),
        "zoom": hc.ZoomCAM(),
        "input": hc.Gradient(),
    }
    layers = {
        "all": LAYERS,
        "two": LAYERS[1:],
        "minus": LAYERS[:2],
        "both": ["relu2", "relu0"],
        "one": "relu1",
        "other": LAYERS,
        "grad": ["relu1"],
        "zoom": LAYERS,
        "input": None,
    }
    found = hc.explain_many(chosen, net, x, layers, **options)
    assert list(found) == list(chosen)
    torch.testing.assert_close(found, alone(chosen, net, x, layers, **options))


def test_sharing_never_costs_more_than_it_saves():
    """What only one explainer asks about a layer is asked for that layer alone."""
    net, x = TinyNet(), random_images(1, 3, 12, 10)
    count = Count(net)
    wide, narrow = {"+": hc.PCAMPlus()}, {"-": hc.CAMMinus()}
    layers = {"+": LAYERS, "-": "relu2"}
    _, both = count.of(lambda: hc.explain_many(wide | narrow, net, x, layers))
    _, first = count.of(lambda: alone(wide, net, x, layers))
    _, second = count.of(lambda: alone(narrow, net, x, layers))
    assert both == first + second  # "+" of two layers, "+" and "-" of the third, and a forward for each kind
    _, one = count.of(lambda: hc.explain_many(wide, net, x, LAYERS))
    assert one == first


def test_layers_in_the_wrong_order_are_refused_as_they_are_alone():
    net, x = TinyNet(), random_images(1, 3, 12, 10)
    chosen = {"joint": hc.PCAM(), "alone": hc.CAMPlus()}
    with pytest.raises(ValueError, match="layers must go from shallow to deep"):
        hc.explain_many(chosen, net, x, LAYERS[::-1])


def test_a_mapping_of_layers_names_every_label():
    net, x = TinyNet(), random_images(1, 3, 12, 10)
    with pytest.raises(TypeError, match="layers must be the name of a layer"):
        hc.explain_many({"a": hc.PCAM(), "b": hc.GradCAM()}, net, x, {"a": LAYERS})


def test_who_shares():
    assert sharing(hc.GradCAM()) == sharing(hc.ZoomCAM()) == "passes"
    assert sharing(hc.PCAM(chunk=3)) == sharing(hc.CAMPlus()) != sharing(hc.PCAM(score="logit"))
    assert sharing(hc.Gradient()) is None
