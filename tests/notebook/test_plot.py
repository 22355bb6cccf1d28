"""Pictures: what is drawn is what was given, on the scale the label states."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from holicam.notebook import plot


def image(height=32, width=32):
    ramp = np.arange(height * width * 3, dtype=np.int64).reshape(height, width, 3)
    return torch.tensor(ramp % 256, dtype=torch.uint8)


def drawn(figure):
    """The arrays of the maps in a figure, in order; pictures have three channels, maps none."""
    arrays = [m.get_array() for axes in figure.axes for m in axes.get_images()]
    return [np.asarray(a) for a in arrays if a.ndim == 2]


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


def test_a_grid_scales_each_row_by_its_own_limits():
    rows = {"layer1": {"a": A, "b": B}, "layer2": {"a": 10 * A, "b": 10 * B}}
    first, second = drawn(plot.grid(image(), rows, scale="row"))[::2]
    assert np.allclose(first, second) and np.allclose(first, (A + 8) / 12)


def test_a_grid_takes_one_image_a_row():
    rows = {"x": {"a": A}, "y": {"a": B}}
    figure = plot.grid([image(), 255 - image()], rows)
    pictures = [m.get_array() for x in figure.axes for m in x.get_images() if m.get_array().ndim == 3]
    assert not np.array_equal(pictures[0], pictures[1])
    with pytest.raises(ValueError, match="3 images for 2 rows"):
        plot.grid([image()] * 3, rows)


def test_a_map_covers_the_frame_of_its_image():
    figure = plot.maps(image(20, 40), {"a": A}, overlay=0.5)
    extents = [m.get_extent() for x in figure.axes[:2] for m in x.get_images()]
    assert {tuple(e) for e in extents} == {(-0.5, 39.5, 19.5, -0.5)}


def test_outline_and_overlay_are_drawn():
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[8:20, 8:20] = True
    figure = plot.maps(image(), {"a": A}, outline=inside, overlay=0.6)
    assert all(len(axes.collections) == 2 for axes in figure.axes[:2])
    assert len(figure.axes[1].get_images()) == 2


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_figures_fit_the_column_and_the_bytes(count):
    noise = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8)
    figure = plot.maps(noise, {f"Holistic-CAM {i}": A for i in range(count)})
    assert figure.get_figwidth() <= 7.2 and figure.get_figheight() <= 9.5
    stored = io.BytesIO()
    figure.savefig(stored, format="jpeg", pil_kwargs={"quality": 85})
    assert stored.tell() <= 80_000


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
