"""Methods that hide and ask again, of a network that does not listen."""

from __future__ import annotations

import warnings

import pytest
import torch

import holicam as hc
from holicam.core.still import SameScoreWarning
from tests.helpers.nets import TinyNet, random_images

EVERY = {
    "rise": (hc.RISE(masks=20, cells=3), None),
    "occlusion": (hc.Occlusion(window=8, stride=4), None),
    "ablation": (hc.AblationCAM(), "conv2"),
    "score": (hc.ScoreCAM(), "conv2"),
    "ss": (hc.SSCAM(samples=2), "conv2"),
    "is": (hc.ISCAM(samples=2), "conv2"),
    "plus": (hc.CAMPlus(), "conv2"),
    "minus": (hc.CAMMinus(), "conv2"),
    "both": (hc.CAMBoth(), "conv2"),
}
every = pytest.mark.parametrize(("explainer", "layer"), EVERY.values(), ids=EVERY)


class Deaf(TinyNet):
    """Its layers see the image, its logits do not."""

    def forward(self, images):
        return super().forward(images) * 0 + torch.arange(5.0)


def maps(explainer, layer, net, images):
    return explainer(net, images, target=1) if layer is None else explainer(net, images, layer, target=1)


@every
def test_a_score_that_never_moves_is_said(explainer, layer):
    with pytest.warns(SameScoreWarning, match="the score is the same whatever is hidden"):
        maps(explainer, layer, Deaf(), random_images(2, 3, 16, 16))


@every
def test_one_that_moves_is_not(explainer, layer):
    with warnings.catch_warnings():
        warnings.simplefilter("error", SameScoreWarning)
        maps(explainer, layer, TinyNet(), random_images(2, 3, 16, 16))


def test_where_nothing_was_asked_nothing_is_said():
    net = TinyNet()
    with torch.no_grad():
        net.conv2.weight.zero_()  # all channels are constant
    with warnings.catch_warnings():
        warnings.simplefilter("error", SameScoreWarning)
        hc.ScoreCAM()(net, random_images(1, 3, 16, 16), "conv2", target=1)
