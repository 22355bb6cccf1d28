"""holicam.methods.cams.kpcacam: the slow twin, grad-cam's, Eigen-CAM as its linear kernel, and scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.methods.cams import kpcacam
from holicam.methods.cams.eigencam import EXACT, eigen_map
from holicam.methods.cams.kpcacam import KERNELS, kernel_map
from tests.helpers.nets import TinyNet, random_images
from tests.methods.test_eigencam import activations
from tests.twins import slow_guests as slow


def apart(ours, theirs):
    """The largest difference, relative to the largest value."""
    ours, theirs = torch.as_tensor(ours), torch.as_tensor(theirs)
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_slow_twin(kernel, center, record_property):
    A = activations(2, 12, 6, 5)
    for gamma, bias in ((1.0, 1.0), (0.3, -0.5)):
        difference = apart(
            kernel_map(A, kernel, gamma, bias, center), slow.kpca_cam(A.numpy(), kernel, gamma, bias, center)
        )
        record_property("difference", difference)
        assert difference < 1e-10


def test_the_whole_explainer_is_the_slow_twin():
    net, images = TinyNet().double(), random_images(2, 3, 10, 8).double()
    for layer in ("conv1", "relu2"):
        A = hc.capture.capture(net, images, layer, gradients=False).A[layer]
        got = hc.KPCACAM(relu=False)(net, images, layer, size="native")
        np.testing.assert_allclose(got, slow.kpca_cam(A.numpy()), rtol=1e-8, atol=1e-10)
        assert torch.equal(got.relu(), hc.KPCACAM()(net, images, layer, 4, size="native"))  # whatever the class


@pytest.mark.parametrize("kernel", ["sigmoid", "rbf", "poly", "linear"])
def test_grad_cam_package_up_to_the_sign(kernel, record_property):
    pytest.importorskip("sklearn.decomposition")
    projection = pytest.importorskip("pytorch_grad_cam.utils.svd_on_activations")
    A = activations(2, 40, 8, 8)
    theirs = torch.tensor(projection.get_2d_projection_kernel(A.numpy().copy(), kernel)).double()
    ours = kernel_map(A, kernel) * (40**0.5 if kernel == "linear" else 1)  # theirs has no gamma there
    difference = apart(ours * (ours * theirs).sum((1, 2), keepdim=True).sign(), theirs)
    record_property("difference", difference)
    assert difference < 1e-5  # theirs is float32


def test_the_linear_kernel_is_eigen_cam_up_to_its_scale():
    A = activations(2, 16, 7, 6)
    torch.testing.assert_close(kernel_map(A, "linear"), eigen_map(A) / 4)  # the square root of 16 channels


def test_large_kernels(record_property):
    A = activations(1, 8, 14, 13)
    assert 14 * 13 > EXACT
    difference = apart(kernel_map(A), slow.kpca_cam(A.numpy()))
    record_property("difference", difference)
    assert difference < 1e-6
    assert apart(kernel_map(A.float()).double(), kernel_map(A)) < 1e-4


def test_images_are_taken_a_few_at_a_time(monkeypatch):
    A = activations(5, 6, 4, 5)
    whole = kernel_map(A)
    for entries in (1, 2 * 20**2):
        monkeypatch.setattr(kpcacam, "AT_ONCE", entries)
        torch.testing.assert_close(kernel_map(A), whole)


def test_small_activations_are_not_lost_beside_the_bias():
    A = activations(1, 6, 4, 5)
    small = kernel_map(1e-6 * A)
    linear = kernel_map(1e-6 * A, "linear") / np.cosh(1)  # the slope of tanh at the bias is 1 / cosh^2
    torch.testing.assert_close(small, linear, rtol=1e-4, atol=1e-9)


def test_a_constant_layer_gives_zeros():
    A = torch.full((1, 4, 5, 6), 0.1)
    for kernel in KERNELS:
        assert (kernel_map(A, kernel) == 0).all()
        assert (kernel_map(A, kernel, center=False) == 0).all()


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"kernel": "cosine"}, "kernel must be one of"), ({"gamma": 0}, "gamma must be"), ({"bias": "1"}, "bias must be")],
)
def test_bad_fields(fields, said):
    with pytest.raises(ValueError, match=said):
        hc.KPCACAM(**fields)
