"""The wall's store and what the page is made of: complete, small, and the maps that today's code makes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import holicam as hc
from holicam.methods.table import TABLE
from holicam.notebook.explorer.figure import table
from tools import site_wall
from tools.ipynb import ROOT
from tools.wall import compute, draw, measures, page, pictures, settings, store
from tools.wall.__main__ import main

PAGE_MB, STORE_MB, LEVELS = 6, 5, 2
EXPLAINED = page.explained()


# --- what is stored ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", TABLE)
def test_every_explainer_has_its_maps_or_says_why_not(method):
    about, tiles = store.read(method)
    if not tiles:
        assert len(page.said(method)) > 30, "neither maps nor a reason: run `python -m tools.wall`"
        return
    assert about["call"] == settings.code(method) and about["network"] == settings.NETWORK
    assert about["stages"] == compute.stages() and about["takes"] == settings.takes(method)
    assert about["seconds"].keys() == about["code"].keys() == {picture for picture, _ in tiles}
    assert {"cat"} <= about["seconds"].keys() <= pictures.PICTURES.keys()
    wanted = {1, 2, 3, 4} if about["takes"] == "layer" else {0}
    for picture in about["seconds"]:
        there = {stage for name, stage in tiles if name == picture}
        assert there == wanted or (there and there < wanted and about["refused"])


@pytest.mark.parametrize("method", EXPLAINED)
def test_maps_are_small_grey_and_use_their_range(method):
    with Image.open(store.file(method).with_suffix(".png")) as sprite:
        assert sprite.mode == "L" and not sprite.info
    for (picture, stage), tile in store.read(method)[1].items():
        most = store.CELLS[settings.takes(method)]
        assert max(tile.bits.shape) <= most and all(
            cells >= n for cells, n in zip(tile.grid, tile.bits.shape, strict=True)
        )
        assert np.isfinite([tile.low, tile.high]).all(), (picture, stage)
        assert tile.low == tile.high or (tile.bits.min() == 0 and tile.bits.max() == 255), (picture, stage)


def test_no_photograph_and_no_stray_file_is_stored():
    named = {store.file(one["method"], one["question"]).stem for one in store.stored()}
    for path in store.FOLDER.glob("*"):
        assert path.name == "code" or (path.stem in named and path.suffix in (".json", ".png")), path.name
    assert sum(path.stat().st_size for path in store.FOLDER.rglob("*") if path.is_file()) <= STORE_MB * 1e6
    codes = {name for one in store.stored() for name in one["code"].values()}
    assert {path.stem for path in (store.FOLDER / "code").iterdir()} == codes


@pytest.mark.parametrize("method, question", [("grad-cam", "asked"), ("layer-cam", "asked"), ("grad-cam", "another")])
def test_a_stored_map_is_made_again(method, question):
    """At each stage, within two of 255 grey levels."""
    found = compute.maps((method,), "cat", question)[0][method]
    assert list(found) == [1, 2, 3, 4]
    for stage, m in found.items():
        fresh, stored = store.packed(m, store.CELLS["layer"]), store.tile("cat", method, stage, question)
        assert fresh.grid == stored.grid
        assert np.abs(fresh.values - stored.values).max() <= LEVELS / 255 * (stored.high - stored.low), stage
    other = store.tile("coffee", method, 3, question)
    assert np.abs(other.bits.astype(int) - fresh_bits(found[3])).max() > LEVELS, "this comparison cannot fail"


def fresh_bits(m):
    return store.packed(m, store.CELLS["layer"]).bits.astype(int)


def test_a_method_of_the_input_and_one_that_refuses_are_made_again():
    m = compute.maps(("gradient",), "cat")[0]["gradient"][0]
    stored = store.tile("cat", "gradient")
    assert np.abs(store.packed(m, 112).values - stored.values).max() <= LEVELS / 255 * (stored.high - stored.low)
    with pytest.raises(compute.REFUSALS) as error:
        compute.maps(("legrad",), "cat")
    assert " ".join(str(error.value).split()) == page.said("legrad")
    found, refused = compute.maps(("cam",), "cat")
    assert list(found["cam"]) == [4] and page.said("cam") == f"Only at stage 4. {refused}"


def test_the_other_questions_are_stored_and_differ():
    for method in settings.FOR_EVERY_QUESTION:
        maps = [store.tile("mosaic-cat", method, 4, question).bits for question in settings.QUESTIONS]
        assert not np.array_equal(maps[0], maps[1]) and not np.array_equal(maps[0], maps[2]), method


def test_channels_are_those_of_the_network():
    assert settings.CHANNELS == tuple(row.channels for row in hc.stages(compute.network()).rows)


MOSAICS = ("mosaic-cat", "mosaic-tripod")
SINGLE = [one.name for one in pictures.ALL if len(one.parts) == 1]


def shares(stages, *methods):
    return [measures.share(picture, method, stage) for picture in MOSAICS for method in methods for stage in stages]


def test_the_words_below_the_wall_hold():
    """Every number of the section "What one sees", from the stored maps."""

    def ends(values):
        return f"{min(values):.2f} to {max(values):.2f}".replace("-", "−")

    def likeness(method, question):
        return [measures.likeness(name, method, stage, question) for name in SINGLE for stage in (1, 2, 3, 4)]

    text = (ROOT / "book" / "wall.md").read_text(encoding="utf-8")
    said = text.split("## What one sees")[1].split("##")[0]
    blocks = shares([4], "grad-cam")
    for words in (
        f"Grad-CAM has {blocks[0]:.2f} and {blocks[1]:.2f} of its evidence",
        f"Grad-CAM and Grad-CAM++ are lost, with {ends(shares([1, 2, 3], 'grad-cam', 'grad-cam++'))}",
        f"Layer-CAM has {ends(shares([1, 2, 3, 4], 'layer-cam'))} at every stage",
        f"Holistic-CAM {ends(shares([1, 2, 3, 4], 'holistic-cam'))}.",
        f"at {ends(likeness('holistic-cam', 'another'))} over the six photographs",
        f"Grad-CAM's at {ends(likeness('grad-cam', 'another'))}.",
        f"the correlation is still {ends(likeness('holistic-cam', 'forgotten'))}.",
    ):
        assert words in said, words
    for method in ("grad-cam", "hires-cam", "cameras", "ucag"):
        assert all(a > b for a, b in zip(shares([4], method), shares([4], "holistic-cam"), strict=True)), method
    most = [max(measures.share(picture, "holistic-cam", stage) for stage in (1, 2, 3, 4)) for picture in MOSAICS]
    for method in ("occlusion", "zoom-cam"):
        assert [a > b for a, b in zip(shares([4], method), most, strict=True)] == [False, True], method
    assert all(0.2 < one < 0.3 for one in shares([4], "random", "sobel"))


# --- a store of its own --------------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FOLDER", tmp_path / "wall")
    compute.code.cache_clear()
    yield tmp_path / "wall"
    compute.code.cache_clear()


def test_what_is_written_is_read(empty):
    draws = np.random.default_rng(0)
    tiles = {
        (picture, stage): store.packed(draws.normal(size=(n, n)), 56)
        for picture in ("cat", "coffee")
        for stage, n in ((1, 80), (2, 28), (4, 7))
    }
    store.write({"method": "a", "question": "asked", "takes": "layer"}, tiles)
    about, found = store.read("a")
    assert about == {"method": "a", "question": "asked", "takes": "layer"} and list(found) == list(tiles)
    for key, tile in tiles.items():
        assert np.array_equal(found[key].bits, tile.bits) and found[key][1:] == tile[1:]
    assert found["cat", 1].bits.shape == (56, 56) and found["cat", 1].grid == (80, 80)
    assert store.signed("a") and store.tile("cat", "a", 4).bits.shape == (7, 7)
    with pytest.raises(KeyError, match="no map of a for cat at stage 3"):
        store.tile("cat", "a", 3)
    with pytest.raises(KeyError, match="no map of b"):
        store.tile("cat", "b")


def test_a_map_is_its_bytes_to_half_a_step():
    m = np.random.default_rng(1).random((7, 9))
    assert np.abs(store.packed(m, 56).values - m).max() <= 0.502 / 255
    flat = store.packed(np.full((4, 4), 3.0), 56)
    assert flat.low == flat.high == 3 and not flat.bits.any()
    with pytest.raises(ValueError, match="not finite"):
        store.packed(np.array([[1.0, np.nan]]), 56)
    assert np.allclose(store.reduced(np.arange(16.0).reshape(4, 4), 2), [[2.5, 4.5], [10.5, 12.5]])


def test_two_signs_are_two_signs(empty):
    for name, m in (("below", [[-3.0, -1.0]]), ("both", [[-1.0, 2.0]]), ("rounding", [[-1e-9, 1.0]])):
        store.write({"method": name, "question": "asked"}, {("cat", 0): store.packed(np.array(m), 56)})
    assert [store.signed(name) for name in ("below", "both", "rounding")] == [False, True, False]


def test_it_goes_on_where_it_stopped(empty):
    chosen = ["grad-cam", "legrad"]
    units = [unit for unit in compute.missing(chosen) if unit[1] == "asked"]
    assert len(units) == 2 * len(pictures.ALL) and units[0] == (("grad-cam",), "asked", "cat")
    compute.do(units[0])
    compute.do((("legrad",), "asked", "cat"))  # refuses; is not asked again
    left = [unit for unit in compute.missing(chosen) if unit[1] == "asked"]
    assert left == units[1 : len(pictures.ALL)]
    compute.do(left[0])
    about, tiles = store.read("grad-cam")
    assert {name for name, _ in tiles} == set(about["seconds"]) == {"cat", "coffee"}
    assert store.read("legrad")[0]["said"].startswith("LeGrad reads") and not compute.stale()
    kept = empty / "code" / f"{about['code']['cat']}.json"
    assert not [unit for unit in compute.missing(["legrad"], again=True) if unit[1] == "asked"]
    stamp = json.loads(kept.read_text())
    stamp["files"]["core/ops.py"] = "0" * 12
    kept.write_text(json.dumps(stamp))
    assert compute.stale() == {"grad-cam, asked": ["core/ops.py"], "legrad, asked": ["core/ops.py"]}
    (empty / "code" / "gone.json").write_text("{}")
    compute.sweep()
    assert [path.name for path in (empty / "code").iterdir()] == [kept.name]


# --- pictures and what the page is made of -------------------------------------------------------------------------


def test_pictures_are_squares_with_credit():
    for one in pictures.ALL:
        assert pictures.pixels(one.name).shape == (224, 224, 3) and len(one.parts) in (1, 4)
        assert "cropped" in pictures.credit(one.name)
        names = hc.class_names(settings.NETWORK)
        assert (names[one.target], names[one.other]) == (one.label, one.other_label)
        assert any(one.target in pictures.sample(part).labels for part in one.parts)
    four = pictures.PICTURES["mosaic-cat"].parts
    quarter = hc.photos.fit(hc.photos.middle(pictures.sample(four[3]).picture), 112, mode="bicubic")
    assert np.array_equal(pictures.pixels("mosaic-cat")[112:, 112:], quarter)


def test_no_evidence_is_transparent_and_all_of_it_is_opaque():
    picture = pictures.pixels("cat", 56)
    bare, full = (
        store.Tile(np.array([[0, 0], [0, x]], np.uint8), 0.0, high, (2, 2)) for x, high in ((0, 0.0), (255, 1.0))
    )
    assert np.array_equal(draw.over(picture, bare), picture)
    shown = draw.over(picture, full, opacity=1.0)
    assert np.array_equal(shown[0, 0], picture[0, 0]) and np.array_equal(shown[-1, -1], table(False)[255])
    signed = store.Tile(np.array([[0, 255]], np.uint8), -1.0, 1.0, (1, 2))
    ends = draw.over(picture, signed, signed=True, opacity=1.0)
    assert np.array_equal(ends[0, 0], table(True)[0]) and np.array_equal(ends[0, -1], table(True)[255])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    page.write(folder)
    return folder, json.loads((folder / "wall.json").read_text(encoding="utf-8"))


def test_the_page_holds_every_map_within_its_budget(built):
    folder, index = built
    assert [one["name"] for one in index["methods"]] == EXPLAINED
    for one in index["pictures"]:
        sprite = np.asarray(Image.open(folder / one["sprite"]))
        for method, rows in one["maps"].items():
            for stage, x, y, w, h, *_ in rows:
                assert np.array_equal(sprite[y : y + h, x : x + w], store.tile(one["name"], method, stage).bits)
        assert len(one["maps"]) == sum(any(p == one["name"] for p, _ in store.read(m)[1]) for m in EXPLAINED)
        assert one["credit"] == pictures.credit(one["name"]) and Image.open(folder / one["photo"]).size == (336, 336)
    own = [ROOT / "book" / "_static" / name for name in ("wall.mjs", "wall.css")]
    assert sum(path.stat().st_size for path in [*folder.iterdir(), *own]) <= PAGE_MB * 1e6
    assert {path.name for path in folder.iterdir()} >= {"still.jpg", "cat-small.jpg"}


def test_the_still_picture_shows_maps(built):
    still = np.asarray(Image.open(built[0] / "still.jpg").convert("RGB")).astype(int)
    assert still.shape[1::-1] == page.still_size() and still.std() > 30
    panel = draw.STILL_SIDE
    first = still[draw.HEAD : draw.HEAD + panel, draw.LABELS : draw.LABELS + panel]
    wanted = draw.over(pictures.pixels("cat", panel), store.tile("cat", draw.STILL[0], 1)).astype(int)
    assert np.abs(first - wanted).mean() < 6


def test_a_missing_package_is_named_and_the_rest_is_built(tmp_path, monkeypatch):
    whole = pictures.sample

    def without(part):
        if part == "palace":
            raise ImportError("Photographs need scikit-learn")
        return whole(part)

    monkeypatch.setattr(pictures, "sample", without)
    page.write(tmp_path)
    index = json.loads((tmp_path / "wall.json").read_text(encoding="utf-8"))
    gone = {one["name"]: one["missing"] for one in index["pictures"] if "missing" in one}
    assert gone == dict.fromkeys(["palace", "mosaic-cat"], "Photographs need scikit-learn")
    assert page.missing() == ["palace: Photographs need scikit-learn"] and (tmp_path / "still.jpg").exists()
    monkeypatch.setattr(pictures, "sample", lambda part: without("palace"))
    page.write(tmp_path / "none")
    assert len(page.missing()) == len(pictures.PARTS) and (tmp_path / "none" / "still.jpg").exists()


# --- the cards -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", TABLE)
def test_a_card_has_formula_code_and_facts(method):
    entry = page.reference().get(method)
    assert entry, f"{method} has no entry: add a heading and ```{{explainer}} {method} to a page of book/api-*.md"
    assert entry.title and "$$" in entry.formula
    code = site_wall.three_lines(method)
    assert code.count("\n") == 2 and settings.code(method) in code
    compile(code, method, "exec")
    said = "\n".join(site_wall.facts(method, entry))
    assert f":Cost: {TABLE[method].cost}" in said and ":Paper: " in said and ":Reference: " in said
    assert (":Not here: " in said) == bool(page.said(method)) and (":Here: " in said) == (method in EXPLAINED)


def test_three_lines_make_the_map_of_the_wall():
    names = {"hc": hc}
    exec(site_wall.three_lines("layer-cam"), names)
    assert list(names["maps"]) == compute.stages()
    m = names["maps"][compute.stages()[2]][0].detach().double().numpy()
    stored = store.tile("cat", "layer-cam", 3)
    assert m.shape == (224, 224) and np.corrcoef(m[8::16, 8::16].ravel(), stored.values.ravel())[0, 1] > 0.98


def test_anchors_are_words_and_differ():
    found = [site_wall.anchor(name) for name in TABLE]
    assert len(set(found)) == len(found) and all(name.replace("-", "").isalnum() for name in found)
    assert [site_wall.anchor(name) for name in ("grad-cam++", "pcam+-", "cam-")] == ["grad-cam-pp", "pcam-pm", "cam-m"]


def test_an_unknown_explainer_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--method", "grad-cma"])
    assert "there is no explainer 'grad-cma'" in capsys.readouterr().err
