"""The explorer: what is stored is what was given, pages stay the same to the byte, widgets tell their errors."""

import base64
import hashlib
import html
import io
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import holicam as hc
from holicam.notebook.explorer import data, figure, packed, store
from tests.helpers.pictures import in_cells

ROOT = Path(__file__).resolve().parents[2]
EXPLORERS = ROOT / "book" / "_static" / "explorers"
MANIFESTS = sorted(EXPLORERS.rglob("*.json"))


def picture(side=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def some_maps(seed=0, sign=0.0):
    draw = np.random.default_rng(seed)
    return {
        method: {layer: draw.random((n, n)) - sign for layer, n in (("early", 8), ("late", 4))} for method in ("A", "B")
    }


@pytest.fixture
def book(tmp_path, monkeypatch):
    """An empty book, the working directory in it, as where a chapter is run."""
    monkeypatch.setenv("HOLICAM_STORED", "1")
    (tmp_path / "book" / "_static").mkdir(parents=True)
    (tmp_path / "_config.yml").write_text("title: a book\n")
    monkeypatch.chdir(tmp_path / "book")
    return tmp_path / "book"


def files(book):
    return sorted(p for p in (book / store.FOLDER).rglob("*") if p.is_file())


def bytes_of(manifest, row, folder):
    sprite = np.asarray(Image.open(folder / manifest["sprite"]))
    return sprite[row["y"] : row["y"] + row["h"], row["x"] : row["x"] + row["w"]]


def test_the_sprite_holds_the_maps(book):
    maps, forgotten = some_maps(0, 0.5), some_maps(1)
    made = hc.explore(picture(), maps, random=forgotten, name="one/two", scores=(0.9, 0.1))
    manifest, rows = made.manifest, made.manifest["maps"]
    assert len(rows) == 8 and manifest["targets"][0]["scores"] == [0.9, 0.1]
    for row in rows:
        given = (forgotten if row["random"] else maps)[row["method"]][row["layer"]]
        bits = bytes_of(manifest, row, book / store.FOLDER / "one")
        value = row["min"] + (row["max"] - row["min"]) * bits / 255
        assert np.abs(value - given).max() <= 0.51 * np.ptp(given) / 255 + 1e-4 * np.abs(given).max()
        assert row["grid"] == list(given.shape)
    taken = np.zeros((1000, packed.SPRITE_WIDTH), int)
    for row in rows:
        taken[row["y"] : row["y"] + row["h"], row["x"] : row["x"] + row["w"]] += 1
    assert taken.max() == 1, "two maps lie over each other"


def test_many_maps_fit_on_shelves():
    draw = np.random.default_rng(3)
    maps = {f"m{i}": {"x": draw.random((h, w))} for i, (h, w) in enumerate(draw.integers(1, 64, (40, 2)))}
    content = data.collect(picture(), maps)
    manifest, sprite = packed.pack(content)
    for row, entry in zip(manifest["maps"], content.entries, strict=True):
        bits = sprite[row["y"] : row["y"] + row["h"], row["x"] : row["x"] + row["w"]]
        assert np.array_equal(bits, packed.quantised(entry.values)[0])


def test_names_are_made_of_content(book):
    hc.explore(picture(), some_maps(), name="one/two")
    found = files(book)
    assert {p.suffix for p in found} == {".json", ".jpg", ".png"} and len(found) == 4
    for path in found:
        digits = re.fullmatch(r"two-([0-9a-f]{12})\.(json|jpg|png)", path.name)[1]
        assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(digits)


def test_a_page_stays_the_same_to_the_byte(book):
    maps = some_maps()
    first, before = str(hc.explore(picture(), maps, name="one/two")), files(book)
    assert str(hc.explore(picture(), maps, name="one/two")) == first
    near = {
        k: {n: m + 1e-6 * np.sin(np.arange(m.size)).reshape(m.shape) for n, m in v.items()} for k, v in maps.items()
    }
    assert str(hc.explore(picture(), near, name="one/two")) == first, "sums in another order made another page"
    assert files(book) == before
    other = {k: {n: np.flipud(m) for n, m in v.items()} for k, v in maps.items()}
    assert str(hc.explore(picture(), other, name="one/two")) != first
    scaled = {k: {n: 2 * m for n, m in v.items()} for k, v in maps.items()}
    assert str(hc.explore(picture(), scaled, name="one/two")) != first, "the raw values are another's"
    assert str(hc.explore(picture(), maps, name="one/two", opacity=0.5)) != first
    assert set(before) < set(files(book)), "files that a stored page may need were removed"


def test_a_damaged_file_is_not_taken(book):
    first = str(hc.explore(picture(), some_maps(), name="one/two"))
    sprite = next(p for p in files(book) if p.suffix == ".png")
    whole = sprite.read_bytes()
    for damaged in (whole[:20], None):  # as a kill leaves it, and not there at all
        sprite.unlink() if damaged is None else sprite.write_bytes(damaged)
        assert str(hc.explore(picture(), some_maps(), name="one/two")) == first
        assert sprite.read_bytes() == whole


def test_the_figure_carries_a_picture_and_words(book):
    made = hc.explore(picture(), some_maps(), name="one/two", caption="A < B & C.", alt='Bright "corner".')
    text = made._repr_html_()
    assert made._repr_mimebundle_() == {"text/html": text, "text/plain": repr(made)}
    alt = html.unescape(re.search(r'alt="([^"]*)"', text)[1])
    assert alt == 'Bright "corner".' and "<figcaption>A &lt; B &amp; C." in text
    shown = Image.open(io.BytesIO(base64.b64decode(re.search(r'src="data:image/jpeg;base64,([^"]*)"', text)[1])))
    assert f'width="{shown.width}" height="{shown.height}"' in text
    assert 'id="explorer-one-two"' in text and "\n\n" not in text and "uuid" not in text
    assert "script" not in text, "on the page the script comes with the site"
    assert not re.search(r"0x[0-9a-f]{6,}", repr(made))


def test_without_words_the_picture_is_described():
    assert "map of A at early" in str(hc.explore(picture(), some_maps()))


@pytest.mark.parametrize("where", ["no name", "no book", "cannot be written"])
def test_outside_a_book_data_travel_inside(book, monkeypatch, where):
    name = None if where == "no name" else "one/two"
    if where == "no book":
        (book.parent / "_config.yml").unlink()
    elif where == "cannot be written":
        (book / "_static" / "explorers").write_text("a file, no folder")
    text = str(hc.explore(picture(), some_maps(), name=name))
    said = re.search(r'data-manifest="data:application/json;base64,([^"]*)"', text)[1]
    manifest = json.loads(base64.b64decode(said))
    addresses = [manifest["sprite"], manifest["targets"][0]["image"]]
    assert all(a.startswith("data:image/") for a in addresses)
    assert 'script type="module"' in text and not re.search(r"(src|href)=\"http", text)
    assert where == "cannot be written" or not files(book)


def test_large_maps_are_averaged():
    m = np.random.default_rng(0).random((130, 200))
    small = data.reduced(m)
    assert small.shape == (33, 50) and max(small.shape) <= data.CELLS
    assert np.isclose(small[0, 0], m[:4, :4].mean()) and np.isclose(small[-1, 0], m[128:, :4].mean())
    row = hc.explore(picture(), {"A": m}).manifest["maps"][0]
    assert row["grid"] == [130, 200] and (row["h"], row["w"]) == (33, 50) and row["layer"] == "input"


def test_an_explorer_has_a_size_limit(book):
    noise = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at most 150 kB"):
        hc.explore(picture(), {f"m{i}": noise.random((64, 64)) for i in range(60)}, name="one/two")
    assert not files(book)


def test_targets_may_have_pictures_of_their_own(book):
    made = hc.explore(
        {"cat": picture(), "dog": picture(seed=1)},
        {"cat": some_maps(), "dog": some_maps(1)},
        name="one/two",
        target="dog",
        scores={"cat": 0.2, "dog": 0.7},
    )
    names = [(t["name"], t["scores"]) for t in made.manifest["targets"]]
    assert names == [("cat", [0.2]), ("dog", [0.7])]
    assert len({t["image"] for t in made.manifest["targets"]}) == 2
    assert made.manifest["start"]["target"] == "dog"
    one = hc.explore(picture(), {"cat": some_maps(), "dog": some_maps(1)}, name="one/three")
    assert len({t["image"] for t in one.manifest["targets"]}) == 1, "one picture is stored once"


BAD = {
    "no maps": (lambda: hc.explore(picture(), {}), TypeError, "non-empty dict"),
    "a list": (lambda: hc.explore(picture(), [1]), TypeError, "non-empty dict"),
    "no layers": (lambda: hc.explore(picture(), {"A": {}}), ValueError, "'A' has no map"),
    "a float image": (lambda: hc.explore(picture() / 255, some_maps()), TypeError, "uint8 RGB"),
    "NaN": (lambda: hc.explore(picture(), {"A": np.full((2, 2), np.nan)}), ValueError, "must be finite"),
    "a batch": (lambda: hc.explore(picture(), {"A": np.zeros((3, 2, 2))}), ValueError, "shape"),
    "random unlike": (
        lambda: hc.explore(picture(), some_maps(), random={"A": np.zeros((2, 2))}),
        ValueError,
        "same targets, methods and layers",
    ),
    "method": (lambda: hc.explore(picture(), some_maps(), method="C"), ValueError, "one of 'A', 'B'; got 'C'"),
    "layer": (lambda: hc.explore(picture(), some_maps(), layer="x"), ValueError, "one of 'early', 'late'"),
    "target": (lambda: hc.explore(picture(), some_maps(), target="x"), ValueError, "target must be one of"),
    "opacity": (lambda: hc.explore(picture(), some_maps(), opacity=60), ValueError, "opacity must be a number"),
    "scores": (lambda: hc.explore(picture(), some_maps(), scores=(1, 2)), ValueError, "one number a target"),
    "score names": (lambda: hc.explore(picture(), some_maps(), scores={"x": 1}), ValueError, "name the targets"),
    "name": (lambda: hc.explore(picture(), some_maps(), name="../up"), ValueError, "<chapter>/<what>"),
    "names of targets": (lambda: hc.explore({"a": picture()}, {"b": some_maps()}), ValueError, "give the same"),
    "sizes": (
        lambda: hc.explore({"a": picture(), "b": picture(16)}, {"a": some_maps(), "b": some_maps()}),
        ValueError,
        "one size",
    ),
    "methods of maps": (lambda: hc.explore(picture(), some_maps(), methods=["A"]), TypeError, "maps name them"),
}


@pytest.mark.parametrize("call, error, says", BAD.values(), ids=BAD)
def test_bad_input_gets_a_sentence(call, error, says):
    with pytest.raises(error, match=re.escape(says)) as caught:
        call()
    assert "\n" not in str(caught.value)


# --- colours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key, name", [("evidence", hc.plot.EVIDENCE), ("signed", hc.plot.SIGNED)])
def test_the_page_has_the_colours_of_plot(key, name):
    script = (ROOT / "book" / "_static" / "explorer.mjs").read_text(encoding="utf-8")
    digits = re.search(rf'{key}: "([0-9a-f]+)"', script)[1]
    stored = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(256, 3)
    assert np.abs(stored / 255 - matplotlib.colormaps[name](np.arange(256))[:, :3]).max() <= 0.5 / 255 + 1e-9


def test_the_script_asks_nobody_else():
    for kind in ("mjs", "css"):
        text = (ROOT / "book" / "_static" / f"explorer.{kind}").read_text(encoding="utf-8")
        assert "http" not in text and "import " not in text and len(text) < 24_000


def test_drawn_by_hand():
    """Opacity, threshold and grid on a map of two cells, against the arithmetic written out."""
    photo, m = np.full((4, 4, 3), (200, 100, 0), np.uint8), np.array([[0.0, 1.0]])
    high = figure.table(False)[255].astype(float)
    grey = 0.299 * 200 + 0.587 * 100
    seen = figure.drawn(photo, in_cells(m, 4), opacity=1, side=4)
    assert np.array_equal(seen[0, 0], photo[0, 0]) and np.array_equal(seen[0, 3], high)
    cut = figure.drawn(photo, in_cells(m, 4), opacity=0.5, threshold=0.5, side=4)
    under = 0.5 * np.array([200, 100, 0]) + 0.5 * grey
    assert np.array_equal(cut[0, 0], photo[0, 0]) and np.array_equal(cut[0, 3], np.round((under + high) / 2))
    assert np.array_equal(figure.drawn(photo, m, opacity=0, side=4), photo)
    smooth = figure.drawn(photo, m, opacity=1, side=4)[0]
    colours = figure.table(False).astype(float)
    middle = 0.5 * np.array([200, 100, 0]) + 0.5 * grey  # a quarter of the evidence hides half of the image
    steps = [photo[0, 0], np.round(middle + 0.5 * (colours[64] - middle)), colours[round(255 * 0.75)], high]
    assert np.array_equal(smooth, steps), "not the bilinear weights of half-pixel centres"


def test_signed_maps_are_symmetric():
    photo, m = np.full((2, 2, 3), 90, np.uint8), np.array([[-1.0, 0.0], [0.0, 0.5]])
    seen = figure.drawn(photo, in_cells(m, 2), signed=True, opacity=1, side=2)
    colours = figure.table(True)
    assert np.array_equal(seen[0, 0], colours[0]) and np.array_equal(seen[1, 1], colours[round(255 * 0.75)])
    assert np.array_equal(seen[0, 1], photo[0, 1])


# --- in a notebook, and of a network -----------------------------------------------------------------------------


def in_a_kernel(monkeypatch, stored=""):
    """As where a reader's kernel runs; what was shown is kept."""
    import IPython

    kept = []
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setenv("HOLICAM_STORED", stored)
    sign = types.SimpleNamespace(update=lambda what: kept.append(what.data))
    monkeypatch.setattr("IPython.display.display", lambda what, **_: kept.append(what.data) or sign)
    return kept


def test_where_a_kernel_runs_the_figure_carries_all_it_needs(book, monkeypatch):
    in_a_kernel(monkeypatch)
    alive = str(hc.explore(picture(), some_maps(), name="one/two"))
    assert not files(book) and "<script" in alive and 'data-manifest="data:application/json' in alive
    in_a_kernel(monkeypatch, stored="compared")
    compared = str(hc.explore(picture(), some_maps(), name="one/two"))
    assert not files(book), "outputs that are only compared leave no files"
    in_a_kernel(monkeypatch, stored="1")
    stored = str(hc.explore(picture(), some_maps(), name="one/two"))
    assert files(book) and stored == compared and "<script" not in stored and "where this notebook runs" in stored


class Sometimes:
    """An explainer that fails at one layer."""

    def __call__(self, model, images, layers, target, *, size=None, reshape=None):
        raise RuntimeError("no map of this network")


def small_net():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    return net.eval()


def test_a_method_that_fails_is_left_out_with_a_word():
    ask = small_net(), torch.randn(1, 3, 16, 16)
    with pytest.warns(RuntimeWarning, match="mine is left out: RuntimeError: no map of this network"):
        made = hc.explore(*ask, methods={"mine": Sometimes(), "Grad-CAM": "grad-cam"}, layers=["3"])
    assert made.content.method_names == ["Grad-CAM"]
    with pytest.raises(RuntimeError, match="no map of this network"):
        hc.explore(*ask, methods={"mine": Sometimes()}, layers=["3"])


def test_maps_of_a_network_are_the_explainers(monkeypatch):
    model, image = small_net(), torch.randn(1, 3, 16, 16)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    kept = in_a_kernel(monkeypatch)
    methods = {"Grad-CAM": "grad-cam", "gradient": "gradient", "fused": "layer-cam-fused"}
    made = hc.explore(model, image, methods=methods, layers=["1", "3"], targets={"first": 0, "last": 2})
    assert kept[0].startswith("<p><em>Computing 3 methods at 2 layers") and kept[-1] == ""
    found = made.content
    expected = hc.GradCAM()(model, image, "3", 2, size="native")[0]
    assert np.allclose(found.map_of("last", "Grad-CAM", "3").values, expected.numpy(), atol=1e-6)
    assert {m: found.layer_names(m) for m in found.method_names} == {
        "Grad-CAM": ["1", "3"],
        "gradient": ["input"],
        "fused": ["several layers"],
    }
    blank = found.map_of("last", "Grad-CAM", "3", True).values
    assert not np.allclose(blank, expected.numpy())
    p = model(image).softmax(1)[0]
    assert found.scores["last"][0] == pytest.approx(p[2].item(), abs=1e-3) and len(found.scores["last"]) == 2
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in state.items()), "the network itself was changed"
    predicted = hc.explore(model, image, methods=["grad-cam"], layers=["3"], random=False)
    assert list(predicted.content.pictures) == [f"class {model(image).argmax().item()}, predicted"]
    assert not predicted.content.has_random


@pytest.mark.parametrize("target", [1, np.int64(1), torch.tensor(1), [np.int64(1)], torch.tensor([1])])
def test_one_method_and_one_class_need_no_list(target):
    model, image = small_net(), torch.randn(1, 3, 16, 16)
    found = hc.explore(model, image, methods="grad-cam", layers=["3"], targets=target, random=False).content
    assert found.method_names == ["grad-cam"] and len(found.pictures) == 1
    expected = hc.GradCAM()(model, image, "3", 1, size="native")[0].numpy()
    (name,) = found.pictures
    assert np.allclose(found.map_of(name, "grad-cam", "3").values, expected, atol=1e-6)


def test_where_no_method_is_named_the_three_usual_ones_are_quick():
    model, image = small_net(), torch.randn(1, 3, 16, 16)
    found = hc.explore(model, image, layers=["3"], targets=[1], random=False).content
    assert found.method_names == ["Grad-CAM", "Layer-CAM", "Holistic-CAM, fast"]
    expected = hc.HolisticCAM(preset="fast")(model, image, "3", 1, size="native")[0].numpy()
    values = found.map_of("class 1", "Holistic-CAM, fast", "3").values
    assert np.allclose(values, expected, atol=1e-6 * np.abs(expected).max())


def test_one_pass_serves_all_layers_and_methods():
    model, image, passes = small_net(), torch.randn(1, 3, 16, 16), []
    model.register_forward_hook(lambda *_: passes.append(1))
    hc.explore(model, image, methods=["grad-cam", "layer-cam", "hires-cam"], layers=["1", "3"], random=False)
    assert len(passes) == 3  # which class, the maps, its probability


@pytest.mark.parametrize(
    "change, error, says",
    [
        (dict(images=torch.randn(2, 3, 16, 16)), ValueError, "one normalised image"),
        (dict(layers=["9"]), KeyError, "has no layer '9'"),
        (dict(method="x"), ValueError, "method must be one of"),
        (dict(layer="x"), ValueError, "layer must be one of"),
        (dict(targets={}), ValueError, "at least one class"),
        (dict(targets={"c": 1.7}), TypeError, "whole numbers such as [3, 5]; got {'c': 1.7}"),
        (dict(targets="cat"), TypeError, "whole numbers such as [3, 5]; got 'cat'"),
        (dict(train=True), ValueError, "training mode"),
        (dict(scores=0.5), TypeError, "a network is asked for them"),
    ],
)
def test_bad_input_of_a_network(change, error, says):
    model = small_net().train(change.pop("train", False))
    given = dict(images=torch.randn(1, 3, 16, 16), layers=["3"], methods=["grad-cam"]) | change
    with pytest.raises(error, match=re.escape(says)):
        hc.explore(model, given.pop("images"), **given)


def test_a_figure_loads_no_widgets():
    script = (
        "import sys, numpy as np, holicam as hc; hc.explore(np.zeros((8, 8, 3), 'uint8'), {'A': np.eye(2)});"
        "print(callable(hc.explore), 'ipywidgets' in sys.modules, 'holicam.methods.registry' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False", "False"]


# --- what the book holds -----------------------------------------------------------------------------------------


def pages():
    """{page: its explorers' HTML} of chapters and prose pages."""
    found = {}
    for path in sorted((ROOT / "book").glob("*")):
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            outputs = [o for c in cells for o in c.get("outputs", ())]
            text = "\n".join("".join(o.get("data", {}).get("text/html", "")) for o in outputs)
        elif path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
        else:
            continue
        figures = re.findall(r'<figure class="cam-explorer".*?</figure>', text, re.DOTALL)
        if figures:
            found[path.name] = figures
    return found


def test_explorers_of_the_book_have_words_and_data():
    everything = [figure for figures in pages().values() for figure in figures]
    assert everything, "no chapter shows an explorer"
    for text in everything:
        assert len(re.search(r'alt="([^"]*)"', text)[1]) >= 30
        assert len(re.search(r"<figcaption>(.*?)<span", text, re.DOTALL)[1]) >= 30
        source = ROOT / "book" / re.search(r'data-manifest="([^"]*)"', text)[1]
        assert source in MANIFESTS, f"{source} is missing"
    names = [re.search(r'id="([^"]*)"', text)[1] for text in everything]
    assert len(set(names)) == len(names)


def test_nothing_lies_about_that_no_page_shows():
    shown = "".join(text for figures in pages().values() for text in figures)
    named = {path for path in MANIFESTS if path.name in shown}
    for path in list(named):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        named |= {
            path.parent / n for n in (manifest["sprite"], manifest["view"], *(t["image"] for t in manifest["targets"]))
        }
    there = {p for p in EXPLORERS.rglob("*") if p.is_file()}
    assert there == named, f"delete {sorted(p.name for p in there - named)}, restore {sorted(named - there)}"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_stored_explorers_are_whole(path):
    manifest = json.loads(path.read_text(encoding="utf-8"))
    names = {manifest["sprite"], manifest["view"], *(t["image"] for t in manifest["targets"])}
    assert path.stat().st_size + sum((path.parent / n).stat().st_size for n in names) <= store.LIMIT
    sprite = np.asarray(Image.open(path.parent / manifest["sprite"]))
    assert hashlib.sha256(sprite.tobytes()).hexdigest() == manifest["digest"]
    for row in manifest["maps"]:
        bits = bytes_of(manifest, row, path.parent)
        assert bits.shape == (row["h"], row["w"]) and max(bits.shape) <= data.CELLS
        assert row["min"] == row["max"] or (bits.min() == 0 and bits.max() == 255)
