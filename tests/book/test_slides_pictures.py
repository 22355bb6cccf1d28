"""Tall figures on wide slides: blocks beside each other, and nothing lost."""

import io

import pytest
import torch
from PIL import Image

from holicam.notebook import charts, plot, stored
from tools.slides.spread import HIGH, WIDE, drawn, row_of, scale, spread, starts

IMAGE = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
A = torch.rand(4, 4, generator=torch.Generator().manual_seed(1))


def raw_of(rows, columns):
    return stored.jpeg(plot.grid(IMAGE, {f"r{k}": {f"m{i}": A for i in range(columns)} for k in range(rows)}))


def opened(raw):
    return Image.open(io.BytesIO(raw))


def test_blocks_stand_beside_each_other():
    raw = raw_of(4, 5)  # image and two, then three: two blocks of four lines
    before = opened(raw)
    assert len(starts(stored.panels(raw), before.height)) == 2
    after = opened(spread(raw))
    assert after.width > 1.9 * before.width and after.height < 0.6 * before.height
    assert scale([after.size]) > 1.5 * scale([before.size])
    cut = starts(stored.panels(raw), before.height)[1]
    blocks = [before.crop((0, 0, before.width, cut)), before.crop((0, cut, before.width, before.height))]
    first, second = (block.crop(drawn(block)) for block in blocks)
    for part, left in ((first, 0), (second, after.width - second.width)):
        seen = after.crop((left, 0, left + part.width, part.height)).convert("L").resize((40, 40))
        wanted = part.convert("L").resize((40, 40))
        assert max(abs(a - b) for a, b in zip(seen.tobytes(), wanted.tobytes(), strict=True)) < 12


def test_what_fits_is_left_as_it_is():
    for raw in (raw_of(1, 2), stored.jpeg(plot.curves([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y"))):
        assert spread(raw) is raw
    other = io.BytesIO()
    Image.new("RGB", (20, 900)).save(other, "JPEG")
    assert spread(other.getvalue()) == other.getvalue()


def test_a_single_block_is_not_torn():
    raw = raw_of(6, 2)
    assert starts(stored.panels(raw), opened(raw).height) == [0] and spread(raw) is raw


def test_scale_is_that_of_the_slide():
    assert scale([(WIDE, HIGH // 2)]) == 1 and scale([(WIDE // 2, 2 * HIGH)]) == 0.5


def chart(rows):
    level = {
        f"panel {k}": {"a": (0.1 * k, 0.1 * k - 0.02, 0.1 * k + 0.02), "b": (0.9, 0.8, 0.95)} for k in range(2 * rows)
    }
    return stored.jpeg(charts.intervals(level, columns=2, line=None, xlabel="score"))


def test_a_row_of_a_chart_keeps_the_axis_that_it_shares():
    raw = chart(2)
    whole, upper, lower = opened(raw), opened(row_of(raw, 1)), opened(row_of(raw, 2))
    assert upper.width == lower.width == whole.width
    assert whole.height < upper.height + lower.height < 1.4 * whole.height  # the axis is in both

    def axis(picture):  # the strip with the numbers and the label
        return picture.convert("L").crop((0, picture.height - 60, picture.width, picture.height)).resize((60, 6))

    assert max(abs(a - b) for a, b in zip(axis(upper).tobytes(), axis(lower).tobytes(), strict=True)) < 20


@pytest.mark.parametrize(("rows", "number"), [(2, 3), (2, 0), (3, 1)])
def test_a_row_that_is_not_there_is_refused(rows, number):
    with pytest.raises(ValueError, match=f"row {number} was asked for"):
        row_of(chart(rows), number)
