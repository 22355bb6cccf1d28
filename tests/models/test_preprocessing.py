"""What networks want their images to be, as torchvision's entries of their weights say."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision import models as tv
from torchvision.transforms.functional import InterpolationMode, normalize, resize

import holicam as hc
from holicam.models import preprocessing
from tests.helpers import disk
from tests.helpers.commands import blank, explain, network, photo


@pytest.mark.parametrize(
    "name",
    [
        "efficientnet_v2_l",
        "efficientnet_b0",
        "inception_v3",
        "resnet50",
        "resnet50:IMAGENET1K_V2",
        "vit_b_16",
        "vit_b_16:IMAGENET1K_SWAG_E2E_V1",
    ],
)
def test_size_mean_and_deviation_are_torchvision_s(name):
    base, _, weights = name.partition(":")
    wanted = tv.get_model_weights(base)[weights or "IMAGENET1K_V1"].transforms()
    found = hc.preprocessing(name)
    assert [found.size] == list(wanted.crop_size) and found.mode == wanted.interpolation.value
    assert list(found.mean) == list(wanted.mean) and list(found.std) == list(wanted.std)


def test_half_and_half():
    assert hc.preprocessing("efficientnet_v2_l").mean == hc.preprocessing("efficientnet_v2_l").std == (0.5, 0.5, 0.5)
    assert hc.preprocessing("toy-resnet50") == preprocessing.Preprocessing()
    assert hc.preprocessing("resnet50").size == 224
    with pytest.raises(ValueError, match="close names are resnet50"):
        hc.preprocessing("resnet51")


def test_inception_changes_imagenet_s_mean_inside():
    """Its weights want 0.5, and torchvision's network sees to that itself."""
    model = tv.inception_v3(weights=None, init_weights=False, transform_input=True)
    rgb = torch.randint(0, 256, (20, 30, 3), dtype=torch.uint8)
    inside = model._transform_input(hc.photos.to_images(rgb, "inception_v3"))
    assert torch.allclose(inside, (rgb.permute(2, 0, 1)[None] / 255 - 0.5) / 0.5, atol=1e-5)


def test_images_are_those_of_torchvision():
    rgb = torch.randint(0, 256, (90, 70, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for name, mode in (("efficientnet_v2_l", "BICUBIC"), ("resnet50", "BILINEAR")):
        wants = hc.preprocessing(name)
        x = hc.photos.to_images(hc.photos.fit(rgb, 32, mode=wants.mode), name)
        small = resize(rgb.permute(2, 0, 1).float(), [32], InterpolationMode[mode]).round().clamp(0, 255) / 255
        assert torch.allclose(x[0], normalize(small, list(wants.mean), list(wants.std)), atol=1e-5)
    default = hc.photos.to_images(rgb)
    assert torch.equal(default, hc.photos.to_images(rgb, "resnet50"))
    assert torch.equal(default, hc.toyland.standardise(rgb[None]))


class Mean(nn.Module):
    """Its first score is the mean of what it is shown."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = self.body(x).mean((1, 2, 3), keepdim=False)[:, None]
        return torch.cat([x, torch.zeros(len(x), 999)], 1)


def test_the_command_line_shows_a_network_what_it_wants(tmp_path, monkeypatch):
    blank(monkeypatch)
    model = network(monkeypatch, Mean().eval())
    model.seen = []
    model.register_forward_pre_hook(lambda module, given: model.seen.append(given[0].clone()))
    file = photo(tmp_path / "a.png", (64, 64))
    for name in ("efficientnet_v2_l", "resnet50"):
        model.seen.clear()
        words = ["--explainer", "grad-cam", "--layers", "body", "--out", tmp_path / name]
        status, said = explain(file, *words, model=name)
        assert status == 0, said
        rgb = hc.photos.fit(hc.photos.read_photo(file), 64, mode=hc.preprocessing(name).mode)
        want = hc.photos.to_images(rgb, name)
        assert any(torch.equal(x, want) for x in model.seen)
        (raw,) = tmp_path.glob(f"{name}/*.safetensors")
        assert list(load_file(raw)) == ["body"]


# ---------------------------------------------------------------- a network brings its own

OWN = preprocessing.Preprocessing(48, (0.4, 0.5, 0.6), (0.1, 0.2, 0.3), "bicubic", 60)


def test_resizing_and_cutting_are_torchvision_s():
    """Inception reads 299 of 342 pixels; the squares are those of torchvision's own transform, but for rounding."""
    rgb = torch.randint(0, 256, (400, 520, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for name in ("inception_v3", "googlenet", "efficientnet_v2_l", "resnet50:IMAGENET1K_V2"):
        base, _, weights = name.partition(":")
        wanted = tv.get_model_weights(base)[weights or "IMAGENET1K_V1"].transforms()
        found = hc.preprocessing(name)
        assert (found.resize, found.size) == (wanted.resize_size[0], wanted.crop_size[0])
        assert found.crop == found.size / found.resize and found.interpolation == found.mode
        shown, images = hc.photos.prepare(rgb, name)
        assert shown.shape == (found.size, found.size, 3) and torch.equal(images, hc.photos.to_images(shown, name))
        theirs = wanted(rgb.permute(2, 0, 1))
        one_level = 1.01 / 255 / min(found.std)
        share = ((images[0] - theirs).abs() <= one_level).float().mean()
        assert share > 0.95, f"{name}: {share:.3f} of the values agree to one grey level"


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_inceptions_as_they_are_loaded(name, monkeypatch):
    """Random weights through the real loader: ImageNet's mean outside, the network's own 0.5 inside."""
    from holicam.models import torchvisions

    options = {"init_weights": False, "transform_input": True, "aux_logits": True}
    made = tv.get_model(name, weights=None, **options).eval()
    monkeypatch.setattr(torchvisions, "fetch", lambda name, url: made.state_dict())
    model = hc.load_model(name)
    assert model.transform_input and hc.preprocessing(model) == hc.preprocessing(name)
    rgb = torch.randint(0, 256, (20, 30, 3), dtype=torch.uint8)
    inside = model._transform_input(hc.photos.to_images(rgb, model))
    assert torch.allclose(inside, (rgb.permute(2, 0, 1)[None] / 255 - 0.5) / 0.5, atol=1e-5)


def test_timm_s_metadata():
    import timm

    for name in ("resnet10t", "vit_tiny_patch16_224", "tf_efficientnet_lite0"):
        model = timm.create_model(name)
        wanted = timm.data.resolve_model_data_config(model)
        found = hc.preprocessing(model)
        assert found == hc.preprocessing(f"timm:{name}")
        assert (found.mean, found.std, found.mode) == (wanted["mean"], wanted["std"], wanted["interpolation"])
        assert found.size == wanted["input_size"][1] and found.resize == int(found.size / wanted["crop_pct"])


def test_lite0_has_one_hundred_and_twenty_seven():
    wanted = hc.preprocessing("efficientnet-lite0")
    assert (wanted.size, wanted.resize, wanted.mode) == (224, 256, "bicubic")
    rgb = torch.tensor([[[127, 255, 0]]], dtype=torch.uint8)
    assert hc.photos.to_images(rgb, "efficientnet-lite0").flatten().tolist() == pytest.approx([0, 1, -127 / 128])
    model = hc.load_model("efficientnet-lite0")  # timm's entry says 0.5, and what the network carries comes first
    assert model.pretrained_cfg["mean"] == (0.5, 0.5, 0.5) and hc.preprocessing(model) == wanted


def test_what_a_network_carries_goes_where_it_goes(tmp_path):
    model = hc.load_model("toy-resnet50")
    assert hc.preprocessing(model) == preprocessing.IMAGENET
    model.preprocessing = OWN
    torch.save(model, tmp_path / "whole.pt")
    forms = {
        "copy": copy.deepcopy(model),
        "double": copy.deepcopy(model).to(torch.float64),
        "parallel": nn.DataParallel(model),
        "compiled": torch.compile(model),
        "both": torch.compile(nn.DataParallel(model)),
        "saved": torch.load(tmp_path / "whole.pt", weights_only=False),
    }
    for form, other in forms.items():
        assert hc.preprocessing(other) == OWN, form
    assert "preprocessing" not in model.state_dict()
    assert hc.preprocessing(hc.toynets.ToyVGG16BN()) == preprocessing.IMAGENET


def test_a_module_that_does_not_say_is_told_how():
    with pytest.raises(ValueError, match=r"This Linear does not say .* set model.preprocessing = holicam.Preproc") as e:
        hc.preprocessing(nn.DataParallel(nn.Linear(2, 2)))
    assert "\n" not in str(e.value)
    with pytest.raises(ValueError, match="This ResNet"):
        hc.photos.to_images(torch.zeros(2, 2, 3, dtype=torch.uint8), tv.resnet18())
    with pytest.raises(TypeError, match="a network is a name or a torch.nn.Module; got int"):
        hc.preprocessing(3)
    model = nn.Linear(2, 2)
    model.preprocessing = lambda x: x  # somebody else's
    with pytest.raises(ValueError, match="does not say"):
        hc.preprocessing(model)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"std": (0.1, 0, 0.1)}, "std must hold a number above 0"),
        ({"std": (0.1, 0.1)}, "for each channel of mean"),
        ({"mode": "nearest"}, "mode must be one of 'bilinear', 'bicubic'"),
        ({"size": 0}, "size must be at least 1"),
        ({"mean": (123.7, 116.8, 103.9)}, "in 0..1 for each channel, where white is 1 and not 255"),
        ({"mean": (0.5, 0.5, float("nan"))}, "in 0..1 for each channel"),
        ({"mean": (), "std": ()}, "in 0..1 for each channel"),
        ({"size": 300, "resize": 256}, "resize no less"),
    ],
)
def test_preprocessing_that_is_none(given, words):
    with pytest.raises(ValueError, match=words):
        hc.Preprocessing(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mean": 0.5, "std": 0.5}, "mean must hold a number for each channel, such as .*; got 0.5"),
        ({"std": ("a", "b", "c")}, "std must hold a number for each channel"),
        ({"size": (224, 224)}, r"size must be a whole number of pixels, of one side; got \(224, 224\)"),
        ({"size": "224"}, "size must be a whole number"),
        ({"mean": ("0.5", "0.5", "0.5")}, "mean must hold a number"),
        ({"std": "123"}, "std must hold a number"),
        ({"size": True}, "size must be a whole number"),
        ({"resize": 256.5}, "resize must be a whole number"),
    ],
)
def test_preprocessing_of_other_kinds(given, words):
    with pytest.raises(TypeError, match=words):
        hc.Preprocessing(**given)


@pytest.mark.parametrize(
    "entry",
    [
        {"mean": None, "std": None, "input_size": None},
        {"mean": 0.5, "std": 0.5, "input_size": (3, 224, 224)},
        {"mean": (0, 0, 0), "std": (0, 0, 0), "input_size": (3, 224, 224)},
        {"mean": (0.5,) * 3, "std": (0.5,) * 3, "input_size": 224},
    ],
)
def test_an_entry_of_somebody_s_own_that_cannot_be_read_says_nothing(entry):
    """The places that can do without, such as the Sobel map, go on; the others say what to set."""
    images, bare = torch.rand(2, 3, 9, 9), nn.Sequential(nn.Flatten(), nn.Linear(243, 2)).eval()
    want = hc.SobelMap()(bare, images)
    bare.pretrained_cfg = entry
    assert torch.equal(hc.SobelMap()(bare, images), want)
    with pytest.raises(ValueError, match=r"does not say .* set model\.preprocessing"):
        hc.preprocessing(bare)


def test_what_is_no_photograph_is_refused_before_it_is_normalised():
    """Values from 0 to 1 would have been taken for black."""
    for wrong, says in (
        (torch.rand(4, 5, 3), r"\(4, 5, 3\) torch.float32"),
        (torch.zeros(4, 5, dtype=torch.uint8), r"\(4, 5\)"),
        (torch.zeros(3, 4, 5, dtype=torch.uint8), r"\(3, 4, 5\)"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8).numpy(), "ndarray"),
    ):
        for use in (hc.photos.to_images, hc.photos.prepare):
            with pytest.raises(TypeError, match=rf"a photograph must be a tensor \(H, W, 3\) uint8; got {says}"):
                use(wrong, "resnet50")


def test_images_and_back():
    rgb = torch.randint(0, 256, (5, 7, 3), dtype=torch.uint8)
    for one in ("efficientnet-lite0", "resnet50", OWN):
        assert torch.equal(hc.photos.to_rgb(hc.photos.to_images(rgb, one), one)[0], rgb)


# ---------------------------------------------------------------- places that need it ask for it


def test_no_file_normalises_by_itself():
    """Mean and deviation are Toyland's to write down; who takes them over says here why."""
    allowed = {
        "toyland/__init__.py": "its own networks' and ImageNet's",
        "models/preprocessing.py": "hands them out",
        "datasets/presets.py": "until a network is known",
        "core/edges.py": "by default, with the effect stated",
    }
    root = Path(hc.__file__).parent
    numbers = re.compile(r"0\.485|0\.229|\bMEAN\b|\bSTD\b|toyland\.standardise|\bIMAGENET\b")
    asks = re.compile(r"carried\(|preprocessing\(|standardise\(rgb, wanted|holicam train|to_images")
    for path in root.rglob("*.py"):
        name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        if numbers.search(text) and name not in allowed and not name.startswith(("models/card", "models/training")):
            assert asks.search(text), f"{name} has a mean or deviation of its own: ask the network"


def net(wanted=None):
    model = hc.load_model("toy-resnet50")
    if wanted is not None:
        model.preprocessing = wanted
    return model


def test_the_explorer_shows_the_photograph_in_its_own_colours():
    from holicam.notebook.explorer.computed import _picture

    rgb = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8)
    for model in (net(), net(OWN), nn.DataParallel(net(OWN))):
        assert (_picture(model, hc.photos.to_images(rgb, model)) == rgb.numpy()).all()
    assert (_picture(nn.Linear(2, 2), hc.photos.to_images(rgb, "resnet50")) == rgb.numpy()).all()


def test_the_edge_detector_sees_one_photograph_whoever_normalised_it():
    rgb = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8)
    maps = [hc.SobelMap()(model, hc.photos.to_images(rgb, model)) for model in (net(), net(OWN))]
    torch.testing.assert_close(*maps, rtol=1e-4, atol=1e-6)


def test_toyland_is_redrawn_as_the_network_wants_it():
    batch = hc.toyland.batch(1, split="test", size=32)
    seen = []
    for model in (net(), net(OWN)):
        images = hc.photos.to_images(batch.rgb[0], model)
        model.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
        hc.metrics.interventions(model, images, images[:, 0], 0, recipes=batch.recipes, truths="change")
    half = len(seen) // 2
    for a, b in zip(seen[:half], seen[half:], strict=True):
        assert torch.equal(hc.photos.to_rgb(a, preprocessing.IMAGENET), hc.photos.to_rgb(b, OWN))
    with pytest.raises(ValueError, match="images as the network wants them"):
        hc.metrics.interventions(net(OWN), batch.images, batch.images[:, 0], 0, recipes=batch.recipes)


def test_a_data_set_follows_the_network(tmp_path):
    from PIL import Image

    rgb = torch.randint(0, 256, (90, 120, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (tmp_path / "thing").mkdir()
    Image.fromarray(rgb.numpy()).save(tmp_path / "thing" / "a.png")

    def load(preset):
        return hc.datasets.load("folder", tmp_path, preset=preset)

    plain = load("as-is").for_network(OWN)
    assert torch.equal(hc.photos.to_rgb(plain[0].image[None], OWN)[0], rgb)
    assert repr(load("std").for_network("resnet50").preset) == repr(load("std").preset)
    assert torch.equal(load("std").for_network("resnet50")[0].image, load("std")[0].image)
    assert load("torchray").for_network(OWN).preset == load("torchray").preset  # Caffe's stay
    again = plain.for_network("efficientnet-lite0").for_network(OWN)
    assert torch.equal(again[0].image, plain[0].image)
    own = load("network").for_network(OWN)[0].image
    levels = (hc.photos.to_rgb(own[None], OWN)[0].int() - hc.photos.prepare(rgb, OWN)[0].int()).abs()
    assert levels.shape == (48, 48, 3) and levels.float().mean() < 0.5 and levels.max() < 16  # Pillow rounds twice
    with pytest.raises(ValueError, match='preset "network" needs one: call `for_network`'):
        load("network")[0]


def run(**table):
    from holicam.experiments.config import from_table
    from holicam.experiments.plan import Plan

    return Plan.of(from_table({"layers": ["layer4"], "explainers": ["grad-cam"], "metrics": ["epg"], **table}))


def test_a_run_shows_each_network_what_it_wants(monkeypatch):
    from holicam.experiments import loading

    nets = {"toy-resnet50": net(), "toy-resnet50-cast": net(OWN)}
    monkeypatch.setattr(loading, "load_model", lambda name: nets[name])
    toyland = {"name": "toyland", "n": 2, "size": 32}
    plan = run(dataset=toyland, networks=list(nets))
    rgb = hc.toyland.batch(2, split="test", size=32).rgb
    for unit in plan.units:
        data, wanted = plan.work(unit, "run", "cpu").dataset, hc.preprocessing(nets[unit.network])
        for i, item in enumerate(data):
            assert torch.allclose(item.image, hc.photos.to_images(rgb[i], wanted)[0], atol=1e-5)
    assert plan.manifest()["preprocessing"]["toy-resnet50-cast"] == repr(OWN)
    assert "preprocessing" not in run(dataset=toyland, networks=["toy-resnet50"]).manifest()


def quiet():
    """A network of somebody's own, which says nothing."""
    return tv.resnet18(num_classes=10).eval()


def test_a_run_asks_a_network_of_one_s_own(tmp_path, monkeypatch):
    from holicam.experiments.config import ConfigError

    disk.save(tmp_path / "thing" / "a.png", disk.picture(40, 30))
    own = {"networks": ["mine"], "loaders": {"mine": f"{__name__}:quiet"}}
    folder = {"name": "folder", "root": str(tmp_path)}
    with pytest.raises(ConfigError, match="makes the network mine, which does not say how its images are normalised"):
        run(dataset=folder, **own)
    run(dataset={**folder, "preset": "torchray"}, **own)  # states its own
    run(dataset={"name": "toyland", "n": 1, "size": 32}, **own)
