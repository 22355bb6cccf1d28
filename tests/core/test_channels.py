"""Images of one channel, of two, four and eleven: X-rays, colour with depth, satellites."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import holicam as hc
from holicam.metrics import registry
from tests.helpers.explainers import OF_CONVOLUTIONS, explainer, layers
from tests.helpers.nets import TinyNet, random_images

SIZE = (16, 24)
COUNTS = (1, 2, 4, 11)


def network(channels: int) -> TinyNet:
    """A TinyNet whose first convolution reads three channels as TinyNet does, and the others with weight 0."""
    net = TinyNet()
    weight = torch.zeros(4, channels, 3, 3)
    weight[:, :3] = net.conv0.weight.detach()[:, :channels]
    first = nn.Conv2d(channels, 4, 3, 1, 1)
    first.weight.data, first.bias.data = weight, net.conv0.bias.detach().clone()
    net.conv0 = first.eval()
    return net


def images(channels: int) -> Tensor:
    """The first three channels are the same, whatever the count."""
    x = random_images(2, 3, *SIZE)
    more = random_images(2, 11, *SIZE, seed=1)[:, : max(channels - 3, 0)]
    return torch.cat([x[:, :channels], more], 1)


def maps(ready, net: nn.Module, x: Tensor, name: str) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ready(net, x, layers(name), 1)


# Noise is drawn for every channel, Sobel looks at all of them, and the rule for the image takes its extremes.
OF_ALL_CHANNELS = ("smooth-grad-cam++", "smoothgrad", "sobel", "lrp", "c-lrp", "sglrp", "rap", "rsp", "agf")


@pytest.mark.parametrize("channels", COUNTS)
@pytest.mark.parametrize("name", OF_CONVOLUTIONS)
def test_every_explainer(name, channels):
    if name == "ground-truth":
        return
    found = maps(explainer(name), network(channels), images(channels), name)
    assert found.shape == (2, *SIZE) and bool(found.isfinite().all())
    if channels > 3 and name not in OF_ALL_CHANNELS:  # channels that nothing reads change nothing
        wanted = maps(explainer(name), TinyNet(), images(3), name)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("channels", COUNTS)
@pytest.mark.parametrize("name", OF_CONVOLUTIONS)
def test_every_preset(name, channels):
    ready = explainer(name)
    presets = getattr(ready, "presets", {})
    for preset in presets:
        if preset == ready.preset or name in ("holistic-cam", "cameras", "extremal-perturbation", "rise"):
            continue
        small = {key: getattr(ready, key) for key in ("samples", "steps", "chunk") if hasattr(ready, key)}
        found = maps(type(ready)(preset=preset, **small), network(channels), images(channels), name)
        assert found.shape == (2, *SIZE) and bool(found.isfinite().all())


@pytest.mark.parametrize("channels", COUNTS)
@pytest.mark.parametrize(
    "name", [n for n, m in registry.items() if {"model", "images"} <= set(m.needs) and "recipes" not in m.needs]
)
def test_every_metric_that_runs_the_network(name, channels):
    net, x = network(channels), images(channels)
    given = torch.rand(2, *SIZE, generator=torch.Generator().manual_seed(0))
    options = {"explain": lambda x, t: hc.GradCAM()(net, x, "relu2", t)} if "explain" in registry[name].needs else {}
    for protocol in hc.metrics.protocols:
        found = registry[name](net, x, given, 1, protocol=protocol, **options)
        assert found.shape == (2,) and bool(found.isfinite().all())
        if channels > 3 and name not in ("road", "sensitivity-max", "infidelity"):  # these change all channels
            wanted = registry[name](TinyNet(), images(3), given, 1, protocol=protocol)
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("channels", COUNTS)
def test_road_noise_is_each_channels_own(channels):
    net, x, given = network(channels), images(channels), torch.rand(2, *SIZE)
    seen = []
    net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    loud = hc.metrics.remove_and_debias(net, x, given, 1, noise=0.5, ratios=(0.5,)).half
    noisy, seen[:] = torch.cat(seen), []
    hc.metrics.remove_and_debias(net, x, given, 1, noise=0.0, ratios=(0.5,))
    dirt = (noisy - torch.cat(seen))[2:]  # the images themselves come first
    gone = dirt.abs().amax(1) > 0
    assert loud.shape == (2,) and gone.float().mean() == 0.5
    amount = torch.stack([d[:, g].std(1) for d, g in zip(dirt, gone, strict=True)])  # (n, channels)
    assert bool(((amount - 0.5).abs() < 0.12).all())
    one = dirt[0][:, gone[0]]
    assert channels == 1 or torch.corrcoef(one)[0, 1].abs() < 0.3
    if channels != 3:
        with pytest.raises(ValueError, match=f"{channels} channels give space"):
            hc.metrics.road(net, x, given, 1, space="rgb")


@pytest.mark.parametrize("channels", COUNTS)
def test_sobel_takes_the_mean_of_other_channels(channels):
    x = images(channels)
    found = hc.SobelMap()(network(channels), x)
    grey = hc.SobelMap()(network(1), x.mean(1, keepdim=True))
    torch.testing.assert_close(found, grey)
    L = x.mean(1)[0]
    across = (L[4:7, 8] - L[4:7, 6]) @ torch.tensor([1.0, 2.0, 1.0])
    down = (L[6, 6:9] - L[4, 6:9]) @ torch.tensor([1.0, 2.0, 1.0])
    torch.testing.assert_close(found[0, 5, 7], torch.hypot(across, down) / 8)


@pytest.mark.parametrize("channels", COUNTS)
def test_sanity_checks_and_views(channels):
    import functools

    net, x = network(channels), images(channels)
    run = hc.sanity.randomise(functools.partial(hc.GradCAM(), layers="relu2"), net, x, measures=["spearman"])
    assert run.similarity["spearman"].shape[1] == 2
    score, agree = hc.metrics.confidence_by_scale(net, x, factors=(1, 2))
    assert score.shape == agree.shape == (2, 2)
    made = hc.explore(net, x[:1], layers=["relu2"], methods=["grad-cam", "sobel"])
    assert made.content.method_names == ["grad-cam", "sobel"]


def test_grey_pictures_are_drawn():
    import matplotlib

    matplotlib.use("Agg")
    from holicam.notebook import plot

    grey = np.arange(16 * 24, dtype=np.uint8).reshape(16, 24)
    for picture in (grey, grey[..., None]):
        plot.maps(picture, {"a": torch.rand(4, 6)}, overlay=0.5)
    with pytest.raises(TypeError, match="or grey"):
        plot.maps(np.zeros((16, 24, 4), np.uint8), {"a": torch.rand(4, 6)})


def test_baselines():
    for channels in COUNTS:
        x = images(channels)
        for protocol in hc.metrics.protocols.values():
            assert protocol.insertion(x).shape == protocol.deletion(x).shape == x.shape
        grey = replace(hc.metrics.protocols["rise"], name="grey", deletion=hc.metrics.Constant((0.5,) * channels))
        assert hc.metrics.deletion(network(channels), x, torch.rand(2, *SIZE), 1, protocol=grey).shape == (2,)
        with pytest.raises(ValueError, match=f"each of the {channels} channels"):
            hc.metrics.Constant((0.5,) * (channels + 1))(x)
