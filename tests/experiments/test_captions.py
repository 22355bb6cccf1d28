"""What the picture of `holicam explain` says beside its maps."""

from __future__ import annotations

import io

import matplotlib.text
import pytest
import torch
from PIL import Image

from holicam.experiments import captions
from holicam.experiments.map_files import NAME

ABOUT = {
    NAME: "0123456789abcdef",
    "network": "resnet50",
    "target": "tabby",
    "probability": "0.4321",
    "layers": "layer4",
}
RGB = torch.zeros(20, 30, 3, dtype=torch.uint8)


def drawn(monkeypatch, maps, explainer="grad-cam", toy=False, **about):
    """The picture, and every word on it with the place it takes."""
    words, plain = [], matplotlib.text.Text.draw

    def draw(self, renderer, *given, **options):
        if self.get_text().strip():
            words.append((self.get_text(), self.get_window_extent(renderer)))
        return plain(self, renderer, *given, **options)

    monkeypatch.setattr(matplotlib.text.Text, "draw", draw)
    file = captions.draw(RGB, maps, ABOUT | about, explainer, toy)
    return Image.open(io.BytesIO(file)), words


def test_network_class_probability_method_and_layer(monkeypatch):
    picture, words = drawn(monkeypatch, {"layer4": torch.rand(20, 30)})
    text = [word for word, _ in words]
    assert "resnet50: tabby 43.2 %\ngrad-cam at layer4" in text and picture.info[NAME] == ABOUT[NAME]
    assert picture.info["Description"] == "resnet50: tabby 43.2 % / grad-cam at layer4"
    assert not any("drawn" in word for word in text)


def test_a_toy_says_what_it_is_and_several_layers_have_panels(monkeypatch):
    maps = {"layer3": torch.rand(20, 30), "layer4": torch.rand(20, 30)}
    _, words = drawn(monkeypatch, maps, toy=True, layers="layer3 layer4")
    text = "\n".join(word for word, _ in words)
    assert "grad-cam at layer3 and layer4" in text and "knows only its ten drawn classes" in text
    assert {"layer3", "layer4", "image"} <= {word for word, _ in words}


@pytest.mark.parametrize("target", ["tabby", "a $very$ long_name of {a} class " * 4, "x" * 200])
def test_every_word_stays_inside(monkeypatch, target):
    picture, words = drawn(monkeypatch, {"map": torch.rand(20, 30) - 0.5}, "lrp", layers="", target=target)
    for word, box in words:
        assert -1 <= box.x0 and box.x1 <= picture.width + 1 and box.y1 <= picture.height + 1, word
    text = " ".join(word for word, _ in words)
    assert target.split()[0][:20] in text and "largest magnitude" in text


def test_a_map_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="NaN or infinity"):
        captions.draw(RGB, {"map": torch.full((20, 30), float("nan"))}, ABOUT, "lrp", False)


def test_panels_keep_their_size_below_the_words(monkeypatch):
    sizes = []
    plain = captions.plot.Figure.savefig

    def save(self, *given, **options):
        plain(self, *given, **options)
        width, height = self.get_size_inches()
        found = [axes.get_position() for axes in self.axes[:-1]]
        sizes.extend((box.width * width, box.height * height) for box in found)

    monkeypatch.setattr(captions.plot.Figure, "savefig", save)
    picture, _ = drawn(monkeypatch, {"layer4": torch.rand(20, 30)})
    assert len(sizes) == 2 and all(w >= 2.0 and h == pytest.approx(w * 2 / 3, rel=1e-3) for w, h in sizes)
    assert picture.width > 800  # twice a screen's resolution
