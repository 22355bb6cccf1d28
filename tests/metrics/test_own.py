"""Metrics of one's own: a plain function in the registry, checked before and after it runs."""

from __future__ import annotations

import pytest
import torch

import holicam as hc
from holicam.core.own_code import OwnCodeError
from holicam.metrics.own import enter


def test_a_function_becomes_a_metric(own):
    own(
        "top_hit.py",
        """
        def hit(maps, masks, least=0.0):
            at = maps.flatten(1).argmax(1, keepdim=True)
            return masks.flatten(1).gather(1, at)[:, 0]

        hit.higher_is_better = False
        hit.forwards = 2
        """,
    )
    metric = enter("top_hit:hit")
    assert enter("top_hit:hit") is metric is hc.metrics.registry["top_hit:hit"]
    assert not metric.higher_is_better and metric.forwards == 2 and metric.needs == ("masks or boxes",)
    maps = torch.tensor([[[0.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]], [[float("nan"), 0.0], [0.0, 0.0]]])
    masks = torch.tensor([[0, 1], [0, 0]], dtype=torch.bool).expand(3, 2, 2)
    found = hc.metrics.measure(["top_hit:hit", "epg"], None, None, maps, masks=masks, on_nan="record")["top_hit:hit"]
    assert found[:2].tolist() == [1.0, 0.0] and found[2].isnan()


WRONG = {
    "def f(maps, thing): return maps": r"has the parameter thing, which no metric is given: it may name model, images",
    "def f(maps, *rest): return maps": r"has the parameter \*rest",
    "def f(images): return images": "must have the parameter maps",
    "class f: pass": "must be a function of maps and what else it reads; it is the class f",
    "def f(maps): return maps\nf.higher_is_better = 'yes'": "higher_is_better must be True or False",
    "def f(maps): return maps\nf.forwards = -1": "forwards must be a whole number",
}


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_is_no_metric(own, number):
    text, said = [*WRONG.items()][number]
    own(f"no_metric_{number}.py", text)
    with pytest.raises(OwnCodeError, match=said):
        enter(f"no_metric_{number}:f")


@pytest.mark.parametrize(
    ("returned", "said"),
    {
        "maps.mean()": r"must return one number for each of 2 maps, a tensor \(B,\); got \(\)",
        "0.5": "got float",
        "maps.flatten(1).sum(1) / 0": "returned an infinite value: return NaN where a map has none",
    }.items(),
)
def test_what_is_no_answer(own, returned, said):
    name = f"answer_{abs(hash(returned))}"
    own(f"{name}.py", f"def f(maps): return {returned}")
    with pytest.raises(ValueError, match=said):
        enter(f"{name}:f")(None, None, torch.ones(2, 4, 4))
