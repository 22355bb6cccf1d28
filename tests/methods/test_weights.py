"""holicam.methods.cams.weights: each weighting against its slow twin, and the identities between them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from holicam.methods.cams import weights as cam
from tests.helpers.nets import ColourNet, colour_image, random_images
from tests.helpers.properties import given, settings, st
from tests.twins import slow_twins

ALPHA_OPTIONS = [
    {},
    {"eps": 0.0},
    {"eps": 1e-2},
    {"denominator": "sum_Ag3"},
    {"denominator": "sum_Ag3", "eps": 0.0},
    {"denominator": "none"},
    {"normalize_alpha": True},
    {"eps": 0.0, "normalize_alpha": True},
    {"eps": 0.1, "eps_mode": "relative"},
    {"activation_sum": "relu"},
]


def pair(seed=0, shape=(2, 3, 4, 5), signed=False):
    """A (non-negative unless `signed`, one dead channel) and G (signed, some zeros), float64."""
    A, G = random_images(*shape, seed=seed), random_images(*shape, seed=seed + 100)
    A = A.double() if signed else A.double().relu()
    G = G.double()
    A[0, 0] = 0
    G[:, :, 0, 0] = 0
    G[1, 1] = 0
    return A, G


@pytest.mark.parametrize(
    "name", ["activation_sum", "grad_cam", "xgrad_cam", "layer_cam", "hires_cam", "grad_cam_pp", "pge"]
)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.filterwarnings("ignore::holicam.methods.cams.weights.SignedActivationWarning")
def test_maps_are_the_slow_twins(name, signed):
    A, G = pair(signed=signed)
    W = getattr(cam, name)(A, G)
    torch.broadcast_shapes(W.shape, A.shape)
    twin = getattr(slow_twins, name)(A.numpy(), G.numpy())
    np.testing.assert_allclose(cam.weighted_sum(A, W), twin, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("options", ALPHA_OPTIONS, ids=str)
def test_alpha_and_its_users_are_the_slow_twins(options):
    A, G = pair(seed=3)
    twin = slow_twins.alpha(A.numpy(), G.numpy(), **options)
    np.testing.assert_allclose(cam.alpha(A, G, **options), twin, rtol=1e-10, atol=1e-14)
    for name in ("grad_cam_pp", "pge"):
        M = cam.weighted_sum(A, getattr(cam, name)(A, G, **options))
        twin = getattr(slow_twins, name)(A.numpy(), G.numpy(), **options)
        np.testing.assert_allclose(M, twin, rtol=1e-10, atol=1e-12)


def test_the_fused_weights_are_those_of_fig_4():
    A, G = pair()
    none, channel, element = (cam.WEIGHTINGS[k](A, G) for k in ("none", "channel", "element"))
    assert none.shape == (1, 1, 1, 1) and none.item() == 1
    torch.testing.assert_close(channel, element.sum((2, 3), keepdim=True))
    torch.testing.assert_close(element, cam.alpha(A, G) * G.relu())


def test_class_weights():
    head = torch.arange(12.0).reshape(3, 4)
    W = cam.class_weights(head, torch.tensor([2, 0]))
    assert W.shape == (2, 4, 1, 1) and W[:, :, 0, 0].tolist() == [[8, 9, 10, 11], [0, 1, 2, 3]]


def test_weighted_sum_takes_every_broadcast():
    A = random_images(2, 3, 4, 5)
    for shape in ((2, 3, 1, 1), (1, 3, 1, 1), (2, 1, 1, 1), (1, 1, 1, 1), (2, 3, 4, 5), (2, 1, 4, 5)):
        W = random_images(*shape, seed=1)
        torch.testing.assert_close(cam.weighted_sum(A, W), (A * W).sum(1))


def test_channel_weights_store_no_product():
    """The largest tensor a channel-wise sum makes is the map, not A's size."""
    A, W = random_images(2, 64, 8, 8), random_images(2, 64, 1, 1)
    with torch.profiler.profile(profile_memory=True) as profile:
        cam.weighted_sum(A, W)
    taken = sum(max(event.self_cpu_memory_usage, 0) for event in profile.events())
    assert taken < A.numel() * 4 / 4


def test_constant_gradients_make_the_methods_agree():
    """methods.md, identity 1: with G constant per channel, Grad-CAM = XGrad-CAM = HiResCAM, and
    both readings of alpha's denominator are one."""
    A, G = pair(seed=5)
    A = A + 0.1
    G = G.mean((2, 3), keepdim=True).expand_as(A).contiguous()
    maps = [cam.weighted_sum(A, f(A, G)) for f in (cam.grad_cam, cam.hires_cam)]
    maps.append(cam.weighted_sum(A, cam.xgrad_cam(A, G, eps=0.0)))
    for other in maps[1:]:
        torch.testing.assert_close(other, maps[0], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(cam.alpha(A, G), cam.alpha(A, G, denominator="sum_Ag3"))


def test_pge_of_a_dead_channel_is_half_the_positive_gradient():
    A, G = pair()
    torch.testing.assert_close(cam.pge(torch.zeros_like(A), G, eps=0.0), G.relu() / 2, rtol=0, atol=0)


def test_pge_with_a_huge_eps_is_the_cube():
    A, G = pair()
    torch.testing.assert_close(1e12 * cam.pge(A, G, eps=1e12), G.relu() ** 3, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 7.0])
def test_pge_scales_with_the_gradient_when_eps_and_sums_do(scale):
    A, G = pair(seed=2)
    torch.testing.assert_close(cam.pge(A / scale, scale * G, scale**2 * 1e-3), scale * cam.pge(A, G, 1e-3))
    relative = {"eps": 0.05, "eps_mode": "relative"}
    torch.testing.assert_close(cam.pge(A / scale, scale * G, **relative), scale * cam.pge(A, G, **relative))


def test_worked_numbers_of_alpha():
    A, G = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5)
    assert cam.alpha(A, G, eps=0.0).unique().tolist() == [0.25]
    assert cam.grad_cam_pp(A, G, eps=0.0).item() == 0.5
    # The three regimes of eps at g = 1e-3, sum 20: methods.md 4.1.
    A, G = torch.full((1, 1, 1, 1), 20.0), torch.full((1, 1, 1, 1), 1e-3)
    assert cam.alpha(A, G, eps=1e-6).item() == pytest.approx(0.331, abs=1e-3)
    assert cam.alpha(A, G, eps=1e-5).item() == pytest.approx(0.083, abs=1e-3)


def test_alpha_survives_gradients_whose_squares_underflow():
    A, G = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 1e-30)
    assert cam.alpha(A, G, eps=0.0).unique().tolist() == [0.5]
    assert cam.alpha(A, G, eps=1e-6).unique().tolist() == [0.0]
    assert cam.alpha(A, G, eps=0.5, eps_mode="relative").isfinite().all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.data())
def test_alpha_stays_between_zero_and_half_where_activations_are_positive(b, c, h, w, data):
    n = b * c * h * w
    numbers = st.lists(st.floats(-1e4, 1e4, width=32), min_size=n, max_size=n)
    A = torch.tensor(data.draw(numbers)).reshape(b, c, h, w).abs()
    G = torch.tensor(data.draw(numbers)).reshape(b, c, h, w)
    eps = data.draw(st.sampled_from([0.0, 1e-6, 1.0]))
    mode = data.draw(st.sampled_from(["absolute", "relative"]))
    for denominator in ("paper", "sum_Ag3"):
        a = cam.alpha(A, G, eps, eps_mode=mode, denominator=denominator)
        assert a.shape == A.shape and (a >= 0).all() and (a <= 0.5).all()
        assert (a[G <= 0] == 0).all()
        normal = cam.alpha(A, G, eps, eps_mode=mode, denominator=denominator, normalize_alpha=True)
        assert normal.isfinite().all()
    for f in (cam.grad_cam, cam.xgrad_cam, cam.layer_cam, cam.hires_cam, cam.grad_cam_pp, cam.pge):
        assert cam.weighted_sum(A, f(A, G)).isfinite().all()


@pytest.mark.parametrize("name", ["grad_cam", "xgrad_cam", "layer_cam", "hires_cam", "grad_cam_pp", "pge"])
def test_no_gradient_no_map(name):
    for A in (torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), -torch.ones(2, 3, 4, 4)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            M = cam.weighted_sum(A, getattr(cam, name)(A, torch.zeros_like(A)))
        assert (M == 0).all()


def test_negative_sums_warn_once_and_relu_takes_them_as_zero():
    A, G = -torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        cam.__dict__.pop("__warningregistry__", None)
        for _ in range(3):
            cam.pge(A, G)
            cam.alpha(A, G)
    assert [w.category for w in caught] == [cam.SignedActivationWarning]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cam.alpha(A, G, eps=0.0, activation_sum="relu").unique().tolist() == [0.5]
        cam.pge(-A, G)
    with pytest.warns(cam.SignedActivationWarning, match="activation_sum='relu'"):
        assert cam.alpha(A, G, eps=0.0).unique().tolist() == [-0.5]
    with pytest.warns(cam.SignedActivationWarning):
        assert (cam.alpha(A, G / 2, eps=0.0) == 0).all()  # on the pole: 2 + s g = 0


def test_xgrad_keeps_the_sign_of_the_sum_and_drops_tiny_ones():
    G = torch.tensor([[[[2.0, 4.0]]]])
    for A, expected in (([1.0, 1.0], 3.0), ([-1.0, -1.0], 3.0), ([1.0, -1.0], 0.0), ([0.0, 0.0], 0.0)):
        W = cam.xgrad_cam(torch.tensor([[[A]]]), G, eps=1e-7)
        assert W.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("bad", [{"denominator": "x"}, {"eps_mode": "x"}, {"activation_sum": "x"}])
def test_unknown_options_name_the_choices(bad):
    A, G = pair()
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be one of .*got 'x'"):
        cam.pge(A, G, **bad)


def test_the_closed_form_is_the_ratio_of_real_derivatives():
    """methods.md 5.6-5.8: with Y = exp(S) and S affine in one coordinate, alpha with eps = 0 is
    Y'' / (2 Y'' + sum(A) Y''') and w carries the common factor exp(S)."""
    net = ColourNet().double()
    A = net.box(net.relu(net.detect(colour_image()))).detach() + 0.05
    target = 1
    for channel, i, j in ((1, 5, 7), (2, 0, 0), (1, 2, 2)):
        at = A[0, channel, i, j].clone().requires_grad_()
        moved = A.clone()
        moved[0, channel, i, j] = at
        Y = net.fc(moved.mean((2, 3)))[0, target].exp()
        (first,) = torch.autograd.grad(Y, at, create_graph=True)
        (second,) = torch.autograd.grad(first, at, create_graph=True)
        (third,) = torch.autograd.grad(second, at)
        expected = second / (2 * second + A[0, channel].sum() * third)
        g = first.detach() / Y.detach()
        G = torch.zeros_like(A)
        G[0, channel, i, j] = g
        torch.testing.assert_close(cam.alpha(A, G, eps=0.0)[0, channel, i, j], expected.detach(), rtol=1e-10, atol=0)


def test_derivatives_of_a_softmax_score():
    """methods.md 5.11: f' = p u, f'' = p (u^2 - s^2), f''' = p (u^3 - 3 u s^2 - kappa_3)."""
    slopes, offsets = random_images(5).double(), random_images(5, seed=1).double()
    x = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    p = (slopes * x + offsets).softmax(0)
    (first,) = torch.autograd.grad(p[2], x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, create_graph=True)
    (third,) = torch.autograd.grad(second, x)
    p = p.detach()
    mu = (p * slopes).sum()
    u, s2, k3 = slopes[2] - mu, (p * (slopes - mu) ** 2).sum(), (p * (slopes - mu) ** 3).sum()
    torch.testing.assert_close(first.detach(), p[2] * u)
    torch.testing.assert_close(second.detach(), p[2] * (u**2 - s2))
    torch.testing.assert_close(third, p[2] * (u**3 - 3 * u * s2 - k3))
