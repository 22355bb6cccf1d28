"""Usual slips: a class for an explainer, a network in its settings, measures that need larger maps."""

from __future__ import annotations

import copy
import functools
import pickle
from dataclasses import replace

import pytest
import torch

import holicam as hc
from tests.helpers.nets import TinyNet, random_images


@pytest.mark.parametrize("name", hc.explainers)
def test_a_network_is_no_setting(name):
    made = hc.explainers[name]
    for make in (lambda: made(TinyNet()), lambda: made(TinyNet(), random_images(1, 3, 8, 8))):
        with pytest.raises(TypeError, match=rf"{made.__name__} is made without a network.*\(model, images\)") as caught:
            make()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 150
    ready = made()
    assert name == "ground-truth" or replace(ready) == copy.copy(ready) == copy.deepcopy(ready) == ready
    assert name == "ground-truth" or pickle.loads(pickle.dumps(ready)) == ready


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([hc.GradCAM], "GradCAM is a class: give an explainer, such as GradCAM()"),
        ({"a": hc.RISE}, "RISE is a class"),
        ([3], "3 is none"),
        (3, "3 is none"),
        (hc.GradCAM, "GradCAM is a class"),
    ],
)
def test_explain_many_takes_explainers(chosen, words):
    with pytest.raises(TypeError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        hc.explain_many(chosen, TinyNet(), random_images(1, 3, 8, 8), "relu2")
    assert "\n" not in str(caught.value)


def test_measures_that_need_larger_maps_are_told_before_weights_change():
    net, x = TinyNet(), random_images(2, 3, 32, 32)
    calls, explain = [], functools.partial(hc.GradCAM(), layers="relu2")

    def counted(model, images, target=None):
        calls.append(1)
        return explain(model, images, target=target)

    before = {k: v.clone() for k, v in net.state_dict().items()}
    words = r"hog-pearson needs .* 48 x 48 .*\(32, 32\): give measures=\['spearman', 'ssim'"
    with pytest.raises(ValueError, match=words):
        hc.sanity.randomise(counted, net, x)
    assert len(calls) == 1 and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    with pytest.raises(ValueError, match="measures="):
        hc.sanity.label_randomisation(explain, net, TinyNet(seed=1), x)
    run = hc.sanity.randomise(explain, net, x, measures=("spearman", "ssim"))
    assert run.similarity["ssim"].shape == (len(run.layers), 2)
