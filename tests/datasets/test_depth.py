"""Pictures that are not 8 bits: read on the right scale, or refused with a sentence that names the file."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from holicam.datasets import UnreadableError, photos
from holicam.datasets.files import read_picture

tifffile = pytest.importorskip("tifffile")
RAMP = np.tile(np.linspace(0, 1, 256), (8, 1))
COLOURS = np.stack([RAMP] * 3, -1)
GREY = torch.arange(256, dtype=torch.uint8)[None, :, None].expand(8, 256, 3)

RIGHT = {
    "floats 0..1": RAMP.astype("f4"),
    "floats 0..255": (RAMP * 255).astype("f4"),
    "floats 0..65535": (RAMP * 65535).astype("f4"),
    "floats a hair outside": (RAMP * 1.0004 - 1e-5).astype("f4"),
    "16 bits": (RAMP * 65535).astype("u2"),
    "15 bits and a sign": (RAMP * 32767).astype("i2"),
    "16 bits in 32": (RAMP * 65535).astype("i4"),
    "8 bits in 16": np.rint(RAMP * 255).astype("u2"),
    "8 bits in 32": np.rint(RAMP * 255).astype("i4"),
    "16-bit colours": (COLOURS * 65535).astype("u2"),
    "8 bits": np.rint(RAMP * 255).astype("u1"),
}
WRONG = {
    "floats -1..1": ((RAMP * 2 - 1).astype("f4"), "has values from -1 to 1"),
    "floats with NaN": (np.where(RAMP == 0, np.nan, RAMP).astype("f4"), "NaN or infinite"),
    "infinite": (np.where(RAMP == 1, np.inf, RAMP).astype("f4"), "NaN or infinite"),
    "floats to 1.3": ((RAMP * 1.3).astype("f4"), "neither of 0..1 nor of 0..255"),
    "floats to a million": ((RAMP * 1e6).astype("f4"), "more than 65535"),
    "12 bits as floats": ((RAMP * 4095).astype("f4"), "4095 of the 65535"),
    "10 bits in 16": ((RAMP * 1023).astype("u2"), "1023 of the 65535"),
    "12 bits in 16": ((RAMP * 4095).astype("u2"), "fewer bits in 16"),
    "14 bits in 16": ((RAMP * 16383).astype("u2"), "fewer bits in 16"),
    "12 bits in 32": ((RAMP * 4095).astype("i4"), "fewer bits in 16"),
    "12-bit colours in 16": ((COLOURS * 4095).astype("u2"), "fewer bits in 16"),
    "8-bit colours in 16": ((COLOURS * 255).astype("u2"), "fewer bits in 16"),
    "31 bits": ((RAMP * (2**31 - 1)).astype("i4"), "more than 65535"),
    "32 bits": ((RAMP * (2**32 - 1)).astype("u4"), "not negative"),
    "16 bits and a sign": ((RAMP * 65535 - 32768).astype("i2"), "not negative"),
    "7 bits and a sign": ((RAMP * 127).astype("i1"), "with a sign"),
    "float colours": (COLOURS.astype("f4"), "Pillow does not know its kind"),
    "doubles": (RAMP.astype("f8"), "Pillow does not know its kind"),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_read(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", RIGHT[kind])
    rgb = photos.read_photo(tmp_path / "a.tif")
    assert rgb.dtype == torch.uint8 and int((rgb.int() - GREY.int()).abs().max()) <= 1


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_refused(tmp_path, kind):
    values, words = WRONG[kind]
    tifffile.imwrite(tmp_path / "a.tif", values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(photos.PhotoError, match=words) as caught:
            photos.read_photo(tmp_path / "a.tif")
    assert str(tmp_path / "a.tif") in str(caught.value) and "\n" not in str(caught.value)
    assert "save it" in str(caught.value)


def test_white_as_zero(tmp_path):
    for bits in ("u1", "u2"):
        full = np.iinfo(bits).max
        tifffile.imwrite(tmp_path / "a.tif", np.rint((1 - RAMP) * full).astype(bits), photometric="miniswhite")
        assert int((photos.read_photo(tmp_path / "a.tif").int() - GREY.int()).abs().max()) <= 1


def test_png_of_16_bits(tmp_path):
    for values in (RAMP, COLOURS):
        cv2.imwrite(str(tmp_path / "a.png"), (values * 65535).astype("u2"))
        assert int((photos.read_photo(tmp_path / "a.png").int() - GREY.int()).abs().max()) <= 1
        cv2.imwrite(str(tmp_path / "a.png"), (values * 4095).astype("u2"))
        with pytest.raises(photos.PhotoError, match="fewer bits in 16"):
            photos.read_photo(tmp_path / "a.png")


def test_opencv_s_way_refuses_what_pillow_s_refuses(tmp_path):
    """OpenCV keeps the upper byte: of 12 bits in 16 that is black."""
    path = tmp_path / "a.png"
    for values in (RAMP, COLOURS):
        cv2.imwrite(str(path), (values * 65535).astype("u2"))
        read = torch.from_numpy(np.array(read_picture(path, "opencv")))
        assert int((read.int() - GREY.int()).abs().max()) <= 1
        cv2.imwrite(str(path), (values * 4095).astype("u2"))
        with pytest.raises(UnreadableError, match=r"a\.png has values up to about 4095 .*fewer bits in 16"):
            read_picture(path, "opencv")
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype("f4"))
    assert np.array(read_picture(tmp_path / "a.tif", "opencv")).max() > 250


def test_large_ones_are_converted_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("holicam.datasets.depth.ROWS", 3)
    tifffile.imwrite(tmp_path / "a.tif", (RAMP * 65535).astype("u2"))
    assert int((photos.read_photo(tmp_path / "a.tif").int() - GREY.int()).abs().max()) <= 1


# --- how large -------------------------------------------------------------------------------------


def test_a_phone_s_largest_photograph(tmp_path):
    """200 megapixels, of which the decoder hands over an eighth of each side; without a warning."""
    Image.new("L", (16320, 12240), 90).save(tmp_path / "phone.jpg", quality=30)
    usual = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rgb = photos.read_photo(tmp_path / "phone.jpg")
    assert rgb.shape == (3072, 4096, 3) and usual == Image.MAX_IMAGE_PIXELS
    assert int((rgb.int() - 90).abs().max()) <= 1


def test_bombs_are_refused_in_plain_words(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "MOST", 10_000)
    Image.new("1", (150, 100)).save(tmp_path / "much.png")
    Image.new("1", (1500, 100)).save(tmp_path / "more.png")  # Pillow itself refuses this one
    for name in ("much.png", "more.png"):
        with pytest.raises(photos.PhotoError, match="more than 0 megapixels, the most that is read") as caught:
            photos.read_photo(tmp_path / name)
        assert "attack" not in str(caught.value)
    Image.new("1", (100, 100)).save(tmp_path / "right.png")
    assert photos.read_photo(tmp_path / "right.png").shape == (100, 100, 3)
    assert photos.MOST < 2**29 and Image.MAX_IMAGE_PIXELS > 10_000
