"""Layers that are given their input by name, or in a tuple, and write over it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import relu

import holicam as hc
from tests.helpers.nets import random_images, randomise

IMAGES = random_images(2, 3, 12, 16)
ASKED = (hc.GradCAM(relu=False), hc.LayerCAM(), hc.HiResCAM(), hc.AblationCAM(relu=False), hc.IIA(), hc.RelevanceCAM())


class Pair(nn.Module):
    """relu(pair[0]), over its memory or not."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, pair):
        return relu(pair[0], inplace=self.inplace)


class Net(nn.Module):
    """Reads what the layer "r" gave and what it was given, which an in-place layer makes one."""

    def __init__(self, way: str, inplace: bool) -> None:
        super().__init__()
        self.c, self.d, self.fc, self.way = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Linear(12, 5), way
        self.r = Pair(inplace) if way == "tuple" else nn.ReLU(inplace)
        self.inplace = inplace
        randomise(self, 0)
        self.eval()

    def forward(self, images):
        a = self.c(images)
        b = self.r((a, 1)) if self.way == "tuple" else self.r(input=a) if self.way == "name" else self.r(a)
        a = a if self.inplace else b
        return self.fc(torch.cat([self.d(b).relu().mean((2, 3)), a.mean((2, 3))], 1))


@pytest.mark.parametrize("way", ["place", "name", "tuple"])
@pytest.mark.parametrize("explainer", ASKED, ids=lambda e: type(e).__name__)
def test_an_in_place_layer_is_seen_however_it_is_given_its_input(explainer, way):
    over, beside = Net(way, True), Net(way, False)
    torch.testing.assert_close(over(IMAGES), beside(IMAGES))
    torch.testing.assert_close(explainer(over, IMAGES, "r", 0), explainer(beside, IMAGES, "r", 0), rtol=1e-5, atol=1e-6)
