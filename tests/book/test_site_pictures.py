"""Stored figures on a page: their paper turns with the theme, their panels do not."""

import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from holicam.notebook import plot, stored
from tests.helpers.browser import THEMES
from tools import site_pictures

STYLE = Path(__file__).resolve().parents[2] / "book" / "_static" / "custom.css"
PAGE = "rgb(18, 18, 18)"  # of the theme's dark pages


def page_of(folder: Path, raw: bytes, width: int) -> str:
    """The HTML of a page with one stored picture, as the extension leaves it."""
    (folder / "_images").mkdir(exist_ok=True)
    (folder / "_images" / "a.jpg").write_bytes(raw)
    app = SimpleNamespace(srcdir=folder, builder=SimpleNamespace(images={"_images/a.jpg": "a.jpg"}))
    context = {"body": f'<p><img alt="maps" src="_images/a.jpg" width="{width}" /></p>'}
    site_pictures.pictures(app, "page", "page.html", context, None)
    return context["body"]


def seen(browser, folder: Path, body: str, theme: str, scale: int = 2) -> np.ndarray:
    """What a reader sees of the picture, (H, W, 3)."""
    paper = PAGE if theme == "dark" else "#fff"
    html = (
        f'<html data-theme="{theme}"><head><style>{STYLE.read_text(encoding="utf-8")} '
        f"body {{ background: {paper}; margin: 0 }}</style></head>"
        f'<body><div class="bd-content"><figure>{body}</figure></div></body></html>'
    )
    (folder / "page.html").write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 900}, device_scale_factor=scale)
    page.goto((folder / "page.html").as_uri())
    shot = page.query_selector("img").screenshot()
    page.close()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def figure():
    rng = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (32, 32, 3), generator=rng, dtype=torch.uint8)
    return plot.maps(image, {"a": torch.rand(7, 7, generator=rng), "b": torch.rand(4, 4, generator=rng)}, signed=True)


def split(picture, boxes, edge):
    """The pixels in the panels, and those well outside of them."""
    y, x = picture.shape[:2]
    outside, inside = np.ones((y, x), bool), np.zeros((y, x), bool)
    for left, top, width, height in boxes:
        for mask, by in ((inside, edge), (outside, -edge)):
            rows = slice(max(0, round(top * y) + by), max(0, round((top + height) * y) - by))
            mask[rows, max(0, round(left * x) + by) : max(0, round((left + width) * x) - by)] = mask is inside
    return picture[inside], picture[outside]


@pytest.mark.parametrize("scale", [1, 2])
def test_in_dark_mode_panels_stay_and_paper_is_the_page(browser, tmp_path, scale):
    drawn = figure()
    raw = stored.jpeg(drawn)
    body = page_of(tmp_path, raw, stored.width(drawn))
    light, dark = (seen(browser, tmp_path, body, theme, scale) for theme in THEMES)
    assert light.shape == dark.shape and light.shape[1] == scale * stored.width(drawn)
    boxes = stored.panels(raw)
    (panels, around), (same, turned) = split(light, boxes, 4), split(dark, boxes, 4)
    assert len(panels) > 100_000 and np.array_equal(panels, same)
    assert np.median(around) == 255 and np.median(turned, axis=0).tolist() == [18, 18, 18]
    assert (turned.min(1) > 180).mean() > 0.3 * (around.max(1) < 80).mean() > 0  # ink has become light
    assert (turned.min(1) > 235).mean() < 0.01  # no paper is left


def test_in_light_mode_the_picture_is_as_stored(browser, tmp_path):
    drawn = figure()
    raw = stored.jpeg(drawn)
    light = seen(browser, tmp_path, page_of(tmp_path, raw, stored.width(drawn)), "light")
    plain = np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")).astype(int)
    # A browser smooths colours as it decodes: brightness is compared.
    assert light.shape == plain.shape and np.abs(light.mean(2) - plain.mean(2))[20:-20, 20:-20].mean() < 2


def test_a_chart_is_turned_as_a_whole(browser, tmp_path):
    drawn = plot.curves([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y")
    dark = seen(browser, tmp_path, page_of(tmp_path, stored.jpeg(drawn), stored.width(drawn)), "dark")
    assert np.median(dark.reshape(-1, 3), axis=0).tolist() == [18, 18, 18] and (dark.min(2) > 180).any()
    blue = dark[(np.ptp(dark, axis=2) > 60)]  # the line keeps its hue
    assert len(blue) > 500 and (blue.argmax(1) == 2).mean() > 0.95


def test_other_pictures_are_left_alone(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    assert page_of(tmp_path, file.getvalue(), 8) == '<p><img alt="maps" src="_images/a.jpg" width="8" /></p>'
    context = {"body": '<img src="https://elsewhere.org/_images/b.jpg" alt="b">'}
    app = SimpleNamespace(srcdir=tmp_path, builder=SimpleNamespace(images={}))
    site_pictures.pictures(app, "page", "page.html", context, None)
    assert "picture" not in context["body"]


def test_outlines_stay_inside_the_picture():
    text = site_pictures.turned("<img>", "a.jpg", [(0.0, 0.1, 1.0, 0.5)], (1360, 800))
    shares = [float(v) for v in re.findall(r"(-?[\d.]+)%", text)]
    assert min(shares) == 0 and max(shares) == 100
