"""Pictures: what is drawn is what was given, on the scale the label states, large and sharp enough to be read."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from holicam.notebook import overlay, panels, plot, stored


def image(height=32, width=32):
    ramp = np.arange(height * width * 3, dtype=np.int64).reshape(height, width, 3)
    return torch.tensor(ramp % 256, dtype=torch.uint8)


def drawn(figure):
    """The arrays of the maps in a figure, in order; pictures and the key have channels, maps none."""
    arrays = [m.get_array() for axes in figure.axes for m in axes.get_images()]
    return [np.asarray(a) for a in arrays if a.ndim == 2]


def places(figure):
    """Left, top, width and height of every panel, in pixels of a page of 1280, whose column has 672."""
    scale = min(1, 672 / stored.width(figure))
    width, height = (100 * scale * v for v in figure.get_size_inches())
    found = [axes.get_position() for axes in figure.axes if axes.get_images()[0].get_array().shape[0] > 1]
    return [(p.x0 * width, (1 - p.y1) * height, p.width * width, p.height * height) for p in found]


def pixels(figure):
    """The stored picture, without JPEG's losses: (H, W, 3)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=stored.SCALE * stored.DPI)
    return np.asarray(Image.open(buffer).convert("RGB")).astype(int)


def inside(picture, figure, number, margin=3):
    """The pixels of one panel, without its border."""
    left, top, width, height = stored.boxes(figure)[number]
    y, x = picture.shape[:2]
    rows = slice(round(top * y) + margin, round((top + height) * y) - margin)
    return picture[rows, round(left * x) + margin : round((left + width) * x) - margin]


def label(figure):
    return figure.axes[-1].get_xlabel()


A = torch.tensor([[0.0, 2.0], [1.0, 4.0]])
B = torch.tensor([[-8.0, 0.0], [0.0, 4.0]])


def test_each_map_is_scaled_by_its_own_range():
    figure = plot.maps(image(), {"a": A, "b": B})
    assert np.allclose(drawn(figure)[0], [[0, 0.5], [0.25, 1]])
    assert np.allclose(drawn(figure)[1], [[0, 2 / 3], [2 / 3, 1]])
    assert label(figure) == "each map scaled min–max"


def test_one_scale_keeps_raw_values_and_says_what_they_measure():
    figure = plot.maps(image(), {"a": A, "b": B}, scale="all", unit="logit")
    assert np.allclose(drawn(figure)[1], B)
    limits = {m.get_clim() for axes in figure.axes for m in axes.get_images() if m.cmap.name}
    assert (-8.0, 4.0) in limits and label(figure) == "logit"


def test_signed_maps_put_zero_in_the_middle():
    each = plot.maps(image(), {"b": B}, signed=True)
    assert np.allclose(drawn(each)[0], [[-1, 0], [0, 0.5]])
    assert "largest magnitude" in label(each)
    raw = plot.maps(image(), {"b": B}, signed=True, scale="all")
    [shown] = [m for axes in raw.axes for m in axes.get_images() if m.get_array().ndim == 2]
    assert shown.get_clim() == (-8.0, 8.0) and shown.cmap.name == plot.SIGNED


def test_constant_maps_are_drawn_as_zero():
    assert (drawn(plot.maps(image(), {"a": torch.full((3, 3), 7.0)}))[0] == 0).all()
    assert (drawn(plot.maps(image(), {"a": torch.zeros(3, 3)}, signed=True))[0] == 0).all()
    raw = plot.maps(image(), {"a": torch.zeros(3, 3)}, signed=True, scale="all")
    [shown] = [m for axes in raw.axes for m in axes.get_images() if m.get_array().ndim == 2]
    assert shown.get_clim() == (-1.0, 1.0), "nothing is drawn as evidence against the class"


def test_a_grid_scales_each_row_by_its_own_limits():
    rows = {"layer1": {"a": A, "b": B}, "layer2": {"a": 10 * A, "b": 10 * B}}
    first, second = drawn(plot.grid(image(), rows, scale="row"))[::2]
    assert np.allclose(first, second) and np.allclose(first, (A + 8) / 12)


def test_a_grid_takes_one_image_a_row():
    rows = {"x": {"a": A}, "y": {"a": B}}
    figure = plot.grid([image(), 255 - image()], rows)
    shown = [
        axes.get_images()[0].get_array() for axes in figure.axes if axes.get_title() == "image" or not axes.get_title()
    ]
    assert np.array_equal(shown[0], image()) and np.array_equal(shown[1], 255 - image())
    with pytest.raises(ValueError, match="3 images for 2 rows"):
        plot.grid([image()] * 3, rows)


@pytest.mark.parametrize("given", [image(), [image()] * 3])
@pytest.mark.parametrize("columns", [1, 2, 3, 5, 7])
def test_a_grid_shows_one_image_once_and_every_map_under_its_name(given, columns):
    names = [f"m{i}" for i in range(columns)]
    rows = {f"r{k}": {n: A + 10 * i + 100 * k for i, n in enumerate(names)} for k in range(3)}
    figure = plot.grid(given, rows, scale="all")
    alone = [axes for axes in figure.axes if axes.get_title() == "image"]
    assert len(alone) == 1 and len(places(figure)) == 1 + 3 * columns
    boxes = [axes.get_position() for axes in figure.axes[:-1]]
    top = {axes.get_title(): axes.get_position() for axes in figure.axes[:-1] if axes.get_title()}
    assert set(top) == {"image", *names}
    for axes, box in zip(figure.axes[:-1], boxes, strict=True):
        maps = [m.get_array() for m in axes.get_images() if m.get_array().ndim == 2]
        if not maps:
            continue
        value = int(maps[0][0, 0])
        head = top[names[value % 100 // 10]]  # its column's, above it
        assert box.x0 == pytest.approx(head.x0)
        below = [o.y0 for o in boxes if o.x0 == pytest.approx(box.x0) and box.y0 < o.y0 <= head.y0 + 1e-9]
        assert len(below) == value // 100  # rows between
        assert {t.get_text() for t in figure.texts} == {"r0", "r1", "r2"}


def test_a_map_covers_the_frame_of_its_image():
    figure = plot.maps(image(20, 40), {"a": A}, overlay=0.5)
    extents = [m.get_extent() for x in figure.axes[:2] for m in x.get_images()]
    assert {tuple(e) for e in extents} == {(-0.5, 39.5, 19.5, -0.5)}


def test_an_outline_is_thin_and_drawn_over_every_panel():
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[8:20, 8:20] = True
    figure = plot.maps(image(), {"a": A}, outline=inside)
    assert all(len(axes.collections) == 2 for axes in figure.axes[:2])
    assert max(c.get_linewidth()[0] for axes in figure.axes[:2] for c in axes.collections) < 2
    with pytest.raises(ValueError, match=r"outline must be \(H, W\) = \(32, 32\), as the image is; got \(16, 16\)"):
        plot.maps(image(), {"a": A}, outline=inside[::2, ::2])


@pytest.mark.parametrize("columns", [0, -1, 1.5, True])
def test_columns_are_counted(columns):
    for draw in (
        lambda: plot.maps(image(), {"a": A}, columns=columns),
        lambda: plot.images({"a": image()}, columns=columns),
    ):
        with pytest.raises(ValueError, match="columns must be a whole number of at least 1; got"):
            draw()


@pytest.mark.parametrize("side", [32, 128])
@pytest.mark.parametrize(("signed", "m"), [(False, [[0, 0], [0, 4]]), (True, [[0, 0], [-4, 4]])])
def test_no_evidence_leaves_the_image_as_it_is(signed, m, side):
    figure = plot.maps(image(side, side), {"m": torch.tensor(m, dtype=torch.float)}, signed=signed)
    picture = pixels(figure)
    plain, over = (inside(picture, figure, k) for k in (0, 1))
    y, x = (n // 2 - 8 for n in plain.shape[:2])
    assert np.abs(plain[:y, :x] - over[:y, :x]).max() <= 1
    assert np.abs(plain[y + 16 :, x + 16 :] - over[y + 16 :, x + 16 :]).mean() > 30
    strongest = over[y + 16 :, x + 16 :].reshape(-1, 3).mean(0)  # the colour of the map, a little of grey
    wanted = 255 * np.asarray(plot.matplotlib.colormaps[plot.SIGNED if signed else plot.EVIDENCE](1.0)[:3])
    assert np.abs(strongest - wanted).max() < 40


def test_more_evidence_hides_more_of_the_image():
    levels = np.linspace(-1, 1, 9)
    one = overlay.cover(np.maximum(levels, 0), 0.0, 1.0, False)
    assert (np.diff(one) >= 0).all() and one[0] == 0 and one[-1] == 1
    assert np.allclose(overlay.cover(levels, -1.0, 1.0, True), np.abs(2 * levels).clip(0, 1))


def test_maps_alone_where_asked_and_where_raw_values_are_read():
    def layers(**options):
        return len(plot.maps(image(), {"a": A}, **options).axes[1].get_images())

    assert layers() == layers(scale="all", overlay=0.4) == 3 and layers(overlay=0) == layers(scale="all") == 1
    alone = plot.maps(image(), {"a": A}, overlay=0).axes[1].get_images()[0]
    assert alone.get_alpha() is None
    with pytest.raises(ValueError, match="overlay must be an opacity from 0 to 1; got 2"):
        plot.maps(image(), {"a": A}, overlay=2)


def test_coarse_cells_stay_cells():
    figure = plot.maps(torch.full((224, 224, 3), 120, dtype=torch.uint8), {"a": torch.eye(7)})
    over = inside(pixels(figure), figure, 1, margin=0)
    rows = [int((k + 0.5) * over.shape[0] / 7) for k in range(7)]
    seen = np.abs(over[np.ix_(rows, rows)] - 120).sum(2) > 60
    assert np.array_equal(seen, np.eye(7, dtype=bool))
    cell = over[8 : rows[0], 8 : rows[0]]
    assert np.ptp(cell.reshape(-1, 3), axis=0).max() == 0  # one colour


CASES = {
    **{
        f"{n} maps": lambda n=n: plot.maps(image(64, 64), {f"Holistic-CAM {i}": A for i in range(n)}) for n in (1, 3, 9)
    },
    "asked for six": lambda: plot.maps(image(), {f"{i}": A for i in range(5)}, columns=6),
    "grid": lambda: plot.grid(image(), {f"layer{k}": {f"m{i}": A for i in range(6)} for k in range(4)}, signed=True),
    "wide": lambda: plot.maps(image(40, 100), {"a": A, "b": A, "c": B}, unit="u" * 150, scale="all"),
    "tall": lambda: plot.maps(image(120, 40), {"a": A, "b": B}),
    "mixed": lambda: plot.images({"wide": image(40, 100), "tall": image(120, 40), "square": image()}),
    "long": lambda: plot.maps(image(), {"a very long name, with options: " * 3: A, "unbreakable" * 9: B, "c": A}),
    "long rows": lambda: plot.grid(
        image(), {"a long name of a row of this grid": {"a": A, "b": B}, "x" * 40: {"a": A, "b": B}}
    ),
    "pictures": lambda: plot.images({f"picture {i}": image() for i in range(10)}, columns=5),
}


@pytest.mark.parametrize("name", CASES)
def test_panels_are_large_and_few_a_line_and_words_never_touch(name):
    figure = CASES[name]()
    found = places(figure)
    assert all(width >= 200 for _, _, width, _ in found)
    tops = [round(top) for _, top, _, _ in found]
    assert max(map(tops.count, tops)) <= 4
    figure.dpi = stored.SCALE * stored.DPI
    figure.canvas.draw()
    words = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    boxes = [t.get_window_extent() for t in words] + [
        a.get_window_extent() for a in figure.axes if a.get_images()[0].get_array().shape[0] > 1
    ]
    width, height = figure.canvas.get_width_height()
    for k, box in enumerate(boxes):
        assert box.x0 >= -2 and box.y0 >= -2 and box.x1 <= width + 2 and box.y1 <= height + 2, words[k : k + 1]
        for other in boxes[k + 1 :]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            assert across <= 2 or min(box.y1, other.y1) - max(box.y0, other.y0) <= 2, (words[k : k + 1], box, other)


def test_names_are_wrapped_without_a_letter_lost():
    for text in ("a very long name, with options, of a method", "x" * 90, "one", "two\nlines of words"):
        size, [done] = panels.fitted([text], 2.0)
        assert done.replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")
        assert all(panels.measured(line, size) <= 2.0 for line in done.split("\n"))
    assert panels.fitted(["Grad-CAM"], 2.0) == (panels.TITLE, ["Grad-CAM"])


def test_the_key_is_slim():
    for signed in (False, True):
        figure = plot.maps(image(), {"a": A, "b": B}, signed=signed)
        key, height = figure.axes[-1].get_position(), figure.get_figheight()
        assert 100 * key.height * height == pytest.approx(6) and 100 * key.y1 * height <= 40
        assert [t.get_text() for t in figure.axes[-1].texts] == (["−1", "1"] if signed else ["0", "1"])


@pytest.mark.parametrize("name", CASES)
def test_stored_at_twice_the_resolution_with_its_panels(name):
    figure = CASES[name]()
    raw = stored.jpeg(figure)
    picture = Image.open(io.BytesIO(raw))
    assert picture.format == "JPEG" and picture.width == 2 * stored.width(figure) <= 1360
    found = stored.panels(raw)
    keys = 0 if name in ("mixed", "pictures") else 1
    assert len(found) == len(places(figure)) + keys
    for box, exact in zip(found, stored.boxes(figure), strict=True):
        assert box == pytest.approx(exact, abs=1e-4) and min(box) >= 0


def test_the_panels_of_a_stored_picture_are_where_it_says():
    """White paper around, no white in a panel."""
    dark = torch.full((64, 64, 3), 40, dtype=torch.uint8)
    raw = stored.jpeg(plot.grid(dark, {"x": {"a": A, "b": B}, "y": {"a": A, "b": B}}, overlay=0.3))
    picture = np.asarray(Image.open(io.BytesIO(raw)).convert("L")).astype(int)
    y, x = picture.shape
    seen = np.zeros((y, x), bool)
    for left, top, width, height in stored.panels(raw):
        rows, across = (slice(round(p * n), round((p + q) * n)) for p, q, n in ((top, height, y), (left, width, x)))
        seen[rows, across] = True
        assert (picture[rows, across][3:-3, 3:-3] < 235).all()
    assert (picture[~seen] > 200).mean() > 0.9


def test_a_chart_has_no_panels_and_other_pictures_say_nothing():
    raw = stored.jpeg(plot.curves([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y"))
    assert stored.panels(raw) == [] and Image.open(io.BytesIO(raw)).width == 1360
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG")
    assert stored.panels(plain.getvalue()) is None


def test_heat_maps_of_any_figure_are_found():
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    left, right, last = figure.subplots(1, 3)
    left.plot([1, 2])
    mesh = right.pcolormesh(A.numpy())
    figure.colorbar(mesh, ax=right)
    last.imshow(A.numpy())
    raw = stored.jpeg(figure)
    assert len(stored.panels(raw)) == 3  # the mesh, its colour bar, the image


def test_tensors_on_any_type_and_batches_of_one_are_taken():
    plot.maps(image()[None], {"a": A[None].to(torch.bfloat16).requires_grad_()})
    plot.images({"one": image(), "two": image().numpy()})


def test_curves_take_numbers_or_names():
    figure = plot.curves(["l1", "l2"], {"a": [0, 1], "b": [1, 0]}, xlabel="x", ylabel="y")
    assert [line.get_label() for line in figure.axes[0].lines] == ["a", "b"]
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) == 2
    with pytest.raises(ValueError, match="'a' has 3 points, x has 2"):
        plot.curves([1, 2], {"a": [1, 2, 3]}, xlabel="x", ylabel="y")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plot.maps(image().float(), {"a": A}), TypeError, "uint8 RGB of shape"),
        (lambda: plot.maps(image().permute(2, 0, 1), {"a": A}), TypeError, "uint8 RGB of shape"),
        (lambda: plot.maps(image(), {}), TypeError, "non-empty dict"),
        (lambda: plot.maps(image(), A), TypeError, "non-empty dict"),
        (lambda: plot.maps(image(), {"a": A[0]}), ValueError, "must have shape"),
        (lambda: plot.maps(image(), {"a": A / 0}), ValueError, "NaN or infinity"),
        (lambda: plot.maps(image(), {"a": A}, scale="jet"), ValueError, '"each", "row" or "all"'),
        (lambda: plot.grid(image(), {"x": {"a": A}, "y": {"b": A}}), ValueError, "same columns"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_importing_the_package_loads_no_plotting_library():
    import subprocess
    import sys

    code = "import sys, holicam; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_may_be_numbers():
    image, m = np.zeros((20, 30, 3), np.uint8), np.arange(12.0).reshape(3, 4)
    figure = plot.grid(image, {0: {1: m, 2: m}, 1: {1: m, 2: m}})
    said = {text.get_text() for text in figure.findobj(Text)}
    assert {"0", "1", "2"} <= said
    for figure in (plot.maps(image, {3: m}, title=4), plot.images({5: image})):
        assert any(text.get_text() in ("3", "5") for text in figure.findobj(Text))
