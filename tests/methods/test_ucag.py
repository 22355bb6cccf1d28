"""holicam.methods.ucag, with its parts holicam.methods.patches and holicam.methods.any_explainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import holicam as hc
from holicam.core.capture import tokens_to_grid
from holicam.methods.any_explainer import overheard
from holicam.methods.patches import unfold_grid
from tests.helpers.nets import BranchNet, ColourNet, TinyNet, TokenNet, colour_image, random_images
from tests.twins import slow_twins, slow_ucag

SMALL = hc.UCAG(patches=3, alpha=1.5)


def by_hand(net: TinyNet, layer: str, target: int) -> Callable:
    """Grad-CAM of one patch and its p_c, with nothing but autograd."""

    def explain(patch: np.ndarray) -> tuple[np.ndarray, float]:
        x, A = torch.tensor(patch)[None], None
        for name, module in net.named_children():
            x = module(x.mean((2, 3)) if name == "fc" else x)
            if name == layer:
                A = x
        (G,) = torch.autograd.grad(x[0, target], A)
        M = slow_twins.grad_cam(A.detach().numpy(), G.numpy())[0]
        return M, float(x.detach().softmax(1)[0, target])

    return explain


# Against the slow twin ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((24, 40), {"n": 3, "alpha": 1.5}),
        ((9, 12), {"n": 4, "alpha": 2.6}),
        ((16, 11), {"n": 2, "rho": 0.8, "alpha": 1.0}),
    ],
)
def test_the_slow_twin(shape, options):
    net, images = TinyNet().double(), random_images(2, 3, *shape).double()
    kept = {"patches" if key == "n" else key: value for key, value in options.items()}
    got = hc.UCAG(hc.GradCAM(relu=False), **kept)(net, images, ["relu1", "relu2"], [1, 3])
    for layer, maps in got.items():
        for b, target in enumerate([1, 3]):
            twin = slow_ucag.ucag(images[b].numpy(), by_hand(net, layer, target), **options)
            np.testing.assert_allclose(maps[b], twin, rtol=1e-9, atol=1e-12)
    cut = hc.UCAG(**kept)(net, images, "relu1", [1, 3])
    assert (got["relu1"] < 0).any() and torch.equal(cut, got["relu1"].relu())  # after the conquer step


def test_both_ways_to_resize_are_one():
    image = random_images(3, 9, 7).double().numpy()
    for size in ((23, 18), (5, 4)):
        np.testing.assert_allclose(slow_ucag.resized(image, size), slow_ucag.bicubic(image, size), atol=1e-12)
        np.testing.assert_allclose(slow_ucag.linear(image, size), slow_twins.upsample(image, size), atol=1e-12)


# {(H, W), n: by how much the canvas leaves the image, or ends before it}
MISSES = {
    ((30, 30), 3): (2, 2),
    ((27, 41), 3): (1, 1),
    ((22, 24), 4): (2, 1),
    ((24, 22), 6): (-1, 0),
    ((17, 19), 6): (2, 1),
    ((18, 37), 6): (1, -2),
    ((28, 18), 4): (2, 0),
    ((12, 13), 4): (0, 0),
    ((26, 16), 6): (-2, 2),
}


@pytest.mark.parametrize(("shape", "n"), MISSES)
def test_the_slow_twin_of_the_authors_code(shape, n):
    """Where the patches leave the image, end before it and fit; in chunks that mix them."""
    net, images = TinyNet().double(), random_images(2, 3, *shape, seed=3).double()
    explainer = hc.UCAG(preset="reference", patches=n, alpha=1.5, chunk=7)
    got = explainer(net, images, "relu2", [2, 4])
    stages = explainer(net, images, "relu2", [2, 4], intermediate=True)
    canvas = stages.grid.canvas
    assert (canvas[0] - shape[0], canvas[1] - shape[1]) == MISSES[shape, n]
    assert torch.equal(stages.map, got)
    for b, target in enumerate([2, 4]):
        twin = slow_ucag.ucag_reference(images[b].numpy(), by_hand(net, "relu2", target), n=n, alpha=1.5)
        np.testing.assert_allclose(got[b], twin, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "n"),
    [
        ((224, 298), 6),
        ((224, 298), 4),
        ((224, 224), 4),
        ((256, 320), 6),
        ((300, 400), 6),
        ((224, 260), 6),
        ((224, 224), 6),
    ],
)
def test_the_authors_code_at_the_size_of_photographs(shape, n, record_property):
    net, images = TinyNet().double(), random_images(1, 3, *shape, seed=3).double()
    got = hc.UCAG(preset="reference", patches=n)(net, images, "relu2", 2)[0].numpy()
    twin = slow_ucag.ucag_reference(images[0].numpy(), by_hand(net, "relu2", 2), n=n)
    record_property("difference", float(abs(got - twin).max()))
    np.testing.assert_allclose(got, twin, rtol=1e-9, atol=1e-9)


# Identities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [hc.GradCAM(relu=False), hc.HiResCAM(relu=False)])
def test_one_whole_patch_is_the_base_times_exp_p(base):
    net, images = TinyNet().double(), random_images(2, 3, 9, 12).double()
    got = hc.UCAG(base, patches=1, rho=1.0, alpha=1.0)(net, images, "relu1")
    p = net(images).detach().softmax(1).amax(1)
    torch.testing.assert_close(got, base(net, images, "relu1") * p.exp()[:, None, None])


class Constant(TinyNet):
    """The same logits for every image."""

    def forward(self, images):
        return super().forward(images) * 0 + torch.arange(5.0)


def ones(model: nn.Module, images: Tensor, target: object) -> Tensor:
    return torch.ones(len(images), 4, 5, device=images.device)


def test_a_constant_explanation_stays_constant_unless_coverage_counts_from_one():
    """The regression test of Gamma + 1: it draws a bright centre into a map that says nothing."""
    net, images = Constant(), random_images(1, 3, 224, 224)
    flat = hc.UCAG(ones, alpha=0.1)(net, images, target=4)[0]
    e_to_p = net(images[..., :8, :8]).softmax(1)[0, 4].exp().item()
    torch.testing.assert_close(flat, torch.full((224, 224), e_to_p))
    bent = hc.UCAG(ones, alpha=0.1, count_from=1)(net, images, target=4)[0] / e_to_p
    assert bent[0, 0].item() == pytest.approx(1 / 2)
    assert bent[112, 112].item() == pytest.approx(36 / 37)
    gamma = unfold_grid((224, 224)).coverage()
    torch.testing.assert_close(bent, gamma / (gamma + 1.0))


def test_coverage_of_the_papers_grid():
    grid = unfold_grid((224, 224), 6, 0.555)
    assert grid.size == (124, 124) and grid.rows == grid.cols == (0, 20, 40, 60, 80, 100)
    gamma = grid.coverage()
    assert gamma.shape == (224, 224) and (gamma.min(), gamma.max()) == (1, 36)
    for twin in (gamma.T, gamma.flip(0), gamma.flip(1)):
        assert torch.equal(gamma, twin)


@pytest.mark.parametrize("length", [17, 64, 97, 223, 224, 225, 299])
@pytest.mark.parametrize("n", [2, 3, 5, 6, 9])
def test_grids_cover_everything_and_are_symmetric(length, n):
    grid = unfold_grid((length, 224), n, 0.555)
    gamma = grid.coverage()
    assert gamma.shape == (length, 224) and gamma.min() >= 1
    slack = length - grid.size[0]
    mirrored = [a + b == slack for a, b in zip(grid.rows, grid.rows[::-1], strict=True)]
    if n % 2 and slack % 2:  # the middle patch of an odd number has no middle to lie on
        mirrored.pop(n // 2)
    assert all(mirrored) and (grid.rows[0], grid.rows[-1]) == (0, slack)


def test_the_authors_grid():
    floor = unfold_grid((224, 298), 6, 124 / 224, "floor")
    assert floor.size == (124, 164) and floor.canvas == (224, 299)  # leaves a 298-wide image
    assert unfold_grid((227, 227), 6, 124 / 224, "floor").canvas == (225, 225)  # ends before it


def test_folding_what_was_cut_gives_the_image_back():
    images = random_images(2, 1, 23, 31).double()
    for stride in ("even", "floor"):
        grid = unfold_grid((23, 31), 3, 0.6, stride)
        owner, patch = torch.arange(2).repeat_interleave(9), torch.arange(9).repeat(2)
        pieces, seen = torch.zeros(18, *grid.size, dtype=torch.float64), torch.zeros(18, *grid.size)
        for which, piece in grid.cut(images, owner, patch):
            assert stride == "floor" or tuple(piece.shape[2:]) == grid.size
            h, w = piece.shape[2:]
            pieces[which, :h, :w], seen[which, :h, :w] = piece[:, 0], 1
        back = grid.fold(pieces.unflatten(0, (2, 9))) / grid.fold(seen.unflatten(0, (2, 9)))
        H, W = (min(a, b) for a, b in zip(grid.canvas, (23, 31), strict=True))
        torch.testing.assert_close(back[:, :H, :W], images[:, 0, :H, :W])
        assert back[:, H:].isnan().all() and back[:, :, W:].isnan().all()  # nothing of the image lies there


def test_flipping_the_image_flips_the_map():
    net, image = ColourNet().double(), colour_image(17, 19)  # an even number of pixels to spread over
    for dim in (-1, -2):
        flipped = SMALL(net, image.flip(dim), "box", 1)
        torch.testing.assert_close(flipped, SMALL(net, image, "box", 1).flip(dim))


# The weight ---------------------------------------------------------------------------------------


def test_confidence_weights():
    net, images = TinyNet().double(), random_images(2, 3, 20, 20).double()
    seen = {
        kind: replace(SMALL, confidence=kind, relu=False)(net, images, "relu2", 1, intermediate=True)
        for kind in ("exp", "exp/max", "none")
    }
    p = seen["exp"].scores
    assert p.shape == (2, 9) and (p > 0).all() and (p < 1).all()
    torch.testing.assert_close(seen["exp"].weights, p.exp())
    assert seen["exp"].weights.min() >= 1 and seen["exp"].weights.max() <= np.e
    torch.testing.assert_close(seen["exp/max"].weights, p.exp() / p.exp().amax(1, True))
    assert (seen["none"].weights == 1).all()
    factor = p.exp().amax(1)[:, None, None]  # dividing by the largest only scales
    torch.testing.assert_close(seen["exp/max"].map * factor, seen["exp"].map)


def test_stages_add_up_to_the_map():
    net, images = TinyNet().double(), random_images(2, 3, 15, 22).double()
    stages = SMALL(net, images, ["relu1", "relu2"], intermediate=True)
    maps = SMALL(net, images, ["relu1", "relu2"])
    for layer, stage in stages.items():
        assert torch.equal(stage.map, maps[layer])
        E = hc.ops.upsample(stage.patches.flatten(0, 1), stage.grid.size).unflatten(0, (2, 9))
        folded = stage.grid.fold(E * stage.weights[..., None, None]) / stage.coverage
        torch.testing.assert_close(folded.relu(), maps[layer])
    assert torch.equal(stages["relu1"].scores, stages["relu2"].scores)  # shared patches
    assert (stages["relu1"].patches < 0).any()  # before any ReLU


# Any base -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mine:
    """An explainer as a reader may write it: it knows `relu`, but no size and no reshape."""

    gain: float = 2.0
    relu: bool = True

    def __call__(self, model, images, layers=None, target=None):
        images = images.clone().requires_grad_()
        score = model(images).gather(1, target[:, None]).sum()
        (G,) = torch.autograd.grad(score, images)
        maps = self.gain * G.sum(1)
        return maps.relu() if self.relu else maps


def test_bases_that_a_reader_wrote():
    net, images = TinyNet().double(), random_images(2, 3, 12, 14).double()

    def function(model, x, target):
        return Mine(relu=False)(model, x, None, target)

    wrapped, plain = replace(SMALL, base=Mine()), replace(SMALL, base=function)
    assert (wrapped.takes, plain.takes, SMALL.takes) == ("layer", "input", "layer")
    assert hc.UCAG(hc.InputXGradient()).takes == "input"
    signed = plain(net, images)
    assert (signed < 0).any()  # nobody said that its sign means nothing
    torch.testing.assert_close(wrapped(net, images), signed.relu())
    with pytest.raises(ValueError, match="UCAG explains the image itself and reads no layer"):
        plain(net, images, "relu1")
    with torch.no_grad():
        torch.testing.assert_close(plain(net, images), signed)


@pytest.mark.parametrize(
    "base",
    [
        hc.GradCAM(),
        hc.GradCAMpp(),
        hc.ActivationSum(),
        hc.CAMERAS(preset="reference", scales=(1, 2)),
        hc.HolisticCAM(scales=(1, 1.5), median=3, mean=5),
        hc.InputXGradient(),
        hc.Gradient(),
        hc.GuidedBackprop(),
        hc.LRP(),
        hc.RelevanceCAM(),
        hc.EigenCAM(),
        SMALL,
        replace(SMALL, base=hc.InputXGradient()),
    ],
    ids=lambda b: type(b).__name__,
)
@pytest.mark.filterwarnings("ignore::holicam.methods.cams.weights.SignedActivationWarning")
def test_every_kind_of_base(base):
    net, images = TinyNet().double(), random_images(2, 3, 14, 12).double()
    layers = None if getattr(base, "takes", "") == "input" else "relu2"
    explainer = replace(SMALL, base=base, chunk=7)
    maps = explainer(net, images, layers, [1, 4])
    assert maps.shape == (2, 14, 12) and maps.dtype == torch.float64 and maps.isfinite().all()
    for b, target in enumerate([1, 4]):  # a batch equals its singles, in any chunk
        alone = replace(explainer, chunk=4)(net, images[b : b + 1], layers, target)
        torch.testing.assert_close(alone, maps[b : b + 1], rtol=1e-9, atol=1e-12)
    if isinstance(base, hc.UCAG) and layers is None:
        assert (maps < 0).any()  # the sign survives two wraps


def test_many_layers_come_from_the_same_patches():
    net, images = TinyNet(), random_images(2, 3, 12, 10)
    many = SMALL(net, images, ("relu2", "relu1"), 0)
    assert list(many) == ["relu2", "relu1"]
    torch.testing.assert_close(many["relu1"], SMALL(net, images, "relu1", 0))


def test_no_layer_means_what_it_means_to_the_base():
    net, images = hc.load_model("toy-resnet50"), random_images(1, 3, 48, 48)
    one = hc.UCAG(patches=2)(net, images)
    assert torch.equal(one, hc.UCAG(patches=2)(net, images, "layer4"))


# What it costs ------------------------------------------------------------------------------------


@pytest.fixture
def passes(monkeypatch):
    """Images forwarded and backwards taken: count.watch(model)."""

    class Count:
        images = backwards = 0

        def watch(self, model):
            model.register_forward_hook(lambda _, x, y: setattr(self, "images", self.images + len(y)))
            return model

    count, original = Count(), torch.autograd.grad

    def grad(*args, **kwargs):
        count.backwards += 1
        return original(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    return count


def test_the_confidence_of_a_patch_is_not_paid_twice(passes):
    net, images = passes.watch(TinyNet()), random_images(2, 3, 12, 12)
    replace(SMALL, chunk=5)(net, images, ["relu1", "relu2"])
    assert (passes.images, passes.backwards) == (2 + 18, 4)  # the images, the patches; 18 in fives


def test_bases_that_go_their_own_way_cost_a_forward_more(passes):
    net, images = passes.watch(TinyNet()), random_images(2, 3, 12, 12)
    for base, forwards in [
        (hc.InputXGradient(), 18),
        (hc.CAMERAS(scales=(1, 2)), 36),
        (ones, 18),
        (hc.SmoothGrad(samples=3), 18 + 54),
    ]:
        passes.images = 0
        replace(SMALL, base=base)(net, images, "relu2" if isinstance(base, hc.CAMERAS) else None, 1)
        assert passes.images == 2 + forwards, base


def test_overheard_only_the_first_forward_and_only_of_these_inputs():
    net, x = TinyNet(), random_images(2, 3, 8, 8)
    for first, known in [
        (x, [True]),
        (x.clone(), [True]),
        (torch.cat([x, x]), [True]),
        (x + 1, [False]),
        (x[:1], []),
        (x[..., :4], []),
        (x.repeat(1, 1, 1, 2), []),
    ]:
        with overheard(net, x) as heard:
            net(first)
            net(x)
        assert [same.item() for _, same in heard] == known
        assert all(torch.allclose(logits, net(x), atol=1e-6) for logits, same in heard if same)
    assert not net._forward_hooks


# How it is called ---------------------------------------------------------------------------------


def test_targets():
    net, images = TinyNet().double(), random_images(3, 3, 12, 12).double()
    top = net(images).argmax(1)
    expected = SMALL(net, images, "relu2")
    torch.testing.assert_close(SMALL(net, images, "relu2", top), expected)
    torch.testing.assert_close(SMALL(net, images, "relu2", top.tolist()), expected)
    one = SMALL(net, images, "relu2", 2)
    torch.testing.assert_close(SMALL(net, images, "relu2", lambda y: y[:, 2]), one)
    with pytest.raises(ValueError, match=r"target must lie in 0\.\.4"):
        SMALL(net, images, "relu2", 5)


@pytest.mark.parametrize("shape", [(24, 40), (9, 5), (1, 1), (33, 16)])
def test_any_image_size(shape):
    maps = hc.UCAG(patches=3)(TinyNet(), random_images(2, 3, *shape), "relu2", 0)
    assert maps.shape == (2, *shape) and maps.isfinite().all() and (maps >= 0).all()


def test_sizes():
    net, images = TinyNet(), random_images(2, 3, 12, 10)
    native = SMALL(net, images, "relu1", 0, size="native")
    assert native.shape == (2, 12, 10)
    asked = SMALL(net, images, "relu1", 0, size=(7, 20))
    torch.testing.assert_close(asked, hc.ops.upsample(native, (7, 20)))


@pytest.mark.parametrize("preset", ["default", "reference"])
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.bfloat16, torch.float32)],
)
def test_dtypes(dtype, expected, preset):
    images, explainer = random_images(2, 3, 16, 16), hc.UCAG(preset=preset, patches=3)
    exact = explainer(TinyNet().double(), images.double(), "relu2", 2)
    maps = explainer(TinyNet().to(dtype), images.to(dtype), "relu2", 2)
    assert maps.dtype == expected and maps.isfinite().all()
    tolerance = {torch.float64: 0, torch.float32: 1e-4, torch.bfloat16: 0.1}[dtype]
    assert (maps - exact).abs().max() <= tolerance * exact.abs().max()


def test_in_place_relus_change_nothing():
    images = random_images(2, 3, 9, 12)
    assert torch.equal(*(SMALL(TinyNet(inplace), images, "relu1", 1) for inplace in (True, False)))


class Muted(TinyNet):
    """The score follows `relu0`, and its gradient there is exactly 0."""

    def forward(self, images):
        x = self.relu0(self.conv0(images))
        return self.fc((x.detach() + 0 * x).repeat(1, 2, 1, 1).mean((2, 3)))


@pytest.mark.parametrize("preset", ["default", "reference"])
def test_no_gradient_gives_a_zero_map(preset):
    maps = hc.UCAG(preset=preset, patches=3)(Muted(), random_images(2, 3, 8, 8), "relu0", 0)
    assert (maps == 0).all()


def test_a_constant_image_and_a_map_that_is_negative_everywhere():
    assert SMALL(TinyNet(), torch.zeros(1, 3, 8, 8), "relu2").isfinite().all()
    image = torch.ones(1, 3, 12, 12) * torch.tensor([1.0, 0, 0])[:, None, None]
    assert (replace(SMALL, base=hc.GradCAM(relu=False))(ColourNet(), image, "box", 2) < 0).all()
    assert (SMALL(ColourNet(), image, "box", 2) == 0).all()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_inside_no_grad(context):
    net, images = TinyNet(), random_images(1, 3, 8, 8)
    outside = SMALL(net, images, "relu1")
    with context():
        torch.testing.assert_close(SMALL(net, images.clone(), "relu1"), outside)


def test_everything_is_restored_also_after_an_error():
    net, images = TinyNet(), random_images(1, 3, 12, 12).requires_grad_()
    net.fc.weight.requires_grad_(False)
    flags = [p.requires_grad for p in net.parameters()]

    def fails(model, x, target):
        raise RuntimeError("mine")

    maps = SMALL(net, images, "relu1")
    with pytest.raises(RuntimeError, match="mine"):
        hc.UCAG(fails)(net, images)
    with pytest.raises(KeyError, match="relu9"):
        SMALL(net, images, "relu9")
    assert not maps.requires_grad and images.grad is None
    assert flags == [p.requires_grad for p in net.parameters()]
    assert all(p.grad is None for p in net.parameters()) and not net.training
    assert not any(m._forward_hooks for m in net.modules())
    with pytest.raises(ValueError, match="training mode"):
        SMALL(net.train(), images, "relu1")


def test_transformers_and_branches():
    net, images = TokenNet(), random_images(2, 3, 8, 12)
    maps = hc.UCAG(patches=2, rho=0.5, alpha=2.0)(net, images, "norm", 1, reshape=tokens_to_grid((2, 3)))
    assert maps.shape == (2, 8, 12)
    for layer in ("left", "right", "join"):
        assert SMALL(BranchNet(), images, layer).isfinite().all()


# Fields -------------------------------------------------------------------------------------------


def test_presets():
    assert repr(hc.UCAG()) == (
        "UCAG(base=GradCAM(relu=True, score='logit'), preset='default', patches=6, alpha=2.6, "
        "rho=0.555, stride='even', confidence='exp', count_from=0, smooth=False, bridge=None, "
        "relu=True, chunk=16)"
    )
    code = hc.UCAG(preset="reference", smooth=False)
    assert (code.rho, code.stride, code.confidence) == (124 / 224, "floor", "exp/max")
    assert (code.count_from, code.smooth, code.bridge) == (1, False, (224, 224))
    assert hc.UCAG(preset="paper") == hc.UCAG(preset="paper", rho=0.555)
    assert hc.explainers["ucag"]() == hc.UCAG(hc.GradCAM()) and len({hc.UCAG(), hc.UCAG()}) == 1


def test_the_bridge_is_for_maps_of_the_input():
    net, images = TinyNet().double(), random_images(1, 3, 20, 20).double()
    maps = {way: hc.UCAG(hc.InputXGradient(), patches=2, bridge=way)(net, images, target=1) for way in (None, (5, 5))}
    assert not torch.allclose(*maps.values())
    maps = [hc.UCAG(patches=2, bridge=way)(net, images, "relu2", 1) for way in (None, (5, 5))]
    assert torch.equal(*maps)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"preset": "mine"}, "preset must be one of"),
        ({"patches": 0}, "patches must be a whole"),
        ({"patches": 2.0}, "patches must be a whole"),
        ({"rho": 0}, "rho must be a number greater"),
        ({"rho": 1.2}, "rho must be .* at most 1"),
        ({"alpha": 0}, "alpha must be"),
        ({"patches": 1}, "patches must meet"),
        ({"confidence": "log"}, "confidence must be one of"),
        ({"count_from": 2}, "count_from must be one of"),
        ({"stride": "half"}, "stride must be one of"),
        ({"chunk": 0}, "chunk must be"),
        ({"base": "grad-cam"}, "base must be an explainer"),
        ({"base": hc.GradCAM}, "base must be an explainer"),
        ({"base": lambda model, images: images}, "base must be an explainer"),
        ({"bridge": (0, 5)}, "a side of bridge"),
    ],
)
def test_bad_fields(fields, said):
    with pytest.raises(ValueError, match=said):
        hc.UCAG(**fields)
    for flag in ("smooth", "relu"):
        with pytest.raises(TypeError, match=f"{flag} must be True or False"):
            hc.UCAG(**{flag: 1})


def test_bad_calls():
    net, images = TinyNet(), random_images(2, 3, 8, 8)
    with pytest.raises(ValueError, match="begins beyond an image of 4 pixels"):
        unfold_grid((4, 4), 3, 0.5, "floor")
    with pytest.raises(ValueError, match="leave gaps on 10 pixels"):
        unfold_grid((10, 10), 3, 0.34)  # 3 pixels each
    with pytest.raises(TypeError, match="images must be a tensor"):
        SMALL(net, [images])
    for wrong in (lambda model, x, target: x, lambda model, x, target: x[:1, 0], lambda model, x, target: None):
        with pytest.raises(ValueError, match=r"base must return maps \(m, h, w\)"):
            hc.UCAG(wrong)(net, images)


# Networks people use, and a GPU ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("resnet18", ["layer3", "layer4"]),
        ("toy-vgg16_bn", ["features.33", "features.43"]),
        ("densenet121", ["features"]),
    ],
)
def test_real_architectures(name, layers):
    if name.startswith("toy"):
        net = hc.load_model(name)
    else:
        from torchvision import models

        net = models.get_model(name, weights=None, num_classes=7).eval()
    images = random_images(2, 3, 64, 64)
    maps = hc.UCAG(patches=2)(net, images, layers, 3)
    assert list(maps) == layers
    for m in maps.values():
        assert m.shape == (2, 64, 64) and m.isfinite().all()


@pytest.mark.gpu
def test_a_gpu_agrees():
    net, images = TinyNet(), random_images(2, 3, 24, 40)
    for base, layer in ((hc.GradCAM(), "relu2"), (hc.InputXGradient(), None)):
        for preset in ("default", "reference"):
            explainer = hc.UCAG(base, preset=preset, patches=3)
            here = explainer(net.cpu(), images, layer, [1, 2])
            there = explainer(net.cuda(), images.cuda(), layer, [1, 2])
            assert there.is_cuda
            torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=1e-3 * here.abs().max().item())


@pytest.mark.parametrize("bridge", [5, (8, 8, 8), (32,), "ab", (0, 8)])
def test_a_bridge_is_a_pair_of_whole_numbers(bridge):
    with pytest.raises((ValueError, TypeError), match="bridge"):
        hc.UCAG(bridge=bridge)
