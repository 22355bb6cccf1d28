"""Photographs of packages: their files, terms, labels and outlines; what is said where a package lacks them."""

import hashlib
import importlib.util
import inspect
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import holicam as hc
from holicam.datasets import MissingDataError, WrongDataError, samples
from holicam.models import data_folder

ROOT = Path(__file__).resolve().parents[2]
TOLD = json.loads((data_folder() / "photos.json").read_text(encoding="utf-8"))
FREE = {"CC0", "CC BY 2.0", "public domain"}
DEEDS = {"CC BY 2.0": "https://creativecommons.org/licenses/by/2.0/"}


@pytest.fixture(scope="module")
def all_of_them():
    return hc.photos.samples()


def words(text):
    return " ".join(text.split())


def said_by(package, where, file):
    """All that a package says there: a function's docstring, a text file, a JPEG's comment."""
    if "/" not in where:
        module, _, function = where.rpartition(".")
        return words(inspect.getdoc(getattr(importlib.import_module(module), function)))
    path = Path(importlib.util.find_spec(package).submodule_search_locations[0]).parent / where
    return words(path.read_text() if path.suffix == ".txt" else Image.open(path).info["comment"].decode())


def test_there_are_eight_and_each_is_whole(all_of_them):
    assert list(all_of_them) == list(TOLD) and len(TOLD) >= 8
    for name, one in all_of_them.items():
        height, width = one.picture.shape[:2]
        assert one.picture.dtype == torch.uint8 and [width, height] == TOLD[name]["size"], name
        assert one.name == name and one.title and one.outlined and one.credit and one.source, name
        assert one.licence in FREE, name


@pytest.mark.parametrize("name", TOLD)
def test_terms_are_quoted_from_the_package(name, all_of_them):
    one, package = all_of_them[name], TOLD[name]["file"].partition("/")[0]
    said = said_by(package, one.where, TOLD[name]["file"])
    assert words(one.terms) in said
    if one.licence in ("CC0", "CC BY 2.0"):  # whoever is credited is named there, and so is the licence
        assert one.credit.partition(",")[0] in said
        assert DEEDS.get(one.licence, one.licence) in said
    if one.licence == "public domain":
        assert "public domain" in said or name == "officer"  # its file names its source alone
    if one.source.startswith("http"):
        assert one.source in said


@pytest.mark.parametrize("name", TOLD)
def test_outline_lies_in_the_picture_and_its_box_round_it(name, all_of_them):
    one = all_of_them[name]
    height, width = one.picture.shape[:2]
    for polygon in one.outline:
        assert len(polygon) >= 3 and all(0 <= x <= width and 0 <= y <= height for x, y in polygon)
    mask, (x0, y0, x1, y1) = one.mask, one.box.long().tolist()
    assert mask.shape == (height, width) and mask.dtype == torch.bool
    assert mask[y0:y1, x0:x1].sum() == mask.sum() > 0
    for edge in (mask[y0, x0:x1], mask[y1 - 1, x0:x1], mask[y0:y1, x0], mask[y0:y1, x1 - 1]):
        assert edge.any()
    # Polygons touch where parts meet; a slip of a corner would let one cover another.
    assert mask.float().mean() < 0.8


def test_labels_are_classes_that_are_meant(all_of_them):
    assert all_of_them["cat"].classes == ("tabby", "tiger cat", "Egyptian cat") and all_of_them["cat"].label == 281
    assert all_of_them["coffee"].classes == ("espresso", "cup")
    assert all_of_them["officer"].classes == ("military uniform",)
    assert all_of_them["palace"].classes == ("palace",) and all_of_them["photographer"].classes == ("tripod",)
    assert all_of_them["rocket"].classes == ("missile", "projectile")
    assert all_of_them["clock"].classes == ("wall clock", "analog clock")
    nobody = all_of_them["astronaut"]
    assert nobody.label is None and nobody.classes == ()


def test_what_the_outlines_go_round_differs_from_what_lies_outside(all_of_them):
    """The cup is lighter than its saucer, the rocket than the sky, the uniform darker than what is round it."""
    grey = {n: (s.picture.float().mean(2), s.mask) for n, s in all_of_them.items()}
    for name, brighter in (("coffee", True), ("rocket", True), ("clock", True), ("officer", False)):
        values, mask = grey[name]
        assert (values[mask].mean() > values[~mask].mean()) == brighter, name
    values, mask = grey["rocket"]
    assert values[mask].mean() > 2 * values[~mask].mean()


def test_caption_has_credit_licence_and_what_was_changed(all_of_them):
    palace = all_of_them["palace"]
    assert palace.caption() == "A tower of the Summer Palace, Beijing: danielbuechele, CC BY 2.0, cropped"
    assert palace.caption("cropped, map laid over").endswith("CC BY 2.0, cropped, map laid over")
    assert palace.caption("").endswith("CC BY 2.0")


def test_some_can_be_had_alone_and_in_any_order():
    assert list(hc.photos.samples("coffee", "cat")) == ["coffee", "cat"]
    with pytest.raises(ValueError, match="no sample photograph 'cta'; there are cat"):
        hc.photos.samples("cta")
    with pytest.raises(ValueError, match="no sample photograph 'flower'"):  # whose credit contradicts itself
        hc.photos.samples("flower")


def test_a_picture_that_was_not_outlined_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "_folder", lambda package: tmp_path / package)
    with pytest.raises(MissingDataError, match=r"chelsea.png is not there: this version of the package"):
        hc.photos.samples("cat")
    path = tmp_path / TOLD["cat"]["file"]
    path.parent.mkdir(parents=True)
    Image.new("RGB", (451, 300)).save(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    with pytest.raises(WrongDataError, match=f"chelsea.png is another picture than the one outlined.*{found}"):
        hc.photos.samples("cat")


@pytest.mark.parametrize(
    "name, package, command",
    [("cat", "skimage", "photos"), ("palace", "sklearn", "photos"), ("officer", "matplotlib", "notebook")],
)
def test_a_missing_package_gets_one_sentence(name, package, command, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None)
    with pytest.raises(ImportError) as error:
        hc.photos.samples(name)
    want = f'A sample photograph needs {package}, which is not installed: pip install "holicam[{command}]".'
    assert str(error.value) == want


def test_no_photograph_lies_in_the_repository():
    hashes = {told["sha256"] for told in TOLD.values()}
    files = [
        p for place in ("book", "data", "holicam", "teaching", "tests", "tools") for p in (ROOT / place).rglob("*")
    ]
    pictures = [p for p in files if p.suffix.lower() in (".jpg", ".jpeg", ".png") and p.is_file()]
    assert not any(hashlib.sha256(p.read_bytes()).hexdigest() in hashes for p in pictures)


def test_the_page_of_images_lists_them_with_credit_and_licence(all_of_them):
    page = (ROOT / "book" / "api-data.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert list(rows) == list(all_of_them)
    for name, one in all_of_them.items():
        cells = [cell.strip() for cell in rows[name].strip("|").split("|")]
        kinds = ", ".join(f"`{kind}` ({k})" for kind, k in zip(one.classes, one.labels, strict=True))
        assert cells[1:6] == [one.title, kinds or "none", one.outlined, one.credit, one.licence]
        assert one.source in cells[6]
    deeds = ("https://creativecommons.org/licenses/by/2.0/", "https://creativecommons.org/publicdomain/zero/1.0/")
    assert all(deed in page for deed in deeds)


def test_marks_lie_outside_what_they_go_round(all_of_them):
    for name, one in all_of_them.items():
        drawn, mask = one.marked(), one.mask
        changed = (drawn != one.picture).any(2)
        assert changed.any() and not (changed & mask).any(), name  # nothing of the object is hidden
        yellow = (drawn == torch.tensor([255, 220, 0], dtype=torch.uint8)).all(2)
        grown = torch.nn.functional.max_pool2d(mask[None, None].float(), 9, 1, 4)[0, 0] > 0
        assert yellow.any() and not (yellow & changed & ~grown).any(), name  # the line follows it closely
    thin, thick = ((all_of_them["cat"].marked(w) != all_of_them["cat"].picture).any(2).sum() for w in (1, 5))
    assert thick > 2 * thin
