"""holicam.methods.controls: maps that know nothing of the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import holicam as hc
from tests.helpers.nets import TinyNet, random_images
from tests.twins import slow_controls

IMAGES = random_images(3, 3, 11, 14)
MASKS = IMAGES[:, 0] > 0.5
EVERY = {
    "random": hc.RandomMap(),
    "center": hc.CenterMap(),
    "sobel": hc.SobelMap(),
    "ground-truth": hc.GroundTruth(MASKS),
}
every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)


def test_names():
    for name, explainer in EVERY.items():
        assert hc.explainers[name] is type(explainer) and hc.info(name).cost == "0 F"
        assert explainer.takes == "input" and repr(hc.explainers[name]()).startswith(type(explainer).__name__)


@every
def test_they_never_run_the_network(explainer):
    net = TinyNet()
    net.register_forward_hook(lambda *_: pytest.fail("the network ran"))
    maps = explainer(net, IMAGES, target=2)
    assert maps.shape == (3, 11, 14) and maps.dtype == torch.float32 and maps.isfinite().all()
    assert torch.equal(maps, explainer(net, IMAGES, target=None))


@every
def test_dtypes_sizes_and_contexts(explainer):
    net = TinyNet().double()
    exact = explainer(net, IMAGES.double())
    assert exact.dtype == torch.float64
    torch.testing.assert_close(explainer(net, IMAGES.bfloat16()), exact.float(), rtol=2e-2, atol=2e-2)
    torch.testing.assert_close(explainer(net, IMAGES, size=(5, 9)), hc.ops.upsample(explainer(net, IMAGES), (5, 9)))
    assert torch.equal(explainer(net, IMAGES, size="native"), explainer(net, IMAGES))
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            assert torch.equal(explainer(net, IMAGES.double()), exact)


@pytest.mark.parametrize("name", ["random", "center", "sobel"])
def test_a_batch_equals_its_singles(name):
    together = EVERY[name](TinyNet(), IMAGES)
    for b in range(3):
        torch.testing.assert_close(EVERY[name](TinyNet(), IMAGES[b : b + 1]), together[b : b + 1])


def test_random_follows_from_the_seed_alone():
    net, first = TinyNet(), hc.RandomMap(seed=3)(TinyNet(), IMAGES)
    torch.manual_seed(5)
    assert torch.equal(hc.RandomMap(seed=3)(net, -IMAGES, target=1), first)
    assert torch.equal(first[0], first[1]) and not torch.equal(hc.RandomMap(seed=4)(net, IMAGES), first)
    many = hc.RandomMap()(net, torch.zeros(1, 3, 200, 200))
    assert 0 <= many.min() and many.max() < 1
    assert many.mean().item() == pytest.approx(0.5, abs=0.01)
    assert many.std().item() == pytest.approx(12**-0.5, abs=0.01)


@pytest.mark.parametrize("shape", [(9, 9), (8, 13), (1, 6)])
def test_the_center_is_the_largest(shape):
    maps = hc.CenterMap()(TinyNet(), torch.zeros(2, 3, *shape).double())
    np.testing.assert_allclose(maps[1], slow_controls.center(*shape), rtol=1e-12, atol=1e-12)
    top = np.unravel_index(int(maps[0].argmax()), shape)
    assert all(abs(i - (n - 1) / 2) <= 0.5 for i, n in zip(top, shape, strict=True))


def test_sobel_is_its_slow_twin_and_scikit_images():
    from skimage.filters import sobel

    images = IMAGES.double()
    maps = hc.SobelMap()(TinyNet(), images)
    rgb = (
        images * torch.tensor([0.229, 0.224, 0.225])[:, None, None] + torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    )
    for b in range(3):
        np.testing.assert_allclose(maps[b], slow_controls.sobel(images[b].numpy()), rtol=1e-9)
        luminance = np.tensordot([0.299, 0.587, 0.114], rgb[b].numpy(), 1)
        np.testing.assert_allclose(maps[b], sobel(luminance) * 2**0.5 / 2, rtol=1e-6)  # its scale
    assert (hc.SobelMap()(TinyNet(), torch.ones(1, 3, 5, 5)) == 0).all()


def test_ground_truth_needs_the_masks_of_the_images():
    net = TinyNet()
    assert torch.equal(hc.GroundTruth(MASKS)(net, IMAGES), MASKS.float())
    half = torch.full((3, 11, 14), 0.5)
    assert torch.equal(hc.GroundTruth(half)(net, IMAGES.double()), half.double())
    for masks in (None, MASKS[:2], MASKS[0], MASKS[:, :5], "masks"):
        with pytest.raises(ValueError, match="GroundTruth must be given the true masks"):
            hc.GroundTruth(masks)(net, IMAGES)
    assert repr(hc.GroundTruth(MASKS)) == "GroundTruth()"  # a row would hold all pixels


@every
def test_what_cannot_be_asked(explainer):
    with pytest.raises(ValueError, match="reads no layer"):
        explainer(TinyNet(), IMAGES, "relu1")
    with pytest.raises(ValueError, match="no stages to show"):
        explainer(TinyNet(), IMAGES, intermediate=True)
    with pytest.raises(ValueError, match='None, "native" or'):
        explainer(TinyNet(), IMAGES, size=7)
    with pytest.raises(ValueError, match="training mode"):
        explainer(TinyNet().train(), IMAGES)
    with pytest.raises(ValueError, match="seed must be a whole"):
        hc.RandomMap(seed=-1)


def test_they_stand_beside_explainers():
    net = TinyNet()
    maps = hc.explain_many(["grad-cam", "center", hc.GroundTruth(MASKS)], net, IMAGES, "relu2")
    assert all(m.shape == (3, 11, 14) for m in maps.values())


def test_seeded_draws_do_not_follow_torchs_defaults():
    """The same masks, noise and ties for whoever computes in double precision by default."""
    net, x = TinyNet(), random_images(2, 3, 12, 16)
    maps = torch.zeros(2, 12, 16)

    def drawn() -> list[torch.Tensor]:
        return [
            hc.RandomMap()(net, x),
            hc.RISE(masks=8)(net, x, target=1),
            hc.metrics.rank(maps, tie="noise").ranks.float(),
        ]

    before = drawn()
    torch.set_default_dtype(torch.float64)
    try:
        after = drawn()
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
