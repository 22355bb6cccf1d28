"""The contact sheet of several methods: what stands on it, how it is named, and that one failure costs one panel."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from holicam.experiments import contact_sheet, explain_photos
from holicam.notebook.sheet import Line, sheet
from tests.helpers.commands import explain, photo


@pytest.fixture
def drawn(monkeypatch):
    """The lines and titles of the sheets."""
    seen = []

    def keep(lines, title):
        seen.append((lines, title))
        return sheet(lines, title)

    monkeypatch.setattr(contact_sheet, "sheet", keep)
    return seen


def names(folder):
    return sorted(file.name for file in folder.glob("*+*.png"))


def test_one_photograph_has_a_line_for_each_layer(tmp_path, tiny, drawn):
    cat, out = photo(tmp_path / "cat.png"), tmp_path / "out"
    words = (
        cat,
        "--explainer",
        "grad-cam",
        "gradient",
        "--layers",
        "layer1",
        "layer4",
        "--target",
        "key",
        "--out",
        out,
    )
    status, said = explain(*words)
    assert status == 0 and "contact sheet: " in said, said
    ((lines, title),) = drawn
    assert [line.words[0] for line in lines] == ["cat.png"] * 2 and [line.words[2] for line in lines] == [
        "layer1",
        "layer4",
    ]
    assert lines[0].words[1].startswith("key ") and lines[0].words[1].endswith(" %")
    assert "toy-resnet50" in title[0] and "key" in title[0]
    assert torch.equal(lines[0].maps["gradient"], lines[1].maps["gradient"])  # of no layer: it stands in both
    sheet_of = "cat.toy-resnet50.grad-cam+gradient.layer1+layer4.6-key.png"
    assert (out / sheet_of).exists()
    with Image.open(out / sheet_of) as picture:
        assert "toy-resnet50" in picture.info["Description"]
    assert len(list(out.iterdir())) == 5
    assert explain(*words)[0] == 0 and len(list(out.iterdir())) == 5  # its own is replaced, and nothing else
    (out / sheet_of).write_bytes(b"somebody's")
    status, said = explain(*words)
    assert (out / sheet_of).read_bytes() == b"somebody's"


def test_many_photographs_of_odd_shapes_fill_several_sheets(tmp_path, tiny, drawn):
    sizes = [
        (60, 40),
        (40, 60),
        (200, 20),
        (20, 200),
        (1, 1),
        (33, 33),
        (64, 64),
        (50, 41),
        (41, 50),
        (90, 30),
        (30, 90),
    ]
    files = [photo(tmp_path / f"p{i:02d}.png", size, seed=i) for i, size in enumerate(sizes)]
    out = tmp_path / "out"
    status, said = explain(*files, "--explainer", "grad-cam", "layer-cam", "--out", out)
    assert status == 0, said
    assert [len(lines) for lines, _ in drawn] == [10, 1]
    first, second = names(out)
    assert first.startswith("contact-sheet.toy-resnet50.grad-cam+layer-cam.layer4")
    assert second.startswith("contact-sheet.toy-resnet50.grad-cam+layer-cam.layer4")
    with Image.open(out / first) as one, Image.open(out / second) as other:
        assert max(one.size) < 8000 and {one.height > 3 * other.height} == {True}


def test_a_method_that_fails_costs_its_own_panels(tmp_path, tiny, drawn, monkeypatch):
    class Breaks:
        takes = "layer"

        def __call__(self, *args, **more):
            raise ValueError("no luck today")

    known = {"grad-cam": explain_photos.explainers["grad-cam"], "breaks": Breaks}
    monkeypatch.setattr(explain_photos, "explainers", known)
    cat, broken = photo(tmp_path / "cat.png"), tmp_path / "broken.png"
    broken.write_text("no picture")
    status, said = explain(cat, broken, "--explainer", "breaks", "grad-cam", "--out", tmp_path / "out")
    assert status == 1 and "breaks: ValueError: no luck today" in said and "0 done, 1 in part, 1 failed" in said
    assert said.count("broken.png") == 1  # what is wrong with a photograph is said once
    ((lines, _),) = drawn
    assert len(lines) == 1 and lines[0].maps["breaks"].startswith("failed: ValueError: no luck")
    assert lines[0].maps["grad-cam"].shape == (64, 96)


def test_words_wrap_and_signed_maps_are_drawn(tmp_path):
    rgb = torch.zeros(20, 200, 3, dtype=torch.uint8).numpy()
    line = Line(["a very long name of a photograph.png", "cat 50.0 %"], rgb, {"a": torch.randn(20, 200), "b": "no"})
    figure = sheet([line], ["network"])
    width, height = figure.get_size_inches()
    assert all(text.get_window_extent().x1 <= width * 100 for text in figure.texts)
    assert height < 3 and len(figure.axes) == 4  # photograph, two methods, key


def test_several_methods_read_a_photograph_once_and_none_sees_what_another_wrote_into_it(tmp_path, tiny, monkeypatch):
    class Writes:
        takes = "layer"

        def __call__(self, model, images, layers, target, **more):
            images.zero_()
            return {layer: torch.zeros(1, 64, 96) for layer in layers}

    known = {name: explain_photos.explainers[name] for name in ("grad-cam", "layer-cam")} | {"writes": Writes}
    monkeypatch.setattr(explain_photos, "explainers", known)
    read, each = [], explain_photos.read_photo
    monkeypatch.setattr(explain_photos, "read_photo", lambda file: read.append(file.name) or each(file))
    photos, alone, joined = [photo(tmp_path / f"{name}.png") for name in "ab"], tmp_path / "alone", tmp_path / "joined"
    status, said = explain(*photos, "--explainer", "grad-cam", "--out", alone)
    assert status == 0, said
    read.clear()
    status, said = explain(*photos, "--explainer", "writes", "grad-cam", "layer-cam", "--out", joined)
    assert status == 0 and read == ["a.png", "b.png"], said
    for file in alone.glob("*.safetensors"):
        assert torch.equal(load_file(file)["layer4"], load_file(joined / file.name)["layer4"])
