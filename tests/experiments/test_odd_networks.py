"""Networks of one's own that are not plain modules of float32: quantised, scripted, in half precision, of one size."""

from __future__ import annotations

import json

import pytest
import torch

from holicam.experiments.loading import fingerprint, loader
from tests.helpers.commands import blank, explain, photo, run
from tests.helpers.nets import TinyNet

CODE = """
    import torch
    from torch import nn
    import holicam as hc
    from tests.helpers.nets import randomise

    def carrying(model, size=32):
        object.__setattr__(model.eval(), "preprocessing", hc.Preprocessing(size=size))
        return model

    def plain():
        end = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        body = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), *end)
        randomise(body, 0)
        return carrying(body)

    def quantised():
        return carrying(torch.ao.quantization.quantize_dynamic(plain(), {nn.Linear}))

    def scripted():
        return carrying(torch.jit.script(plain()))

    def half():
        return plain().half()

    def double():
        return plain().double()

    def meta():
        return plain().to("meta")

    def tokens():
        torch.manual_seed(0)

        class Tokens(nn.Module):
            def __init__(self):
                super().__init__()
                layer = nn.TransformerEncoderLayer(16, 2, 16, 0.0, batch_first=True)
                self.patch, self.block = nn.Conv2d(3, 16, 8, 8), nn.TransformerEncoder(layer, 2)
                self.head = nn.Linear(16, 3)

            def forward(self, x):
                return self.head(self.block(self.patch(x).flatten(2).transpose(1, 2)).mean(1))

        return carrying(Tokens())

    def fixed():
        return carrying(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 32 * 32, 3)), 64)
"""
TOML = """
networks = ["odd:NET"]
explainers = EXPLAINERS
metrics = ["average-drop"]
dataset = {name = "folder", root = "pictures"}
"""
RISE, BOTH = '[{name = "rise", masks = 8}]', '["grad-cam", {name = "rise", masks = 8}]'


@pytest.fixture
def odd(own, tmp_path, monkeypatch):
    own("odd.py", CODE)
    blank(monkeypatch)
    photo(tmp_path / "pictures/a.png", (32, 32))

    def evaluated(net, explainers=RISE, layers=""):
        own("run.toml", TOML.replace("NET", net).replace("EXPLAINERS", explainers) + layers)
        return run("evaluate", "run.toml", "--device", "cpu", "--out", f"results/{net}")

    return evaluated


def can_quantise():
    return {"fbgemm", "qnnpack"} & set(torch.backends.quantized.supported_engines)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("net", ["tokens", "quantised", "scripted"])
def test_a_method_without_layers_needs_none(odd, tmp_path, net):
    """A network without layers that are usual is evaluated by RISE, and its other methods say what they miss."""
    if net == "quantised" and not can_quantise():
        pytest.skip("this torch does not quantise")
    status, said = odd(net, BOTH)
    assert status == 1 and {"tokens": "name layers", "quantised": "quantised", "scripted": "TorchScript"}[net] in said
    status, said = odd(net)
    assert status == 0, said
    manifest = json.loads((tmp_path / f"results/{net}/manifest.json").read_text())
    assert manifest["layers"] == {f"odd:{net}": []}
    assert odd(net)[0] == 0  # it is the same run


@pytest.mark.filterwarnings("ignore")
def test_a_scripted_network_is_explained_by_its_scores(odd, monkeypatch):
    status, said = explain("pictures/a.png", "--explainer", "rise", "--out", "maps", model="odd:scripted", size=32)
    assert status == 0 and "1 done" in said, said
    status, said = explain("pictures/a.png", "--explainer", "grad-cam", "--out", "maps", model="odd:scripted", size=32)
    assert status == 2 and "compiled by TorchScript, which hides its layers" in said, said


@pytest.mark.parametrize("net", ["half", "double"])
def test_images_take_the_dtype_of_the_weights(odd, net):
    status, said = odd(net, BOTH, 'layers = ["1"]')
    assert status == 0, said
    words = ("pictures/a.png", "--explainer", "grad-cam", "--layers", "1", "--out", "maps")
    status, said = explain(*words, model=f"odd:{net}", size=32)
    assert status == 0 and "1 done" in said, said


def test_a_plain_network_is_left_as_it_is(odd):
    net = loader({"n": "odd:plain"})("n")
    assert not net._forward_pre_hooks and not net._forward_hooks
    assert loader({"n": "odd:half"})("n")(torch.zeros(1, 3, 8, 8)).dtype == torch.float32


def test_weights_without_values_are_said(odd):
    said = "whose weights are on the meta device, where they have no values: load them first"
    for status, words in (odd("meta"), explain("pictures/a.png", "--out", "maps", model="odd:meta", size=32)):
        assert status in (1, 2) and said in words, words


def test_a_network_of_one_size_is_tried_at_the_size_asked_for(odd):
    words = ("pictures/a.png", "--explainer", "grad-cam", "--layers", "1", "--out", "maps")
    status, said = explain(*words, model="odd:fixed", size=32)
    assert status == 0 and "1 done" in said, said
    status, said = explain(*words, model="odd:fixed", size=64)
    assert status == 2 and "odd:fixed cannot be run on images of 64 x 64 pixels" in said and "name it as --size" in said


@pytest.mark.filterwarnings("ignore")
def test_a_fingerprint_is_of_all_that_a_quantised_layer_keeps():
    if not can_quantise():
        pytest.skip("this torch does not quantise")

    def quantised(kind=torch.qint8, **changed):
        net = TinyNet()
        for name, value in changed.items():
            torch.nn.init.constant_(getattr(net.fc, name), value)
        return fingerprint(torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, kind))

    prints = [quantised(), quantised(weight=0.5), quantised(weight=1.0), quantised(bias=2.0), quantised(torch.float16)]
    assert len(set(prints)) == 5 and quantised() == prints[0]
