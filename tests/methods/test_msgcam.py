"""holicam.methods.cams.msgcam: the slow twin, the chunks, the passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import holicam as hc
from tests.helpers.nets import TinyNet, random_images
from tests.twins import slow_family as slow

NET, IMAGES, TARGET = TinyNet(True).double(), 2 * random_images(2, 3, 12, 9).double(), [2, 3]


@pytest.mark.parametrize("layer", ["relu0", "conv1", "relu2"])
@pytest.mark.parametrize(("scales", "groups"), [((1,), 3), ((1, 1.5, 2), 3), ((1, 1.5), 40)])
def test_the_slow_twin(layer, scales, groups, record_property):
    net = TinyNet().double()
    expected = slow.msg_cam(
        slow.passes_of(net, TARGET),
        slow.score_of(net, TARGET),
        IMAGES,
        layer,
        scales,
        min(groups, net.get_submodule(layer.replace("relu", "conv")).out_channels),
        5,
        2.0,
    )
    got = hc.MSGCAM(scales=scales, groups=groups, blur=5, sigma=2.0)(NET, IMAGES, layer, TARGET)
    difference = float(np.abs(got.numpy() - expected).max() / np.abs(expected).max())
    record_property("difference", difference)
    assert difference < 1e-9


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_any_chunk_gives_the_same_map(chunk):
    some = {"scales": (1, 1.5), "groups": 3}
    torch.testing.assert_close(
        hc.MSGCAM(chunk=chunk, **some)(NET, IMAGES, "relu1", TARGET), hc.MSGCAM(**some)(NET, IMAGES, "relu1", TARGET)
    )


def test_mismatched_scales_are_left_out():
    class Turns(TinyNet):
        def forward(self, images):
            out = super().forward(images)
            return out if images.shape[-1] < 12 else out + 50 * torch.eye(5, dtype=out.dtype)[0]

    net = Turns().double()
    with_it = hc.MSGCAM(scales=(1, 1.5), groups=3, skip_mismatched=True)(net, IMAGES, "relu1", 2)
    torch.testing.assert_close(with_it, hc.MSGCAM(scales=(1,), groups=3)(net, IMAGES, "relu1", 2))


def test_targets_and_passes():
    sizes = []
    handle = NET.register_forward_hook(lambda m, inputs, out: sizes.append(len(inputs[0])))
    explainer = hc.MSGCAM(scales=(1, 1.5), groups=4, chunk=4)
    top = explainer(NET, IMAGES, ["relu0", "relu1"])
    handle.remove()
    assert sizes == [2, 2] + 2 * [4, 4, 2]  # two scales; two images and five inputs a layer
    called = explainer(NET, IMAGES, "relu1", lambda out: out.amax(1))
    assert called.shape == top["relu1"].shape == (2, 12, 9) and (top["relu1"] >= 0).all()
    chosen = NET(IMAGES).argmax(1)
    torch.testing.assert_close(top["relu1"], explainer(NET, IMAGES, "relu1", chosen))
