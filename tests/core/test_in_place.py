"""holicam.core.in_place: a layer that writes over its input, which the network reads again."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import holicam as hc
from holicam.core.capture import capture
from tests.helpers.nets import random_images, randomise


class Net(nn.Module):
    """After `relu` the network reads what that returned, or the memory that it wrote into (`way`)."""

    def __init__(self, inplace: bool, way: str) -> None:
        super().__init__()
        self.first, self.relu0 = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True)
        self.conv, self.relu = nn.Conv2d(6, 4, 3, padding=1), nn.ReLU(inplace=inplace)
        self.after, self.fc, self.way = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 5), way
        randomise(self, 0)
        self.eval()

    def forward(self, images):
        x = self.conv(self.relu0(self.first(images)))
        r = self.relu(x)
        x = x if self.relu.inplace else r
        if self.way == "again":
            x = self.after(r) + x
        elif self.way == "ignored":
            x = self.after(x)
        elif self.way == "written":
            x = self.after(r) + (x.mul_(2) if self.relu.inplace else x * 2)
        else:
            x = self.after(r)
        return self.fc(x.mean((2, 3)))


READY = {
    "grad-cam": hc.GradCAM(relu=False),
    "layer-cam": hc.LayerCAM(),
    "hires-cam": hc.HiResCAM(relu=False),
    "iia": hc.IIA(steps=3),
    "nested": hc.IIA(preset="nested", steps=2, inner=3),
    "ablation-cam": hc.AblationCAM(chunk=3),
    "relevance-cam": hc.RelevanceCAM(),
}


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize("way", ["once", "again", "ignored"])
@pytest.mark.parametrize("layers", ["relu", ["relu0", "relu"]])
def test_the_map_is_that_of_the_network_that_writes_nowhere(name, way, layers):
    x = random_images(2, 3, 12, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        got, wanted = (READY[name](Net(inplace, way), x, layers, 1) for inplace in (True, False))
    for a, b in [(got, wanted)] if layers == "relu" else [(got[layer], wanted[layer]) for layer in layers]:
        torch.testing.assert_close(a, b)
        assert bool(b.any())


def test_what_is_written_later_is_not_of_the_layer():
    x, plain = random_images(2, 3, 12, 16), Net(False, "written")
    got, other = (capture(net, x, "relu", 1) for net in (Net(True, "written"), plain))
    assert torch.equal(got.A["relu"], plain.relu(plain.conv(plain.relu0(plain.first(x)))))
    torch.testing.assert_close(got.G["relu"], other.G["relu"])
    assert torch.equal(got.logits, Net(True, "written")(x))


class Part(nn.Module):
    def forward(self, x):
        return x[:, :, 1:]


class Shifted(nn.Module):
    """A layer gives a part of its input, which is written into afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.part, self.fc = nn.Conv2d(3, 4, 3, padding=1), Part(), nn.Linear(4, 5)
        self.eval()

    def forward(self, images):
        x = self.conv(images)
        y = self.part(x)
        score = self.fc(y.mean((2, 3)))
        with torch.no_grad():
            x.zero_()
        return score


def test_a_part_of_an_input_that_is_written_into_later():
    net, x = Shifted(), random_images(1, 3, 12, 12)
    assert torch.equal(capture(net, x, "part", 1).A["part"], net.conv(x).detach()[:, :, 1:])
