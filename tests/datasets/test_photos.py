"""Photographs from files."""

import os
import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from holicam import models
from holicam.datasets import photos
from holicam.experiments import explain_photos


def _photo(path, mode="RGB", size=(60, 40), **options):
    """A picture whose upper left quarter is bright."""
    values = np.full((size[1], size[0]), 40, np.uint8)
    values[: size[1] // 2, : size[0] // 2] = 220
    Image.fromarray(values).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize(
    "mode, suffix",
    [
        ("RGB", "jpg"),
        ("L", "jpg"),
        ("L", "png"),
        ("P", "png"),
        ("CMYK", "jpg"),
        ("1", "png"),
        ("RGBA", "png"),
        ("LA", "png"),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, suffix):
    rgb = photos.read_photo(_photo(tmp_path / f"a.{suffix}", mode))
    assert rgb.shape == (40, 60, 3) and rgb.dtype == torch.uint8
    assert rgb[:15, :25].float().mean() > rgb[25:, 35:].float().mean() + 100


@pytest.mark.parametrize("orientation, corner", [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_exif_rotation_is_applied(tmp_path, orientation, corner):
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = photos.read_photo(_photo(tmp_path / "a.jpg", exif=exif)).float().mean(2)
    assert rgb.shape == ((60, 40) if orientation in (6, 8) else (40, 60))
    quarters = torch.nn.functional.adaptive_avg_pool2d(rgb[None, None], 2)[0, 0]
    assert divmod(int(quarters.argmax()), 2) == corner


def _tagged(path, orientation, tag=None, kind=None, value=None):
    """A JPEG with an orientation, and one more EXIF tag as no standard has it."""
    more = b"" if tag is None else struct.pack("<HHI4s", tag, kind, 1, value)
    tags = struct.pack("<H", 1 + bool(more)) + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + more
    return _photo(path, exif=b"Exif\0\0II*\0\x08\0\0\0" + tags + b"\0\0\0\0")


@pytest.mark.parametrize(
    ("tag", "kind", "value"),
    [(0x011A, 2, b"7\0\0\0"), (0x011A, 9, struct.pack("<i", -3)), (0x0128, 8, struct.pack("<hh", -1, 0))],
    ids=["a resolution that is a text", "a negative resolution", "a negative unit"],
)
def test_odd_tags_do_no_harm(tmp_path, tag, kind, value):
    path = _tagged(tmp_path / "odd.jpg", 6, tag, kind, value)
    rgb = photos.read_photo(path)
    assert torch.equal(rgb, photos.read_photo(_tagged(tmp_path / "even.jpg", 6))) and rgb.shape == (60, 40, 3)
    assert photos.upright_size(path) == (40, 60)


def test_every_turn_is_pillow_s(tmp_path):
    for number in range(10):
        path = _tagged(tmp_path / "a.jpg", number)
        with Image.open(path) as picture:
            expected = np.array(ImageOps.exif_transpose(picture))
        assert np.array_equal(photos.read_photo(path), expected)
        assert photos.upright_size(path) == expected.shape[1::-1]


def test_transparency_is_laid_over_white(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (photos.read_photo(tmp_path / "clear.png") == 255).all()


def test_sixteen_bits_become_eight(tmp_path):
    values = np.array([[0, 32768], [65535, 257]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert photos.read_photo(tmp_path / "deep.png")[..., 0].tolist() == [[0, 128], [255, 1]]


def test_very_large_pictures_are_reduced(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "LONGEST", 50)
    assert photos.read_photo(_photo(tmp_path / "a.png", size=(600, 30))).shape[1] == 50
    assert max(photos.read_photo(_photo(tmp_path / "b.jpg", size=(600, 300))).shape) == 50


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    whole = _photo(tmp_path / "whole.jpg", size=(400, 300)).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    cases = {
        "text.jpg": "cannot be read",
        "half.jpg": "cannot be read",
        "gone.jpg": "not there",
        "": "a folder",
        "empty.jpg": "cannot be read",
        "pipe.jpg": "is no file",
        "whole.jpg/a.jpg": "not there",
        "n" * 300 + ".jpg": "cannot be opened",
    }
    for name, words in cases.items():
        with pytest.raises(photos.PhotoError, match=words) as caught:
            photos.read_photo(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_memory_that_does_not_suffice_is_said(tmp_path, monkeypatch):
    def load(self):
        raise MemoryError

    _photo(tmp_path / "a.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(photos.PhotoError, match="too large for the memory of this machine"):
        photos.read_photo(tmp_path / "a.png")


@pytest.mark.parametrize("shape, fitted", [((40, 60), (32, 48)), ((100, 10), (96, 32)), ((32, 32), (32, 32))])
def test_fit_keeps_the_aspect_up_to_three_to_one(shape, fitted):
    assert photos.fit(torch.zeros(*shape, 3, dtype=torch.uint8), 32).shape == (*fitted, 3)


def test_classes_are_found_by_name_part_and_number():
    names = ["tabby", "tiger cat", "Persian cat"]
    assert [explain_photos.find_class(names, w) for w in ("tabby", "TIGER", "2", "persian cat")] == [0, 1, 2, 2]
    with pytest.raises(ValueError, match="Several classes fit 'cat'; choose one of tiger cat, Persian cat"):
        explain_photos.find_class(names, "cat")
    with pytest.raises(ValueError, match="close names are tabby"):
        explain_photos.find_class(names, "taby")
    for wanted in ("", " ", "7", "-1"):
        with pytest.raises(ValueError, match="There is no class"):
            explain_photos.find_class(names, wanted)
    with pytest.raises(ValueError, match="and 8 more"):
        explain_photos.find_class([f"dog {i}" for i in range(20)], "dog")


def test_class_names_of_torchvision_networks():
    assert len(models.class_names("resnet18")) == 1000 and models.class_names("toy-vgg16_bn")[0] == "fish"


def test_pictures_of_another_kind_are_refused():
    rgb = torch.zeros(40, 60, 3, dtype=torch.uint8)
    for wrong in (rgb.float() / 255, rgb.numpy(), rgb.permute(2, 0, 1)):
        for change in (photos.fit, photos.middle):
            with pytest.raises(TypeError, match=r"must be a tensor \(H, W, 3\) uint8"):
                change(wrong)
    with pytest.raises(ValueError, match="size must be a whole number of at least 1; got 0"):
        photos.fit(rgb, 0)
    with pytest.raises(ValueError, match="mode must be one of 'bilinear', 'bicubic'; got 'nearest'"):
        photos.fit(rgb, mode="nearest")
    for wrong in (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8), rgb.numpy()):
        with pytest.raises(TypeError, match=r"images must be normalised floats \(B, 3, H, W\)"):
            photos.to_rgb(wrong, "toy-resnet50")
