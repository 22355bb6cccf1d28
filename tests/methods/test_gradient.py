"""holicam.methods.gradients.gradient and holicam.methods.gradients.integrated, and the primitive below them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import holicam as hc
from holicam.core.baselines import Constant
from holicam.core.graph import ZeroGradientWarning
from holicam.core.input_gradients import REDUCTIONS, input_gradients
from holicam.core.options import noise
from tests.helpers.closeness import difference, within
from tests.helpers.nets import BranchNet, ColourNet, TinyNet, TokenNet, colour_image, random_images
from tests.twins import slow_gradient as slow

EVERY = {
    "gradient": hc.Gradient(),
    "gradient torchray": hc.Gradient(preset="torchray"),
    "input-x-gradient": hc.InputXGradient(),
    "ig": hc.IntegratedGradients(steps=5),
    "ig ucag": hc.IntegratedGradients(preset="ucag", steps=3),
    "ig right": hc.IntegratedGradients(preset="zennit", steps=3, baseline=Constant()),
    "smoothgrad": hc.SmoothGrad(samples=4),
    "smoothgrad ucag": hc.SmoothGrad(preset="ucag", samples=3),
    "smoothgrad polycam": hc.SmoothGrad(preset="polycam", samples=3),
}
every = pytest.mark.parametrize("explainer", EVERY.values(), ids=EVERY)


def tiny(batch=2, size=(9, 12), dtype=torch.float64):
    return TinyNet().to(dtype), random_images(batch, 3, *size, dtype=dtype), torch.tensor([1, 4, 0])[:batch]


# Slow twins ---------------------------------------------------------------------------------------

TWINS = {
    "gradient": (hc.Gradient(), lambda net, x, c: slow.max_abs(slow.walk(net, x, c)[1])),
    "gradient signed": (hc.Gradient(reduction="sum"), lambda net, x, c: slow.walk(net, x, c)[1].sum(0)),
    "input-x-gradient": (hc.InputXGradient(), lambda net, x, c: (x * slow.walk(net, x, c)[1]).sum(0)),
    "ig": (hc.IntegratedGradients(steps=6), lambda net, x, c: slow.integrated(net, x, 0 * x, c, *slow.legendre(6))),
    "ig right": (
        hc.IntegratedGradients(preset="zennit", steps=4, baseline=Constant((1.0, 0.0, -1.0))),
        lambda net, x, c: slow.integrated(
            net, x, 0 * x + np.array([1.0, 0, -1])[:, None, None], c, [0.25, 0.5, 0.75, 1.0], [0.25] * 4
        ),
    ),
    "smoothgrad": (
        hc.SmoothGrad(samples=3, sigma=0.1, seed=5),
        lambda net, x, c: slow.smoothgrad(net, x, c, drawn(3, 5), 0.1 * (x.max() - x.min()), False),
    ),
    "smoothgrad polycam": (
        hc.SmoothGrad(preset="polycam", samples=3),
        lambda net, x, c: slow.smoothgrad(net, x, c, drawn(3, 0), 1.0, True),
    ),
}


def drawn(samples, seed):
    return noise((samples, 3, 9, 12), seed, torch.zeros(1, dtype=torch.float64)).numpy()


@pytest.mark.parametrize("name", TWINS)
def test_slow_twin(name, record_property):
    explainer, twin = TWINS[name]
    net, images, target = tiny()
    ours = explainer(net, images, target=target)
    theirs = [twin(net, x, int(c)) for x, c in zip(images.numpy(), target, strict=True)]
    within(record_property, difference(ours, np.stack(theirs)))


def test_ucag_presets_as_the_spec_has_them():
    net, images, target = tiny()
    zero = lambda x: [slow.walk(net, k / 100 * x, int(target[0]))[1] for k in range(0, 101, 25)]  # noqa: E731
    ours = hc.IntegratedGradients(preset="ucag", steps=4)(net, images[:1], target=1)[0]
    plain = abs(sum(zero(images[0].numpy())) / 4).sum(0)
    assert difference(ours, plain - plain.mean()) < 1e-12
    x = images[0].numpy()
    plain = slow.smoothgrad(net, x, 1, drawn(2, 0), (4 / (x.max() - x.min())) ** 2, False)
    ours = hc.SmoothGrad(preset="ucag", samples=2)(net, images[:1], target=1)[0]
    assert difference(ours, plain - plain.mean()) < 1e-12


# Oracles ------------------------------------------------------------------------------------------


def dense():
    """torchvision's DenseNet in small: in-place ReLUs, some of them functional."""
    import torchvision

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torchvision.models.DenseNet(4, (2, 2), 8, num_classes=6).eval().double()
    return model, random_images(2, 3, 32, 40).double(), torch.tensor([3, 5])


def vgg():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = hc.toynets.ToyVGG16BN(width=1).eval().double()
    return model, random_images(2, 3, 32, 40).double(), torch.tensor([3, 5])


@pytest.mark.parametrize("network", [tiny, dense, vgg])
@pytest.mark.parametrize("name", ["Saliency", "InputXGradient", "IntegratedGradients", "NoiseTunnel"])
def test_captum(name, network, record_property, monkeypatch):
    """Captum's Gauss-Legendre weights are float32, whatever the network's precision."""
    captum = pytest.importorskip("captum.attr")
    net, images, target = network()
    if name == "Saliency":
        theirs = captum.Saliency(net).attribute(images, target, abs=False).abs().amax(1)
        ours = hc.Gradient()(net, images, target=target)
    elif name == "InputXGradient":
        theirs = captum.InputXGradient(net).attribute(images, target).sum(1)
        ours = hc.InputXGradient()(net, images, target=target)
    elif name == "IntegratedGradients":
        theirs = captum.IntegratedGradients(net).attribute(images, target=target, n_steps=50).sum(1)
        ours = hc.IntegratedGradients()(net, images, target=target)
    else:  # their noise is ours: they repeat each image n times
        delta = noise((5, *images.shape[1:]), 0, images)
        monkeypatch.setattr(torch, "normal", lambda mean, std: std * delta.repeat(len(images), 1, 1, 1))
        tunnel = captum.NoiseTunnel(captum.Saliency(net))
        theirs = tunnel.attribute(images, target=target, nt_samples=5, stdevs=1.0).sum(1)
        ours = hc.SmoothGrad(preset="polycam", samples=5)(net, images, target=target)
    within(record_property, difference(ours, theirs.detach()), 1e-7 if name == "IntegratedGradients" else 1e-12)


# Identities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("baseline", "steps"), [(None, 50), (Constant((1.0, -1.0, 0.5)), 200)])
def test_integrated_gradients_add_up(baseline, steps, record_property):
    """To 1 %; what is missing are kinks between the nodes, which count more in so small a network."""
    net, images, target = tiny(3, (16, 20))
    found = hc.IntegratedGradients(baseline=baseline, steps=steps)(net, images, target=target, intermediate=True)
    rise = found["score"] - found["baseline_score"]
    within(record_property, ((found["map"].sum((1, 2)) - rise).abs() / rise.abs()).max(), 0.01)
    torch.testing.assert_close(found["attribution"].sum(1), found["map"])
    torch.testing.assert_close(found["score"], net(images)[range(3), target].detach())


def test_without_biases_everything_agrees():
    """A piecewise linear network without biases is homogeneous: D is the same all the way from 0."""
    net, image = ColourNet().double(), colour_image()
    product = hc.InputXGradient()(net, image, target=1)
    torch.testing.assert_close(product.sum((1, 2)), net(image)[:, 1].detach())
    torch.testing.assert_close(hc.IntegratedGradients(steps=3)(net, image, target=1), product)


def test_no_noise_is_the_gradient():
    net, images, target = tiny()
    torch.testing.assert_close(
        hc.SmoothGrad(samples=3, sigma=0)(net, images, target=target),
        hc.Gradient(reduction="sum-abs")(net, images, target=target),
    )


def test_torchray_blur_keeps_the_mass_of_a_flat_map_and_spreads_a_dot():
    from holicam.methods.gradients.gradient import _smoothed

    assert torch.allclose(_smoothed(torch.ones(1, 6, 50), 3.0), torch.ones(1, 6, 50))
    dot = torch.zeros(1, 41, 41)
    dot[0, 20, 20] = 1
    at = torch.arange(41) - 20.0
    assert abs((_smoothed(dot, 2.0)[0].sum(0) * at**2).sum().sqrt() - 2) < 0.01


# How it is called ---------------------------------------------------------------------------------


@every
def test_batch_equals_singles_and_any_chunk(explainer):
    net, images, _ = tiny(3)
    images[1] *= 5  # its span, hence its noise, differs
    whole = explainer(net, images)
    assert whole.shape == (3, 9, 12)
    for b in range(3):
        torch.testing.assert_close(explainer(net, images[b : b + 1])[0], whole[b], rtol=1e-11, atol=1e-14)
    if hasattr(explainer, "chunk"):
        for chunk in (1, 2, 5, 1000):
            torch.testing.assert_close(replace(explainer, chunk=chunk)(net, images), whole, rtol=1e-11, atol=1e-14)


def test_top_1_is_that_of_the_image_itself():
    """Far along the noise another class may win; the map is still of the class of the image."""
    net, images, _ = tiny(3)
    top = net(images).argmax(1)
    loud = hc.SmoothGrad(preset="polycam", sigma=5.0, samples=4)
    noisy = images + 5 * noise((4, 3, 9, 12), 0, images)[0]
    assert (net(noisy).argmax(1) != top).any()
    for explainer in (loud, hc.IntegratedGradients(steps=3)):
        assert torch.equal(explainer(net, images), explainer(net, images, target=top))


@every
def test_targets(explainer):
    net, images, _ = tiny(2)
    wanted = explainer(net, images, target=3)
    for same in (torch.tensor([3, 3]), lambda logits: logits[:, 3]):
        torch.testing.assert_close(explainer(net, images, target=same), wanted)
    with pytest.raises(ValueError, match="0..4"):
        explainer(net, images, target=5)


@every
def test_precisions(explainer):
    net, images, _ = tiny(2)
    double = explainer(net, images, target=1)
    assert double.dtype == torch.float64
    single = explainer(net.float(), images.float(), target=1)
    assert single.dtype == torch.float32
    assert (single - double).abs().max() < 1e-4 * double.abs().max()
    low = explainer(net.bfloat16(), images.bfloat16(), target=1)
    assert low.dtype == torch.float32 and bool(low.isfinite().all()) and bool((low != 0).any())


@every
def test_in_place_networks(explainer):
    images = random_images(2, 3, 24, 40)
    torch.testing.assert_close(explainer(TinyNet(inplace=True), images), explainer(TinyNet(), images))
    torch.testing.assert_close(explainer(BranchNet(True), images), explainer(BranchNet(False), images))


class Overwrites(TinyNet):
    def forward(self, images):
        return super().forward(images.mul_(2))


def test_a_network_that_overwrites_its_input():
    images = random_images(1, 3, 8, 8)
    before = images.clone()
    assert bool(hc.Gradient()(Overwrites(), images).any()) and torch.equal(images, before)


@every
def test_a_score_that_ignores_the_image(explainer):
    class Detached(TinyNet):
        def forward(self, images):
            return super().forward(images).detach() * 0 + self.fc.bias

    with pytest.raises(ValueError, match="does not depend on the image"):
        explainer(Detached(), random_images(1, 3, 8, 10), target=1)
    with pytest.warns(ZeroGradientWarning, match="at the image is exactly 0"):
        maps = explainer(TinyNet(), random_images(1, 3, 8, 10), target=lambda logits: logits[:, 0] * 0)
    assert torch.equal(maps, torch.zeros(1, 8, 10))
    flat = explainer(TinyNet(), torch.zeros(1, 3, 8, 8))
    assert bool(flat.isfinite().all())


@every
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_inside_no_grad(explainer, context):
    net, images, _ = tiny(1)
    outside = explainer(net, images)
    with context():
        assert torch.equal(explainer(net, images), outside)
        assert torch.equal(explainer(net, images.clone()), outside)  # an inference tensor


@every
def test_sizes_layers_and_tokens(explainer):
    net, images, _ = tiny(2)
    native = explainer(net, images, size="native")
    assert torch.equal(native, explainer(net, images))
    torch.testing.assert_close(explainer(net, images, size=(20, 7)), hc.ops.upsample(native, (20, 7)))
    with pytest.raises(ValueError, match="reads no layer"):
        explainer(net, images, "relu1")
    with pytest.raises(ValueError, match='None, "native" or'):
        explainer(net, images, size="same")
    assert explainer(TokenNet(), random_images(1, 3, 8, 12)).shape == (1, 8, 12)


class Counting(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model, self.forwards, self.backwards = model, [], 0
        self.eval()

    def count(self, gradient):
        self.backwards += len(gradient)

    def forward(self, images):
        self.forwards.append(len(images))
        if images.requires_grad:
            images.register_hook(self.count)
        return self.model(images)


@pytest.mark.parametrize(
    ("explainer", "forwards", "backwards"),
    [
        (hc.Gradient(), 2, 2),
        (hc.InputXGradient(), 2, 2),
        (hc.IntegratedGradients(chunk=16), 102, 100),
        (hc.SmoothGrad(chunk=16), 102, 100),
    ],
)
def test_passes_as_the_registry_says(explainer, forwards, backwards):
    net = Counting(TinyNet())
    explainer(net, random_images(2, 3, 8, 8))
    assert (sum(net.forwards), net.backwards) == (forwards, backwards)
    assert max(net.forwards) <= 16
    info = hc.info(
        {"Gradient": "gradient", "InputXGradient": "input-x-gradient", "SmoothGrad": "smoothgrad"}.get(
            type(explainer).__name__, "integrated-gradients"
        )
    )
    assert (2 * info.forwards, 2 * info.backwards) == (forwards, backwards)
    again = Counting(TinyNet())
    explainer(again, random_images(2, 3, 8, 8), target=1)
    assert sum(again.forwards) == backwards  # no forward to find the class


@every
def test_bad_calls(explainer):
    net, images, _ = tiny(1)
    with pytest.raises(ValueError, match="training mode"):
        explainer(TinyNet().train(), images.float())
    with pytest.raises(TypeError, match="normalised floats"):
        explainer(net, images.byte())
    with pytest.raises(ValueError, match="at least one image"):
        explainer(net, images[0])
    with pytest.raises(ValueError, match="NaN or infinite"):
        explainer(net, images * float("nan"), target=0)
    with pytest.raises(ValueError, match="one score per image"):
        explainer(net, images, target=lambda logits: logits)
    if not explainer.has_stages:
        with pytest.raises(ValueError, match="no stages"):
            explainer(net, images, intermediate=True)
    with torch.inference_mode():
        born = TinyNet()
    with pytest.raises(ValueError, match="inference_mode"):
        explainer(born, images.float())


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: hc.Gradient(reduction="mean"), ValueError, "reduction must be one of"),
        (lambda: hc.Gradient(preset="captum"), ValueError, "'default', 'torchray'"),
        (lambda: hc.Gradient(blur=-1), ValueError, "blur must be"),
        (lambda: hc.InputXGradient(score="loss"), ValueError, "score must be one of"),
        (lambda: hc.IntegratedGradients(steps=0), ValueError, "steps must be"),
        (lambda: hc.IntegratedGradients(rule="simpson"), ValueError, "rule must be one of"),
        (lambda: hc.IntegratedGradients(multiply=1), TypeError, "multiply must be"),
        (lambda: hc.IntegratedGradients(baseline="black"), TypeError, "baseline must be None"),
        (
            lambda: hc.IntegratedGradients(baseline=lambda x: x[:, :1])(*tiny()[:2]),
            ValueError,
            "same shape|of the shape",
        ),
        (lambda: hc.SmoothGrad(samples=0), ValueError, "samples must be"),
        (lambda: hc.SmoothGrad(sigma=-0.1), ValueError, "sigma must be"),
        (lambda: hc.SmoothGrad(std_mode="pixels"), ValueError, "std_mode must be one of"),
        (lambda: hc.SmoothGrad(chunk=0), ValueError, "chunk must be"),
        (lambda: hc.SmoothGrad(abs_before_mean="yes"), TypeError, "abs_before_mean"),
        (lambda: hc.SmoothGrad(seed=-1), ValueError, "seed must be"),
    ],
)
def test_bad_fields_are_named_at_once(make, error, words):
    with pytest.raises(error, match=words):
        make()


@every
def test_repr_shows_everything_and_can_be_read_back(explainer):
    names = vars(hc) | {type(explainer).__name__: type(explainer), "Constant": Constant}
    assert eval(repr(explainer), names) == explainer
    given = hc.SmoothGrad(preset="polycam", sigma=0.3)
    assert (given.sigma, given.std_mode, given.abs_before_mean) == (0.3, "absolute", True)
    assert hc.IntegratedGradients(preset="polycam").steps == 50


def test_the_primitive_sums_what_each_makes():
    net, images, target = tiny(2)
    found = input_gradients(
        net,
        images,
        target,
        points=lambda b, m: images[b] * (1 + m)[:, None, None, None],
        count=3,
        each=lambda D, m: m[:, None] * D.flatten(1).norm(dim=1)[:, None],
        chunk=2,
    )
    assert found.total.shape == (2, 1) and found.scores.shape == (2, 3)
    for b in range(2):
        norms = [input_gradients(net, images[b : b + 1] * (1 + m), int(target[b])) for m in range(3)]
        torch.testing.assert_close(found.total[b, 0], sum(m * g.total.norm() for m, g in enumerate(norms)))
        torch.testing.assert_close(found.scores[b], torch.cat([g.scores[:, 0] for g in norms]))
    assert torch.equal(found.target, target)
    assert set(REDUCTIONS) == {"max-abs", "sum", "sum-abs"}


@pytest.mark.gpu
@every
def test_cpu_and_gpu_agree(explainer):
    net, images, _ = tiny(2)
    cpu = explainer(net, images)
    gpu = explainer(net.cuda(), images.cuda())
    assert gpu.is_cuda
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-9, atol=1e-12)
