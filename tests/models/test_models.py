"""Networks and layers by name: shipped weights, torchvision's, aliases, and sentences that help."""

import hashlib
import json
import shutil

import pytest
import torch
from torchvision import models as tv

from holicam import datasets, models
from holicam.models.toy import BUILDERS, ToyResNet50, ToyVGG16BN
from tests.helpers import disk


@pytest.mark.parametrize("name", BUILDERS)
def test_shipped_networks_load_and_fit_their_cards(name):
    model = models.load_model(name)
    path = models.data_folder() / f"{name}.safetensors"
    card = json.loads(path.with_suffix(".json").read_text())
    assert not model.training and path.stat().st_size <= 8e6
    assert sum(p.numel() for p in model.parameters()) == card["parameters"]
    assert model(torch.zeros(2, 3, 96, 64)).shape == (2, 10)


# The cards' 2,000 images say more; these bounds leave room for a hundred.
@pytest.mark.parametrize(
    "name, bound",
    [
        ("toy-resnet50", 0.93),
        ("toy-vgg16_bn", 0.93),
        ("toy-resnet50-shortcut", 0.88),
        ("toy-resnet50-cast", 0.88),
        ("toy-vgg16_bn-no-jitter", 0.78),
    ],
)
def test_shipped_networks_recognise_fresh_images(name, bound):
    from holicam.models.card import accuracy

    subset = next((s for s in ("shortcut", "cast") if s in name), "single")
    size = 224 if subset == "single" else 112
    assert accuracy(models.load_model(name), subset, 100, size=size) >= bound


def test_the_network_of_random_labels_remembers_them():
    from holicam import toyland
    from holicam.models.card import shrunk
    from holicam.models.training import random_labels

    model, images = models.load_model("toy-resnet50-random-labels"), toyland.batch(100).images
    answers = model(shrunk(images, 112)).argmax(1)
    assert (answers == random_labels(100)).float().mean() > 0.93


def test_a_changed_weight_file_is_noticed(tmp_path, monkeypatch):
    for suffix in ("safetensors", "json"):
        shutil.copy(models.data_folder() / f"toy-resnet50.{suffix}", tmp_path)
    monkeypatch.setattr(models, "data_folder", lambda: tmp_path)
    models.load_model("toy-resnet50")
    path = tmp_path / "toy-resnet50.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="does not match its card"):
        models.load_model("toy-resnet50")
    path.unlink()
    with pytest.raises(models.WeightsNotFoundError, match="python -m holicam train toy-resnet50"):
        models.load_model("toy-resnet50")


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """An empty TORCH_HOME of a machine without a network."""

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    return tmp_path / "checkpoints"


SMALL = tv.SqueezeNet1_1_Weights.IMAGENET1K_V1
LOAD = "squeezenet1_1"


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_torchvision_weights_come_from_torch_home(name, checkpoints, monkeypatch):
    made = tv.get_model(name)
    disk.weights(checkpoints, tv.get_model_weights(name).IMAGENET1K_V1, made.state_dict(), monkeypatch)
    model = models.load_model(name)
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(model(x), made.eval()(x)) and not model.training


def test_old_densenet_names_are_understood(checkpoints, monkeypatch):
    made = tv.densenet121()
    old = {
        k.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in k else k: v
        for k, v in made.state_dict().items()
    }
    disk.weights(checkpoints, tv.DenseNet121_Weights.IMAGENET1K_V1, old, monkeypatch)
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(models.load_model("densenet121")(x), made.eval()(x))


@pytest.mark.parametrize("kind", ["random", "nan", "no weights", "empty", "cut off", "folder"])
def test_a_cached_file_must_have_the_hash_in_its_name(kind, checkpoints, tmp_path):
    """torch itself looks at the hash only while it downloads."""
    path, state = checkpoints / SMALL.url.rsplit("/", 1)[1], tv.squeezenet1_1().state_dict()
    checkpoints.mkdir()
    if kind == "folder":
        path.mkdir()
    else:
        torch.save({k: v * torch.nan for k, v in state.items()} if kind == "nan" else state, path)
        data = {"no weights": b"not weights", "empty": b"", "cut off": path.read_bytes()[:5000]}
        path.write_bytes(data.get(kind, path.read_bytes()))
    with pytest.raises(ValueError, match="cannot be read as weights") as error:
        models.load_model(LOAD)
    said = str(error.value)
    assert str(path) in said and "delete it" in said and "\n" not in said
    if kind != "folder":
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"begins with {found[:8]}, not with b8a52dc0" in said and found[:9] not in said
        assert path.exists(), "a user's file is the user's to delete"


class Evil:
    def __reduce__(self):
        return (print, ("a pickle was run",))


def _state(**changes):
    return tv.squeezenet1_1().state_dict() | changes


@pytest.mark.parametrize(
    "made, words",
    [
        (lambda: [torch.zeros(2)], "not list"),
        (lambda: torch.zeros(2), "not Tensor"),
        (lambda: {"state_dict": _state(), "epoch": 3}, "not OrderedDict"),
        (lambda: _state(epoch=3), "not int"),
        (lambda: {}, "missing: classifier.1.bias, classifier.1.weight and 50 more"),
        (lambda: {f"module.{k}": v for k, v in _state().items()}, "not of this network: 'module.classifier"),
        (lambda: _state(more=torch.zeros(2)), "not of this network: 'more'\\)"),
        (lambda: _state() | {7: torch.zeros(2)}, "not of this network: '7'"),
        (
            lambda: _state(**{"classifier.1.bias": torch.zeros(7)}),
            r"of another shape: classifier.1.bias \(7,\) instead of \(1000,\)",
        ),
        (Evil, "cannot be read as weights"),
    ],
    ids=["list", "tensor", "nested", "number", "empty", "module", "more", "integer", "shape", "pickle"],
)
def test_a_cached_file_must_hold_the_network_s_tensors(made, words, checkpoints, monkeypatch, capsys):
    path = disk.weights(checkpoints, SMALL, made(), monkeypatch)
    with pytest.raises(ValueError, match=words) as error:
        models.load_model(LOAD)
    assert str(path) in str(error.value) and "delete it" in str(error.value) and "\n" not in str(error.value)
    assert "a pickle was run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, words",
    [
        ("{}", "has no 'sha256' of type str"),
        ("[]", "has no 'sha256'"),
        ("null", "has no 'sha256'"),
        ("", "as JSON"),
        ('{"sha256": 3}', "has no 'sha256'"),
        ('{"sha256": "ab"}', "has no 'classes' of type list"),
        ("[" * 100_000, "as JSON"),
        ('{"sha256": "ab", "classes": []}', "does not match its card"),
    ],
    ids=["empty object", "list", "null", "empty", "number", "no classes", "deep", "other hash"],
)
def test_a_card_that_is_none_is_named(text, words, tmp_path, monkeypatch):
    shutil.copy(models.data_folder() / "toy-resnet50.safetensors", tmp_path)
    path = tmp_path / "toy-resnet50.json"
    path.write_text(text)
    monkeypatch.setattr(models, "data_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=words) as error:
        models.load_model("toy-resnet50")
    assert str(path.with_suffix("")) in str(error.value) and "\n" not in str(error.value)
    if "card, it" in str(error.value):
        assert "python -m holicam train toy-resnet50" in str(error.value)
        with pytest.raises(ValueError, match=words):
            models.class_names("toy-resnet50")


def test_weights_that_cannot_be_had_say_which_file_to_put_where(checkpoints):
    with pytest.raises(models.WeightsNotFoundError, match=r"resnet50-0676ba61\.pth.*TORCH_HOME"):
        models.load_model("resnet50")


@pytest.mark.parametrize(
    "name, words",
    [("resnet51", "resnet50"), ("toy-resnet", "toy-resnet50"), ("resnet50:IMAGENET1K_V9", "IMAGENET1K_V2")],
)
def test_unknown_names_list_close_ones(name, words):
    with pytest.raises(ValueError, match=words):
        models.load_model(name)


def test_weights_that_end_in_features_have_no_classes():
    for call in (models.class_names, models.load_model):
        with pytest.raises(ValueError, match="ends in features and has no classes"):
            call("vgg16:IMAGENET1K_FEATURES")


@pytest.mark.parametrize("name", [None, 5, ["a"]])
def test_a_name_is_a_string(name):
    for call in (models.class_names, models.load_model):
        with pytest.raises(TypeError, match="a network is named by a string"):
            call(name)
    with pytest.raises(TypeError, match="a data set is named by a string"):
        datasets.load(name)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_said_first(device, monkeypatch):
    monkeypatch.setattr(models, "_load", lambda name: pytest.fail("it was loaded"))
    with pytest.raises(ValueError, match=f"device is '{device}', and PyTorch has no such device here"):
        models.load_model("toy-resnet50", device)


def test_the_papers_layer_names():
    resnet, vgg, vgg_plain = ToyResNet50(), ToyVGG16BN(), tv.vgg16()
    pairs = [
        (resnet, "Layer3", "layer3"),
        (resnet, "conv2_3", "layer1"),
        (resnet, "conv1_1", "relu"),
        (vgg, "Layer43", "features.43"),
        (vgg, "block1_conv2", "features.5"),
    ]
    pairs += [(vgg, f"block{b}_conv3", f"features.{i}") for b, i in ((3, 22), (4, 32), (5, 42))]
    pairs += [(vgg_plain, "block5_conv3", "features.29"), (vgg_plain, "block2_conv2", "features.8")]
    for model, name, path in pairs:
        assert models.find_layers(model, name) == {name: model.get_submodule(path)}


def test_layer_shapes_of_the_papers():
    model, x = ToyVGG16BN().eval(), torch.zeros(1, 3, 224, 224)
    sizes = [model.features[: i + 1](x).shape[-1] for i in (13, 23, 33, 43)]
    assert sizes == [56, 28, 14, 7]
    assert [m.kernel_size for m in (model.features[i] for i in (13, 23, 33, 43))] == [2] * 4


def test_wrong_layers_list_close_ones():
    with pytest.raises(models.LayerNotFoundError, match="layer4"):
        models.find_layers(ToyResNet50(), "layer5")
    with pytest.raises(KeyError, match="features"):
        models.find_layers(ToyVGG16BN(), ["Layer99"])
    with pytest.raises(ValueError, match="each once"):
        models.find_layers(ToyResNet50(), ["layer1", "layer1"])
    with pytest.raises(ValueError, match="at least one"):
        models.find_layers(ToyResNet50(), [])


def test_default_layers():
    assert models.default_layers(ToyResNet50()) == ("layer1", "layer2", "layer3", "layer4")
    assert models.default_layers(ToyVGG16BN()) == ("features.13", "features.23", "features.33", "features.43")
    shrinking = [f"features.transition{i}.relu" for i in (1, 2, 3)]
    assert models.default_layers(tv.densenet121().eval()) == (*shrinking, "features")
    with pytest.raises(ValueError, match="layers="):
        models.default_layers(torch.nn.Linear(2, 2).eval())
