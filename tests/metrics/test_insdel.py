"""Insertion and deletion: exact cases, closed forms, slow twins, torchcam, and invariances."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms.v2.functional import gaussian_blur

import holicam as hc
from holicam.metrics import protocols
from tests.helpers.nets import ColourNet, LeftNet, TinyNet, colour_image, random_images, window_share
from tests.twins import slow_metrics as slow

ZEROS = hc.metrics.Protocol("zeros", hc.metrics.Zeros(), hc.metrics.Zeros(), steps=28)
LOGIT = replace(ZEROS, name="one pixel", steps=10**9, score="logit")  # a step is one pixel
SMALL = replace(protocols["rise"], name="small", insertion=hc.metrics.RiseBlur(5, 2.0))
RUN = hc.metrics.insertion_deletion


def setting(size=3, height=14, width=11, dtype=torch.float64):
    images = random_images(size, 3, height, width, dtype=dtype)
    maps = random_images(size, height, width, seed=9, dtype=dtype)
    return TinyNet().to(dtype), images, maps, torch.tensor([1, 4, 0, 2, 3])[:size]


class Additive(nn.Module):
    """The logit is the sum of four pixels, weighted."""

    def __init__(self):
        super().__init__()
        self.eval()

    def forward(self, images):
        weights = images.new_tensor([[0.4, 0.3], [0.2, 0.1]])
        return (images[:, 0] * weights).sum((1, 2))[:, None]


@pytest.mark.parametrize(
    ("sign", "auc", "ins", "dele"),
    [(1, "trapezoid", 0.625, 0.375), (1, "right", 0.75, 0.25), (-1, "trapezoid", 0.375, 0.625)],
)
def test_additive_example(sign, auc, ins, dele):
    maps = sign * torch.tensor([[[0.4, 0.3], [0.2, 0.1]]], dtype=torch.float64)
    images = torch.ones(1, 3, 2, 2).double()
    run = RUN(Additive(), images, maps, 0, protocol=replace(LOGIT, auc=auc))
    assert run.insertion.item() == pytest.approx(ins, abs=1e-15)
    assert run.deletion.item() == pytest.approx(dele, abs=1e-15)
    assert run.over_all.item() == pytest.approx(ins - dele, abs=1e-15)
    assert run.fraction.tolist() == [0, 0.25, 0.5, 0.75, 1]
    if sign == 1:
        assert run.insertion_curve[0].tolist() == pytest.approx([0, 0.4, 0.7, 0.9, 1], abs=1e-15)
        assert run.deletion_curve[0].tolist() == pytest.approx([1, 0.6, 0.3, 0.1, 0], abs=1e-15)


@pytest.mark.parametrize("net", [ColourNet, LeftNet])
def test_closed_form_of_the_analytic_networks(net):
    """The logit is a sum over pixels: head weight x window share / (h w), for detected colours."""
    model, image = net().double(), colour_image()
    model.box.weight.data.fill_(1 / 9)  # not rounded to float32
    _, _, height, width = image.shape
    share = window_share(3, height, width)
    half = width // 2
    if net is LeftNet:  # the share of a pixel's window that lies in the left half
        left = torch.zeros(height, width, dtype=torch.float64)
        left[:, :half] = 1
        share = torch.nn.functional.avg_pool2d(left[None, None], 3, 1, 1)[0, 0]
    places = height * (half if net is LeftNet else width)
    pixel = torch.einsum("k,kij->ij", model.head_weights[1].double(), image[0]) * share / places
    maps = random_images(1, height, width, seed=3, dtype=torch.float64)
    run = RUN(model, image, maps, 1, protocol=LOGIT)
    order = maps.flatten().argsort(descending=True)
    wanted = torch.cat([pixel.new_zeros(1), pixel.flatten()[order].cumsum(0)])
    assert (run.insertion_curve[0] - wanted).abs().max() < 1e-14
    assert (run.deletion_curve[0] - (wanted[-1] - wanted)).abs().max() < 1e-14
    area = torch.trapezoid(wanted, dx=1 / maps.numel())
    assert run.insertion.item() == pytest.approx(area.item(), abs=1e-14)


@pytest.mark.parametrize("tie", ["hash", "raster", "reverse_raster"])
@pytest.mark.parametrize("name", [*protocols, "small"])
def test_slow_twin(name, tie, record_property):
    protocol = replace(protocols.get(name, SMALL), tie=tie)
    model, images, maps, target = setting(2, 9, 7)
    maps = (2 * maps).round()  # ties
    run = RUN(model, images, maps, target, ids=["a", "b"], protocol=protocol)
    step = -(-9 * 7 // protocol.steps) if protocol.steps else protocol.rows * 7
    grounds = {}
    for kind in {protocol.insertion, protocol.deletion} - {hc.metrics.Zeros()}:
        kernel, border = (
            (slow.rise_kernel, "zeros") if isinstance(kind, hc.metrics.RiseBlur) else (slow.gaussian_kernel, "reflect")
        )
        grounds[kind] = [slow.blur(x.numpy(), kernel(kind.kernel, kind.sigma), border) for x in images]
    for b in range(2):

        @torch.no_grad()
        def score(x, c=target[b]):
            return model(torch.from_numpy(x)[None]).softmax(1)[0, c].item()

        x, zeros = images[b].numpy(), np.zeros((3, 9, 7))
        ins, dele = (grounds[k][b] if k in grounds else zeros for k in (protocol.insertion, protocol.deletion))
        ranks = slow.ranks(maps[b].numpy(), "ab"[b], tie)
        shares, c_ins, c_del = slow.curves(score, x, ranks, ins, dele, step)
        area = slow.right if name.startswith("poly-cam") else partial(slow.trapezoid, shares)
        difference = max(
            np.abs(run.fraction.numpy() - shares).max(),
            np.abs(run.insertion_curve[b].numpy() - c_ins).max(),
            np.abs(run.deletion_curve[b].numpy() - c_del).max(),
            abs(run.insertion[b].item() - area(c_ins)),
            abs(run.deletion[b].item() - area(c_del)),
        )
        record_property("difference", float(difference))
        assert difference < 1e-12


class Stub:
    """What torchcam's metric asks of a CAM extractor, giving a map that is already there."""

    def __init__(self, model, maps):
        self.model, self.maps, self._hooks_off = model, maps, nullcontext

    def __call__(self, class_idx, scores):
        return [self.maps]

    def fuse_cams(self, cams):
        return cams[0]


@pytest.mark.parametrize("size", [(14, 11), (28, 32), (9, 40)])
@pytest.mark.parametrize("kind", [hc.metrics.Zeros(), hc.metrics.GaussianBlur(11, 5.0)], ids=["zeros", "blur"])
@pytest.mark.parametrize("steps", [28, 5])
def test_torchcam(size, kind, steps, record_property):
    metrics = pytest.importorskip("torchcam.metrics")
    model, images, maps, _ = setting(3, *size)
    maps = maps.relu()  # half of the pixels are tied
    maps[2] = 0
    oracle = metrics.DeletionInsertionMetric(
        Stub(model, maps), partial(torch.softmax, dim=-1), steps=steps, baseline=kind
    )
    oracle.update(images)
    protocol = replace(ZEROS, insertion=kind, deletion=kind, steps=steps, tie="raster")
    run, theirs = RUN(model, images, maps, protocol=protocol), oracle.summary()
    # torchcam keeps the shares in float32, which is all that is left of a difference.
    difference = max(
        abs(run.insertion.mean().item() - theirs["insertion_auc"]),
        abs(run.deletion.mean().item() - theirs["deletion_auc"]),
    )
    record_property("difference", float(difference))
    assert difference < 1e-7


def test_mirror_identity():
    model, images, maps, target = setting()
    for protocol in (replace(ZEROS, steps=14), replace(protocols["poly-cam"], auc="trapezoid")):
        run = RUN(model, images, maps, target, protocol=protocol)
        mirror = RUN(model, images, -maps, target, protocol=protocol)
        assert (run.insertion_curve - mirror.deletion_curve.flip(1)).abs().max() < 1e-12
        assert (run.insertion - mirror.deletion).abs().max() < 1e-12


@pytest.mark.parametrize("name", protocols)
def test_end_points(name):
    model, images, maps, target = setting()
    run = RUN(model, images, maps, target, protocol=name)

    def score(x):
        with torch.no_grad():
            return model(x).softmax(1).gather(1, target[:, None])[:, 0]

    ends = {
        (run.insertion_curve, 0): protocols[name].insertion(images),
        (run.insertion_curve, -1): images,
        (run.deletion_curve, 0): images,
        (run.deletion_curve, -1): protocols[name].deletion(images),
    }
    for (curve, at), x in ends.items():
        assert (curve[:, at] - score(x)).abs().max() < 1e-12


def test_blurs_are_torchvisions_and_scipys():
    images = random_images(2, 3, 60, 53, dtype=torch.float64)
    for k, sigma in ((11, 5.0), (51, 50.0)):
        ours = hc.metrics.GaussianBlur(k, sigma)(images)
        assert (ours - gaussian_blur(images, [k, k], [sigma, sigma])).abs().max() < 1e-6
        assert hc.metrics.GaussianBlur(k, sigma)(images.half()).dtype == torch.half
    ndimage = pytest.importorskip("scipy.ndimage")
    dot = np.zeros((11, 11))
    dot[5, 5] = 1
    kernel = ndimage.gaussian_filter(dot, 5)
    weights = hc.metrics.RiseBlur(11, 5.0).weights().numpy()
    assert np.abs(np.outer(weights, weights) - kernel).max() < 1e-15
    assert kernel[5, 5] / kernel[0, 0] == pytest.approx(1.14, abs=5e-3)
    padded = torch.nn.functional.conv2d(images.flatten(0, 1)[:, None], torch.from_numpy(kernel)[None, None], padding=5)
    assert (hc.metrics.RiseBlur(11, 5.0)(images) - padded.view_as(images)).abs().max() < 1e-12


def test_a_protocol_names_its_baselines_and_they_keep_the_shape():
    with pytest.raises(ValueError, match="insertion must be a baseline"):
        hc.metrics.Protocol("x", insertion=None, deletion=hc.metrics.Zeros(), steps=4)
    half = hc.metrics.Protocol("x", insertion=lambda x: x[:, :, ::2], deletion=hc.metrics.Zeros(), steps=4)
    images = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match="baseline must return images"):
        hc.metrics.insertion_deletion(TinyNet(), images, images[:, 0], 0, protocol=half)


@pytest.mark.parametrize("games", [3, (), "middle"])
def test_games_are_named(games):
    images = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match="games must be one of"):
        hc.metrics.insertion_deletion(TinyNet(), images, images[:, 0], 0, games=games)
