"""holicam.methods.cams.gradcam: the explainers as a reader calls them."""

from __future__ import annotations

import warnings
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.core.capture import capture, tokens_to_grid
from holicam.core.passes import run
from tests.helpers.nets import (
    BranchNet,
    ColourNet,
    LeftNet,
    Muted,
    TinyNet,
    TokenNet,
    colour_image,
    random_images,
    window_share,
)
from tests.twins import slow_twins

EVERY = {
    "activation-sum": hc.ActivationSum(),
    "cam": hc.CAM(),
    "grad-cam": hc.GradCAM(),
    "grad-cam++": hc.GradCAMpp(),
    "xgrad-cam": hc.XGradCAM(),
    "layer-cam": hc.LayerCAM(),
    "hires-cam": hc.HiResCAM(),
}
every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)
with_gradients = pytest.mark.parametrize(
    "explainer",
    [e for e in EVERY.values() if e.uses_gradients],
    ids=[name for name, e in EVERY.items() if e.uses_gradients],
)


def last(explainer):
    """The layer that every explainer can read in a TinyNet."""
    return "relu2"


# Closed forms -------------------------------------------------------------------------------------


def colour_maps(height, width, window):
    """The activations of a ColourNet at `relu` and `box`, by arithmetic on the picture."""
    image = colour_image(height, width)[0]
    detected = (image - 0.5 * (image.sum(0) - image)).relu()
    padded = np.pad(detected.numpy(), ((0, 0), *[(window // 2,) * 2] * 2))
    boxed = np.zeros_like(detected)
    for k, i, j in np.ndindex(*detected.shape):
        boxed[k, i, j] = padded[k, i : i + window, j : j + window].sum() / window**2
    return detected, torch.tensor(boxed)


@pytest.mark.parametrize("target", [0, 1, 2])
@pytest.mark.parametrize("window", [1, 3, 5])
def test_closed_forms_at_the_pooled_layer(target, window):
    """CAM = sum_k w_k A_k, and Grad-CAM = XGrad-CAM = HiResCAM = CAM / (h w)."""
    net, image = ColourNet(window).double(), colour_image(8, 10)
    _, A = colour_maps(8, 10, window)
    expected = torch.einsum("k,khw->hw", net.head_weights[target].double(), A)
    maps = {
        name: replace(EVERY[name], relu=False)(net, image, "box", target)[0]
        for name in ("cam", "grad-cam", "xgrad-cam", "hires-cam")
    }
    torch.testing.assert_close(maps["cam"], expected)
    for name in ("grad-cam", "xgrad-cam", "hires-cam"):
        torch.testing.assert_close(maps[name], expected / 80, rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(EVERY["cam"](net, image, "box", target)[0], expected.relu())
    torch.testing.assert_close(hc.ActivationSum()(net, image, "box")[0], A.sum(0))


@pytest.mark.parametrize("target", [0, 1, 2])
def test_closed_forms_below_a_box_filter(target):
    net, image, share = ColourNet(3).double(), colour_image(8, 10), window_share(3, 8, 10)
    A, _ = colour_maps(8, 10, 3)
    w = net.head_weights[target].double() / 80
    hires = hc.HiResCAM(relu=False)(net, image, "relu", target)[0]
    torch.testing.assert_close(hires, torch.einsum("k,khw->hw", w, A) * share)
    layer = hc.LayerCAM()(net, image, "relu", target)[0]
    torch.testing.assert_close(layer, torch.einsum("k,khw->hw", w.relu(), A) * share)
    grad = hc.GradCAM(relu=False)(net, image, "relu", target)[0]
    torch.testing.assert_close(grad, torch.einsum("k,khw->hw", w, A) * share.mean())
    g = w.relu()[:, None, None] * share  # (3, h, w)
    alpha = 1 / (2 + A.sum((1, 2), keepdim=True) * g)
    plus = hc.GradCAMpp(preset="paper", relu=False)(net, image, "relu", target)[0]
    torch.testing.assert_close(plus, torch.einsum("k,khw->hw", (alpha * g).sum((1, 2)), A))
    # A network without biases is homogeneous: the signed map adds up to the logit.
    torch.testing.assert_close(hires.sum(), net(image)[0, target].detach())


def test_only_element_wise_weights_stay_in_the_half_that_is_used():
    net, image = LeftNet().double(), colour_image(8, 10)
    for explainer in (hc.HiResCAM(relu=False), hc.LayerCAM()):
        assert (explainer(net, image, "box", 2)[..., 5:] == 0).all()
        assert explainer(net, image, "box", 2)[..., :5].abs().sum() > 0
    assert hc.GradCAM()(net, image, "box", 2)[..., 5:].sum() > 0  # a known fault of the mean


@every
def test_flipping_the_image_flips_the_map(explainer):
    net, image = ColourNet().double(), colour_image(7, 9)
    for dim in (-1, -2):
        flipped = explainer(net, image.flip(dim), "box", 1)
        torch.testing.assert_close(flipped, explainer(net, image, "box", 1).flip(dim))


# Against the slow twins, end to end ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("activation-sum", slow_twins.activation_sum),
        ("grad-cam", slow_twins.grad_cam),
        ("grad-cam++", slow_twins.grad_cam_pp),
        ("xgrad-cam", slow_twins.xgrad_cam),
        ("layer-cam", slow_twins.layer_cam),
        ("hires-cam", slow_twins.hires_cam),
    ],
)
def test_whole_explainers_are_the_slow_twins(name, twin):
    net, images, target = TinyNet(True).double(), random_images(2, 3, 10, 7).double(), [2, 3]
    got = EVERY[name](net, images, ["relu0", "relu1"], target)
    for layer, maps in got.items():
        seen = capture(net, images, layer, target)
        low = np.maximum(twin(seen.A[layer].numpy(), seen.G[layer].numpy()), 0)
        np.testing.assert_allclose(maps, slow_twins.upsample(low, (10, 7)), rtol=1e-10, atol=1e-12)


def test_cam_is_the_heads_own_weights():
    net, images = TinyNet().double(), random_images(3, 3, 10, 7).double()
    A = capture(net, images, "relu2").A["relu2"]
    got = hc.CAM(relu=False)(net, images, "relu2", [0, 4, 1], size="native")
    for b, c in enumerate([0, 4, 1]):
        torch.testing.assert_close(got[b], torch.einsum("k,khw->hw", net.fc.weight[c].detach(), A[b]))
        mean = got[b].mean() + net.fc.bias[c].detach()  # the map's mean is the logit
        torch.testing.assert_close(mean, net(images)[b, c].detach())


def test_torchcams_lost_division():
    net, images = TinyNet().double(), random_images(1, 3, 8, 8).double()
    seen = capture(net, images, "relu1", 0)
    w = (seen.G["relu1"].relu() ** 3).sum((2, 3), keepdim=True)
    got = hc.GradCAMpp(preset="torchcam")(net, images, "relu1", 0, size="native")
    torch.testing.assert_close(got, (w * seen.A["relu1"]).sum(1).relu())


# Invariances --------------------------------------------------------------------------------------


@every
def test_a_batch_equals_its_singles(explainer):
    net, images = TinyNet().double(), 3 * random_images(4, 3, 11, 8).double()
    layer, target = last(explainer), torch.tensor([0, 3, 1, 3])
    together = explainer(net, images, layer, target)
    for b in range(4):
        alone = explainer(net, images[b : b + 1], layer, int(target[b]))
        torch.testing.assert_close(together[b : b + 1], alone, rtol=1e-10, atol=1e-12)
    assert not torch.allclose(together[0], together[1])


@every
@pytest.mark.parametrize("layer", ["conv0", "bn1", "relu1", "relu2"])
@pytest.mark.filterwarnings("ignore::holicam.methods.cams.weights.SignedActivationWarning")
def test_in_place_relus_change_nothing(explainer, layer):
    if isinstance(explainer, hc.CAM) and layer != "relu2":
        return
    images = random_images(2, 3, 9, 12)
    maps = [explainer(TinyNet(inplace), images, layer, 1) for inplace in (True, False)]
    assert torch.equal(*maps)


@every
@pytest.mark.parametrize("shape", [(16, 16), (14, 9), (15, 17), (1, 1), (5, 40)])
def test_any_image_size(explainer, shape):
    maps = explainer(TinyNet(), random_images(2, 3, *shape), last(explainer), 0)
    assert maps.shape == (2, *shape) and maps.isfinite().all() and (maps >= 0).all()


@every
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.bfloat16, torch.float32)],
)
def test_dtypes(explainer, dtype, expected):
    images = random_images(2, 3, 12, 12)
    exact = explainer(TinyNet().double(), images.double(), last(explainer), 2)
    maps = explainer(TinyNet().to(dtype), images.to(dtype), last(explainer), 2)
    assert maps.dtype == expected
    tolerance = {torch.float64: 0, torch.float32: 1e-5, torch.bfloat16: 0.1}[dtype]
    assert (maps - exact).abs().max() <= tolerance * exact.abs().max()


@with_gradients
def test_no_gradient_gives_a_zero_map(explainer):
    maps = explainer(Muted(), random_images(2, 3, 8, 8), ["relu0", "relu1"], 0)
    assert (maps["relu0"] == 0).all() and maps["relu1"].isfinite().all()


@every
def test_constant_and_dead_activations(explainer):
    net = TinyNet()
    for value in (0.0, -3.0, 3.0):
        with torch.no_grad():
            net.bn2.weight.zero_()
            net.bn2.bias.fill_(value)
        maps = explainer(net, random_images(2, 3, 8, 8), last(explainer), 1)
        assert maps.isfinite().all() and maps.std() < 1e-6
        if value <= 0:
            assert (maps == 0).all()


@every
def test_a_network_on_a_constant_image(explainer):
    assert explainer(TinyNet(), torch.zeros(1, 3, 8, 8), last(explainer)).isfinite().all()


def test_a_map_that_is_negative_everywhere_is_zero_after_the_relu():
    net, image = (
        ColourNet().double(),
        torch.ones(1, 3, 6, 6).double() * torch.tensor([1.0, 0.0, 0.0]).double()[None, :, None, None],
    )
    assert (hc.GradCAM(relu=False)(net, image, "box", 2) < 0).all()
    assert (hc.GradCAM()(net, image, "box", 2) == 0).all()


# How it is called ---------------------------------------------------------------------------------


def test_one_name_gives_a_tensor_a_sequence_a_dict():
    net, images = TinyNet(), random_images(2, 3, 12, 10)
    one = hc.GradCAM()(net, images, "relu1", 0)
    many = hc.GradCAM()(net, images, ("relu2", "relu1"), 0)
    assert list(many) == ["relu2", "relu1"] and torch.equal(many["relu1"], one)
    assert isinstance(hc.GradCAM()(net, images, ["relu1"], 0), dict)


def test_no_layer_means_the_last_default(monkeypatch):
    net = TinyNet()
    monkeypatch.setattr("holicam.core.explainer.default_layers", lambda model: ("relu1", "relu2"))
    images = random_images(1, 3, 8, 8)
    assert torch.equal(hc.GradCAM()(net, images), hc.GradCAM()(net, images, "relu2"))


def test_sizes():
    net, images = TinyNet(), random_images(2, 3, 12, 10)
    native = hc.GradCAM()(net, images, "relu1", 0, size="native")
    assert native.shape == (2, 6, 5)
    asked = hc.GradCAM()(net, images, "relu1", 0, size=(7, 20))
    torch.testing.assert_close(asked, hc.ops.upsample(native, (7, 20)))
    for bad in ("same", 7, (7,), (0, 3), (2.5, 3)):
        with pytest.raises(ValueError, match='None, "native" or'):
            hc.GradCAM()(net, images, "relu1", 0, size=bad)


def test_relu_comes_before_the_resize():
    net, images = TinyNet(), random_images(1, 3, 12, 10)
    raw = hc.GradCAM(relu=False)(net, images, "relu1", 0, size="native")
    assert (raw < 0).any()
    torch.testing.assert_close(hc.GradCAM()(net, images, "relu1", 0), hc.ops.upsample(raw.relu(), (12, 10)))


def test_transformers_through_reshape():
    net, images = TokenNet(), random_images(2, 3, 8, 12)
    maps = hc.GradCAM()(net, images, ["norm", "mlp"], 1, reshape=tokens_to_grid((2, 3)))
    assert {m.shape for m in maps.values()} == {(2, 8, 12)}
    with pytest.raises(ValueError, match="tokens_to_grid"):
        hc.GradCAM()(net, images, "norm", 1)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_inside_no_grad(context):
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    outside = hc.GradCAMpp()(net, images, "relu1")
    with context():
        assert torch.equal(hc.GradCAMpp()(net, images, "relu1"), outside)


# One pass for many --------------------------------------------------------------------------------


@pytest.fixture
def passes(monkeypatch):
    """Counts forwards (through `count.watch(model)`) and backwards."""

    class Count:
        forward = backward = 0

        def watch(self, model):
            model.register_forward_hook(lambda *_: setattr(self, "forward", self.forward + 1))
            return model

    count, original = Count(), torch.autograd.grad

    def grad(*args, **kwargs):
        count.backward += 1
        return original(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    return count


def test_seven_explainers_and_one_layer_each_from_one_pass(passes):
    images = random_images(2, 3, 8, 8)
    maps, captured = run(EVERY, passes.watch(TinyNet()), images, "relu2")
    assert (passes.forward, passes.backward) == (1, 1)
    assert list(maps) == list(EVERY)
    for name, explainer in EVERY.items():
        assert torch.equal(maps[name], explainer(TinyNet(), images, "relu2", captured.target))


def test_explainers_without_gradients_run_no_backward(passes):
    hc.ActivationSum()(passes.watch(TinyNet()), random_images(1, 3, 8, 8), ["relu0", "relu2"])
    assert (passes.forward, passes.backward) == (1, 0)


def test_another_score_takes_a_pass_of_its_own(passes):
    net, images = passes.watch(TinyNet()), random_images(2, 3, 8, 8)
    chosen = {
        "sum": hc.ActivationSum(),
        "a": hc.GradCAM(),
        "b": hc.GradCAM(score="prob"),
        "c": hc.LayerCAM(score="prob"),
    }
    maps, _ = run(chosen, net, images, ["relu1", "relu2"])
    assert (passes.forward, passes.backward) == (2, 2) and list(maps) == list(chosen)
    for key, explainer in chosen.items():
        assert torch.equal(maps[key]["relu1"], explainer(net, images, "relu1"))
    with pytest.raises(ValueError, match="at least one explainer"):
        run({}, net, images)


# Fields -------------------------------------------------------------------------------------------


def test_presets_fill_only_what_is_none_and_repr_shows_all():
    assert repr(hc.GradCAMpp()) == (
        "GradCAMpp(preset='default', eps=1e-06, denominator='paper', normalize_alpha=False, "
        "eps_mode='absolute', activation_sum='raw', relu=True, score='logit')"
    )
    given = hc.GradCAMpp(preset="reference", eps=1e-3)
    assert (given.eps, given.normalize_alpha) == (1e-3, True)
    assert hc.GradCAMpp(preset="paper").eps == 0
    assert hc.GradCAMpp(preset="torchcam", normalize_alpha=True).normalize_alpha is True
    assert hc.GradCAMpp() == hc.GradCAMpp(eps=1e-6) and len({hc.GradCAM(), hc.GradCAM()}) == 1


@every
def test_frozen_replaceable_and_printed(explainer):
    signed = replace(explainer, relu=False)
    assert signed.relu is False and explainer.relu is True
    assert eval(repr(signed), vars(hc) | {type(signed).__name__: type(signed)}) == signed
    with pytest.raises(FrozenInstanceError):
        explainer.relu = False


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: hc.GradCAM(score="loss"), ValueError, "score must be one of"),
        (lambda: hc.GradCAM(relu="no"), TypeError, "relu must be True or False"),
        (lambda: hc.GradCAMpp(preset="none"), ValueError, "'default', 'paper', 'reference'"),
        (lambda: hc.GradCAMpp(eps=-1), ValueError, "eps must be"),
        (lambda: hc.XGradCAM(eps="small"), ValueError, "eps must be"),
        (lambda: hc.XGradCAM(eps=float("nan")), ValueError, "eps must be"),
        (lambda: hc.GradCAMpp(denominator="sum"), ValueError, "denominator"),
        (lambda: hc.GradCAMpp(eps_mode="x"), ValueError, "eps_mode"),
        (lambda: hc.GradCAMpp(activation_sum="x"), ValueError, "activation_sum"),
    ],
)
def test_bad_fields_are_named_at_once(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_cam_says_where_it_does_not_apply():
    images = random_images(2, 3, 8, 8)
    for net, layer in ((TinyNet(), "relu1"), (BranchNet(), "join"), (TokenNet(), "patches")):
        with pytest.raises(ValueError, match=f"averaged channels of '{layer}'.*Grad-CAM"):
            hc.CAM()(net, images, layer)
    with pytest.raises(ValueError, match="callable"):
        hc.CAM()(TinyNet(), images, "relu2", lambda logits: logits[:, 0])


def test_cam_sees_through_a_relu_before_the_pooling():
    """DenseNet's last layer is signed; torchvision applies the ReLU after it."""

    class Late(TinyNet):
        def forward(self, images):
            x = self.bn2(self.conv2(self.relu1(self.conv1(self.relu0(self.conv0(images))))))
            return self.fc(self.relu2(x).mean((2, 3)))

    images = random_images(1, 3, 8, 8)
    for inplace in (False, True):
        net = Late(inplace)
        before, after = (hc.CAM()(net, images, layer, 1) for layer in ("bn2", "relu2"))
        torch.testing.assert_close(before, after)


def test_signed_layers_warn_and_an_option_silences():
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    with pytest.warns(hc.cam.SignedActivationWarning):
        hc.GradCAMpp()(net, images, "conv1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hc.GradCAMpp(activation_sum="relu")(net, images, "conv1")
        hc.GradCAMpp()(net, images, "relu1")


@pytest.mark.gpu
@every
def test_cpu_and_gpu_agree(explainer):
    for inplace in (False, True):
        net, images = TinyNet(inplace).double(), random_images(2, 3, 12, 10).double()
        cpu = explainer(net, images, last(explainer), 1)
        gpu = explainer(net.cuda(), images.cuda(), last(explainer), 1)
        assert gpu.is_cuda
        torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-9, atol=1e-12)
