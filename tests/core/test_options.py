"""holicam.core.options: the identity of an explainer, and the fields it is made of."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field, fields, replace

import pytest
import torch

import holicam as hc
from holicam.core.baselines import GaussianBlur
from holicam.core.options import identity, speed


@pytest.mark.parametrize("name", hc.explainers)
def test_an_explainer_with_its_defaults_is_its_class_alone(name):
    kind = hc.explainers[name]
    assert identity(kind()) == {"name": kind.__name__}
    spelled = {f.name: getattr(kind(), f.name) for f in fields(kind)}
    assert identity(kind(**spelled)) == {"name": kind.__name__}, "defaults that are given are no other explainer"


@pytest.mark.parametrize("name", hc.explainers)
def test_whatever_changes_a_value_changes_it_and_speed_does_not(name):
    kind = hc.explainers[name]
    for one in fields(kind):
        if one.name == "chunk":
            assert identity(kind(chunk=7)) == {"name": kind.__name__}
            continue
        ready, value = kind(), getattr(kind(), one.name)
        if isinstance(value, bool):
            assert identity(replace(ready, **{one.name: not value}))[one.name] is not value
    assert [one.name for one in fields(kind) if not one.metadata.get("identity", True)] in ([], ["chunk"])


def test_it_is_plain_and_its_order_does_not_depend_on_the_call():
    one = identity(hc.HolisticCAM(scales=(1, 2), median=3, eps=0.5))
    other = identity(hc.HolisticCAM(eps=0.5, median=3, scales=[1, 2], normalise=False))
    assert one == {"name": "HolisticCAM", "eps": 0.5, "median": 3, "scales": [1, 2]}
    assert json.dumps(one) == json.dumps(other) and json.loads(json.dumps(one)) == one
    assert list(one) == ["name", "eps", "median", "scales"]


def test_a_preset_is_named_with_what_it_sets():
    assert identity(hc.GradCAMpp(preset="torchcam")) == {
        "name": "GradCAMpp",
        "denominator": "none",
        "eps": 0.0,
        "preset": "torchcam",
    }


def test_an_explainer_inside_stands_by_its_own_identity():
    assert identity(hc.UCAG(base=hc.GradCAM())) == identity(hc.UCAG(base=hc.GradCAM(), chunk=3)) == {"name": "UCAG"}
    assert identity(hc.UCAG(base=hc.RISE(masks=9, chunk=2)))["base"] == {"name": "RISE", "masks": 9}


def shown(model, images, target=None):
    return images.sum(1)


def test_functions_go_by_name_and_objects_without_their_address():
    assert identity(hc.UCAG(base=shown))["base"] == f"{__name__}.shown"
    assert identity(hc.IntegratedGradients(baseline=GaussianBlur(kernel=3)))["baseline"] == {
        "name": "GaussianBlur",
        "kernel": 3,
    }
    found = identity(hc.UCAG(base=functools.partial(shown)))["base"]
    assert "shown" in found and "0x" not in found


def test_what_repr_hides_is_left_out():
    assert identity(hc.GroundTruth(masks=torch.ones(1, 2, 2))) == {"name": "GroundTruth"}


def test_a_class_that_must_be_given_a_field():
    @dataclass
    class Mine:
        width: int
        depth: int = 2
        parts: list = field(default_factory=list)
        chunk: int = speed(4)

    assert identity(Mine(3)) == {"name": "Mine", "parts": [], "width": 3}
    assert identity(Mine(3, depth=5, chunk=9)) == {"name": "Mine", "depth": 5, "parts": [], "width": 3}


def test_a_class_or_a_function_has_no_identity():
    for wrong in (hc.GradCAM, shown, 3):
        with pytest.raises(TypeError, match=r"identity is that of an explainer, such as GradCAM\(\)"):
            identity(wrong)
