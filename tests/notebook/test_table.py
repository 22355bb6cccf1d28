"""hc.table: the same numbers as text and as HTML, marks where they are asked for, one sentence for what is none."""

import re

import numpy as np
import pytest
import torch

import holicam as hc

ROWS = {
    "Grad-CAM": {"share": 0.314, "steps": 8, "gain": (0.1, -0.02, 0.22)},
    "PGE <1>": {"share": torch.tensor(0.5), "steps": 60},
    "Layer-CAM": {"share": np.float64(0.501), "gain": (0.2, float("nan"), float("nan")), "said": "none"},
    "random": {"share": 0.9, "gain": -0.001},
}


def test_as_text():
    said = repr(
        hc.table(ROWS, best={"share": "more", "steps": "less"}, apart=["random"], corner="method", caption="n = 8")
    )
    assert said.splitlines() == [
        "n = 8",
        "method     share   steps                 gain   said",
        "Grad-CAM    0.31       8*  0.10 [−0.02, 0.22]      –",
        "PGE <1>     0.50*     60                    –      –",
        "Layer-CAM   0.50*      –                 0.20   none",
        "----------------------------------------------------",
        "random      0.90       –                 0.00      –",
    ]


def test_as_html():
    html = hc.table(ROWS, best={"share": "more"}, apart=["random"], per_cent=["share"], caption="8 < 9")._repr_html_()
    cells = re.findall(r"<t[dh](?: [^>]*)?>(?:<strong>)?([^<]*)", html)
    assert cells[:5] == ["", "share", "steps", "gain", "said"] and cells[5:8] == ["Grad-CAM", "31 %", "8"]
    assert "PGE &lt;1&gt;" in html and "<caption>8 &lt; 9</caption>" in html
    assert html.count("<strong>50 %</strong>") == 2 and html.count('<tr class="apart">') == 1
    assert html.index('class="apart"') > html.index("Layer-CAM")


def test_per_cents_have_the_signs_of_other_numbers():
    rows = {"a": {"x": -0.004, "y": (-0.03, -0.2, 0.1)}, "b": {"x": True, "y": 1}}
    lines = repr(hc.table(rows, per_cent=["x", "y"])).splitlines()
    assert lines[1].split("  ")[-1].strip() == "−3 % [−20 %, 10 %]" and lines[1].split()[1:3] == ["0", "%"]
    assert lines[2].split()[1:] == ["100", "%", "100", "%"]


def test_an_estimate_with_names():
    found = hc.evidence.difference(np.arange(12.0))
    assert f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]" in repr(hc.table({"a": {"b": found}}))


@pytest.mark.parametrize(
    ("rows", "options", "error", "said"),
    [
        ({}, {}, TypeError, "a table is made of"),
        ({"a": 1}, {}, TypeError, "a table is made of"),
        ({"a": {"b": [1, 2]}}, {}, ValueError, "a, b: a value is a number"),
        ({"a": {"b": torch.ones(2)}}, {}, ValueError, "a, b: a value is a number"),
        ({"a": {"b": (1, 2)}}, {}, ValueError, "a, b: a value is a number"),
        ({"a": {"b": None}}, {}, ValueError, "a, b: a value is a number"),
        ({"a": {"b": 1}}, {"best": {"c": "more"}}, ValueError, "best names 'c', which is none of b"),
        ({"a": {"b": 1}}, {"best": {"b": "higher"}}, ValueError, "'more' or 'less', not 'higher'"),
        ({"a": {"b": 1}}, {"apart": ["c"]}, ValueError, "apart names 'c', which is none of a"),
        ({"a": {"b": 1}}, {"per_cent": ["c"]}, ValueError, "per_cent names 'c'"),
    ],
)
def test_what_is_no_table(rows, options, error, said):
    with pytest.raises(error, match=re.escape(said)):
        hc.table(rows, **options)
