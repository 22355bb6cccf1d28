"""Charts of numbers: a dot where the mean is, an interval as long as it is, controls apart, words that fit."""

from itertools import pairwise

import numpy as np
import pytest

import holicam as hc
from holicam.notebook import charts, stored
from holicam.notebook.charts import intervals

A, B, NOISE = (0.3, 0.2, 0.4), (0.1, -0.1, 0.3), (0.0, -0.05, 0.05)
PANELS = {"layer1": {"random": NOISE, "Grad-CAM": A, "Layer-CAM": B}, "layer4": {"Grad-CAM": B}}


def seen(figure):
    """Axes that are shown."""
    return [axes for axes in figure.axes if axes.get_visible()]


def dots(axes):
    """(mean, place) of every dot, in the order in which they are drawn."""
    points = [line.get_xydata() for line in axes.lines if line.get_marker() not in ("None", "")]
    return [tuple(xy[0]) for xy in points if len(xy)]


def spans(axes):
    """(low, high, place) of every interval."""
    found = [c.get_segments()[0] for c in axes.collections]
    return [(s[0][0], s[1][0], s[0][1]) for s in found]


def names(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def test_dots_and_intervals_are_what_was_given():
    first, second = seen(intervals(PANELS))
    assert dots(first) == [(0.0, 0.0), (0.3, 1.0), (0.1, 2.0)]
    assert spans(first) == [(-0.05, 0.05, 0.0), (0.2, 0.4, 1.0), (-0.1, 0.3, 2.0)]
    assert dots(second) == [(0.1, 1.0)] and first.get_title("left") == "layer1"


def test_controls_stand_below_the_others_hollow_and_with_room_between():
    first, _ = seen(intervals(PANELS, apart=["random"]))
    assert names(first) == ["Grad-CAM", "Layer-CAM", "random"]
    places = dict(zip(names(first), first.get_yticks(), strict=True))
    assert places["random"] - places["Layer-CAM"] > 1.5 * (places["Layer-CAM"] - places["Grad-CAM"])
    hollow = [line.get_markerfacecolor() == "white" for line in first.lines if len(line.get_xydata()) == 1]
    assert hollow == [True, False, False]  # in the order given


def test_a_series_has_its_own_mark_and_place_in_the_row():
    both = {"layer1": {"Grad-CAM": {"Toyland": A, "photographs": B}, "CAMERAS": {"photographs": A}}}
    figure = intervals(both)
    (axes,) = seen(figure)
    (x1, y1), (x2, y2), (_, y3) = dots(axes)
    assert (x1, x2) == (0.3, 0.1) and y1 < 0 < y2 and abs(y3 - y2 - 1) < 1e-9
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Toyland", "photographs"]
    assert not intervals(PANELS).legends


def test_a_difference_is_an_estimate():
    found = hc.evidence.difference(np.linspace(0, 1, 20))
    ((low, high, _),) = spans(seen(intervals({"": {"row": found}}))[0])
    assert (low, high) == (found.low, found.high)


def test_an_interval_that_nobody_knows_is_not_drawn():
    (axes,) = seen(intervals({"": {"one image": (0.2, np.nan, np.nan)}}))
    assert dots(axes) == [(0.2, 0.0)] and spans(axes) == []


def test_what_is_not_there_yet_takes_no_room():
    figure = intervals({"layer1": {"Grad-CAM": {"photographs": A}, "CAMERAS": {}}, "layer4": {"Grad-CAM": {}}})
    (axes,) = seen(figure)
    assert axes.get_title("left") == "layer1" and names(axes) == ["Grad-CAM"]


def test_what_a_paper_prints_is_an_open_mark_in_the_row():
    paper = {"layer1": {"Grad-CAM": 0.25, "Layer-CAM": np.nan, "CAMERAS": 0.9}, "layer4": {"Layer-CAM": 0.1}}
    figure = intervals(PANELS, printed=paper)
    first, second = seen(figure)
    open_marks = [line for line in first.lines if line.get_marker() == "D" and len(line.get_xydata())]
    assert {line.get_markerfacecolor() for line in open_marks} == {"none"}
    shown = [tuple(line.get_xydata()[0]) for line in open_marks if np.isfinite(line.get_xdata()[0])]
    assert shown == [(0.25, names(first).index("Grad-CAM"))]  # no mark for a row that the panel does not have
    assert not [line for line in second.lines if line.get_marker() == "D"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["here", "paper"]


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_numbers_below_do_not_run_into_each_other(columns):
    panels = {f"panel {i}": {"Grad-CAM": (-0.1, -0.9, 0.6), "a long name": B} for i in range(columns)}
    figure = intervals(panels, columns=columns)
    figure.draw_without_rendering()
    boxes = []
    for axes in seen(figure):
        low, high = axes.get_xlim()
        labels = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        boxes += [text.get_window_extent() for at, text in labels if low <= at <= high]
    sides = sorted((box.x0, box.x1) for box in boxes)
    assert all(left[1] < right[0] for left, right in pairwise(sides)) and len(sides) >= 2 * columns


def test_the_line_and_the_margin():
    def upright(figure):
        return [line.get_xdata()[0] for line in seen(figure)[0].lines if line.get_linestyle() == "--"]

    assert upright(intervals(PANELS, line=0.25)) == [0.25] and upright(intervals(PANELS, line=None)) == []
    shaded = seen(intervals(PANELS, line=0.1, margin=0.05))[0].patches[0].get_bbox()
    assert np.allclose((shaded.x0, shaded.x1), (0.05, 0.15))


def test_panels_share_an_axis_or_have_their_own():
    wide = {"a": {"row": A}, "b": {"row": (30.0, 20.0, 40.0)}}
    one, other = seen(intervals(wide))
    assert one.get_xlim() == other.get_xlim()
    one, other = seen(intervals(wide, share=False))
    assert one.get_xlim()[1] < 1 < other.get_xlim()[1]


def test_the_lowest_panel_of_each_column_has_numbers():
    figure = intervals({name: {"row": A} for name in "abc"}, columns=2)
    figure.draw_without_rendering()
    numbered = [any(label.get_visible() for label in axes.get_xticklabels()) for axes in seen(figure)]
    assert numbered == [False, True, True]


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_words_lie_inside_and_do_not_meet(columns):
    """At the width of a page, also where names are long."""
    long = {f"the stage called {i}": {"Holistic-CAM without FSD": A, "random": NOISE} for i in range(4)}
    figure = intervals(long, apart=["random"], columns=columns, xlabel="insertion less deletion")
    figure.draw_without_rendering()
    box = figure.bbox
    titles = [axes.title if axes.get_title() else axes._left_title for axes in seen(figure)]
    words = [*titles, *(t for axes in seen(figure) for t in axes.get_yticklabels() if t.get_visible())]
    shown = [text.get_window_extent() for text in words if text.get_text()]
    assert all(b.x0 >= box.x0 - 1 and b.x1 <= box.x1 + 1 and b.y0 >= box.y0 - 1 for b in shown)
    heads = [text.get_window_extent() for text in titles]
    assert not any(a.overlaps(b) for i, a in enumerate(heads) for b in heads[:i])
    assert stored.width(figure) == 680


def test_a_legible_row_on_a_phone():
    """390 pixels hold 350 of a page's 680: letters of 13 points stay above 9 pixels, and rows do not touch."""
    figure = intervals(PANELS)
    figure.draw_without_rendering()
    axes = seen(figure)[0]
    letters = [text.get_window_extent().height * 350 / 680 for text in axes.get_yticklabels()]
    assert min(letters) > 7 and axes.get_yticklabels()[0].get_fontsize() * 100 / 72 * 350 / 680 > 9
    tops = sorted(text.get_window_extent().y0 for text in axes.get_yticklabels())
    assert min(np.diff(tops)) > max(text.get_window_extent().height for text in axes.get_yticklabels())


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        ({}, {}, TypeError, "non-empty dict"),
        ({"layer1": {}}, {}, ValueError, "every panel is empty"),
        ({"layer1": {"Grad-CAM": 0.3}}, {}, ValueError, "layer1, Grad-CAM: an estimate is a mean and an interval"),
        ({"layer1": {"Grad-CAM": (0.3, 0.4, 0.2)}}, {}, ValueError, "no mean with an interval"),
        ({"layer1": {"Grad-CAM": (np.nan, 0, 1)}}, {}, ValueError, "no mean with an interval"),
        (PANELS, {"columns": 5}, ValueError, "1 to 4 panels"),
        (PANELS, {"margin": 0.1, "line": None}, ValueError, "a margin lies to both sides"),
        (PANELS, {"margin": -1}, ValueError, "above zero"),
    ],
)
def test_what_cannot_be_drawn(given, options, error, said):
    with pytest.raises(error, match=said):
        intervals(given, **options)


def test_it_is_public():
    assert hc.charts is charts
