"""holicam.methods.cams.eigencam: the slow twin, grad-cam's, the sign, and large Gram matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.methods.cams.eigencam import EXACT, eigen_map, leading_vector
from tests.helpers.nets import TinyNet, random_images
from tests.twins import slow_family as slow


def activations(*shape, seed=0, tilt=1.5):
    """Random channels with one direction that stands out."""
    A = random_images(*shape, seed=seed, dtype=torch.float64).relu()
    b, c, h, w = shape
    where, what = random_images(b, 1, h, w, seed=seed + 1), random_images(b, c, 1, 1, seed=seed + 2)
    return A + tilt * (where * what).double().abs()


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (2, 30, 4, 5), (1, 7, 1, 7)])
def test_the_slow_twin(center, shape, record_property):
    for A in (activations(*shape), 1e-18 * activations(*shape)):
        got, expected = eigen_map(A, center).numpy(), slow.eigen_cam(A.numpy(), center)
        difference = float(np.abs(got - expected).max() / np.abs(expected).max())
        record_property("difference", difference)
        assert difference < 1e-10


def test_the_whole_explainer_is_the_slow_twin():
    net, images = TinyNet().double(), random_images(2, 3, 10, 8).double()
    for layer in ("relu0", "conv1", "relu2"):
        A, _ = slow.passes_of(net, [0, 0])(images, layer)
        got = hc.EigenCAM(relu=False)(net, images, layer, size="native")
        np.testing.assert_allclose(got, slow.eigen_cam(A), rtol=1e-9, atol=1e-11)
        assert torch.equal(got, hc.EigenCAM(relu=False)(net, images, layer, 4, size="native"))
        assert torch.equal(got.relu(), hc.EigenCAM()(net, images, layer, size="native"))


@pytest.mark.parametrize("shape", [(2, 40, 8, 8), (2, 10, 12, 9)])
def test_grad_cam_package_up_to_the_sign(shape, record_property):
    projection = pytest.importorskip("pytorch_grad_cam.utils.svd_on_activations")
    A = activations(*shape)
    theirs = torch.tensor(projection.get_2d_projection(A.numpy().copy())).double()
    ours = eigen_map(A)
    sign = (ours * theirs).sum((1, 2), keepdim=True).sign()
    difference = float((ours - sign * theirs).abs().max() / theirs.abs().max())
    record_property("difference", difference)
    assert difference < 1e-5  # theirs is float32


def test_the_sign_is_that_of_the_sum_and_nothing_else_decides_it():
    A = activations(3, 12, 6, 5)
    M = eigen_map(A)
    assert ((M * A.sum(1)).sum((1, 2)) > 0).all()
    assert (eigen_map(-A) + M).abs().max() < 1e-10
    torch.testing.assert_close(eigen_map(A.flip(3)), M.flip(2))
    torch.testing.assert_close(eigen_map(A[:, torch.randperm(12)]), M)
    torch.testing.assert_close(eigen_map(100 * A), 100 * M)
    assert (eigen_map(A, center=False) >= -1e-12).all()  # Perron: all of one sign


@pytest.mark.parametrize("shape", [(2, 700, 20, 18), (2, 300, 20, 30)])
def test_large_matrices_are_as_exact(shape, record_property):
    assert min(shape[1], shape[2] * shape[3]) > EXACT
    A = activations(*shape, tilt=0.12)
    flat = A.flatten(2).mT
    u, s, _ = torch.linalg.svd(flat - flat.mean(1, keepdim=True), full_matrices=False)
    assert (s[:, 1] / s[:, 0] > 0.6).all()
    expected = (u[..., 0] * s[:, :1]).unflatten(1, shape[2:])
    got = eigen_map(A)
    expected = expected * (expected * got).sum((1, 2), keepdim=True).sign()
    difference = float((got - expected).abs().max() / expected.abs().max())
    record_property("difference", difference)
    assert difference < 1e-10
    single = eigen_map(A.float())
    assert (single - expected).abs().max() < 1e-4 * expected.abs().max()


def test_large_matrices_of_low_rank():
    zero = torch.zeros(1, 400, 400)
    assert leading_vector(zero).isfinite().all()
    v = random_images(1, 400, seed=3)
    v = v / v.norm()
    for noise in (0, 1e-9):
        got = leading_vector(v[:, :, None] * v[:, None] + noise * torch.eye(400))
        assert (got * v).sum().abs() > 1 - 1e-5 and got.norm() < 1 + 1e-5
    constant = torch.ones(1, 300, 20, 20)
    assert (eigen_map(constant) == 0).all()
