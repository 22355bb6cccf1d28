"""`holicam explain` for transformers and networks of one size: how layers lie, and what such a network is shown."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision import models as tv

import holicam as hc
from holicam.experiments import explain_photos
from holicam.experiments.seen import Layout, Seen, last_layer, layout_of
from tests.helpers.commands import Cheap, blank, explain, network, photo
from tests.helpers.nets import TokenNet, randomise


def vit():
    torch.manual_seed(0)
    model = tv.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=10
    )
    nn.init.normal_(model.heads.head.weight)  # torchvision starts at 0
    return model.eval()


def swin():
    torch.manual_seed(0)
    return tv.SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=10).eval()


def maxvit():
    torch.manual_seed(0)
    return tv.MaxVit((64, 64), 8, 2, [8, 8], [1, 1], 4, 0.0, num_classes=10).eval()


class Flat(nn.Module):
    """A network of one input size: its head counts the cells."""

    def __init__(self):
        super().__init__()
        self.body, self.fc = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU()), nn.Linear(4 * 32 * 32, 10)
        randomise(self, 0)
        self.eval()

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


def shown(file, square=False):
    rgb = hc.photos.read_photo(file)
    return hc.photos.to_images(hc.photos.fit(hc.photos.middle(rgb) if square else rgb, 64))


def made(folder):
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


NETS = {
    "vit": (vit, "encoder.layers.encoder_layer_1.ln_1", hc.capture.tokens_to_grid((4, 4), 1), True),
    "swin": (swin, "permute", None, False),
    "maxvit": (maxvit, "blocks.1", None, True),
    "flat": (Flat, "body", None, True),
}


@pytest.mark.parametrize("shape", [(64, 64), (90, 50), (40, 100)])
@pytest.mark.parametrize("kind", NETS)
def test_the_default_layer_lies_as_one_pass_shows(tmp_path, monkeypatch, kind, shape):
    build, layer, reshape, one_size = NETS[kind]
    blank(monkeypatch)
    model, file = network(monkeypatch, build()), photo(tmp_path / "a.png", shape)
    layers = [] if kind != "flat" else ["--layers", layer]
    status, said = explain(file, "--explainer", "grad-cam", "--target", "3", "--out", tmp_path / "out", *layers)
    assert status == 0, said
    square = one_size and shape[0] != shape[1]
    assert square == ("the square in the middle is shown to it" in said)
    want = hc.GradCAM()(model, shown(file, square), layer, 3, reshape=reshape)[0]
    assert torch.allclose(made(tmp_path / "out")[layer], want, atol=1e-6) and want.max() > want.min()


def test_tokens_of_photographs_of_any_shape(tmp_path, monkeypatch):
    """A transformer that takes any image: its patches tell the grid."""
    blank(monkeypatch)
    model, file = network(monkeypatch, TokenNet(classes=10)), photo(tmp_path / "a.png", (100, 50))
    patch = model.patches.kernel_size[0]
    words = ["--explainer", "grad-cam", "--layers", "mlp", "--target", "1", "--out", tmp_path / "out"]
    status, said = explain(file, *words)
    assert status == 0, said
    grid = hc.capture.tokens_to_grid((64 // patch, 128 // patch), 1)
    want = hc.GradCAM()(model, shown(file), "mlp", 1, reshape=grid)[0]
    assert torch.allclose(made(tmp_path / "out")["mlp"], want, atol=1e-6)


MULTI = {
    "holistic-cam": "at scale 1 alone",
    "cameras": "at scale 1 alone",
    "msg-cam": "at scale 1 alone",
    "ucag": "on patches enlarged to 64 x 64",
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [n for n, c in hc.explainers.items() if c.takes != "joint" and n != "ground-truth"])
def test_every_explainer_of_a_network_of_one_size(tmp_path, monkeypatch, name):
    """A vision transformer: what its kind of network can be asked is answered, what not is said in a sentence."""
    blank(monkeypatch)
    monkeypatch.setattr(explain_photos, "explainers", Cheap())
    network(monkeypatch, vit())
    status, said = explain(photo(tmp_path / "a.png"), "--explainer", name, "--out", tmp_path / "out")
    if hc.info(name).needs == "a network of ReLUs" or name == "cam":
        assert status in (1, 2) and "not foreseen" not in said and "1 done" not in said, said
        return
    assert status == 0 and "1 done" in said, said
    assert MULTI.get(name, "square in the middle") in said
    (values,) = made(tmp_path / "out").values()
    assert values.shape == (64, 64) and bool(values.isfinite().all())


@pytest.mark.parametrize("name", ["layer-cam-fused", "zoom-cam", "pcam+"])
def test_joint_explainers_of_a_transformer(tmp_path, monkeypatch, name):
    blank(monkeypatch)
    monkeypatch.setattr(explain_photos, "explainers", Cheap())
    network(monkeypatch, vit())
    file, out = photo(tmp_path / "a.png"), tmp_path / "out"
    status, said = explain(file, "--explainer", name, "--out", out)
    assert status == 2 and "--layers" in said and "layers=" not in said, said
    layers = "encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1.ln_1"
    status, said = explain(file, "--explainer", name, "--out", out, "--layers", *layers)
    assert status == 0 and made(out)["map"].shape == (64, 64), said
    status, said = explain(file, "--explainer", name, "--out", out, "--layers", "conv_proj", layers[1])
    assert status == 1 and "joins layers that lie alike" in said, said


def test_layers_that_lie_differently(tmp_path, monkeypatch):
    """One map each, in the order asked for."""
    blank(monkeypatch)
    model, file = network(monkeypatch, swin()), photo(tmp_path / "a.png", (64, 64))
    layers = ["features.0", "permute", "features.0.0"]
    words = ["--explainer", "grad-cam", "--target", "2", "--out", tmp_path / "out"]
    status, said = explain(file, *words, "--layers", *layers)
    assert status == 0, said
    found = made(tmp_path / "out")
    for layer, reshape in zip(layers, (lambda t: t.permute(0, 3, 1, 2), None, None), strict=True):
        want = hc.GradCAM()(model, shown(file), layer, 2, reshape=reshape)[0]
        assert torch.allclose(found[layer], want, atol=1e-6)


def test_what_a_user_says_of_the_layout_comes_first(tmp_path, monkeypatch):
    blank(monkeypatch)
    model, file = network(monkeypatch, vit()), photo(tmp_path / "a.png", (64, 64))
    words = [file, "--explainer", "grad-cam", "--target", "3", "--out", tmp_path / "out"]
    assert explain(*words, "--reshape", "tokens:5:3x4")[0] == 0
    layer = "encoder.layers.encoder_layer_1.ln_1"
    want = hc.GradCAM()(model, shown(file), layer, 3, reshape=hc.capture.tokens_to_grid((3, 4), 5))[0]
    assert torch.allclose(made(tmp_path / "out")[layer], want, atol=1e-6)
    for wrong, words_said in (
        ("tokens:1:5x5", "do not fill a grid"),
        ("tokens:0", "say it, for example"),
        ("channels-last", "no map can be made"),
    ):
        status, said = explain(*words, "--reshape", wrong)
        assert status in (1, 2) and words_said in said, said


@pytest.mark.parametrize(
    "words, layout",
    {
        "channels-last": Layout("channels-last"),
        "channels-first": Layout(),
        "tokens": Layout("tokens"),
        "tokens:2": Layout("tokens", 2),
        "tokens:1:7x9": Layout("tokens", 1, (7, 9)),
    }.items(),
)
def test_words_for_layouts(words, layout):
    assert layout_of(words) == layout and (layout.reshape() is None) == (layout == Layout())


@pytest.mark.parametrize("words", ["", "token", "tokens:", "tokens:1:", "tokens:1:7", "tokens:-1", "tokens:1:7x9x2"])
def test_other_words(words):
    with pytest.raises(ValueError, match="--reshape is"):
        layout_of(words)


@pytest.mark.parametrize(
    "name, layer",
    [
        ("googlenet", "inception5b"),
        ("mnasnet0_5", "layers"),
        ("regnet_y_400mf", "trunk_output"),
        ("shufflenet_v2_x0_5", "conv5"),
    ],
)
def test_networks_without_a_convention(name, layer):
    extra = {"init_weights": False} if name == "googlenet" else {}
    model = tv.get_model(name, weights=None, **extra).eval()
    assert last_layer(model, Seen.of(model, torch.zeros(1, 3, 64, 64))) == layer
    assert not any(m._forward_hooks for m in model.modules())


def test_a_size_that_a_network_does_not_take(tmp_path, monkeypatch):
    network(monkeypatch, vit())
    status, said = explain(photo(tmp_path / "a.png"), "--out", tmp_path / "out", size=96, model="vit_b_16")
    assert status == 2 and "vit_b_16 cannot be run on images of 96 x 96 pixels" in said and "--size is 224" in said
