"""A linear layer over (B, h, w, C) is a 1 x 1 convolution, and maps say so."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

import holicam as hc
from tests.helpers.nets import random_images


class Net(nn.Module):
    """The same function, with a linear layer over the last axis or with a 1 x 1 convolution."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.last, self.c = last, nn.Conv2d(3, 8, 3, padding=1)
            self.lin, self.fc, self.p = nn.Linear(8, 8), nn.Linear(8, 5), nn.Conv2d(8, 8, 1)
            nn.init.normal_(self.lin.bias)
        self.turned = nn.Identity()
        self.p.weight.data = self.lin.weight.data[:, :, None, None].clone()
        self.p.bias.data = self.lin.bias.data.clone()
        self.eval()

    def forward(self, x):
        x = avg_pool2d(self.c(x).relu(), 2)
        x = self.turned(self.lin(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)) if self.last else self.p(x)
        return self.fc(x.relu().mean((2, 3)))


@pytest.mark.parametrize("size", [(16, 16), (16, 24)])  # with 16 pixels channels, rows and columns are equally many
def test_fullgrad_reads_it_as_a_convolution_and_rsp_begins_where_it_lies(size):
    images = random_images(2, 3, *size)
    line, point = Net(True), Net(False)
    torch.testing.assert_close(line(images), point(images))
    torch.testing.assert_close(hc.FullGrad()(line, images, None, 1), hc.FullGrad()(point, images, None, 1))
    found, wanted = (hc.RSP(layer=layer)(line, images, None, 0) for layer in ("lin", "turned"))
    torch.testing.assert_close(found, wanted)
