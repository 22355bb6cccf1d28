"""The rule for constant maps: rounding is no evidence, whoever stretches, ranks, thresholds, compares or draws."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import holicam as hc
from holicam import toyland
from holicam.core import ops
from holicam.core.floats import changes, extent, is_constant, levelled, positive_part, rounding
from holicam.methods.cams import eigencam
from holicam.methods.cams.lowpass import low_pass
from holicam.methods.gradients import fullgrad
from holicam.methods.perturbation.channel_masks import live_channels, percentile, soft_masks
from holicam.metrics import interventions, rank, registry
from holicam.metrics.interventions import spearman
from holicam.metrics.sanity import MEASURES, degenerate, similarity
from holicam.notebook import plot
from holicam.notebook.explorer import data, figure, packed
from tests.helpers.nets import TinyNet, random_images
from tests.helpers.properties import given, settings, st

SIDE = 32
PATTERN = torch.linspace(0, 1, 12).view(1, 3, 4)


def noisy(value: float, shape=(1, SIDE, SIDE), dtype=torch.float32, steps=4) -> torch.Tensor:
    """`value` with a rounding error of up to `steps` eps, another in each pixel."""
    draw = torch.Generator().manual_seed(0)
    error = torch.randint(-steps, steps + 1, shape, generator=draw).to(dtype)
    return value * (1 + error * torch.finfo(dtype).eps)


# The rule ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_what_enlarging_leaves_is_constant(dtype, mode):
    for cells in (1, 2, 3, 7):
        grid = torch.randn(50, 1, 1, 1, dtype=dtype, generator=torch.Generator().manual_seed(cells))
        large = F.interpolate(grid.expand(-1, 1, cells, cells).contiguous(), (SIDE, 2 * SIDE), mode=mode)[:, 0]
        assert is_constant(large).all() and (ops.normalise(large) == 0).all()
        assert torch.equal(rank(large, tie="raster").degenerate, torch.ones(50, dtype=torch.int8))


def test_a_grid_of_one_cell_is_enlarged_exactly():
    grid = torch.randn(50, 1, 1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ops.upsample(grid, (40, 33)), grid.expand(-1, 40, 33))
    assert ops.upsample(grid[:, None], (2, 3)).shape == (50, 1, 2, 3)


@pytest.mark.parametrize(
    "maps",
    [
        PATTERN,
        PATTERN * 1e-30,
        PATTERN * 1e-42,
        PATTERN * -1e30,
        1 + 1e-3 * PATTERN,
        1 + 1e-5 * PATTERN,
        -1 - 1e-5 * PATTERN,
        1e-20 + 1e-24 * PATTERN,
        (1 + 1e-12 * PATTERN.double()),
        1e-200 * PATTERN.double(),
        (1 + 1e-2 * PATTERN).half(),
        (1e3 + 1e2 * PATTERN).bfloat16(),
    ],
)
def test_small_differences_are_differences(maps):
    assert not is_constant(maps).any()
    stretched = ops.normalise(maps)
    assert stretched.min() == 0 and stretched.max() == 1
    assert rank(maps).degenerate.tolist() == [0] and torch.equal(levelled(maps), maps)


@pytest.mark.parametrize("value", [1.0, -0.3, 1e-30, 1e30, 0.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_is_none(value, dtype):
    maps = noisy(value, dtype=dtype, steps=16)
    assert is_constant(maps).all() and (ops.normalise(maps) == 0).all()
    assert len(levelled(maps).unique()) == 1 and levelled(maps).dtype == dtype
    assert torch.isclose(levelled(maps), torch.tensor(value, dtype=dtype)).all()


def test_what_is_not_finite_is_not_constant():
    maps = torch.ones(5, 2, 2)
    maps[0, 0, 0], maps[1, 0, 0], maps[2, 0, 0], maps[3] = torch.nan, torch.inf, -torch.inf, torch.inf
    assert is_constant(maps).tolist() == [False, False, False, False, True]
    assert ops.normalise(maps)[[0, 3]].isnan().all() and (ops.normalise(maps)[4] == 0).all()


def test_dimensions_and_other_types():
    x = torch.ones(2, 3, 4, 5)
    x[1, 2] = noisy(7.0, (4, 5))
    assert is_constant(x).all() and is_constant(x, (1, 2, 3)).tolist() == [True, False]
    assert extent(x, (1, 2, 3), True)[0].shape == (2, 1, 1, 1) and is_constant(x, 1).shape == (2, 4, 5)
    assert is_constant(torch.ones(1, 2, 2, dtype=torch.bool)).all() and is_constant(torch.ones(2, 2).long())
    assert rounding(torch.float16) == rounding(torch.float32) == 64 * 2**-23


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=6, max_size=6), st.floats(2.0**-60, 2.0**60, width=32))
def test_the_unit_does_not_matter(values, unit):
    maps = torch.tensor(values, dtype=torch.float64).view(1, 2, 3)
    unit = 2.0 ** round(np.log2(unit))  # exact
    assert is_constant(maps) == is_constant(maps * unit) == is_constant(-maps)


def test_the_positive_part_is_more_than_rounding():
    below = -1 + 0.5 * PATTERN
    maps = torch.cat([PATTERN - 0.5, below, below - below.max() + 1e-8, 1e-30 * PATTERN, 0 * PATTERN])
    part = positive_part(maps)
    assert [bool(m.any()) for m in part] == [True, False, False, True, False]
    assert torch.equal(part[0], maps[0].relu()) and torch.equal(part[3], maps[3])


# Whoever reads a map: a constant one and one that is constant up to rounding are the same ---------


@pytest.fixture(scope="module")
def world():
    batch = toyland.batch(1, split="test", subset="shortcut", size=SIDE)
    given = {
        "masks": batch.object_mask,
        "boxes": batch.boxes,
        "recipes": batch.recipes,
        "ids": batch.ids,
        "explain": lambda images, target: noisy(0.7, (len(images), SIDE, SIDE)),
    }
    return TinyNet(classes=10), batch.images, given


@pytest.mark.parametrize("name", registry)
@pytest.mark.parametrize("value", [0.5514423, -2.0])
def test_every_metric(world, name, value):
    model, images, given = world
    given = given | ({"reference": noisy(0.3)} if name == "shortcut-contrast" else {})
    exact, near = (
        hc.metrics.measure([name], model, images, maps, 3, **given)[name]
        for maps in (torch.full((1, SIDE, SIDE), value), noisy(value))
    )
    torch.testing.assert_close(near, exact, equal_nan=True, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("epg", {"positive": "minmax"}),
        ("iou", {"threshold": "mean"}),
        ("road", {"counts": "percentile"}),
        ("road", {"protocol": replace(hc.metrics.protocols["rise"], tie="noise")}),
        ("average-drop", {"stretch": "none"}),
        ("map-density-", {"stretch": "none"}),
        ("map-density+", {"stretch": "none"}),
        ("sensitivity-max", {"norm": "minmax"}),
    ],
)
def test_every_option_of_a_metric(world, name, options):
    model, images, given = world
    exact, near = (
        hc.metrics.measure([name], model, images, maps, 3, **given, **options)[name]
        for maps in (torch.ones(1, SIDE, SIDE), noisy(1.0).clamp(max=1))
    )
    torch.testing.assert_close(near, exact, equal_nan=True, rtol=0, atol=1e-6)


def test_what_records_say_of_such_a_map(world):
    maps, masks = noisy(0.5514423), torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    masks[:, :9] = True
    found = rank(maps)
    assert (found.degenerate.item(), found.tie_fraction.item(), found.zero_fraction.item()) == (1, 1, 0)
    assert torch.equal(found.ranks, rank(torch.ones(1, SIDE, SIDE)).ranks)
    assert hc.metrics.pointing_game(None, None, maps, masks=masks).peaks.item() == SIDE**2
    for threshold, share in (("zero", 1), ("mean", 0)):
        record = hc.metrics.segmentation_scores(None, None, maps, masks=masks, threshold=threshold)
        assert record.predicted.item() == share and record.accuracy.isnan()
    sweep = hc.metrics.resolution_sweep(lambda x, target: noisy(1.0), *world[:2], 3, factors=(1, 2))
    even = hc.metrics.resolution_sweep(lambda x, target: torch.ones(1, 5, 5), *world[:2], 3, factors=(1, 2))
    assert all(torch.equal(a, b) for a, b in zip(sweep, even, strict=True))


def test_the_point_does_not_hang_on_the_rounding_of_a_plateau():
    """The last rows and columns of an enlarged map repeat one value, each with a rounding error of its own."""
    masks = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    masks[:, 20, 20] = True
    even = torch.zeros(1, SIDE, SIDE)
    even[:, 20:, 20:] = 0.7
    near = torch.where(even > 0, noisy(0.7), 0.0)
    for tie in ("raster", "hash"):
        rule = replace(hc.metrics.protocols["ucag"], name=tie, tie=tie)
        one, other = (
            hc.metrics.pointing_game(None, None, m, masks=masks, tolerance=1, protocol=rule) for m in (even, near)
        )
        assert torch.equal(one.point, other.point) and torch.equal(one.hit, other.hit)
        assert one.peaks.item() == other.peaks.item() == 144 and other.degenerate.item() == 0
    broken = near.clone()
    broken[0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="map 0 holds NaN"):
        hc.metrics.pointing_game(None, None, broken, masks=masks)


def test_a_map_without_positive_values_has_no_energy():
    """Its largest value is 0, or 1e-8 on another processor: NaN on both."""
    maps = (PATTERN - 1).repeat(2, 1, 1)
    maps[1] += 1e-8 * (maps[1] == 0)
    masks = torch.zeros(2, 3, 4, dtype=torch.bool)
    masks[:, 0] = True
    assert hc.metrics.epg(None, None, maps, masks=masks).isnan().all()
    assert hc.metrics.outside_inside(None, None, maps, masks=masks).isnan().all()
    outside = PATTERN.flip(1).repeat(2, 1, 1) * ~masks
    outside[1, 0, 0] = 1e-9
    assert hc.metrics.outside_inside(None, None, outside, masks=masks).isinf().all()


def test_parts_that_change_nothing_are_not_ranked():
    batch = toyland.batch(1, split="test", size=SIDE)

    class Sure(TinyNet):
        """The same answer to every image, but for rounding."""

        def forward(self, images):
            return torch.tensor([[3.0] + [0.0] * 9]) + 1e-7 * super().forward(images)

    for score in ("prob", "logit"):
        record = interventions(
            Sure(classes=10),
            batch.images,
            random_images(1, SIDE, SIDE),
            0,
            recipes=batch.recipes,
            protocol=replace(hc.metrics.protocols["rise"], score=score),
        )
        assert record.part.isnan() and record.shapley.isnan() and record.still.all()
    rows = torch.tensor([[1.0, 2, 3], [4.0, 4, 4]])
    rows[1] = noisy(4.0, (3,))
    assert spearman(rows, torch.tensor([[2.0, 3, 4]] * 2)).isnan().tolist() == [False, True]
    assert spearman(rows[:, :0], rows[:, :0]).isnan().all()


@pytest.mark.parametrize("measure", MEASURES)
def test_likeness_of_such_a_map_is_undefined(measure):
    flat, uneven = noisy(0.3, (1, 64, 64)), random_images(1, 64, 64)
    assert similarity(measure, flat, uneven).isnan() and similarity(measure, flat, flat).isnan()
    assert similarity(measure, uneven, uneven) > 0.99
    assert degenerate(torch.cat([flat, uneven])).tolist() == [True, False]


# Whoever makes a map -------------------------------------------------------------------------------


def test_channels_that_are_rounding_are_not_asked():
    A = torch.stack([noisy(2.0, (5, 6)), random_images(5, 6)])[None]
    assert live_channels(A).tolist() == [[False, True]]
    for stretch in ("after", "before", "percentile"):
        masks = soft_masks(A[0], (9, 12), stretch)
        assert (masks[0] == 0).all() and masks[1].max() > 0.5
    assert (percentile(A[0])[0] == 0).all()


def test_makers_of_maps_take_a_constant_one_for_what_it_is():
    net = TinyNet()
    level = torch.full((1, 1, SIDE, SIDE), 0.25).expand(1, 3, -1, -1)
    shaken = torch.stack([noisy(0.25, (SIDE, SIDE))] * 3)[None]
    assert (hc.SobelMap()(net, shaken) == 0).all() and (hc.SobelMap()(net, level) == 0).all()
    assert (low_pass(noisy(3.0), 5, 7) == 1).all() and (low_pass(noisy(3.0), 5, 7, clip="raw") == 1).all()
    broken = torch.where(random_images(1, 9, 9) > 0.5, torch.nan, 1.0)
    assert all(low_pass(broken, 3, 3, clip, exact).isnan().all() for clip, exact in ((True, True), (False, False)))
    A = torch.stack([noisy(v, (6, 7)) for v in (1.0, -2.0, 5.0)])[None]
    assert (eigencam.eigen_map(A) == 0).all()
    assert (fullgrad.psi(A[:, :1]) == 0).all()
    zoom = hc.ZoomCAM().join([noisy(1.0, (1, 8, 8)), noisy(2.0, (1, 4, 4))], (SIDE, SIDE))
    assert (zoom == 0).all()
    fused = hc.LayerCAMFused(scaled=0).join([noisy(1.0, (1, 8, 8)), noisy(2.0, (1, 4, 4))], (SIDE, SIDE))
    assert (fused == 0).all()

    class Flat(torch.nn.Module):
        def forward(self, x):
            return x.sum((1, 2, 3))[:, None] * torch.ones(1, 2)

    centred = hc.SmoothGrad(preset="ucag", samples=3)(Flat().eval(), random_images(1, 3, 8, 8), None, 0)
    assert (centred == 0).all()
    quiet = hc.SmoothGrad(preset="ucag", samples=2)(net, shaken, None, 0)  # (sigma / span) ** 2 of a span of rounding
    torch.testing.assert_close(
        quiet, hc.SmoothGrad(preset="ucag", samples=2)(net, level, None, 0), rtol=1e-3, atol=1e-4
    )


# Whoever draws one -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("signed", [False, True])
def test_pictures_show_no_rounding(dtype, signed):
    rgb, flat = np.zeros((SIDE, SIDE, 3), np.uint8), noisy(0.5514423, (SIDE, SIDE), dtype)
    for scale in ("each", "row", "all"):
        shown = plot.grid(
            rgb, {"a": {"m": flat}, "b": {"m": noisy(0.5514423, (SIDE, SIDE), dtype, 1)}}, scale=scale, signed=signed
        )
        drawn = [np.asarray(i.get_array()) for axes in shown.axes for i in axes.get_images()]
        assert all(np.ptp(m) == 0 for m in drawn if m.ndim == 2)
        if scale == "all" and not signed:
            assert shown.axes[-1].get_xlim()[1] - shown.axes[-1].get_xlim()[0] == 1
    values = data._map(flat, "m")
    assert np.ptp(figure.relative(values, signed)) == 0
    bits, low, high = packed.quantised(values)
    assert low == high and not bits.any()


def test_an_average_of_blocks_stays_constant():
    """An explorer averages large maps down, which rounds in float64."""
    values = data.reduced(data._map(noisy(0.1, (200, 199)), "m"))
    assert np.ptp(figure.relative(values, False)) == 0 and not packed.quantised(values)[0].any()


def test_the_ends_in_a_file_are_equal_for_constant_maps_only():
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    maps = {
        "flat": noisy(0.5514423, (8, 8)),
        "uneven": 1 + 1e-5 * PATTERN,
        "usual": PATTERN,
        "tiny": 1e-30 * PATTERN,
        "below": (PATTERN - PATTERN.max()),
    }
    rows = {row["method"]: row for row in packed.pack(data.collect(rgb, maps))[0]["maps"]}
    assert rows["flat"]["min"] == rows["flat"]["max"] == 0.55144
    assert 0.9e-5 < rows["uneven"]["max"] - rows["uneven"]["min"] < 1.1e-5
    assert (rows["usual"]["min"], rows["usual"]["max"]) == (0, 1) and rows["tiny"]["max"] == 1e-30
    assert rows["below"]["max"] == 0


# Whoever subtracts scores ----------------------------------------------------------------------------


class Deaf(torch.nn.Module):
    """0.7 for the first class and logits that say so, whatever the image, but for rounding."""

    def __init__(self):
        super().__init__()
        self.conv, self.asked = torch.nn.Conv2d(3, 6, 3, padding=1), 0

    def forward(self, x):
        A = self.conv(x).relu()
        self.asked += 1
        error = 1 + torch.finfo(x.dtype).eps * torch.randint(
            -2, 3, (len(x), 1), generator=torch.Generator().manual_seed(self.asked)
        ).to(x)
        logits = x.new_tensor([[1.0, 0.15268]]).log() + x.new_tensor(2.0) + 0 * A.mean((1, 2, 3))[:, None]
        return logits * error


@pytest.mark.parametrize("score", ["prob", "logit", "sigmoid"])
def test_a_network_that_does_not_listen_gets_no_map_of_rounding(score):
    net, images = Deaf().eval(), random_images(2, 3, 16, 16)
    for explainer in (
        hc.RISE(masks=20, cells=3, subtract_mean=True, score=score),
        hc.Occlusion(window=5, stride=4, score=score),
    ):
        assert (explainer(net, images, None, 0) == 0).all()
    assert (hc.CAMMinus(score=score)(net, images, "conv", 0) == 0).all()
    scores = hc.polycam.score_channels(net, images, ["conv"], 0, score=score)
    assert torch.equal(scores.drop["conv"], scores.whole[:, None] * scores.live["conv"])
    both, kept = (e.from_scores(scores)["conv"] for e in (hc.CAMBoth(score=score), hc.CAMPlus(score=score)))
    torch.testing.assert_close(both, kept)  # nothing is lost, so what is left is what is kept
    assert (hc.ScoreCAM(baseline="blank", score=score)(net, images, "conv", 0) == 0).all()
    assert (hc.MSGCAM(scales=(1,), groups=2, blur=3, sigma=1.0)(net, images, "conv", 0) == 0).all()


def test_small_changes_of_a_score_are_changes():
    sure = torch.tensor([[1.0, 1 - 3e-6, 1.0], [1.0, 1 - 1e-7, 1.0]])
    assert (changes(sure, sure[:, :1], "prob") != 0).any(1).tolist() == [True, False]
    logits = torch.tensor([[30.0, 30.001], [30.0, 30.0001], [1e-9, 2e-9]])
    assert (changes(logits, logits[:, :1], "logit") != 0).any(1).tolist() == [True, False, True]
    exact = logits.double()
    assert torch.equal(changes(exact, exact[:, :1], "logit"), exact - exact[:, :1])
