"""timm's networks by name: files that the tests put into the caches, read by the code that reads real ones."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

import holicam as hc
from holicam.models import WeightsNotFoundError, timms, weights

NAME, BASE = "timm:resnet10t", "resnet10t"
URL_ONLY = "timm:tf_efficientnet_lite0"


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Empty caches on a machine without a network."""

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def put_in_hub(folder: Path, name: str, data: bytes, file: str = "model.safetensors", blob: str = "") -> Path:
    """A file as Hugging Face's cache holds it: a link in a snapshot to a blob that is called by its sha256."""
    repository = timm.get_pretrained_cfg(name.removeprefix("timm:")).hf_hub_id
    root, commit = folder / "hub" / f"models--{repository.replace('/', '--')}", "0" * 40
    path = root / "snapshots" / commit / file
    for part in (root / "blobs", path.parent, root / "refs"):
        part.mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(commit)
    stored = root / "blobs" / (blob or hashlib.sha256(data).hexdigest())
    stored.write_bytes(data)
    path.symlink_to(stored)
    return path


def put_in_torch(folder: Path, state: object, monkeypatch, name: str = NAME) -> Path:
    """A file in torch's cache under a name that promises its sha256; timm's entry names it."""
    checkpoints = folder / "torch" / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    torch.save(state, checkpoints / "made.pth")
    digest = hashlib.sha256((checkpoints / "made.pth").read_bytes()).hexdigest()[:8]
    path = (checkpoints / "made.pth").rename(checkpoints / f"made-{digest}.pth")
    entry = replace(timm.get_pretrained_cfg(name.removeprefix("timm:")), url=f"https://nowhere.invalid/{path.name}")
    monkeypatch.setattr(timms, "config", lambda asked: entry)
    return path


@pytest.fixture
def made():
    torch.manual_seed(3)
    return timm.create_model(BASE).eval()


def safe(model, folder: Path) -> bytes:
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "made.safetensors")
    return (folder / "made.safetensors").read_bytes()


def same(found, made) -> bool:
    x = torch.randn(1, 3, 64, 64)
    return torch.equal(found(x), made(x)) and not found.training


def test_safetensors_of_the_hub_s_cache(offline, made):
    put_in_hub(offline, NAME, safe(made, offline))
    model = hc.load_model(NAME)
    assert same(model, made)
    assert "state_dict" not in model.pretrained_cfg  # the tensors are held once
    assert hc.preprocessing(model) == hc.preprocessing(NAME)
    assert model.pretrained_cfg["mean"] == made.pretrained_cfg["mean"]


def test_a_pickle_of_the_hub_s_cache_is_read_as_tensors_only(offline, made, capsys):
    class Evil:
        def __reduce__(self):
            return (print, ("a pickle was run",))

    torch.save(made.state_dict(), offline / "made.bin")
    path = put_in_hub(offline, NAME, (offline / "made.bin").read_bytes(), "pytorch_model.bin")
    assert same(hc.load_model(NAME), made)
    path.unlink()
    torch.save({"x": Evil()}, offline / "evil.bin")
    path = put_in_hub(offline, NAME, (offline / "evil.bin").read_bytes(), "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot be read as weights of timm:resnet10t") as error:
        hc.load_model(NAME)
    assert str(path) in str(error.value) and "a pickle was run" not in capsys.readouterr().out


def test_safetensors_come_before_a_pickle(offline, made):
    torch.save({}, offline / "made.bin")
    put_in_hub(offline, NAME, (offline / "made.bin").read_bytes(), "pytorch_model.bin")
    put_in_hub(offline, NAME, safe(made, offline))
    assert same(hc.load_model(NAME), made)


def test_a_blob_must_have_the_sha256_that_it_is_called_by(offline, made):
    data = bytearray(safe(made, offline))
    right = hashlib.sha256(data).hexdigest()
    data[-1] ^= 1
    put_in_hub(offline, NAME, bytes(data), blob=right)
    with pytest.raises(ValueError, match=f"its sha256 begins with .*, not with {right[:8]} as its name promises") as e:
        hc.load_model(NAME)
    assert "\n" not in str(e.value)


def test_torch_s_cache_by_the_hash_in_the_name(offline, made, monkeypatch):
    path = put_in_torch(offline, made.state_dict(), monkeypatch)
    assert same(hc.load_model(NAME), made)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="as its name promises"):
        hc.load_model(NAME)


@pytest.mark.parametrize("kind", ["lacking", "another network", "a list"])
def test_a_file_must_hold_the_network_s_tensors(kind, offline, made, monkeypatch):
    state = dict(made.state_dict())
    state.pop("fc.bias")
    other = {"lacking": state, "another network": timm.create_model("resnet18").state_dict(), "a list": [1]}[kind]
    path = put_in_torch(offline, other, monkeypatch)
    with pytest.raises(ValueError, match="timm:resnet10t") as error:
        hc.load_model(NAME)
    assert str(path) in str(error.value) and "\n" not in str(error.value) and "delete it" in str(error.value)


def test_weights_that_cannot_be_had_say_which_file_to_put_where(offline):
    hashed = timm.get_pretrained_cfg("tf_efficientnet_lite0")
    assert weights.promise(weights.cached(hashed.url))
    with pytest.raises(WeightsNotFoundError, match=r"put the file tf_efficientnet_lite0-0aa007d2.pth from .* there"):
        hc.load_model(URL_ONLY)
    entries = {name: timm.get_pretrained_cfg(name) for name in timm.list_pretrained("vit_small_patch16_*")}
    hub = next(name for name, entry in entries.items() if entry.num_classes and not entry.url)
    with pytest.raises(WeightsNotFoundError, match=r"fetch model.safetensors of timm/vit_small.*HF_HOME") as error:
        hc.load_model(f"timm:{hub}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:resnet5", "close names are resnet50"),
        ("timm:resnet10t.nothing", "of resnet10t it has c3_in1k"),
        ("timm:vit_small_patch14_dinov2", "has no classes"),
        ("timm:hf-hub:somebody/model", "There is no network"),
        ("timm:", "There is no network"),
    ],
)
def test_names_that_are_none(name, words, offline):
    for ask in (hc.load_model, hc.class_names, hc.preprocessing):
        with pytest.raises(ValueError, match=words):
            ask(name)


def test_without_timm(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r'timm:resnet10t needs timm, which is not installed: pip install "holicam\['):
        hc.load_model(NAME)


def test_classes_by_imagenet_s_sets():
    assert hc.class_names(NAME) == hc.class_names("resnet50")
    names = hc.class_names("timm:convnext_tiny.in12k")
    assert len(names) == 11821 and len(set(names)) > 11_000
    clip = next(n for n in timm.list_pretrained("*clip*") if timm.get_pretrained_cfg(n).num_classes == 512)
    assert hc.class_names(f"timm:{clip}")[:2] == ["output 0", "output 1"]


def test_imagenet_s_classes_stand_in_one_order():
    """timm's are the sorted synsets; torchvision's names are theirs."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    assert info.label_names() == sorted(info.label_names())
    known = {i: info.index_to_description(i).lower() for i in (1, 207, 281, 967)}
    for i, said in known.items():
        assert hc.class_names("efficientnet-lite0")[i].lower().split()[-1] in said


def test_timm_is_not_told_to_fetch_anything(offline, made, caplog):
    put_in_hub(offline, NAME, safe(made, offline))
    with caplog.at_level(logging.INFO, logger="timm"):
        hc.load_model(NAME)
    assert "Hugging Face hub" not in caplog.text and "url" not in caplog.text.lower()
