"""What networks want their images to be, as torchvision's entries of their weights say."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision import models as tv
from torchvision.transforms.functional import InterpolationMode, normalize, resize

import holicam as hc
from holicam.models import preprocessing
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
