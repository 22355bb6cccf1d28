"""Knobs: a still picture where outputs are stored, controls where a kernel runs, errors in the panel."""

import types

import pytest

import holicam as hc
from holicam.notebook import live


def curve(power, shift=0):
    if power == 3:
        raise RuntimeError("no <cube>\nmore")
    print(f"power {power}")
    return hc.plot.curves([0, 1, 2], {"y": [(x + shift) ** power for x in (0, 1, 2)]}, xlabel="x", ylabel="y")


@pytest.fixture
def kernel(monkeypatch):
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace(kernel=object()))
    monkeypatch.delenv("HOLICAM_STORED", raising=False)


def test_who_sits_there(monkeypatch, kernel):
    assert live.live()
    monkeypatch.setenv("HOLICAM_STORED", "1")
    assert not live.live()
    monkeypatch.setenv("HOLICAM_STORED", "0")
    assert live.live()
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert not live.live()


def test_a_stored_output_is_the_first_setting(capsys):
    figure = hc.turn(curve, start={"power": 2}, power=[1, 2, 4])
    assert hasattr(figure, "savefig") and capsys.readouterr().out == "power 2\n"


def test_knobs_change_the_picture(kernel):
    box = hc.turn(curve, power=[1, 2, 3], shift=[0.0, 0.5])
    assert list(box.knobs) == ["power", "shift"] and box.said.value == "<pre>power 1\n</pre>"
    seen = [box.picture.value]
    box.knobs["power"].value = 1
    seen.append(box.picture.value)
    box.knobs["shift"].value = 1
    seen.append(box.picture.value)
    assert len(set(seen)) == 3 and not box.trouble.value and not box.busy.value
    assert [label for label, _ in box.knobs["shift"].options] == ["0", "0.5"]


def test_a_setting_is_drawn_once_and_an_error_is_told(kernel):
    drawn = []

    def draw(power):
        drawn.append(power)
        return curve(power)

    box = hc.turn(draw, power=[1, 3, 2])
    before = box.picture.value
    box.knobs["power"].value = 1
    assert box.trouble.value == ('<p role="alert">This setting could not be drawn. RuntimeError: no &lt;cube&gt;</p>')
    box.knobs["power"].value = 0
    assert not box.trouble.value and box.picture.value == before and drawn == [1, 3]


def test_while_it_draws_it_says_so(kernel):
    said = []
    box = None

    def draw(power):
        said.append(box.busy.value if box else "")
        return curve(power)

    box = hc.turn(draw, power=[1, 2])
    box.knobs["power"].value = 1
    assert said == ["", "<em>drawing …</em>"]


@pytest.mark.parametrize(
    "draw, options, error, says",
    [
        (3, {"a": [1]}, TypeError, "draw must be a function"),
        (curve, {}, ValueError, "at least one knob"),
        (curve, {"power": []}, ValueError, "no values"),
        (curve, {"power": [1], "start": {"power": 9}}, ValueError, "none of the knob's values"),
        (curve, {"power": [1], "start": {"size": 9}}, ValueError, "which is no knob"),
    ],
)
def test_bad_input(draw, options, error, says):
    with pytest.raises(error, match=says):
        hc.turn(draw, **options)


def test_what_is_no_figure_is_told(kernel):
    box = hc.turn(lambda a: a, a=[1])
    assert "draw must return a figure; it returned int" in box.trouble.value
